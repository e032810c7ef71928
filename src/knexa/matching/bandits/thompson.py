"""Linear Thompson sampling: choose as if a θ drawn from what is believed were the truth, θ̃ ~ N(θ̂, v² A⁻¹).

Agrawal & Goyal 2013, "Thompson sampling for contextual bandits with linear payoffs". All pairs of a round are judged by one θ̃,
drawn from a stream named by seed and round: a resumed run draws the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from numpy.typing import ArrayLike
from scipy.linalg import cholesky, solve_triangular

from knexa.matching.bandits.linear import LinearBandit, Matrix, Schedule, Scores
from knexa.randomness import stream


@final
class ThompsonSampling(LinearBandit):
    """Scores under one drawn θ̃ a round; ``exploration`` is v."""

    def __init__(
        self,
        dim: int,
        ridge: float = 1.0,
        exploration: float = 1.0,
        *,
        seed: int,
        prior: Sequence[float] | None = None,
        discount: float = 1.0,
        schedule: Schedule = "constant",
    ) -> None:
        super().__init__(dim, ridge, exploration, prior=prior, discount=discount, schedule=schedule)
        self.seed = seed

    def samples(self, X: ArrayLike, round: int, count: int) -> Scores:
        contexts = self._contexts(X)
        drawn: Scores = self._draws(round, count).astype(contexts.dtype) @ contexts.T
        return drawn

    def _draws(self, round: int, count: int) -> Matrix:
        """``count`` independent θ̃ [count, d]; a smaller count gives the first of them."""
        normal = stream(self.seed, "thompson", round).standard_normal((count, self.dim))
        # A = L Lᵀ, so L⁻ᵀ z has covariance A⁻¹.
        factor = cholesky(self._design, lower=True)
        spread: Matrix = solve_triangular(factor, normal.T, lower=True, trans="T").T
        return self.theta + self.exploration_in(round) * spread
