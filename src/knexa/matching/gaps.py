"""What a pair of agents has in common and how they differ, for a grid of pairs or a list of them, without [n, n, 12] arrays.

Everything over the 12 categories is an inner product or a distance of the two agents' rows:

    Σ_c v(c) = able_t · need_s,   Σ_c v(c)² = able_t² · need_s²,   need(c) = (1 − able(c)) (1 − coverage(c))
    Σ_c max(0, a(c) − b(c)) = (Σ|a − b| + Σa − Σb) / 2,   Σ_c min(p(c), q(c)) = (Σp + Σq − Σ|p − q|) / 2
    Jensen-Shannon divergence = H((p + q)/2) − (H(p) + H(q))/2 for shares that sum to 1
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from knexa.matching.curriculum import able
from knexa.matching.population import LOSS_UNIT, Population

Array = NDArray[np.floating[Any]]

#: Sums over categories of this size, or more, scale to 1: specialists differ in a few categories, not in all 12.
SUM_UNIT = 3.0

#: Agents on a side of the grids in which all pairs are described: their numbers stay in the processor's cache.
TILE = 64

#: Stands for a sum of zero in a denominator. Also added to shares before their logarithm: 0 log 0 = 0.
_TINY = 1e-12
_ZERO = 1e-30


class Pairs(Protocol):
    """Ordered pairs (first, second), by positions; results have the shape of a grid [rows, columns] or of a list [e]."""

    def first(self, values: Array) -> Array:
        """The first agents' numbers of ``values`` [n], to be broadcast."""
        ...

    def second(self, values: Array) -> Array: ...

    def inner(self, first: Array, second: Array) -> Array:
        """Inner products of the first agents' rows of ``first`` [n, c] and the second agents' rows of ``second`` [n, c]."""
        ...

    def distance(self, values: Array) -> Array:
        """Σ|a − b| of the two rows of ``values`` [n, c]."""
        ...

    def entropy_of_sum(self, values: Array) -> Array:
        """−Σ (a + b) ln(a + b) of the two rows of ``values`` [n, c]."""
        ...

    def recency(self, population: Population) -> Array: ...


@dataclass(frozen=True, slots=True)
class Grid:
    """Every agent of ``rows`` with every agent of ``columns``: slices without a step."""

    rows: slice
    columns: slice

    def first(self, values: Array) -> Array:
        return values[self.rows, None]

    def second(self, values: Array) -> Array:
        return values[None, self.columns]

    def inner(self, first: Array, second: Array) -> Array:
        products: Array = first[self.rows] @ second[self.columns].T
        return products

    def distance(self, values: Array) -> Array:
        sums: Array = cdist(values[self.rows], values[self.columns], "cityblock").astype(values.dtype)
        return sums

    def entropy_of_sum(self, values: Array) -> Array:
        rows, columns = values[self.rows], np.ascontiguousarray(values[self.columns].T)
        total = np.zeros((len(rows), columns.shape[1]), dtype=values.dtype)
        both, terms = np.empty_like(total), np.empty_like(total)
        for category in range(values.shape[1]):
            np.add(rows[:, category, None], columns[None, category], out=both)
            np.add(both, both.dtype.type(_ZERO), out=terms)
            np.log(terms, out=terms)
            total -= np.multiply(both, terms, out=terms)
        return total

    def recency(self, population: Population) -> Array:
        return population.recency_grid(self.rows, self.columns)


def tiles(agents: int, side: int = TILE) -> Iterator[Grid]:
    """Grids of at most ``side`` by ``side`` that hold every pair i <= j; those on the diagonal also hold j, i."""
    for low in range(0, agents, side):
        for left in range(low, agents, side):
            yield Grid(slice(low, min(low + side, agents)), slice(left, min(left + side, agents)))


