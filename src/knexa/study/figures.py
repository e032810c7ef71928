"""The study's figures, out of its gains: what the paper's panels and curves show, drawn from what ran."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from knexa.report.svg import COLOURS, Axis, Series, bars, line_chart, percent, plain, value_axis
from knexa.study.gains import Gain
from knexa.study.synthetic import CEILING, FLOOR

#: Edges of the plotting area, in user units of the drawing.
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 548.0, 66.0, 270.0


def study_figures(gains: Sequence[Gain], rounds: int) -> Mapping[str, str]:
    """SVG drawings by file name: for each world and heterogeneity its gains by size, and for its largest size the rest."""
    # One colour a method in all figures. The two ends share one where there are nine methods; no figure shows both.
    styles = {method: f"s{place % COLOURS}" for place, method in enumerate(dict.fromkeys(one.method for one in gains))}
    drawn = {}
    for world, mix in dict.fromkeys(one.place[:2] for one in gains):
        here = [one for one in gains if one.place[:2] == (world, mix)]
        size = max(one.place[2] for one in here)
        largest = [one for one in here if one.place[2] == size]
        name, where = f"{world}-{mix}", f"{world}, {mix} heterogeneity"
        drawn[f"{name}-gain.svg"] = _by_size(f"gain over random by number of agents: {where}", here, styles)
        drawn[f"{name}-regret.svg"] = _regret(f"cumulative regret, {size} agents: {where}", largest, styles, rounds)
        drawn[f"{name}-difference.svg"] = _bars(f"square root of the JS divergence of chosen pairs: {where}", largest, _difference, "√JS")
        drawn[f"{name}-speed.svg"] = _bars(f"rounds decided a second: {where}", largest, _speed, "rounds a second")
    return drawn


def _by_size(title: str, gains: Sequence[Gain], styles: Mapping[str, str]) -> str:
    sizes = sorted({one.place[2] for one in gains})
    methods = [method for method in dict.fromkeys(one.method for one in gains) if method != FLOOR]
    series = [
        Series(method, [(sizes.index(one.place[2]), one.gain.mean) for one in gains if one.method == method], styles[method], dots=True)
        for method in methods
    ]
    x = Axis("agents", -0.3, len(sizes) - 0.7, _LEFT, _RIGHT, tuple(map(float, range(len(sizes)))), lambda at: str(sizes[round(at)]))
    y = value_axis("gain over random", [at for one in series for _, at in one.points], _BOTTOM, _TOP, form=percent, zero=True)
    return line_chart(title, series, x, y)


def _regret(title: str, gains: Sequence[Gain], styles: Mapping[str, str], rounds: int) -> str:
    shown = [one for one in gains if one.method != CEILING]
    series = [
        Series(one.method, [(rounds * (step + 1) / len(one.curve), value) for step, value in enumerate(one.curve)], styles[one.method])
        for one in shown
    ]
    x = value_axis("round", [0.0, float(rounds)], _LEFT, _RIGHT)
    y = value_axis("cumulative regret (nats)", [at for one in series for _, at in one.points], _BOTTOM, _TOP, zero=True)
    return line_chart(title, series, x, y)


def _bars(title: str, gains: Sequence[Gain], value: Callable[[Gain], float], label: str) -> str:
    rows = [(one.method, value(one), plain(round(value(one), 3))) for one in gains if not math.isnan(value(one))]
    return bars(title, rows, label)


def _difference(gain: Gain) -> float:
    return gain.difference


def _speed(gain: Gain) -> float:
    return gain.decisions_per_second
