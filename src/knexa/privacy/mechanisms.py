"""Noise on whole numbers, exact: no floating-point number is drawn, so none can give away what it was added to (Mironov 2012).

The discrete Laplace distribution, P(x) proportional to exp(-|x| / t), by the sampler of Canonne, Kamath and Steinke (2020, "The Discrete
Gaussian for Differential Privacy", Alg. 2): it tosses coins whose chances are exponentials of fractions, with whole numbers only. Added to
a number that one person's data change by at most s, with t = s / epsilon, it gives epsilon-differential privacy.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol


class Randomness(Protocol):
    """Where chance comes from: :class:`random.Random` for a simulation that is to come out alike, :class:`random.SystemRandom` else."""

    def randrange(self, stop: int, /) -> int:
        """A whole number from 0 to ``stop`` - 1, all as likely."""


def discrete_laplace(scale: Fraction, randomness: Randomness) -> int:
    """One draw; ``scale`` is t above. ValueError unless it is positive."""
    if scale <= 0:
        raise ValueError(f"a scale of {scale}: noise needs a positive one")
    t, s = scale.numerator, scale.denominator
    while True:
        u = randomness.randrange(t)
        if not _exponential_coin(Fraction(u, t), randomness):
            continue
        v = 0
        while _exponential_coin(Fraction(1), randomness):
            v += 1
        magnitude = (u + t * v) // s
        negative = randomness.randrange(2) == 1
        if not (negative and magnitude == 0):
            return -magnitude if negative else magnitude


def noisy_counts(counts: Sequence[int], epsilon: Fraction, randomness: Randomness) -> list[float]:
    """A histogram, released with ``epsilon``: shares that sum to 1.

    Neighbours differ in one item, which is another item in the other data set, so two counts differ by one each and the noise is made for a
    sum of two. What comes out below zero is zero; if nothing is left, all shares are equal. Neither costs anything: it looks at the noisy
    counts alone.
    """
    noisy = [max(0, count + discrete_laplace(2 / epsilon, randomness)) for count in counts]
    total = sum(noisy)
    return [one / total for one in noisy] if total else [1 / len(counts)] * len(counts)


def noisy_sum(values: Sequence[int], largest: int, epsilon: Fraction, randomness: Randomness) -> int:
    """The sum of ``values``, each cut to 0 to ``largest``, released with ``epsilon``: replacing one changes it by ``largest`` at most."""
    return sum(min(max(value, 0), largest) for value in values) + discrete_laplace(largest / epsilon, randomness)


def _exponential_coin(gamma: Fraction, randomness: Randomness) -> bool:
    """True with probability exp(-gamma), for gamma from 0 to 1 (Alg. 1 there)."""
    k = 1
    while randomness.randrange(gamma.denominator * k) < gamma.numerator:
        k += 1
    return k % 2 == 1
