"""What linear bandits share: a ridge regression of rewards on contexts, updated one reward at a time.

    A = λI + Σ x xᵀ,   b = λθ₀ + Σ r·x,   θ̂ = A⁻¹b

θ₀ = 0 is the paper's; another θ₀ is the mean of a Gaussian prior with precision λ, which data overrule. Where agents change,
old rewards mislead: each round forgets a share 1 − γ of all evidence, towards the prior (the weights of D-LinUCB, Russac et
al. 2019, arXiv 1909.09146, with a round as the unit of time, so that the memory does not depend on the number of pairs):

    A ← γA + (1 − γ)λI,   b ← γb + (1 − γ)λθ₀

A is exact in float64. Its inverse follows every update by the Sherman-Morrison formula,
(A + xxᵀ)⁻¹ = A⁻¹ − (A⁻¹x)(A⁻¹x)ᵀ / (1 + xᵀA⁻¹x), and is computed afresh after forgetting and every :data:`REFACTOR_EVERY`
updates, so that rounding cannot accumulate.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dger

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Scores = NDArray[np.floating[Any]]

#: How exploration changes: not at all, or as 1/√round (the width of θ's uncertainty shrinks so under steady evidence).
Schedule = Literal["constant", "sqrt"]

REFACTOR_EVERY = 64


class LinearBandit(ABC):
    """One θ shared by all pairs. A subclass says how scores go beyond the mean (:meth:`samples`)."""

    def __init__(
        self,
        dim: int,
        ridge: float = 1.0,
        exploration: float = 1.0,
        *,
        prior: Sequence[float] | None = None,
        discount: float = 1.0,
        schedule: Schedule = "constant",
    ) -> None:
        """``dim``: numbers in a context. ``ridge``: λ > 0. ``exploration``: ≥ 0. ``prior``: θ₀, ``dim`` numbers. ``discount``: γ in (0, 1].

        Raises ValueError for a value outside its range.
        """
        positive = np.isfinite(ridge) and ridge > 0 and np.isfinite(exploration) and exploration >= 0
        if dim < 1 or not positive or not 0 < discount <= 1:
            raise ValueError(
                f"{type(self).__name__} needs dim >= 1, ridge > 0, exploration >= 0 and 0 < discount <= 1;"
                f" got {dim}, {ridge}, {exploration}, {discount}"
            )
        self.dim, self.ridge, self.exploration, self.discount, self.schedule = dim, ridge, exploration, discount, schedule
        self._prior = self._checked(np.zeros(dim) if prior is None else prior, "prior", (dim,))
        self._design: Matrix = ridge * np.eye(dim)
        self._inverse: Matrix = np.eye(dim) / ridge
        self._b: Vector = ridge * self._prior
        self._updates = 0

    @abstractmethod
    def samples(self, X: ArrayLike, round: int, count: int) -> Scores:
        """At most ``count`` ways in which it might score the rows of X[n, d] in ``round`` -> [ways, n], all equally likely.

        The first is how it does score them. One that draws nothing has one way.
        """

    def scores(self, X: ArrayLike, round: int) -> Scores:
        """What each row of X[n, d] is worth choosing for in ``round`` -> [n]."""
        first: Scores = self.samples(X, round, 1)[0]
        return first

    @property
    def theta(self) -> Vector:
        """θ̂ [d], the expected reward of each feature."""
        return self._inverse @ self._b

    @property
    def design(self) -> Matrix:
        """A [d, d]."""
        return self._design.copy()

    @property
    def inverse(self) -> Matrix:
        """A⁻¹ [d, d]."""
        return self._inverse.copy()

    @property
    def updates(self) -> int:
        """Number of rewards learned from."""
        return self._updates

    def exploration_in(self, round: int) -> float:
        """How much uncertainty is worth in ``round``, which counts from 1."""
        return self.exploration / math.sqrt(round) if self.schedule == "sqrt" else self.exploration

    def mean(self, X: ArrayLike) -> Scores:
        """θ̂ᵀx of each row: X[n, d] -> [n]. Computed in float32 if X is float32, else in float64."""
        contexts = self._contexts(X)
        scores: Scores = contexts @ self.theta.astype(contexts.dtype)
        return scores

    def update(self, x: ArrayLike, reward: float, weight: float = 1.0) -> None:
        """Learn that context x[d] earned ``reward``, as firmly as ``weight`` rewards would say it.

        Raises ValueError, and learns nothing, unless all numbers are finite and the weight is in (0, 1].
        """
        context = self._checked(x, "context", (self.dim,))
        if not np.isfinite(reward):
            raise ValueError(f"a reward must be a finite number, not {reward}; nothing was learned from it")
        if not 0.0 < weight <= 1.0:
            raise ValueError(f"a weight must be in (0, 1], not {weight}; nothing was learned")
        # The weighted regression of r on x is the plain one of √w·r on √w·x.
        root = math.sqrt(weight)
        scaled = root * context
        with np.errstate(over="ignore", invalid="ignore"):
            # No element of a positive definite matrix is larger than the largest on its diagonal.
            diagonal = self._design.diagonal() + scaled * scaled
            b = self._b + (root * reward) * scaled
        if not (np.isfinite(diagonal).all() and np.isfinite(b).all()):
            raise ValueError("the context or reward is too large to square in float64; nothing was learned from it")
        self._design, self._b = _plus_outer(self._design, 1.0, scaled), b
        self._updates += 1
        self._follow(scaled)

    def forget(self) -> None:
        """A round has passed: evidence counts γ times as much, the prior as much as ever. Nothing happens with γ = 1."""
        if self.discount == 1.0:
            return
        kept, renewed = self.discount, (1.0 - self.discount) * self.ridge
        self._design = kept * self._design + renewed * np.eye(self.dim)
        self._b = kept * self._b + renewed * self._prior
        self._inverse = _inverted(self._design)

    def state(self) -> dict[str, Any]:
        """JSON-able; Python's shortest float representation makes the round trip exact."""
        return {"updates": self._updates, "design": self._design.tolist(), "inverse": self._inverse.tolist(), "b": self._b.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where :meth:`state` was taken. Raises ValueError, and changes nothing, if the shapes differ."""
        square = (self.dim, self.dim)
        design, inverse = self._checked(state["design"], "design", square), self._checked(state["inverse"], "inverse", square)
        b = self._checked(state["b"], "b", (self.dim,))
        self._design, self._inverse, self._b, self._updates = design, inverse, b, int(state["updates"])

    def digest(self) -> str:
        """SHA-256 of A and b."""
        return hashlib.sha256(self._design.astype("<f8").tobytes() + self._b.astype("<f8").tobytes()).hexdigest()

    def _width(self, contexts: NDArray[np.floating[Any]]) -> Scores:
        """√(xᵀA⁻¹x) of each row, in the precision of ``contexts``."""
        inverse = self._inverse.astype(contexts.dtype)
        variance = np.einsum("nd,nd->n", contexts @ inverse, contexts)
        width: Scores = np.sqrt(np.maximum(variance, 0))
        return width

    def _follow(self, context: Vector) -> None:
        """Bring the inverse up to the design, which ``context`` was just added to."""
        if self._updates % REFACTOR_EVERY == 0:
            self._inverse = _inverted(self._design)
            return
        direction = self._inverse @ context
        self._inverse = _plus_outer(self._inverse, -1.0 / (1.0 + float(context @ direction)), direction)

    def _contexts(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        given = np.asarray(X)
        contexts = given if given.dtype == np.float32 else given.astype(np.float64)
        if contexts.ndim != 2 or contexts.shape[1] != self.dim:
            raise ValueError(f"contexts must have shape [n, {self.dim}], not {list(contexts.shape)}")
        if not np.isfinite(contexts).all():
            raise ValueError("contexts must be finite numbers")
        return contexts

    @staticmethod
    def _checked(values: ArrayLike, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        array = np.array(values, dtype=np.float64)
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {list(shape)}, not {list(array.shape)}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite numbers; nothing was changed")
        return array


def _plus_outer(matrix: Matrix, factor: float, vector: Vector) -> Matrix:
    """``matrix`` + factor · v vᵀ, written into ``matrix`` (BLAS dger, whose columns are our rows; both are symmetric)."""
    changed: Matrix = dger(factor, vector, vector, a=matrix.T, overwrite_a=1)
    return changed.T


def _inverted(design: Matrix) -> Matrix:
    fresh: Matrix = cho_solve(cho_factor(design, lower=True), np.eye(len(design)))
    return np.ascontiguousarray((fresh + fresh.T) / 2)
