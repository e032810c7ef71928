"""LinUCB, Alg. 1: a ridge regression of rewards on contexts that is optimistic where it has seen little.

    A = λI + Σ x xᵀ,   b = λθ₀ + Σ r·x,   θ̂ = A⁻¹b,   u(x) = θ̂ᵀx + β √(xᵀA⁻¹x)

after Li et al. 2010 ("A contextual-bandit approach to personalized news article recommendation", disjoint arms replaced by
one shared θ). θ₀ = 0 is the paper's; another θ₀ is the mean of a Gaussian prior with precision λ, which data overrule.

A is exact in float64. Its inverse follows every update by the Sherman-Morrison formula,
(A + xxᵀ)⁻¹ = A⁻¹ − (A⁻¹x)(A⁻¹x)ᵀ / (1 + xᵀA⁻¹x), and is computed afresh every :data:`REFACTOR_EVERY` updates so that
rounding cannot accumulate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

REFACTOR_EVERY = 64


class LinUCB:
    """Optimistic linear scores of contexts; one θ shared by all pairs."""

    def __init__(self, dim: int, ridge: float = 1.0, exploration: float = 1.0, *, prior: Sequence[float] | None = None) -> None:
        """``dim``: numbers in a context. ``ridge``: λ > 0. ``exploration``: β ≥ 0. ``prior``: θ₀, ``dim`` numbers.

        Raises ValueError for a value outside its range.
        """
        if dim < 1 or not (np.isfinite(ridge) and ridge > 0) or not (np.isfinite(exploration) and exploration >= 0):
            raise ValueError(f"LinUCB needs dim >= 1, ridge > 0, exploration >= 0; got {dim}, {ridge}, {exploration}")
        self.dim, self.ridge, self.exploration = dim, ridge, exploration
        self._prior = self._checked(np.zeros(dim) if prior is None else prior, "prior", (dim,))
        self._design: Matrix = ridge * np.eye(dim)
        self._inverse: Matrix = np.eye(dim) / ridge
        self._b: Vector = ridge * self._prior
        self._updates = 0

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

    def mean(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """θ̂ᵀx of each row: X[n, d] -> [n]. Computed in float32 if X is float32, else in float64."""
        contexts = self._contexts(X)
        scores: NDArray[np.floating[Any]] = contexts @ self.theta.astype(contexts.dtype)
        return scores

    def ucb(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """u(x) of each row: X[n, d] -> [n]. Raises ValueError on another shape or a number that is not finite."""
        contexts = self._contexts(X)
        inverse = self._inverse.astype(contexts.dtype)
        variance = np.einsum("nd,nd->n", contexts @ inverse, contexts)
        scores: NDArray[np.floating[Any]] = contexts @ self.theta.astype(contexts.dtype) + self.exploration * np.sqrt(
            np.maximum(variance, 0)
        )
        return scores

    def update(self, x: ArrayLike, reward: float) -> None:
        """Learn that context x[d] earned ``reward``. Raises ValueError, and learns nothing, unless all numbers are finite."""
        context = self._checked(x, "context", (self.dim,))
        if not np.isfinite(reward):
            raise ValueError(f"a reward must be a finite number, not {reward}; nothing was learned from it")
        with np.errstate(over="ignore", invalid="ignore"):
            design = self._design + np.outer(context, context)
            b = self._b + reward * context
        if not (np.isfinite(design).all() and np.isfinite(b).all()):
            raise ValueError("the context or reward is too large to square in float64; nothing was learned from it")
        self._inverse = self._next_inverse(design, context)
        self._design, self._b = design, b
        self._updates += 1

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

    def _next_inverse(self, design: Matrix, context: Vector) -> Matrix:
        if (self._updates + 1) % REFACTOR_EVERY == 0:
            fresh: Matrix = cho_solve(cho_factor(design, lower=True), np.eye(self.dim))
            return (fresh + fresh.T) / 2
        direction = self._inverse @ context
        return self._inverse - np.outer(direction, direction) / (1.0 + context @ direction)

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
