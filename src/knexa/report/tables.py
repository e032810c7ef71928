"""The final table of a run, as rows of text for the page and as a rich table for the terminal; and how values are written in tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from knexa.record import SCORES, scores_present


def headings(summary: Mapping[str, Any]) -> list[str]:
    """Of the columns of :func:`final_rows`."""
    return ["agent", *(SCORES[name] for name in shown(summary)), "loss", "taught", "learned"]


def shown(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the scores that some agent has."""
    return scores_present(agent[stage] for agent in summary["agents"] for stage in ("start", "end"))


def final_table(summary: Mapping[str, Any], width: int) -> Table:
    """``summary`` as in ``summary.json``: every agent and the mean, start → end. Scores in percent, loss in nats a token.

    For a terminal of ``width`` characters: columns that have no room there are left out, and named below the table.
    """
    title = f"{summary['strategy']}, seed {summary['seed']}, {summary['rounds']} rounds: test problems, start → end"
    table = fitting_table(title, [headings(summary), *final_rows(summary)], width, first=2, elsewhere="report.html", padding=0)
    table.rows[-2].end_section, table.rows[-1].style = True, "bold"
    return table


def fitting_table(title: str, lines: Sequence[Sequence[str]], width: int, *, first: int, elsewhere: str, padding: int = 1) -> Table:
    """``lines``, of which the first is the head, for a terminal of ``width`` characters, whose figures it never cuts off.

    The ``first`` so many columns always stay; of the others those without room are left out, and named below as to be found ``elsewhere``.
    """
    columns, left_out = [list(column) for column in zip(*lines, strict=True)], []
    while len(columns) > first and sum(max(map(len, column)) + padding + 1 for column in columns) + padding + 1 > width:
        left_out.append(columns.pop(first)[0])
    caption = f"No room here for {', '.join(left_out)}: {elsewhere} has all." if left_out else None
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left", box=SIMPLE_HEAD, padding=(0, padding))
    table.pad_edge, table.collapse_padding, table.min_width = False, True, max(len(title), len(caption or ""))
    for place, (heading, *_) in enumerate(columns):
        table.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for line in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*line)
    return table


def final_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Cells under :func:`headings`, one row an agent, the mean last."""
    names = shown(summary)
    taught = Counter(exchange["teacher"] for exchange in summary["exchanges"])
    learned = Counter(exchange["student"] for exchange in summary["exchanges"])
    rows = [
        [agent["agent"], *score_cells(agent, names), str(taught[agent["agent"]]), str(learned[agent["agent"]])]
        for agent in summary["agents"]
    ]
    each = f"{len(summary['exchanges']) / len(rows):.1f}"
    return [*rows, ["mean", *score_cells(summary["mean"], names), each, each]]


def score_cells(stages: Mapping[str, Mapping[str, float | None]], names: Sequence[str]) -> list[str]:
    """The scores ``names`` and the loss as ``start→end``; n/a for what is not known."""
    start, end = stages["start"], stages["end"]
    scores = [f"{share(start[name])}→{share(end[name])}" for name in names]
    return [*scores, f"{nats(start['loss'])}→{nats(end['loss'])}"]


def share(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f}"


def nats(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def duration(seconds: float) -> str:
    """In the two largest units that it has: seconds, minutes and seconds, hours and minutes."""
    if round(seconds, 1) < 60:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)  # rounded first: 119.6 s are 2 min 0 s
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"
