"""Intervals: against formulas, against SciPy, and against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from knexa.study.statistics import mean_interval, paired_bootstrap, paired_interval

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
