"""What a comparison shows and what it does not, in plain sentences: the last lines of its tables."""

from __future__ import annotations

from collections.abc import Sequence

from knexa.study.rows import Row
from knexa.study.statistics import holm, paired_p_value

LEVEL = 0.05


def verdicts(rows: Sequence[Row], baseline: str) -> list[str]:
    """Pass@1 of every strategy against ``baseline`` at equal seeds, and what servers took beyond the common budget; empty without it."""
    scores = {name: _by_seed(rows, name) for name in dict.fromkeys(str(row["strategy"]) for row in rows)}
    theirs = scores.pop(baseline, None)
    if theirs is None or not scores:
        return _on_top(rows)
    if len(theirs) < 2:
        return [f"One seed: no difference to {baseline} can be called significant.", *_on_top(rows)]
    differences = {name: sum(ours[seed] - theirs[seed] for seed in theirs) / len(theirs) for name, ours in scores.items()}
    p_values = holm([paired_p_value([ours[seed] for seed in theirs], list(theirs.values())) for ours in scores.values()])
    said = {name: f"{name} {100 * differences[name]:+.1f} ({_p(p)})" for name, p in zip(scores, p_values, strict=True)}
    found = {name: p < LEVEL for name, p in zip(scores, p_values, strict=True)}
    head = (
        f"Pass@1 against {baseline} in points, paired over {len(theirs)} seeds; p of the paired t test after Holm's correction for "
        f"{len(scores)} comparisons."
    )
    return [
        head,
        f"Significant (p < {LEVEL}): {_list([text for name, text in said.items() if found[name]])}.",
        f"Not significant: {_list([text for name, text in said.items() if not found[name]])}.",
        *_on_top(rows),
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


def _by_seed(rows: Sequence[Row], strategy: str) -> dict[int, float]:
    return {int(row["seed"]): float(row["pass@1"]) for row in rows if row["strategy"] == strategy}


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _list(items: Sequence[str]) -> str:
    return ", ".join(items) or "none"
