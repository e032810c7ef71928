"""Small SVG drawings without a library: scales, axes and five kinds of chart.

Colours are CSS classes (``s0`` to ``s7`` for series, ``heat``, ``good``, ``bad``), so a drawing follows the page into dark
mode. Lengths are user units; the page shows them as pixels or shrinks the whole drawing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

#: Number of distinct series colours; more series than that are drawn without telling them apart.
COLOURS = 8


@dataclass(frozen=True, slots=True)
class Series:
    """One line: ``points`` in data units, ``style`` a CSS class; an empty ``name`` stays out of the legend.

    ``spread``: for each point the two ends of its interval, or nothing; none for a series that has none.
    """

    name: str
    points: Sequence[Point]
    style: str
    dots: bool = False
    line: bool = True
    spread: Sequence[Sequence[float]] = ()


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale from data ``low``..``high`` to drawing ``start``..``end``, with tick positions and a label."""

    label: str
    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    form: Callable[[float], str]

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def colour(index: int) -> str:
    """CSS classes of the series number ``index``: the colours in turn, then again with dashes, then with dots."""
    return f"s{index % COLOURS}" + ("", " dashed", " dotted")[min(index // COLOURS, 2)]


def percent(value: float) -> str:
    return f"{100 * value:.3g}%"


def plain(value: float) -> str:
    return f"{value:.4g}"


def nice_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """At most ``most`` + 1 round numbers that cover ``low``..``high`` (steps of 1, 2, 2.5 or 5 times a power of ten)."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if span / (power * factor) <= most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(index * step, 12) for index in range(first, max(last, first + 1) + 1))


def value_axis(
    label: str, values: Iterable[float], start: float, end: float, *, form: Callable[[float], str] = plain, zero: bool = False
) -> Axis:
    """An axis whose ends are ticks and cover ``values``; ``zero`` makes it include 0."""
    known = [*values, *([0.0] if zero else [])] or [0.0, 1.0]
    ticks = nice_ticks(min(known), max(known))
    return Axis(label, ticks[0], ticks[-1], start, end, ticks, form)


def round_axis(label: str, low: int, high: int, start: float, end: float) -> Axis:
    """An axis of whole rounds, every tick a round."""
    step = max(1, math.ceil((high - low) / 20))
    return Axis(label, low - 0.4, high + 0.4, start, end, tuple(float(tick) for tick in range(low, high + 1, step)), plain)


def text(x: float, y: float, content: str, *, anchor: str = "start", style: str = "", turn: bool = False) -> str:
    rotate = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}"{rotate}>{escape(content)}</text>'


def drawing(width: float, height: float, title: str, body: Iterable[str]) -> str:
    """A complete ``<svg>``; ``title`` is what a screen reader says."""
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" style="min-width:{0.9 * width:.0f}px;max-width:{width:.0f}px"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">{"".join(body)}</svg>'


def axes(x: Axis, y: Axis) -> list[str]:
    """Grid lines, ticks and labels. ``y`` runs upwards: its ``start`` is the lower edge."""
    parts = [f'<line class="grid" x1="{x.start:.1f}" x2="{x.end:.1f}" y1="{y.place(t):.1f}" y2="{y.place(t):.1f}"/>' for t in y.ticks]
    parts += [text(x.start - 8, y.place(tick) + 4, y.form(tick), anchor="end", style="tick") for tick in y.ticks]
    parts += [text(x.place(tick), y.start + 18, x.form(tick), anchor="middle", style="tick") for tick in x.ticks]
    parts.append(f'<line class="axis" x1="{x.start:.1f}" x2="{x.end:.1f}" y1="{y.start:.1f}" y2="{y.start:.1f}"/>')
    parts.append(text((x.start + x.end) / 2, y.start + 38, x.label, anchor="middle", style="label"))
    parts.append(text(14, (y.start + y.end) / 2, y.label, anchor="middle", style="label", turn=True))
    return parts


def line_chart(title: str, series: Sequence[Series], x: Axis, y: Axis, width: float = 560, height: float = 320) -> str:
    body = axes(x, y)
    for one in series:
        places = [(x.place(a), y.place(b)) for a, b in one.points]
        if one.line and places:
            body.append(f'<polyline class="{one.style}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in places)}"/>')
        if one.spread:
            ends = [[y.place(end) for end in interval] for interval in one.spread]
            body += [_whisker(one.style, at, interval) for (at, _), interval in zip(places, ends, strict=True) if interval]
        if one.dots or len(places) == 1:
            body += [f'<circle class="{one.style}" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in places]
    names, below = legend([one for one in series if one.name], x.start, 12, x.end)
    down = max(0.0, below - y.end)
    if down:
        body = [f'<g transform="translate(0 {down:.1f})">', *body, "</g>"]
    return drawing(width, height + down, title, [*body, *names])


def _whisker(style: str, x: float, ends: Sequence[float]) -> str:
    return f'<line class="{style} whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{ends[0]:.1f}" y2="{ends[1]:.1f}"/>'


def legend(series: Sequence[Series], left: float, top: float, right: float) -> tuple[list[str], float]:
    """Names of the series in one or more lines from ``left``, broken at ``right``; and where what is below them may begin."""
    parts, x, y = [], left, top
    for one in series:
        width = 30 + 7.2 * len(one.name)
        if x > left and x + width > right:
            x, y = left, y + 18
        parts.append(f'<line class="{one.style}" x1="{x:.1f}" x2="{x + 16:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(text(x + 21, y + 4, one.name, style="tick"))
        x += width
    return parts, y + 20


def bars(title: str, rows: Sequence[tuple[str, float, str]], label: str, width: float = 560) -> str:
    """Horizontal bars; a row is name, value and the text shown behind the bar."""
    left, top, step = 24 + 7.2 * max((len(name) for name, _, _ in rows), default=0), 8, 28
    height = top + step * len(rows) + 46
    axis = value_axis(label, [value for _, value, _ in rows], left, width - 110, zero=True)
    bottom = top + step * len(rows)
    body = [f'<line class="grid" x1="{axis.place(t):.1f}" x2="{axis.place(t):.1f}" y1="{top}" y2="{bottom}"/>' for t in axis.ticks]
    body += [text(axis.place(tick), bottom + 18, axis.form(tick), anchor="middle", style="tick") for tick in axis.ticks]
    body.append(text((left + width - 110) / 2, bottom + 38, label, anchor="middle", style="label"))
    for index, (name, value, shown) in enumerate(rows):
        y = top + step * index
        body.append(text(left - 8, y + 18, name, anchor="end", style="tick"))
        body.append(
            f'<rect class="bar" x="{left:.1f}" y="{y + 5}" width="{max(0.0, axis.place(value) - left):.1f}" height="{step - 10}" rx="2"/>'
        )
        body.append(text(axis.place(value) + 6, y + 18, shown, style="tick"))
    return drawing(width, height, title, body)


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a heat map: ``weight`` in [0, 1] is its intensity, ``style`` its colour class, ``hint`` the tooltip."""

    shown: str
    weight: float
    style: str = "heat"
    hint: str = ""


def heat_map(
    title: str, rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Cell | None]], labels: tuple[str, str]
) -> str:
    """``labels``: what rows and columns are. None leaves a field empty. Column names stand upright when they are long.

    Fields get narrower the more columns there are, but never too narrow for a number.
    """
    left = 44 + 7.2 * max(map(len, rows), default=0)
    upright = max(map(len, columns), default=0) > 6
    top = 34 + (7.0 * max(map(len, columns)) if upright else 14)
    size, line = max(26.0, min(42.0, 470 / max(1, len(columns)))), 24
    body = [text(14, top + line * len(rows) / 2, labels[0], anchor="middle", style="label", turn=True)]
    body.append(text(left + size * len(columns) / 2, 14, labels[1], anchor="middle", style="label"))
    for index, name in enumerate(columns):
        x = left + size * index + size / 2
        body.append(
            text(x + 4, top - 8, name, style="tick", turn=True) if upright else text(x, top - 8, name, anchor="middle", style="tick")
        )
    for row, name in enumerate(rows):
        body.append(text(left - 8, top + line * row + 16, name, anchor="end", style="tick"))
        body += [_field(cell, left + size * column, top + line * row, size, line) for column, cell in enumerate(cells[row]) if cell]
    return drawing(left + size * len(columns) + 12, top + line * len(rows) + 12, title, body)


def _field(cell: Cell, x: float, y: float, width: float, height: float) -> str:
    hint = f"<title>{escape(cell.hint)}</title>" if cell.hint else ""
    place = f'x="{x + 1:.1f}" y="{y + 1:.1f}" width="{width - 2:.1f}" height="{height - 2:.1f}"'
    field = f'<rect class="{cell.style}" fill-opacity="{0.06 + 0.94 * min(1.0, max(0.0, cell.weight)):.2f}" {place} rx="2"/>'
    ink = "ink-strong" if cell.weight > 0.55 else "ink"
    return f"<g>{hint}{field}{text(x + width / 2, y + height / 2 + 4, cell.shown, anchor='middle', style=ink)}</g>"
