"""LinUCB, Alg. 1."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.matching import LinUCB
from knexa.matching.bandits.linear import REFACTOR_EVERY


def data(seed: int, count: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, (count, dim)), random.normal(size=count)


def trained(contexts: np.ndarray, rewards: np.ndarray, **options: float) -> LinUCB:
    bandit = LinUCB(contexts.shape[1], **options)
    for context, reward in zip(contexts, rewards, strict=True):
        bandit.update(context, float(reward))
    return bandit


@pytest.mark.parametrize("ridge", [0.1, 1.0, 7.0])
def test_the_inverse_is_right_before_any_data(ridge: float) -> None:
    """A @ A⁻¹ = I with A = λI: a wrong inverse for λ ≠ 1 shows here first."""
    bandit = LinUCB(5, ridge=ridge)
    np.testing.assert_allclose(bandit.design @ bandit.inverse, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(bandit.ucb(np.eye(5)), np.full(5, 1 / math.sqrt(ridge)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.sampled_from([0.01, 0.5, 4.0]), st.integers(1, 3 * REFACTOR_EVERY))
def test_one_by_one_updates_equal_the_batch_solution(seed: int, dim: int, ridge: float, count: int) -> None:
    """θ̂ = (λI + XᵀX)⁻¹ Xᵀr, and the inverse stays one, across re-factorisations."""
    X, r = data(seed, count, dim)
    bandit = trained(X, r, ridge=ridge)
    design = ridge * np.eye(dim) + X.T @ X
    np.testing.assert_allclose(bandit.design, design, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(bandit.design @ bandit.inverse, np.eye(dim), atol=1e-7)
    np.testing.assert_allclose(bandit.theta, np.linalg.solve(design, X.T @ r), rtol=1e-6, atol=1e-8)


def test_the_score_is_mean_plus_exploration_times_width() -> None:
    """u(x) = θ̂ᵀx + β √(xᵀA⁻¹x), computed here from the definition."""
    X, r = data(1, 40, 4)
    bandit = trained(X, r, ridge=2.0, exploration=0.7)
    inverse = np.linalg.inv(2.0 * np.eye(4) + X.T @ X)
    query = data(2, 9, 4)[0]
    expected = [x @ inverse @ (X.T @ r) + 0.7 * math.sqrt(x @ inverse @ x) for x in query]
    np.testing.assert_allclose(bandit.ucb(query), expected, rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 10), st.floats(0, 10))
def test_a_larger_exploration_never_lowers_a_score(seed: int, first: float, second: float) -> None:
    """Optimism is monotone in β, and β = 0 is the mean."""
    X, r = data(seed, 20, 6)
    low, high = (trained(X, r, exploration=beta) for beta in sorted((first, second)))
    query = data(seed + 1, 10, 6)[0]
    assert (high.ucb(query) >= low.ucb(query)).all()
    np.testing.assert_array_equal(trained(X, r, exploration=0.0).ucb(query), low.mean(query))


def test_seeing_a_context_makes_it_less_uncertain() -> None:
    """The width shrinks along every context learned from, and never grows elsewhere."""
    X, r = data(3, 30, 5)
    bandit = LinUCB(5)
    for context, reward in zip(X, r, strict=True):
        before = bandit.ucb(X) - bandit.mean(X)
        bandit.update(context, float(reward))
        after = bandit.ucb(X) - bandit.mean(X)
        assert (after <= before + 1e-12).all()
        assert bandit.ucb(context[None])[0] - bandit.mean(context[None])[0] < np.sqrt(context @ context)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_not_finite_changes_nothing(bad: float) -> None:
    """One NaN would turn all of θ to NaN; it is refused, and the state stays to the bit."""
    X, r = data(4, 10, 3)
    bandit = trained(X, r)
    before = (bandit.state(), bandit.digest())
    with pytest.raises(ValueError, match="finite"):
        bandit.update(X[0], bad)
    with pytest.raises(ValueError, match="finite"):
        bandit.update([0.0, bad, 0.0], 1.0)
    assert (bandit.state(), bandit.digest()) == before


def test_finite_numbers_that_overflow_change_nothing() -> None:
    """1e200 is finite, its square is not: the update is refused as a whole."""
    bandit = trained(*data(5, 10, 3))
    before = bandit.state()
    with pytest.raises(ValueError, match="too large"):
        bandit.update([1e200, 0.0, 0.0], 1.0)
    assert bandit.state() == before


def test_a_wrong_shape_says_what_was_expected_and_received() -> None:
    """Messages print both shapes."""
    bandit = LinUCB(3)
    with pytest.raises(ValueError, match=r"\[3\], not \[2\]"):
        bandit.update([1.0, 2.0], 0.0)
    with pytest.raises(ValueError, match=r"\[n, 3\], not \[2, 4\]"):
        bandit.ucb(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="finite"):
        bandit.ucb([[0.0, math.nan, 0.0]])


@pytest.mark.parametrize("options", [{"dim": 0}, {"dim": 2, "ridge": 0.0}, {"dim": 2, "ridge": math.nan}, {"dim": 2, "exploration": -1.0}])
def test_parameters_outside_their_range_are_refused(options: dict[str, float]) -> None:
    """λ > 0, β ≥ 0, d ≥ 1."""
    with pytest.raises(ValueError, match="LinUCB needs"):
        LinUCB(**options)  # type: ignore[arg-type]


def test_a_restored_bandit_continues_to_the_bit() -> None:
    """Stop, write JSON, read it, go on: the same as never having stopped, across a re-factorisation."""
    X, r = data(6, 2 * REFACTOR_EVERY, 4)
    whole = trained(X, r, ridge=0.5)
    half = trained(X[:50], r[:50], ridge=0.5)
    resumed = LinUCB(4, ridge=0.5)
    resumed.restore(json.loads(json.dumps(half.state())))
    for context, reward in zip(X[50:], r[50:], strict=True):
        resumed.update(context, float(reward))
    assert resumed.state() == whole.state()
    assert resumed.digest() == whole.digest() != half.digest()
    np.testing.assert_array_equal(resumed.ucb(X), whole.ucb(X))


def test_a_state_of_another_dimension_is_refused_and_changes_nothing() -> None:
    """Resuming with another context kind must not half-overwrite the bandit."""
    bandit = trained(*data(7, 5, 3))
    before = bandit.state()
    with pytest.raises(ValueError, match="shape"):
        bandit.restore(LinUCB(4).state())
    assert bandit.state() == before


def test_a_prior_is_believed_first_and_overruled_by_data() -> None:
    """θ̂ = θ₀ before data; with much data θ̂ is the least-squares answer whatever θ₀ was."""
    prior, truth = [3.0, -2.0, 1.0], np.array([-1.0, 0.5, 0.25])
    bandit = LinUCB(3, prior=prior)
    np.testing.assert_allclose(bandit.theta, prior)
    for context in data(8, 2000, 3)[0]:
        bandit.update(context, float(context @ truth))
    np.testing.assert_allclose(bandit.theta, truth, atol=0.02)


def test_float32_scoring_agrees_with_float64() -> None:
    """Scoring many pairs in single precision keeps the dtype and about seven digits."""
    bandit = trained(*data(9, 500, 64))
    query = data(10, 1000, 64)[0]
    single = bandit.ucb(query.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, bandit.ucb(query), atol=1e-4)


def test_the_arrays_handed_out_are_copies() -> None:
    """Nobody can change the bandit by writing into what it returned."""
    bandit = trained(*data(11, 5, 3))
    before = bandit.digest()
    bandit.design[:] = 0.0
    bandit.theta[:] = 0.0
    bandit.inverse[:] = 0.0
    assert bandit.digest() == before
    np.testing.assert_allclose(bandit.design @ bandit.inverse, np.eye(3), atol=1e-12)


def test_a_weighted_reward_counts_as_so_many() -> None:
    """Four rewards of weight 1/4 are one; weight 1 is the default."""
    x, whole, parts = np.array([1.0, -0.5]), LinUCB(2), LinUCB(2)
    whole.update(x, 0.7)
    for _ in range(4):
        parts.update(x, 0.7, weight=0.25)
    np.testing.assert_allclose(parts.design, whole.design, atol=1e-12)
    np.testing.assert_allclose(parts.theta, whole.theta, atol=1e-12)


@pytest.mark.parametrize("weight", [0.0, -1.0, 1.5, float("nan")])
def test_a_weight_outside_its_range_teaches_nothing(weight: float) -> None:
    """Refused before anything changed."""
    bandit = LinUCB(2)
    with pytest.raises(ValueError, match="weight"):
        bandit.update([1.0, 0.0], 1.0, weight=weight)
    assert bandit.updates == 0
