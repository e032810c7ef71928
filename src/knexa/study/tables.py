"""Tables of a comparison: every strategy with intervals over seeds, and paired differences against a baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table

from knexa.record import SCORES, scores_present
from knexa.report.tables import fitting_table
from knexa.study.rows import Row
from knexa.study.statistics import Interval, mean_interval, paired_interval
from knexa.study.verdicts import verdicts


def headings(rows: Sequence[Row]) -> list[str]:
    """Of the columns of both tables: the scores that some run has, in percent, and the loss."""
    return ["strategy", "seeds", *(f"{SCORES[name]} %" for name in scores_present(rows)), "loss"]


def final_cells(rows: Sequence[Row]) -> list[list[str]]:
    """Mean ± half width of the 95 % t interval over seeds, one line a strategy, in the order of the rows."""
    return [_line(name, rows, [mean_interval(_values(rows, name, metric)) for metric in _metrics(rows)]) for name in _strategies(rows)]


def paired_cells(rows: Sequence[Row], baseline: str) -> list[list[str]]:
    """Mean difference to ``baseline`` at equal seeds; a star where the 95 % interval excludes zero."""
    lines = []
    for name in _strategies(rows):
        if name != baseline:
            intervals = [paired_interval(_values(rows, name, metric), _values(rows, baseline, metric)) for metric in _metrics(rows)]
            lines.append(_line(name, rows, intervals, sign=True))
    return lines


def markdown(rows: Sequence[Row], baseline: str) -> str:
    seeds = ", ".join(str(seed) for seed in sorted({row["seed"] for row in rows}))
    commits, machines = ("; ".join(dict.fromkeys(str(row[key]) for row in rows)) for key in ("commit", "machine"))
    parts = [f"{rows[0]['rounds']} rounds, seeds {seeds}, commit {commits}, {machines}.", ""]
    parts += ["Final scores on held-out test problems, mean over agents; mean over seeds ± half the 95 % t interval.", ""]
    parts += _pipes([headings(rows), *final_cells(rows)])
    if _has_others(rows, baseline):
        parts += ["", f"Difference to `{baseline}` at equal seeds; * marks an interval without zero.", ""]
        parts += _pipes([headings(rows), *paired_cells(rows, baseline)])
    parts += [line for verdict in verdicts(rows, baseline) for line in ("", verdict)]
    return "\n".join(parts) + "\n"


def rich_tables(rows: Sequence[Row], baseline: str, width: int) -> list[Table]:
    """Both tables for a terminal of ``width`` characters."""
    tables = {"Final scores, mean over seeds ± half the 95 % interval": final_cells(rows)}
    if _has_others(rows, baseline):
        tables[f"Difference to {baseline} at equal seeds (* interval without zero)"] = paired_cells(rows, baseline)
    return [fitting_table(title, [headings(rows), *cells], width, first=3, elsewhere="comparison.md") for title, cells in tables.items()]


def _has_others(rows: Sequence[Row], baseline: str) -> bool:
    """Whether there is a difference to ``baseline`` to show."""
    names = _strategies(rows)
    return baseline in names and len(names) > 1


def _line(name: str, rows: Sequence[Row], intervals: Sequence[Interval], *, sign: bool = False) -> list[str]:
    count = str(sum(row["strategy"] == name for row in rows))
    cells = [_cell(interval, 1 if metric == "loss" else 100, sign) for metric, interval in zip(_metrics(rows), intervals, strict=True)]
    return [name, count, *cells]


def _cell(interval: Interval, scale: int, sign: bool) -> str:
    digits = 3 if scale == 1 else 1
    half = (interval.high - interval.low) / 2
    width = "?" if math.isinf(half) else f"{scale * half:.{digits}f}"
    mean = round(scale * interval.mean, digits) + 0.0  # no minus before what rounds to zero
    return f"{mean:{'+' if sign else ''}.{digits}f} ± {width}" + ("*" if sign and interval.excludes_zero else "")


def _values(rows: Sequence[Row], strategy: str, metric: str) -> list[float]:
    chosen = sorted((row for row in rows if row["strategy"] == strategy), key=lambda row: int(row["seed"]))
    return [math.nan if row[metric] is None else float(row[metric]) for row in chosen]


def _metrics(rows: Sequence[Row]) -> tuple[str, ...]:
    return (*scores_present(rows), "loss")


def _strategies(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(str(row["strategy"]) for row in rows))


def _pipes(cells: Sequence[Sequence[str]]) -> list[str]:
    head, *body = (f"| {' | '.join(line)} |" for line in cells)
    return [head, "|" + "---|" * len(cells[0]), *body]
