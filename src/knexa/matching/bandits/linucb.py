"""LinUCB, Alg. 1: optimistic where little was seen, u(x) = θ̂ᵀx + β √(xᵀA⁻¹x).

After Li et al. 2010 ("A contextual-bandit approach to personalized news article recommendation"), with one shared θ in place of
one for each arm. With ``discount`` below 1 it is the discounted LinUCB for agents that change.
"""

from __future__ import annotations

from typing import final

from numpy.typing import ArrayLike

from knexa.matching.bandits.linear import LinearBandit, Scores


@final
class LinUCB(LinearBandit):
    """Optimistic linear scores of contexts; ``exploration`` is β."""

    def samples(self, X: ArrayLike, round: int, count: int) -> Scores:
        return self._optimistic(X, self.exploration_in(round))[None]

    def ucb(self, X: ArrayLike) -> Scores:
        """u(x) of each row with β as given: X[n, d] -> [n]. Raises ValueError on another shape or a number that is not finite."""
        return self._optimistic(X, self.exploration)

    def _optimistic(self, X: ArrayLike, beta: float) -> Scores:
        contexts = self._contexts(X)
        scores: Scores = contexts @ self.theta.astype(contexts.dtype) + beta * self._width(contexts)
        return scores
