"""Discounted evidence, for agents that change."""

import numpy as np
import pytest

from knexa.matching.bandits import LinearBandit, LinUCB, ThompsonSampling

PRIOR = (0.5, -1.0, 2.0)
BANDITS = [LinUCB(3, 2.0, prior=PRIOR, discount=0.8), ThompsonSampling(3, 2.0, prior=PRIOR, discount=0.8, seed=1)]


def rounds_of_evidence(bandit: LinearBandit, seed: int, rounds: int) -> list[tuple[np.ndarray, float]]:
    """One reward a round, and the passing of the round before it; what was learned, oldest first."""
    random = np.random.default_rng(seed)
    seen = []
    for _ in range(rounds):
        bandit.forget()
        x, reward = random.uniform(-1, 1, bandit.dim), float(random.normal())
        bandit.update(x, reward)
        seen.append((x, reward))
    return seen


def test_evidence_of_s_rounds_ago_weighs_discount_to_the_s() -> None:
    """A = λI + Σ γˢ xxᵀ and b = λθ₀ + Σ γˢ r·x: evidence fades, the prior does not."""
    bandit = LinUCB(3, 2.0, prior=PRIOR, discount=0.8)
    seen = rounds_of_evidence(bandit, 4, 12)
    weights = 0.8 ** np.arange(len(seen))[::-1]
    design = 2.0 * np.eye(3) + sum(w * np.outer(x, x) for w, (x, _) in zip(weights, seen, strict=True))
    b = 2.0 * np.array(PRIOR) + sum(w * r * x for w, (x, r) in zip(weights, seen, strict=True))
    np.testing.assert_allclose(bandit.design, design, rtol=1e-12)
    np.testing.assert_allclose(bandit.theta, np.linalg.solve(design, b), rtol=1e-9)
    np.testing.assert_allclose(bandit.design @ bandit.inverse, np.eye(3), atol=1e-10)


@pytest.mark.parametrize("bandit", BANDITS, ids=["linucb", "thompson"])
def test_silence_leads_back_to_the_prior(bandit: LinearBandit) -> None:
    """After a hundred rounds without a reward, what is believed is what was believed at first."""
    rounds_of_evidence(bandit, 5, 6)
    for _ in range(100):
        bandit.forget()
    np.testing.assert_allclose(bandit.theta, PRIOR, atol=1e-8)
    np.testing.assert_allclose(bandit.design, 2.0 * np.eye(3), atol=1e-8)


def test_without_discount_forgetting_changes_no_bit() -> None:
    """γ = 1 is the paper's LinUCB."""
    bandit = LinUCB(3, discount=1.0)
    rounds_of_evidence(bandit, 6, 5)
    before = bandit.state()
    bandit.forget()
    assert bandit.state() == before


def test_a_discounted_bandit_follows_a_truth_that_turns_round() -> None:
    """θ changes its sign half-way: with forgetting the new sign is learned, without it the old one still counts as much."""
    random = np.random.default_rng(7)
    forgetful, faithful = LinUCB(4, 0.05, discount=0.9), LinUCB(4, 0.05)
    truth = np.array([1.0, -2.0, 0.5, 1.5])
    for round in range(120):
        for bandit in (forgetful, faithful):
            bandit.forget()
        x = random.uniform(-1, 1, 4)
        for bandit in (forgetful, faithful):
            bandit.update(x, float(x @ (truth if round < 60 else -truth)))
    assert np.linalg.norm(forgetful.theta + truth) < 0.2 * np.linalg.norm(truth)
    assert np.linalg.norm(faithful.theta + truth) > 0.5 * np.linalg.norm(truth)


@pytest.mark.parametrize("discount", [0.0, -0.5, 1.01, float("nan")])
def test_a_discount_outside_its_range_is_refused(discount: float) -> None:
    """γ lies in (0, 1]."""
    with pytest.raises(ValueError, match="discount"):
        LinUCB(3, discount=discount)


def test_the_root_schedule_divides_exploration_by_the_root_of_the_round() -> None:
    """Round 1 explores as configured, round 4 half as much; a constant schedule never changes."""
    X = np.eye(3)
    constant, falling = (LinUCB(3, exploration=2.0, schedule=schedule) for schedule in ("constant", "sqrt"))  # type: ignore[arg-type]
    np.testing.assert_array_equal(falling.scores(X, 1), constant.scores(X, 1))
    np.testing.assert_allclose(falling.scores(X, 4), constant.scores(X, 4) / 2)
    np.testing.assert_array_equal(constant.scores(X, 9), constant.ucb(X))
