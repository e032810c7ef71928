"""The final table of a run, as rows of text for the page and as a rich table for the terminal."""

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


def final_table(summary: Mapping[str, Any]) -> Table:
    """``summary`` as in ``summary.json``: every agent and the mean, start → end. Scores in percent, loss in nats a token."""
    title = f"{summary['strategy']}, seed {summary['seed']}, {summary['rounds']} rounds: test problems, start → end"
    # Fits into 80 columns: a terminal that wraps figures cannot be read.
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
    for heading in headings(summary):
        table.add_column(heading, justify="left" if heading == "agent" else "right", no_wrap=True)
    rows = final_rows(summary)
    for row in rows[:-1]:
        table.add_row(*row)
    table.add_section()
    table.add_row(*rows[-1], style="bold")
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
