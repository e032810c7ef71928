"""Pass@k: the probability that at least one of k samples solves a problem (Chen et al. 2021, arXiv 2107.03374, Eq. 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate in [0, 1] from ``n`` samples of which ``c`` passed: 1 - C(n - c, k) / C(n, k).

    Computed as a product of ratios, since the binomials overflow. Raises ValueError unless 0 <= c <= n and 1 <= k <= n.
    """
    return float(pass_at_k_each(n, [c], k)[0])


def pass_at_k_each(n: int, correct: Sequence[int] | NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Pass@k of each problem, shape [problems]; ``correct`` holds how many of ``n`` samples passed. Raises as above."""
    if not 1 <= k <= n:
        raise ValueError(f"Pass@k needs 1 <= k <= n samples, not k = {k} and n = {n}")
    c = np.asarray(correct, dtype=np.int64)
    if c.size and (c.min() < 0 or c.max() > n):
        raise ValueError(f"between 0 and n = {n} samples can pass, not {c.min()} to {c.max()}")
    # C(n - c, k) / C(n, k) = product over i < k of (n - c - i) / (n - i); a factor is 0 as soon as fewer than k fail.
    i = np.arange(k)
    factors = np.maximum(n - c[:, None] - i, 0) / (n - i)
    return np.asarray(1.0 - factors.prod(axis=1), dtype=np.float64)


def mean_pass_at_k(n: int, correct: Sequence[int] | NDArray[np.int64], k: int) -> float:
    """Pass@k of a problem set: the mean over its problems. Raises ValueError as above, and for an empty set."""
    if len(correct) == 0:
        raise ValueError("Pass@k of no problems is not defined")
    return float(pass_at_k_each(n, correct, k).mean())
