from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.evaluation.pass_at_k import mean_pass_at_k, pass_at_k, pass_at_k_each


@st.composite
def counts(draw: st.DrawFn, largest: int) -> tuple[int, int, int]:
    n = draw(st.integers(1, largest))
    return n, draw(st.integers(0, n)), draw(st.integers(1, n))


@given(counts(9))
def test_the_estimate_is_the_share_of_k_subsets_that_hold_a_passing_sample(arguments: tuple[int, int, int]) -> None:
    """Brute force over all subsets of size k gives the same number."""
    n, c, k = arguments
    passed = [True] * c + [False] * (n - c)
    subsets = list(combinations(passed, k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-12)


@given(counts(5000))
def test_large_counts_stay_in_the_unit_interval_and_exact_at_its_ends(arguments: tuple[int, int, int]) -> None:
    """No overflow, no rounding past 0 or 1; nothing passed means 0, too few failures to fill k samples means 1."""
    n, c, k = arguments
    estimate = pass_at_k(n, c, k)
    assert 0.0 <= estimate <= 1.0
    assert (estimate == 0.0) == (c == 0)
    if n - c < k:
        assert estimate == 1.0


@given(counts(200))
def test_pass_at_1_is_the_share_that_passed_and_more_samples_never_hurt(arguments: tuple[int, int, int]) -> None:
    """Pass@1 = c / n; Pass@k does not fall with k or with c."""
    n, c, k = arguments
    assert pass_at_k(n, c, 1) == pytest.approx(c / n)
    assert pass_at_k(n, c, k) >= pass_at_k(n, c, 1) - 1e-12
    assert pass_at_k_each(n, range(n + 1), k).tolist() == sorted(pass_at_k_each(n, range(n + 1), k).tolist())


def test_the_mean_over_problems_is_the_mean_of_the_single_estimates() -> None:
    """Vectorised and one by one agree, for lists and arrays."""
    correct = [0, 3, 10, 7]
    single = [pass_at_k(10, c, 5) for c in correct]
    assert pass_at_k_each(10, correct, 5).tolist() == single
    assert mean_pass_at_k(10, np.array(correct), 5) == pytest.approx(sum(single) / 4)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 6, 1), (5, -1, 1), (5, 2, 6), (5, 2, 0), (0, 0, 1)])
def test_counts_that_cannot_be_are_refused(n: int, c: int, k: int) -> None:
    """More passed than sampled, more drawn than sampled, or nothing drawn is an error of the caller."""
    with pytest.raises(ValueError, match="not"):
        pass_at_k(n, c, k)


def test_an_empty_problem_set_has_no_score() -> None:
    """The mean over nothing is an error, not 0 and not NaN."""
    with pytest.raises(ValueError, match="no problems"):
        mean_pass_at_k(5, [], 1)
