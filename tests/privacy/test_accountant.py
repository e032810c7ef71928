"""The accountant against closed forms, a library, and its own limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from knexa.privacy import SubsampledGaussian, to_epsilon


def test_one_full_step_is_the_gaussian_mechanism() -> None:
    """Between its exact epsilon (Balle and Wang 2018) and the plain conversion of its zero-concentrated divergence."""
    delta, noise = 1e-5, 4.0
    rho = 1 / (2 * noise**2)
    classic = rho + 2 * math.sqrt(rho * math.log(1 / delta))

    def exceeded(epsilon: float) -> float:
        below, above = 1 / (2 * noise) - epsilon * noise, -1 / (2 * noise) - epsilon * noise
        return float(norm.cdf(below) - math.exp(epsilon) * norm.cdf(above)) - delta

    exact = brentq(exceeded, 0.0, 10.0)
    assert exact <= SubsampledGaussian(1.0, noise, 1).epsilon(delta) <= classic


@given(st.floats(0.001, 0.5), st.floats(0.6, 8.0), st.integers(1, 400))
def test_less_noise_more_steps_and_larger_samples_cost_more(rate: float, noise: float, steps: int) -> None:
    """Monotone in each; sampling never costs more than taking all."""
    base = SubsampledGaussian(rate, noise, steps).epsilon(1e-5)
    assert base >= 0.0
    assert SubsampledGaussian(rate, noise * 1.2, steps).epsilon(1e-5) <= base
    assert SubsampledGaussian(rate, noise, steps + 10).epsilon(1e-5) >= base
    assert SubsampledGaussian(min(1.0, rate * 1.5), noise, steps).epsilon(1e-5) >= base - 1e-12
    assert SubsampledGaussian(1.0, noise, steps).epsilon(1e-5) >= base


def test_nothing_done_costs_nothing_and_no_noise_protects_nothing() -> None:
    assert SubsampledGaussian(0.1, 1.0, 0).epsilon(1e-5) == 0.0
    assert SubsampledGaussian(0.1, 0.0, 1).epsilon(1e-5) == math.inf
    with pytest.raises(ValueError, match="between 0 and 1"):
        to_epsilon({2: 1.0}, 0.0)


@pytest.mark.parametrize(("rate", "noise", "steps"), [(0.01, 1.1, 1000), (0.05, 2.0, 200), (0.2, 4.0, 50)])
def test_a_library_comes_to_the_same(rate: float, noise: float, steps: int) -> None:
    """Google's dp-accounting, where it is installed: the same divergence at the same orders."""
    dp = pytest.importorskip("dp_accounting")
    accountant = dp.rdp.RdpAccountant(orders=list(range(2, 65)))
    accountant.compose(dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(noise)), steps))
    assert SubsampledGaussian(rate, noise, steps).epsilon(1e-5) == pytest.approx(accountant.get_epsilon(1e-5), rel=1e-3)
