"""A rough score of a pair, from a few matrix products: cheap enough for all pairs of a shard, good enough to say whom to look at.

For ``concat`` and LinUCB the exact scores are that cheap. Otherwise it is a least-squares fit, to the bandit's own scores of some
thousand random pairs, of what matrix products give: for ``gap`` what the teacher can teach and what is said of either agent alone, for
``concat`` either agent's numbers. So it follows whatever the bandit has learned, its exploration included.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knexa.matching.gaps import SUM_UNIT, Gaps, Listed
from knexa.matching.pair_scores import FactoredScores, Kind, PairScores
from knexa.matching.population import Population

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]

#: Pairs that the fit looks at.
_SAMPLE = 1 << 14

_TEACHER = ("teacher_strength", "teacher_success", "teacher_trust")
_STUDENT = ("student_strength", "student_success", "student_turn")
_FITTED = ("bias", "value", "yield", "trusted_yield", "same_family", "alike", "probes", *_TEACHER, *_STUDENT)


class Sketch(Protocol):
    @property
    def exact(self) -> bool:
        """Whether these are the scores themselves, but for rounding."""
        ...

    def square(self, members: Indices) -> Array:
        """Rough scores of members[i] teaching members[j] [m, m]."""
        ...


def sketch(population: Population, kind: Kind, scores: PairScores, random: np.random.Generator) -> Sketch:
    """Of the pairs of a ``population`` of at least two, whose exact scores are ``scores``."""
    if isinstance(scores, FactoredScores):
        return scores
    one = random.integers(len(population), size=_SAMPLE)
    other = (one + random.integers(1, len(population), size=_SAMPLE)) % len(population)
    exact = scores.listed(one, other)[0]
    return _GapSketch(population, one, other, exact) if kind == "gap" else _ConcatSketch(population.numbers(), one, other, exact)


class _ConcatSketch:
    """Additive, as the scores of any linear bandit that does not ask for uncertainty."""

    exact = False

    def __init__(self, numbers: Array, one: Indices, other: Indices, exact: Array) -> None:
        weights = _fitted(np.hstack([numbers[one], numbers[other]]), exact)
        self._teacher, self._student = (numbers @ half for half in np.split(weights, 2))

    def square(self, members: Indices) -> Array:
        sums: Array = self._teacher[members, None] + self._student[None, members]
        return sums


class _GapSketch:
    exact = False

    def __init__(self, population: Population, one: Indices, other: Indices, exact: Array) -> None:
        gaps = Gaps(population)
        columns = gaps.columns(Listed(one, other))
        # What no product gives, by its likeness to one: shared data by √p · √q, the distance of two probes by their product.
        root, probe = np.sqrt(population.histogram), population.probe
        columns |= {"alike": (root[one] * root[other]).sum(axis=1), "probes": (probe[one] * probe[other]).sum(axis=1)}
        weights = _fitted(np.stack([np.broadcast_to(columns[name], one.shape) for name in _FITTED], axis=1), exact)
        weight = dict(zip(_FITTED, weights, strict=True))
        roles, ones = gaps.roles(lambda values: values, lambda values: values), np.ones((len(population), 1), dtype=exact.dtype)
        teacher = sum((weight[name] * roles[name] for name in _TEACHER), weight["bias"])
        student = sum(weight[name] * roles[name] for name in _STUDENT)
        # No need of exactly zero, so that the yield can be divided without a test.
        need = np.maximum(gaps.need, exact.dtype.type(1e-6))
        of_yield = weight["yield"] + weight["trusted_yield"] * population.trust
        self._value, self._squares = (gaps.able, need), (of_yield[:, None] * gaps.able**2, need**2)
        left = [
            weight["value"] / SUM_UNIT * gaps.able,
            weight["same_family"] * population.family,
            weight["alike"] * root,
            weight["probes"] * probe,
            teacher[:, None],
            ones,
        ]
        self._rest = np.hstack(left), np.hstack([need, population.family, root, probe, ones, student[:, None]])

    def square(self, members: Indices) -> Array:
        value, squares, rest = (left[members] @ right[members].T for left, right in (self._value, self._squares, self._rest))
        squares /= value
        squares += rest
        return squares


def _fitted(columns: Array, exact: Array) -> Array:
    """Weights [k] of ``columns`` [e, k], in their precision; the smallest where several fit equally well."""
    weights: Array = np.linalg.lstsq(columns.astype(np.float64), exact.astype(np.float64), rcond=1e-8)[0]
    return weights.astype(columns.dtype)
