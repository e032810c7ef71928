"""Means with intervals, over seeds and over problems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, slots=True)
class Interval:
    """``mean`` of ``count`` values and its two-sided 95 % interval; the bounds are infinite where nothing bounds them."""

    mean: float
    low: float
    high: float
    count: int

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's t interval of the mean. One value says nothing about spread, so its interval is infinite. ValueError if empty."""
    if not values:
        raise ValueError("no values: a mean needs at least one")
    mean = float(np.mean(values))
    if len(values) == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    half = float(stats.t.ppf(0.5 + level / 2, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half, len(values))


def paired_interval(ours: Sequence[float], theirs: Sequence[float], level: float = 0.95) -> Interval:
    """Interval of the mean difference ``ours - theirs`` of values that belong together (equal seeds). ValueError if unequal in number."""
    if len(ours) != len(theirs):
        raise ValueError(f"paired values must be equal in number, not {len(ours)} and {len(theirs)}")
    return mean_interval([a - b for a, b in zip(ours, theirs, strict=True)], level)


def proportion_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """The exact interval of a share (Clopper and Pearson 1934). ValueError without a trial."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} of {trials}: a share needs at least one trial and no more successes than trials")
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = float(stats.beta.ppf(1 - tail, successes + 1, trials - successes)) if successes < trials else 1.0
    return Interval(successes / trials, low, high, trials)


def paired_p_value(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Two-sided p of the paired t test; 1 where all values are equal. ValueError if unequal in number or fewer than two."""
    if len(ours) != len(theirs) or len(ours) < 2:
        raise ValueError(f"paired values must be equal in number and at least two, not {len(ours)} and {len(theirs)}")
    differences = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return float(2.0 * stats.t.sf(abs(mean) * math.sqrt(len(differences)) / spread, len(differences) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): p-values, in their order, that keep the chance of any false finding among them at the level."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def paired_bootstrap(
    ours: Sequence[float], theirs: Sequence[float], rng: np.random.Generator, *, draws: int = 10_000, level: float = 0.95
) -> Interval:
    """Percentile interval of the mean difference over problems: problems are drawn again with replacement, pairs kept together.

    ``ours`` and ``theirs``: a score for each problem, such as the share of its samples that passed. Says how much the choice of
    test problems matters, not how much the seed does.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"paired values must be equal in number and at least one, not {len(ours)} and {len(theirs)}")
    differences = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    # Counts of a draw with replacement are multinomial: a [draws, problems] table of indices is never needed.
    counts = rng.multinomial(len(differences), np.full(len(differences), 1 / len(differences)), size=draws)
    means = counts @ differences / len(differences)
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(differences.mean()), float(low), float(high), len(differences))
