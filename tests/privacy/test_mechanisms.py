"""Exact noise: its distribution, its bounds, and that outputs never prove more than was claimed."""

from __future__ import annotations

import math
import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from knexa.privacy import discrete_laplace, noisy_counts, noisy_sum


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(3, 2), Fraction(5)])
def test_the_distribution_is_that_of_the_formula(scale: Fraction) -> None:
    """P(x) = (1 - a) / (1 + a) a^|x| with a = exp(-1 / t), within four standard errors at each x."""
    draws = 20_000
    rng = random.Random(1)
    seen = Counter(discrete_laplace(scale, rng) for _ in range(draws))
    a = math.exp(-1 / float(scale))
    for x in range(-4, 5):
        p = (1 - a) / (1 + a) * a ** abs(x)
        assert abs(seen[x] / draws - p) < 4 * math.sqrt(p * (1 - p) / draws) + 1e-9


@given(st.lists(st.integers(0, 500), min_size=12, max_size=12), st.integers(0, 99))
def test_a_histogram_is_shares_whatever_the_noise(counts: list[int], seed: int) -> None:
    """Valid in a profile also where all noise is negative."""
    shares = noisy_counts(counts, Fraction(1, 100), random.Random(seed))
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert math.isclose(math.fsum(shares), 1.0, abs_tol=1e-9)


def test_much_budget_is_no_noise_and_no_value_counts_beyond_its_bound() -> None:
    rng = random.Random(0)
    assert noisy_counts([3, 1, 0], Fraction(1000), rng) == [0.75, 0.25, 0.0]
    assert noisy_sum([5, -3, 999], 8, Fraction(10_000), rng) == 13


def test_a_scale_that_is_none_is_said() -> None:
    with pytest.raises(ValueError, match="positive"):
        discrete_laplace(Fraction(0), random.Random(0))


@pytest.mark.parametrize(("epsilon", "caught"), [(Fraction(1), False), (Fraction(5, 2), True)])
def test_outputs_prove_no_more_than_was_claimed_and_too_little_noise_is_caught(epsilon: Fraction, caught: bool) -> None:
    """Neighbouring sums, claimed epsilon 1: an exact bound on the ratio of the best event's chances, wrong once in a thousand times."""
    rng, draws = random.Random(3), 20_000
    hits, misses = (sum(noisy_sum([1] * right, 1, epsilon, rng) >= 9 for _ in range(draws)) for right in (9, 8))
    low = stats.beta.ppf(0.0005, hits, draws - hits + 1)
    high = stats.beta.ppf(0.9995, misses + 1, draws - misses)
    below_low = stats.beta.ppf(0.0005, draws - misses, misses + 1)
    below_high = stats.beta.ppf(0.9995, draws - hits + 1, hits)
    assert (math.log(max(low / high, below_low / below_high)) > 1.0) is caught
