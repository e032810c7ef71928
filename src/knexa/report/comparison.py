"""The charts and rows of several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from knexa.record import SCORES, RunRecord, scores_present
from knexa.report.charts import BOTTOM, LEFT, RIGHT, TOP, mean_curve
from knexa.report.svg import Series, colour, drawing, line_chart, percent, round_axis, text, value_axis
from knexa.report.tables import duration, score_cells
from knexa.summary import summary_of


def final_scores(runs: Sequence[RunRecord]) -> str:
    """A bar for each strategy's mean final score, a ring for each run."""
    found = {name: _final(runs, name) for name in strategies(runs)}
    left, top, line = 30 + 7.2 * max(map(len, found)), 8, 34
    bottom = top + line * len(found)
    axis = value_axis(
        f"final {SCORES[scores(runs)[0]]}, mean over agents",
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
    """Mean validation score over rounds, one line a strategy, mean over its seeds."""
    series = [
        Series(name, _mean_of_runs([run for run in runs if run.strategy == name]), colour(index))
        for index, name in enumerate(strategies(runs))
    ]
    rounds = round_axis("round", 1, max(run.rounds for run in runs), LEFT, RIGHT)
    y = value_axis(
        f"{SCORES[scores(runs)[0]]}, validation", [value for one in series for _, value in one.points], BOTTOM, TOP, form=percent, zero=True
    )
    return line_chart(f"mean {SCORES[scores(runs)[0]]} over rounds", series, rounds, y)


def scores(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """Names of the scores that some run has."""
    return scores_present(one.scores for run in runs for one in run.evaluations)


def rows(runs: Sequence[RunRecord]) -> list[list[str]]:
    table, names = [], scores(runs)
    for run in runs:
        time = "n/a" if run.seconds is None else duration(run.seconds)
        sent = [str(len(run.exchanges)), f"{run.sent / 1000:,.0f}"]
        table.append([run.strategy, str(run.seed), *score_cells(summary_of(run)["mean"], names), *sent, time])
    return table


def strategies(runs: Sequence[RunRecord]) -> list[str]:
    return list(dict.fromkeys(run.strategy for run in runs))


def unequal_seeds(runs: Sequence[RunRecord]) -> list[int]:
    """Seeds whose runs did not start from the same bytes."""
    starts: dict[int, set[str]] = {}
    for run in runs:
        starts.setdefault(run.seed, set()).add(run.start_hash)
    return sorted(seed for seed, hashes in starts.items() if len(hashes) > 1)


def _final(runs: Sequence[RunRecord], strategy: str) -> list[float]:
    values = [summary_of(run)["mean"]["end"][scores(runs)[0]] for run in runs if run.strategy == strategy]
    return [value for value in values if value is not None]


def _mean_of_runs(runs: Sequence[RunRecord]) -> list[tuple[float, float]]:
    by_round: dict[float, list[float]] = {}
    for run in runs:
        for at, value in mean_curve(run):
            by_round.setdefault(at, []).append(value)
    return [(at, fmean(values)) for at, values in sorted(by_round.items()) if len(values) == len(runs)]
