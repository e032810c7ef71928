"""Many agents as arrays: what the profiles and the coordinator's memory say, a column a number, a row an agent.

A million :class:`Profile` objects do not fit a round's time or memory; a million rows do (0.3 GB in float32).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from knexa.matching.history import INITIAL_TRUST, MEETING_MEMORY, History
from knexa.matching.profile import CATEGORY_COUNT, FAMILIES, METRIC_BOUND, METRICS, Profile

Array = NDArray[np.floating[Any]]

_WIDTHS = {
    "family": len(FAMILIES),
    "metrics": len(METRICS),
    "histogram": CATEGORY_COUNT,
    "probe": CATEGORY_COUNT,
    "coverage": CATEGORY_COUNT,
}

#: A cross-entropy of this many nats a token, or more, scales to 1: about that of a model that knows nothing.
LOSS_UNIT = 5.0

#: What the history says of an agent that it has never seen, by column.
_NEWCOMER = {"trust": INITIAL_TRUST, "teaching_success": 0.5, "learning_success": 0.5, "teaching_share": 0.5}


@dataclass(frozen=True, slots=True)
class Meetings:
    """Who met whom: sparse, both directions, sorted. ``keys`` [2m] int64 = first · n + second; ``recency`` [2m] in (0, 1]."""

    keys: NDArray[np.int64]
    recency: Array

    @classmethod
    def of(cls, agents: int, first: ArrayLike, second: ArrayLike, recency: ArrayLike, dtype: DTypeLike = np.float32) -> Meetings:
        """From each meeting once: positions of the two among ``agents`` [m], in either order, and how recent it is [m]."""
        one, other = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
        keys = np.concatenate([one * agents + other, other * agents + one])
        order = np.argsort(keys)
        return cls(keys[order], np.tile(np.asarray(recency, dtype=dtype), 2)[order])

    @classmethod
    def none(cls, dtype: DTypeLike = np.float32) -> Meetings:
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=dtype))


@dataclass(frozen=True, slots=True)
class Population:
    """n agents at the start of a round; see :class:`Profile` and :class:`History` for what the columns mean.

    ``family`` [n, 8], ``metrics`` [n, 12], ``histogram``, ``probe`` and ``coverage`` [n, 12]; ``trust``, ``teaching_success``,
    ``learning_success`` and ``teaching_share`` [n] in [0, 1]. ``strength`` [n] and ``mean_loss`` are of *all* agents of the
    round, and stay so in a part of them (:meth:`part`). ``progress``: share of the rounds that are over.
    All arrays have one dtype, float32 or float64. Raises ValueError on another shape and on numbers that are not finite.
    """

    family: Array
    metrics: Array
    histogram: Array
    probe: Array
    coverage: Array
    trust: Array
    teaching_success: Array
    learning_success: Array
    teaching_share: Array
    strength: Array
    mean_loss: float
    progress: float
    meetings: Meetings

    def __post_init__(self) -> None:
        for name, column in self._columns().items():
            shape = (len(self.family), _WIDTHS[name]) if name in _WIDTHS else (len(self.family),)
            if column.shape != shape:
                raise ValueError(f"{name} of a population of {len(self.family)} must have shape {list(shape)}, not {list(column.shape)}")
            if not np.isfinite(column).all():
                agent = int(np.argwhere(~np.isfinite(column))[0][0])
                raise ValueError(f"{name} of agent {agent} holds a number that is not finite; leave the agent out or repair its profile")

    def __len__(self) -> int:
        return len(self.family)

    @classmethod
    def of(
        cls,
        agents: Sequence[Profile],
        history: History,
        round: int,
        rounds: int,
        dtype: DTypeLike = np.float32,
        recency_above: float = 1e-9,
    ) -> Population:
        """The agents of ``round`` (from 1) of ``rounds``. Meetings whose recency is not above ``recency_above`` are left out."""
        names = [agent.agent for agent in agents]
        blocks = {name: _rows([getattr(agent, name) for agent in agents], width, dtype) for name, width in _WIDTHS.items()}
        remembered = {name: getattr(history, name)(names).astype(dtype) for name in _NEWCOMER}
        meetings = _meetings(names, history, round, recency_above, dtype)
        return cls.from_columns(**blocks, **remembered, progress=min(round / rounds, 1.0), meetings=meetings)

    @classmethod
    def from_columns(
        cls,
        *,
        family: Array,
        metrics: Array,
        histogram: Array,
        probe: Array,
        coverage: Array,
        progress: float = 0.0,
        meetings: Meetings | None = None,
        **remembered: Array,
    ) -> Population:
        """``remembered``: trust, teaching_success, learning_success, teaching_share, each [n]; what is left out is a newcomer's."""
        newcomer = {name: np.full(len(family), value, dtype=family.dtype) for name, value in _NEWCOMER.items()}
        return cls(
            family=family,
            metrics=metrics,
            histogram=histogram,
            probe=probe,
            coverage=coverage,
            **(newcomer | remembered),
            strength=probe.mean(axis=1) if probe.any() else metrics[:, METRICS.index("pass@1")],
            mean_loss=float(metrics[:, METRICS.index("loss")].mean(dtype=np.float64)) if len(metrics) else 0.0,
            progress=progress,
            meetings=Meetings.none(family.dtype) if meetings is None else meetings,
        )

    def part(self, agents: NDArray[np.int64]) -> Population:
        """The agents at these positions, in this order, each at most once."""
        columns = {name: column[agents] for name, column in self._columns().items()}
        return Population(**columns, mean_loss=self.mean_loss, progress=self.progress, meetings=self._meetings_of(agents))

    def numbers(self) -> Array:
        """The paper's 32 numbers of each agent [n, 32], brought to [-1, 1] as :func:`knexa.matching.context.scaled` does."""
        metrics = self.metrics.copy()
        for position, name in enumerate(METRICS):
            column = metrics[:, position]
            if name.startswith("perplexity"):
                metrics[:, position] = np.copysign(np.log1p(np.abs(column)) / np.log1p(METRIC_BOUND), column)
            elif "loss" in name:
                column /= LOSS_UNIT
        return np.hstack([self.family, np.clip(metrics, -1.0, 1.0), self.histogram])

    def recency(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> Array:
        """How recently the agents at positions first[e] and second[e] met [e]; 0 for never."""
        known = self.meetings
        if len(known.keys) == 0:
            return np.zeros(len(first), dtype=self.family.dtype)
        wanted = first.astype(np.int64) * len(self) + second
        place = np.minimum(np.searchsorted(known.keys, wanted), len(known.keys) - 1)
        found: Array = np.where(known.keys[place] == wanted, known.recency[place], known.recency.dtype.type(0))
        return found

    def recency_grid(self, rows: slice, columns: slice) -> Array:
        """How recently the agents of ``rows`` met those of ``columns`` [rows, columns]; slices without a step."""
        agents = len(self)
        low, high, _ = rows.indices(agents)
        left, right, _ = columns.indices(agents)
        grid = np.zeros((high - low, right - left), dtype=self.family.dtype)
        begin, end = np.searchsorted(self.meetings.keys, (low * agents, high * agents))
        first, second = np.divmod(self.meetings.keys[begin:end], max(agents, 1))
        inside = (second >= left) & (second < right)
        grid[first[inside] - low, second[inside] - left] = self.meetings.recency[begin:end][inside]
        return grid

    def _columns(self) -> dict[str, Array]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("mean_loss", "progress", "meetings")}

    def _meetings_of(self, agents: NDArray[np.int64]) -> Meetings:
        if len(self.meetings.keys) == 0:
            return self.meetings
        place = np.full(len(self), -1, dtype=np.int64)
        place[agents] = np.arange(len(agents))
        # Both directions of a meeting are there: looking from the agents kept alone costs their meetings, not everybody's.
        begin, end = (np.searchsorted(self.meetings.keys, (agents + step) * len(self)) for step in (0, 1))
        rows = _ranges(begin, end)
        first, second = (place[side] for side in np.divmod(self.meetings.keys[rows], len(self)))
        keys, recency = first * len(agents) + second, self.meetings.recency[rows]
        order = np.flatnonzero(second >= 0)
        order = order[np.argsort(keys[order])]
        return Meetings(keys[order], recency[order])


def _rows(values: Sequence[Sequence[float]], width: int, dtype: DTypeLike) -> Array:
    rows: Array = np.array(values, dtype=dtype).reshape(len(values), width)
    return rows


def _ranges(begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """begin[0] … end[0] − 1, begin[1] … end[1] − 1, and so on, as one array."""
    lengths = end - begin
    offsets = np.repeat(begin - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return offsets + np.arange(int(lengths.sum()))


def _meetings(names: Sequence[str], history: History, round: int, above: float, dtype: DTypeLike) -> Meetings:
    """Of the pairs of ``names`` that met: :meth:`History.recency`, at the cost of the meetings instead of all pairs."""
    place = {name: position for position, name in enumerate(names)}
    met = [(*pair.split("/"), last) for pair, last in history.state()["met"].items()]
    known = [(place[first], place[second], last) for first, second, last in met if first in place and second in place]
    first, second, last = np.array(known, dtype=np.int64).reshape(-1, 3).T
    recency = np.exp(-np.maximum(round - last - 1, 0) / MEETING_MEMORY)
    recent = recency > above
    return Meetings.of(len(names), first[recent], second[recent], recency[recent], dtype)
