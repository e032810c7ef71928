"""Kernel UCB by random features: a reward that is no sum of the features, such as a bump at a certain lead, can still be learned.

The context x is lifted to φ(x) = [x, σ √(2/D) cos(W x̃ + v)], x̃ the ``columns`` of x that describe the pair, rows of W drawn from
N(0, 1/ℓ²) and v uniformly from [0, 2π). Inner products of the second part approach σ² exp(−|x̃ − ỹ|² / 2ℓ²) (Rahimi & Recht 2007,
"Random features for large-scale kernel machines"), so ridge regression on φ approaches Gaussian process regression with a linear
and a Gaussian kernel, and its optimism is that of GP-UCB. What the linear part can say costs it nothing to know: the prior stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from knexa.matching.bandits.linear import LinearBandit, Schedule, Scores
from knexa.randomness import stream

#: D, ℓ and σ above. Features lie in [-1, 1].
RANDOM_FEATURES = 128
LENGTH_SCALE = 0.4
AMPLITUDE = 2.2


@final
class KernelUCB(LinearBandit):
    """A LinUCB on φ(x). Contexts, prior and ``context_dim`` are those of x; ``dim``, ``theta`` and ``design`` those of φ."""

    def __init__(
        self,
        dim: int,
        ridge: float = 1.0,
        exploration: float = 1.0,
        *,
        seed: int,
        columns: Sequence[int],
        prior: Sequence[float] | None = None,
        discount: float = 1.0,
        schedule: Schedule = "constant",
    ) -> None:
        """``columns``: places in x of the features that are lifted. ``seed`` names the draw of W and v."""
        self.context_dim, self._columns = dim, list(columns)
        random = stream(seed, "kernel")
        self._directions = random.normal(size=(len(self._columns), RANDOM_FEATURES)) / LENGTH_SCALE
        self._phases = random.uniform(0.0, 2.0 * np.pi, RANDOM_FEATURES)
        believed = [*(np.zeros(dim) if prior is None else prior), *np.zeros(RANDOM_FEATURES)]
        super().__init__(dim + RANDOM_FEATURES, ridge, exploration, prior=believed, discount=discount, schedule=schedule)

    def samples(self, X: ArrayLike, round: int, count: int) -> Scores:
        lifted = self.lift(X)
        scores: Scores = lifted @ self.theta + self.exploration_in(round) * self._width(lifted)
        return scores[None]

    def mean(self, X: ArrayLike) -> Scores:
        scores: Scores = self.lift(X) @ self.theta
        return scores

    def update(self, x: ArrayLike, reward: float, weight: float = 1.0) -> None:
        super().update(self.lift(np.asarray(x)[None])[0], reward, weight)

    def lift(self, X: ArrayLike) -> NDArray[np.float64]:
        """φ of each row: X[n, d] -> [n, d + D]. Raises ValueError on another shape or a number that is not finite."""
        contexts = np.asarray(X, dtype=np.float64)
        if contexts.ndim != 2 or contexts.shape[1] != self.context_dim:
            raise ValueError(f"contexts must have shape [n, {self.context_dim}], not {list(contexts.shape)}")
        if not np.isfinite(contexts).all():
            raise ValueError("contexts must be finite numbers")
        waves = np.cos(contexts[:, self._columns] @ self._directions + self._phases)
        return np.concatenate([contexts, AMPLITUDE * np.sqrt(2.0 / RANDOM_FEATURES) * waves], axis=1)
