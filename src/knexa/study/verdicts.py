"""What a comparison shows and what it does not, in plain sentences: the last lines of its tables."""

from __future__ import annotations

from collections.abc import Sequence

from knexa.randomness import stream
from knexa.record import SCORES, scores_present
from knexa.study.rows import Row
from knexa.study.statistics import holm, paired_bootstrap, paired_p_value

LEVEL = 0.05
#: Scores that are the mean over problems of the share of right answers.
_SHARES = ("pass@1", "exact_match")


def verdicts(rows: Sequence[Row], baseline: str) -> list[str]:
    """The first score of every strategy against ``baseline`` at equal seeds, and what servers took beyond the common budget.

    With one seed, over problems instead: how sure a difference is of other test problems, not of other seeds. Empty without a baseline.
    """
    score = scores_present(rows)[0]
    scores = {name: _by_seed(rows, name, score) for name in dict.fromkeys(str(row["strategy"]) for row in rows)}
    theirs = scores.pop(baseline, None)
    if theirs is None or not scores:
        return _on_top(rows)
    if len(theirs) < 2:
        return [*_over_problems(rows, baseline, SCORES[score] if score in _SHARES else "Share of right answers"), *_on_top(rows)]
    differences = {name: sum(ours[seed] - theirs[seed] for seed in theirs) / len(theirs) for name, ours in scores.items()}
    p_values = holm([paired_p_value([ours[seed] for seed in theirs], list(theirs.values())) for ours in scores.values()])
    said = {name: f"{name} {100 * differences[name]:+.1f} ({_p(p)})" for name, p in zip(scores, p_values, strict=True)}
    found = {name: p < LEVEL for name, p in zip(scores, p_values, strict=True)}
    head = (
        f"{SCORES[score]} against {baseline} in points, paired over {len(theirs)} seeds; p of the paired t test after Holm's correction "
        f"for {len(scores)} comparisons."
    )
    return [
        head,
        f"Significant (p < {LEVEL}): {_list([text for name, text in said.items() if found[name]])}.",
        f"Not significant: {_list([text for name, text in said.items() if not found[name]])}.",
        *_on_top(rows),
    ]


def _over_problems(rows: Sequence[Row], baseline: str, heading: str) -> list[str]:
    """Intervals of the differences in one seed, by a paired bootstrap over the test problems."""
    shares = {str(row["strategy"]): row.get("by_problem") or [] for row in rows}
    theirs = shares.pop(baseline)
    first = f"One seed: whether another one would give the same difference to {baseline}, this cannot say."
    if not theirs or any(len(ours) != len(theirs) for ours in shares.values()):
        return [first]
    found = {name: paired_bootstrap(ours, theirs, stream(0, "bootstrap", name)) for name, ours in shares.items()}
    said = {name: f"{name} {100 * one.mean:+.1f} [{100 * one.low:+.1f}, {100 * one.high:+.1f}]" for name, one in found.items()}
    return [
        f"{heading} against {baseline} in points, with the 95 % interval of a paired bootstrap over {len(theirs)} test problems. {first}",
        f"Beyond what the choice of problems explains: {_list([text for name, text in said.items() if found[name].excludes_zero])}.",
        f"Not beyond it: {_list([text for name, text in said.items() if not found[name].excludes_zero])}.",
    ]


def _on_top(rows: Sequence[Row]) -> list[str]:
    """A line for each strategy whose server computes beyond the budget, per run."""
    lines = []
    for name in dict.fromkeys(str(row["strategy"]) for row in rows):
        mine = [row for row in rows if row["strategy"] == name]
        parts = ((key, sum(int(row[key]) for row in mine) / len(mine)) for key in ("scored", "server_steps", "server_texts"))
        counted = [f"{count:,.0f} {_WORDS[key]}" for key, count in parts if count]
        if counted:
            lines.append(f"Beyond the common budget, {name} takes in a run: {', '.join(counted)}.")
    return lines


_WORDS = {"scored": "readings of texts by agents", "server_steps": "steps of a server model", "server_texts": "texts of a server model"}


def _by_seed(rows: Sequence[Row], strategy: str, score: str) -> dict[int, float]:
    return {int(row["seed"]): float(row[score]) for row in rows if row["strategy"] == strategy}


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _list(items: Sequence[str]) -> str:
    return ", ".join(items) or "none"
