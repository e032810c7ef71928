"""Intervals: against formulas, against SciPy, and against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from knexa.study.statistics import holm, mean_interval, paired_bootstrap, paired_interval, paired_p_value

values = st.lists(st.floats(-100, 100), min_size=2, max_size=12)


def test_the_interval_is_students_t() -> None:
    """Five seeds: mean ± t(0.975, 4) · s / √5."""
    sample = [0.31, 0.28, 0.35, 0.30, 0.33]
    interval = mean_interval(sample)
    low, high = stats.ttest_1samp(sample, 0.0).confidence_interval(0.95)
    assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))


def test_one_seed_bounds_nothing() -> None:
    """A single value never looks like a result."""
    interval = mean_interval([0.4])
    assert (interval.low, interval.high) == (-math.inf, math.inf)
    assert not interval.excludes_zero


@given(values, st.floats(-10, 10))
def test_pairing_removes_what_both_share(ours: list[float], shift: float) -> None:
    """A constant difference has an interval of no width, however much the seeds differ among themselves."""
    interval = paired_interval([value + shift for value in ours], ours)
    assert interval.mean == pytest.approx(shift, abs=1e-9)
    assert interval.high - interval.low == pytest.approx(0.0, abs=1e-9)


def test_unequal_pairs_are_refused() -> None:
    """A missing seed is an error, never a silently dropped pair."""
    with pytest.raises(ValueError, match="equal in number"):
        paired_interval([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="equal in number"):
        paired_bootstrap([1.0], [], np.random.default_rng(0))
    with pytest.raises(ValueError, match="no values"):
        mean_interval([])


def test_the_bootstrap_agrees_with_the_normal_interval_on_many_problems() -> None:
    """On 400 problems the percentile interval is close to mean ± 1.96 standard errors."""
    rng = np.random.default_rng(7)
    ours, theirs = rng.binomial(10, 0.4, 400) / 10, rng.binomial(10, 0.35, 400) / 10
    interval = paired_bootstrap(list(ours), list(theirs), rng)
    difference = ours - theirs
    error = difference.std(ddof=1) / 20
    assert interval.mean == pytest.approx(difference.mean())
    assert interval.low == pytest.approx(difference.mean() - 1.96 * error, abs=0.15 * error)
    assert interval.high == pytest.approx(difference.mean() + 1.96 * error, abs=0.15 * error)


def test_equal_randomness_gives_equal_bootstraps() -> None:
    """The generator is the only source of chance."""
    scores = ([0.1, 0.5, 0.9, 0.3], [0.2, 0.4, 0.7, 0.3])
    assert paired_bootstrap(*scores, np.random.default_rng(3)) == paired_bootstrap(*scores, np.random.default_rng(3))


def test_the_p_value_is_that_of_the_paired_t_test() -> None:
    """Against SciPy; equal samples have p = 1, a constant difference has none."""
    ours, theirs = [0.31, 0.28, 0.35, 0.30], [0.30, 0.29, 0.31, 0.27]
    assert paired_p_value(ours, theirs) == pytest.approx(float(stats.ttest_rel(ours, theirs).pvalue))
    assert paired_p_value(ours, ours) == 1.0
    assert paired_p_value([1.0, 2.0], [0.5, 1.5]) == 0.0
    with pytest.raises(ValueError, match="at least two"):
        paired_p_value([1.0], [2.0])


def test_holm_by_the_book() -> None:
    """Smallest times four, next times three, …, never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_a_correction_never_makes_a_finding(p_values: list[float]) -> None:
    """Corrected values are at least as large, at most 1, and in the same order."""
    corrected = holm(p_values)
    assert all(before <= after <= 1.0 for before, after in zip(p_values, corrected, strict=True))
    assert sorted(corrected) == [corrected[index] for index in sorted(range(len(p_values)), key=lambda index: p_values[index])]
