"""What a study says of each method: gain over random and share of the oracle's headroom, with intervals over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knexa.study.statistics import Interval, mean_interval
from knexa.study.study_rows import StudyRow
from knexa.study.synthetic import CEILING, FLOOR

#: A cell of the grid: world, heterogeneity, agents.
Place = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Gain:
    """One method in one place. ``gain``: score over random's, less 1. ``share``: (method − random) / (oracle − random).

    ``gain`` is taken seed by seed; ``share`` is a ratio of means over seeds, its interval by the delta method. ``difference``,
    ``exponent``, ``suspects_teaching``, ``decisions_per_second``: means over seeds (NaN where no seed has one). ``curve``: mean
    cumulative regret; ``pace``: mean score so far, empty where a row lacks it.
    """

    place: Place
    method: str
    score: Interval
    gain: Interval
    share: Interval
    difference: float
    exponent: float
    suspects_teaching: float
    decisions_per_second: float
    curve: tuple[float, ...]
    pace: tuple[float, ...]


def gains(rows: Sequence[StudyRow]) -> list[Gain]:
    """By place and method, in the order of the rows."""
    keyed = {(_place(row), row.method, row.seed): row for row in rows}
    found = []
    for place, method in dict.fromkeys((_place(row), row.method) for row in rows):
        ours = [row for row in rows if _place(row) == place and row.method == method]
        floors = [keyed[place, FLOOR, row.seed].score for row in ours]
        ceilings = [keyed[place, CEILING, row.seed].score for row in ours]
        scores = [row.score for row in ours]
        # Relative to the size of random's score: where that is below zero, more is still better.
        relative = [(score - floor) / abs(floor) for score, floor in zip(scores, floors, strict=True)]
        found.append(
            Gain(
                place=place,
                method=method,
                score=mean_interval(scores),
                gain=mean_interval(relative),
                share=share_of_headroom(scores, floors, ceilings),
                difference=_mean([row.difference for row in ours]),
                exponent=_mean([row.exponent for row in ours]),
                suspects_teaching=_mean([row.suspects_teaching for row in ours]),
                decisions_per_second=_mean([row.decisions_per_second for row in ours]),
                curve=tuple(np.mean([row.curve for row in ours], axis=0).tolist()),
                pace=tuple(np.mean([row.pace for row in ours], axis=0).tolist()) if all(row.pace for row in ours) else (),
            )
        )
    return found


def share_of_headroom(scores: Sequence[float], floors: Sequence[float], ceilings: Sequence[float]) -> Interval:
    """Mean (score − floor) over mean (ceiling − floor), values of one seed together; NaN where there is no headroom.

    Delta method: the ratio q of two means varies as the mean of (score − floor) − q · (ceiling − floor), over the headroom.
    """
    won, room = np.subtract(scores, floors), np.subtract(ceilings, floors)
    headroom = float(room.mean())
    if headroom == 0.0:
        return Interval(math.nan, math.nan, math.nan, len(scores))
    ratio = float(won.mean()) / headroom
    spread = mean_interval(((won - ratio * room) / headroom).tolist())
    return Interval(ratio, ratio + spread.low, ratio + spread.high, len(scores))


def _place(row: StudyRow) -> Place:
    return row.world, row.heterogeneity, row.agents


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
