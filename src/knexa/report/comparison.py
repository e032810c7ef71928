"""The charts and rows of several runs side by side. Means are over agents that are not hostile, as in the rows of a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from knexa.record import SCORES, RunRecord, scores_present
from knexa.report.charts import BOTTOM, LEFT, RIGHT, TOP, mean_curve
from knexa.report.svg import Series, colour, drawing, line_chart, percent, round_axis, text, value_axis
from knexa.report.tables import duration, score_cells
from knexa.summary import summary_of


def final_scores(runs: Sequence[RunRecord]) -> str:
    """A bar for the mean final score of each name, a ring for each run."""
    found = {name: _final(some, scores(runs)[0]) for name, some in _by_name(runs).items()}
    left, top, line = 30 + 7.2 * max(map(len, found)), 8, 34
    bottom = top + line * len(found)
    axis = value_axis(
        f"final {SCORES[scores(runs)[0]]}, mean over {averaged(runs)}",
        [value for values in found.values() for value in values],
        left,
        440,
        form=percent,
        zero=True,
    )
    body = [f'<line class="grid" x1="{axis.place(t):.1f}" x2="{axis.place(t):.1f}" y1="{top}" y2="{bottom}"/>' for t in axis.ticks]
    body += [text(axis.place(tick), bottom + 18, axis.form(tick), anchor="middle", style="tick") for tick in axis.ticks]
    body.append(text((left + 440) / 2, bottom + 38, axis.label, anchor="middle", style="label"))
    for index, (name, values) in enumerate(found.items()):
        y = top + line * index + line / 2
        body.append(text(left - 8, y + 4, name, anchor="end", style="tick"))
        if values:
            width = axis.place(fmean(values)) - left
            body.append(f'<rect class="bar" fill-opacity=".45" x="{left:.1f}" y="{y - 10:.1f}" width="{width:.1f}" height="20" rx="2"/>')
            body += [f'<circle class="s0" cx="{axis.place(value):.1f}" cy="{y:.1f}" r="4"/>' for value in values]
            body.append(text(axis.place(max(values)) + 10, y + 4, f"{100 * fmean(values):.1f} %", style="tick"))
    return drawing(560, bottom + 46, f"final {SCORES[scores(runs)[0]]} of every strategy", body)


def curves(runs: Sequence[RunRecord]) -> str:
    """Mean validation score over rounds, one line a name, mean over its seeds."""
    series = [Series(name, _mean_of_runs(some), colour(index)) for index, (name, some) in enumerate(_by_name(runs).items())]
    rounds = round_axis("round", 1, max(run.rounds for run in runs), LEFT, RIGHT)
    y = value_axis(
        f"{SCORES[scores(runs)[0]]}, validation", [value for one in series for _, value in one.points], BOTTOM, TOP, form=percent, zero=True
    )
    return line_chart(f"mean {SCORES[scores(runs)[0]]} over rounds", series, rounds, y)


def scores(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """Names of the scores that some run has."""
    return scores_present(one.scores for run in runs for one in run.evaluations)


def rows(runs: Sequence[RunRecord]) -> list[list[str]]:
    """The folder stands last, where name and seed are not all that there is to tell: see :func:`repeated`."""
    table, several = [], repeated(runs)
    for name, run in zip(names(runs), runs, strict=True):
        time = "n/a" if run.seconds is None else duration(run.seconds)
        sent = [str(sum(one.accepted is not None for one in run.exchanges)), f"{run.sent / 1000:,.0f}"]
        folder = [str(run.folder)] if several else []
        table.append([name, str(run.seed), *score_cells(summary_of(run)["honest"], scores(runs)), *sent, time, *folder])
    return table


def averaged(runs: Sequence[RunRecord]) -> str:
    """Whom means are over, in words."""
    return "honest agents" if any(run.honest != run.agents for run in runs) else "agents"


def strategies(runs: Sequence[RunRecord]) -> list[str]:
    return list(dict.fromkeys(run.strategy for run in runs))


def repeated(runs: Sequence[RunRecord]) -> list[str]:
    """Strategies that have several runs of one seed: what sets these apart, nobody has said, so they are not averaged."""
    counts = Counter((run.strategy, run.seed) for run in runs)
    return [name for name in strategies(runs) if any(strategy == name and count > 1 for (strategy, _), count in counts.items())]


def names(runs: Sequence[RunRecord]) -> list[str]:
    """What each run is called: its strategy, and a number where that is :func:`repeated`."""
    several, counts, found = repeated(runs), Counter[str](), []
    for run in runs:
        counts[run.strategy] += 1
        found.append(f"{run.strategy} ({counts[run.strategy]})" if run.strategy in several else run.strategy)
    return found


def unequal_seeds(runs: Sequence[RunRecord]) -> list[int]:
    """Seeds whose runs did not start from the same bytes."""
    starts: dict[int, set[str]] = {}
    for run in runs:
        starts.setdefault(run.seed, set()).add(run.start_hash)
    return sorted(seed for seed, hashes in starts.items() if len(hashes) > 1)


def _by_name(runs: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    found: dict[str, list[RunRecord]] = {}
    for name, run in zip(names(runs), runs, strict=True):
        found.setdefault(name, []).append(run)
    return found


def _final(runs: Sequence[RunRecord], score: str) -> list[float]:
    values = [summary_of(run)["honest"]["end"][score] for run in runs]
    return [value for value in values if value is not None]


def _mean_of_runs(runs: Sequence[RunRecord]) -> list[tuple[float, float]]:
    by_round: dict[float, list[float]] = {}
    for run in runs:
        for at, value in mean_curve(run, run.honest):
            by_round.setdefault(at, []).append(value)
    return [(at, fmean(values)) for at, values in sorted(by_round.items()) if len(values) == len(runs)]
