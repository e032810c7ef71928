"""What a bandit thinks of many pairs, in float32 and block by block: the [n, n, d] contexts never exist as a whole.

Agrees with scoring ``contexts`` by the bandit to about 1e-5.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from knexa.matching.bandits import LinearBandit, LinUCB
from knexa.matching.context import CONCAT_FEATURES, GAP_FEATURES, write_gap
from knexa.matching.gaps import Gaps, Grid, Listed
from knexa.matching.population import Population

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]
Kind = Literal["gap", "concat"]
BothWays = tuple[Array, Array]


class PairScores(Protocol):
    """Scores of (first, second): where the first teaches the second, and where the second teaches the first."""

    @property
    def side(self) -> int:
        """Agents on a side of the grids that suit the processor's cache."""
        ...

    def grid(self, grid: Grid) -> BothWays:
        """Both [rows, columns]."""
        ...

    def listed(self, one: Indices, other: Indices) -> BothWays:
        """Both [e], of agents one[e] and other[e]."""
        ...


def pair_scores(population: Population, kind: Kind, bandit: LinearBandit, round: int) -> PairScores:
    """The scores of ``bandit`` in ``round``, by contexts of ``kind``. Raises ValueError on a kind that has no scores in blocks."""
    if kind not in ("gap", "concat"):
        raise ValueError(f"no scores in blocks for contexts of kind {kind!r}; take 'gap' or 'concat', or fewer agents")
    if kind == "gap":
        return _GapScores(population, bandit, round)
    numbers = population.numbers()
    return FactoredScores(numbers, bandit, round) if isinstance(bandit, LinUCB) else _ConcatScores(numbers, bandit, round)


class _GapScores:
    side = 96

    def __init__(self, population: Population, bandit: LinearBandit, round: int) -> None:
        self._gaps, self._bandit, self._round = Gaps(population), bandit, round
        self._dtype = population.family.dtype

    def grid(self, grid: Grid) -> BothWays:
        shape = (grid.rows.stop - grid.rows.start, grid.columns.stop - grid.columns.start)
        forward, backward = self._gaps.both_ways(grid)
        return self._scored(forward, shape), self._scored(backward, shape)

    def listed(self, one: Indices, other: Indices) -> BothWays:
        forward, backward = self._gaps.both_ways(Listed(one, other))
        return self._scored(forward, one.shape), self._scored(backward, one.shape)

    def _scored(self, columns: dict[str, Array], shape: tuple[int, ...]) -> Array:
        X = np.empty((*shape, len(GAP_FEATURES)), dtype=self._dtype)
        write_gap(columns, X)
        return self._bandit.scores(X.reshape(-1, len(GAP_FEATURES)), self._round).reshape(shape)


class _ConcatScores:
    """Of any bandit."""

    side = 96

    def __init__(self, numbers: Array, bandit: LinearBandit, round: int) -> None:
        self._numbers, self._bandit, self._round = numbers, bandit, round

    def grid(self, grid: Grid) -> BothWays:
        rows, columns = self._numbers[grid.rows], self._numbers[grid.columns]
        shape = (len(rows), len(columns), rows.shape[1])
        first, second = np.broadcast_to(rows[:, None], shape), np.broadcast_to(columns[None], shape)
        return self._scored(first, second), self._scored(second, first)

    def listed(self, one: Indices, other: Indices) -> BothWays:
        first, second = self._numbers[one], self._numbers[other]
        return self._scored(first, second), self._scored(second, first)

    def _scored(self, teachers: Array, students: Array) -> Array:
        X = np.concatenate([teachers, students], axis=-1)
        return self._bandit.scores(X.reshape(-1, len(CONCAT_FEATURES)), self._round).reshape(X.shape[:-1])


class FactoredScores:
    """LinUCB of x = [p_s, p_r] without x: θᵀx is a sum of a teacher's and a student's number, and

        xᵀA⁻¹x = p_sᵀ A⁻¹₁₁ p_s + 2 p_sᵀ A⁻¹₁₂ p_r + p_rᵀ A⁻¹₂₂ p_r

    is one product of rows [32 + 2]: ``_left[t] · _right[s]`` = β² xᵀA⁻¹x.
    """

    side, exact = 256, True

    def __init__(self, numbers: Array, bandit: LinUCB, round: int) -> None:
        exact, half = numbers.astype(np.float64), numbers.shape[1]
        theta, inverse = bandit.theta, bandit.inverse * bandit.exploration_in(round) ** 2
        ones = np.ones((len(numbers), 1))
        alone = [
            np.einsum("nd,de,ne->n", exact, block, exact, optimize=True)[:, None]
            for block in (inverse[:half, :half], inverse[half:, half:])
        ]
        dtype = numbers.dtype
        self._left: Array = np.hstack([2.0 * exact @ inverse[:half, half:], alone[0], ones]).astype(dtype)
        self._right: Array = np.hstack([exact, ones, alone[1]]).astype(dtype)
        self._teacher, self._student = (exact @ theta[:half]).astype(dtype), (exact @ theta[half:]).astype(dtype)

    def grid(self, grid: Grid) -> BothWays:
        rows, columns = grid.rows, grid.columns
        forward = self._left[rows] @ self._right[columns].T
        backward = self._right[rows] @ self._left[columns].T
        return (
            self._scored(forward, self._teacher[rows, None], self._student[None, columns]),
            self._scored(backward, self._student[rows, None], self._teacher[None, columns]),
        )

    def listed(self, one: Indices, other: Indices) -> BothWays:
        forward = np.einsum("ed,ed->e", self._left[one], self._right[other])
        backward = np.einsum("ed,ed->e", self._right[one], self._left[other])
        return (
            self._scored(forward, self._teacher[one], self._student[other]),
            self._scored(backward, self._student[one], self._teacher[other]),
        )

    def square(self, members: Indices) -> Array:
        """Of members[i] teaching members[j] [m, m]."""
        return self._scored(self._left[members] @ self._right[members].T, self._teacher[members, None], self._student[None, members])

    def _scored(self, variance: Array, first: Array, second: Array) -> Array:
        """In place of ``variance``."""
        np.maximum(variance, 0.0, out=variance)
        np.sqrt(variance, out=variance)
        variance += first
        variance += second
        return variance
