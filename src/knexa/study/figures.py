"""The study's figures, out of its gains: what the paper's four panels and two curves show, drawn from what ran, with their numbers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from knexa.report.svg import Axis, Series, bars, colour, line_chart, percent, plain, value_axis
from knexa.study.gains import Gain
from knexa.study.statistics import Interval
from knexa.study.synthetic import CEILING, FLOOR

#: Edges of the plotting area, in user units of the drawing; above it three lines of legend.
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 548.0, 70.0, 270.0


@dataclass(frozen=True, slots=True)
class Figure:
    """``title``: what it shows, in words. ``svg``: the drawing.

    ``lines``: its numbers under ``head``, of every size, as text; intervals are those of 95 % over seeds.
    """

    title: str
    svg: str
    head: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]

    def as_csv(self) -> str:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([self.head, *self.lines])
        return out.getvalue()


@dataclass(frozen=True, slots=True)
class _Place:
    """Of one world and heterogeneity: the gains of all sizes, and what every drawing of them needs."""

    where: str
    gains: Sequence[Gain]
    styles: Mapping[str, str]
    rounds: int

    @property
    def sizes(self) -> list[int]:
        return sorted({one.place[2] for one in self.gains})

    @property
    def title(self) -> str:
        """Of a drawing that shows the largest size alone."""
        return f"{max(self.sizes)} agents: {self.where}"


def study_figures(gains: Sequence[Gain], rounds: int, kinds: Sequence[str] = ()) -> Mapping[str, Figure]:
    """Figures by name without suffix, ``<world>-<heterogeneity>-<kind>``; of :data:`FIGURES` all, or only ``kinds``."""
    methods = [method for method in dict.fromkeys(one.method for one in gains) if method not in (FLOOR, CEILING)]
    # One colour a method in all figures, and none for the two ends, which are known by their dashes.
    styles = {method: colour(place) for place, method in enumerate(methods)} | {FLOOR: "floor", CEILING: "ceiling"}
    drawn: dict[str, Figure] = {}
    for world, mix in dict.fromkeys(one.place[:2] for one in gains):
        here = sorted((one for one in gains if one.place[:2] == (world, mix)), key=lambda one: one.method == CEILING)
        place = _Place(f"{world}, {mix} heterogeneity", here, styles, rounds)
        drawn |= {f"{world}-{mix}-{kind}": FIGURES[kind](place) for kind in kinds or FIGURES}
    return drawn


def _gain(place: _Place) -> Figure:
    """Panel 1. Without random, which gains nothing on itself."""
    shown = [one for one in place.gains if one.method != FLOOR]
    title = f"gain over random by number of agents: {place.where}"
    return _by_size(title, place, shown, lambda one: one.gain, "gain over random", percent, zero=True)


def _scale(place: _Place) -> Figure:
    """Panel 2: against random and the oracle."""
    title = f"score by number of agents: {place.where}"
    return _by_size(title, place, place.gains, lambda one: one.score, "score", plain, zero=False)


def _difference(place: _Place) -> Figure:
    """Panel 3."""
    return _bars(
        f"square root of the JS divergence of chosen pairs, {place.title}", place, lambda one: one.difference, "√JS of chosen pairs"
    )


def _speed(place: _Place) -> Figure:
    """Panel 4: rounds matched and learned from, a second."""
    return _bars(f"rounds decided a second, {place.title}", place, lambda one: one.decisions_per_second, "rounds decided a second")


def _convergence(place: _Place) -> Figure:
    """Curve 1: the score of the rounds so far. Without methods of whom a row lacks it."""
    known = [one for one in place.gains if one.pace]
    return _over_rounds(f"score so far, {place.title}", place, known, lambda one: one.pace, "score of the rounds so far", zero=False)


def _regret(place: _Place) -> Figure:
    """Curve 2, with p of regret ~ t^p behind each name. Without the oracle, which regrets nothing."""
    shown = [one for one in place.gains if one.method != CEILING]
    title = f"cumulative regret, {place.title}"
    return _over_rounds(title, place, shown, lambda one: one.curve, "cumulative regret (nats)", zero=True, exponent=True)


#: By the name that the command line and files use.
FIGURES: Mapping[str, Callable[[_Place], Figure]] = MappingProxyType(
    {"gain": _gain, "scale": _scale, "difference": _difference, "speed": _speed, "convergence": _convergence, "regret": _regret}
)


def _by_size(
    title: str,
    place: _Place,
    gains: Sequence[Gain],
    value: Callable[[Gain], Interval],
    label: str,
    form: Callable[[float], str],
    *,
    zero: bool,
) -> Figure:
    """A line a method over the sizes, each point with its interval; points of one size stand side by side."""
    methods = list(dict.fromkeys(one.method for one in gains))
    apart = {method: 0.3 * ((index + 0.5) / len(methods) - 0.5) for index, method in enumerate(methods)}
    series = []
    for method in methods:
        ours = [one for one in gains if one.method == method]
        points = [(place.sizes.index(one.place[2]) + apart[method], value(one).mean) for one in ours]
        series.append(Series(method, points, place.styles[method], dots=True, spread=[_bounds(value(one)) for one in ours]))
    sizes = place.sizes
    x = Axis("agents", -0.3, len(sizes) - 0.7, _LEFT, _RIGHT, tuple(map(float, range(len(sizes)))), lambda at: str(sizes[round(at)]))
    reached = [at for one in series for point, spread in zip(one.points, one.spread, strict=True) for at in (point[1], *spread)]
    y = value_axis(label, reached, _BOTTOM, _TOP, form=form, zero=zero)
    lines = [(one.method, str(one.place[2]), *map(_number, (value(one).mean, value(one).low, value(one).high))) for one in gains]
    return Figure(title, line_chart(title, series, x, y), ("method", "agents", label, "low", "high"), lines)


def _over_rounds(
    title: str,
    place: _Place,
    gains: Sequence[Gain],
    curve: Callable[[Gain], Sequence[float]],
    label: str,
    *,
    zero: bool,
    exponent: bool = False,
) -> Figure:
    """Drawn for the largest size, numbers for all; ``exponent``: with each method's exponent of regret."""

    def points(one: Gain) -> list[tuple[float, float]]:
        return [(place.rounds * (step + 1) / len(curve(one)), value) for step, value in enumerate(curve(one))]

    largest = [one for one in gains if one.place[2] == max(place.sizes)]
    names = [_with_exponent(one) if exponent else one.method for one in largest]
    series = [Series(name, points(one), place.styles[one.method]) for name, one in zip(names, largest, strict=True)]
    x = value_axis("round", [0.0, float(place.rounds)], _LEFT, _RIGHT)
    y = value_axis(label, [at for one in series for _, at in one.points], _BOTTOM, _TOP, zero=zero)
    lines = [
        (one.method, str(one.place[2]), _number(at), _number(value), *([_number(one.exponent)] if exponent else []))
        for one in gains
        for at, value in points(one)
    ]
    head = ("method", "agents", "round", label, *(["p of regret ~ t^p"] if exponent else []))
    return Figure(title, line_chart(title, series, x, y), head, lines)


def _bars(title: str, place: _Place, value: Callable[[Gain], float], label: str) -> Figure:
    """Drawn for the largest size, numbers for all."""
    known = [one for one in place.gains if not math.isnan(value(one))]
    size = max(place.sizes)
    rows = [(one.method, value(one), f"{value(one):.3g}") for one in known if one.place[2] == size]
    lines = [(one.method, str(one.place[2]), _number(value(one))) for one in known]
    return Figure(title, bars(title, rows, label), ("method", "agents", label), lines)


def _with_exponent(gain: Gain) -> str:
    return gain.method if math.isnan(gain.exponent) else f"{gain.method} ~ t^{gain.exponent:.2f}"


def _bounds(interval: Interval) -> tuple[float, ...]:
    """None of one seed, whose interval is infinite."""
    return (interval.low, interval.high) if math.isfinite(interval.low) and math.isfinite(interval.high) else ()


def _number(value: float) -> str:
    """Empty where there is none."""
    return f"{value:.6g}" if math.isfinite(value) else ""