@dataclass(frozen=True, slots=True)
class Listed:
    """The pairs (one[e], other[e])."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]

    def first(self, values: Array) -> Array:
        return values[self.one]

    def second(self, values: Array) -> Array:
        return values[self.other]

    def inner(self, first: Array, second: Array) -> Array:
        products: Array = np.einsum("ec,ec->e", first[self.one], second[self.other])
        return products

    def distance(self, values: Array) -> Array:
        sums: Array = np.abs(values[self.one] - values[self.other]).sum(axis=1)
        return sums

    def entropy_of_sum(self, values: Array) -> Array:
        both = values[self.one] + values[self.other]
        entropy: Array = -np.einsum("ec,ec->e", both, np.log(both + both.dtype.type(_ZERO)))
        return entropy

    def recency(self, population: Population) -> Array:
        return population.recency(self.one, self.other)


class Gaps:
    """The ``gap`` features of a population's pairs. Holds 7 arrays of [n, 12], a few [n].

    ``able``, ``need`` [n, 12]: what an agent can teach and what it needs, by category; value(c) is their product.
    """

    def __init__(self, population: Population) -> None:
        self._population = population
        self.able: Array = able(population.probe)
        self.need: Array = (1.0 - self.able) * (1.0 - population.coverage)
        self._able_squared, self._need_squared = self.able**2, self.need**2
        self._probe_sum, self._share_sum = population.probe.sum(axis=1), population.histogram.sum(axis=1)
        shares = population.histogram
        self._entropy = -np.einsum("nc,nc->n", shares, np.log(shares + shares.dtype.type(_ZERO)))

    def columns(self, pairs: Pairs) -> dict[str, Array]:
        """Features by name where the first teaches the second, not yet clipped to [-1, 1]; each broadcasts to the shape of ``pairs``."""
        return self._symmetric(pairs) | self._directed(pairs)

    def both_ways(self, pairs: Pairs) -> tuple[dict[str, Array], dict[str, Array]]:
        """:meth:`columns` where the first teaches the second, and where the second teaches the first."""
        symmetric, forward = self._symmetric(pairs), self._directed(pairs)
        backward = self._competence(pairs.inner(self.need, self.able), pairs.inner(self._need_squared, self._able_squared))
        backward |= {"lead": forward["behind"], "behind": forward["lead"]} | self.roles(pairs.second, pairs.first)
        backward["trusted_yield"] = backward["yield"] * pairs.second(self._population.trust)
        return symmetric | forward, symmetric | backward

    def _symmetric(self, pairs: Pairs) -> dict[str, Array]:
        population, ones = self._population, np.ones(1, dtype=self.able.dtype)
        shares = pairs.first(self._share_sum) + pairs.second(self._share_sum)
        # With s = p + q, H((p + q)/2) = −Σ s/2 ln(s/2) = (−Σ s ln s + ln 2 Σ s) / 2.
        entropy = (pairs.entropy_of_sum(population.histogram) + np.log(2.0).astype(ones.dtype) * shares) / 2
        apart = entropy - (pairs.first(self._entropy) + pairs.second(self._entropy)) / 2
        return {
            "bias": ones,
            "overlap": (shares - pairs.distance(population.histogram)) / 2,
            "divergence": np.clip(apart / np.log(2.0).astype(ones.dtype), 0.0, 1.0),
            "same_family": pairs.inner(population.family, population.family),
            "recency": pairs.recency(population),
            "round": population.progress * ones,
            "mean_loss": population.mean_loss / LOSS_UNIT * ones,
        }

    def _directed(self, pairs: Pairs) -> dict[str, Array]:
        competence = self._competence(pairs.inner(self.able, self.need), pairs.inner(self._able_squared, self._need_squared))
        apart, ahead = pairs.distance(self._population.probe), pairs.first(self._probe_sum) - pairs.second(self._probe_sum)
        lead, behind = np.maximum(apart + ahead, 0.0) / (2 * SUM_UNIT), np.maximum(apart - ahead, 0.0) / (2 * SUM_UNIT)
        trusted = competence["yield"] * pairs.first(self._population.trust)
        return competence | {"trusted_yield": trusted, "lead": lead, "behind": behind} | self.roles(pairs.first, pairs.second)

    def _competence(self, value: Array, squares: Array) -> dict[str, Array]:
        return {"value": value / SUM_UNIT, "yield": squares / np.maximum(value, _TINY)}

    def roles(self, teacher: Any, student: Any) -> dict[str, Array]:
        population = self._population
        return {
            "teacher_strength": teacher(population.strength),
            "student_strength": student(population.strength),
            "teacher_success": 2 * teacher(population.teaching_success) - 1,
            "student_success": 2 * student(population.learning_success) - 1,
            "student_turn": 2 * student(population.teaching_share) - 1,
            "teacher_trust": 2 * teacher(population.trust) - 1,
        }
