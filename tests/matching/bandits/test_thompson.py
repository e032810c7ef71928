"""Linear Thompson sampling."""

import numpy as np

from knexa.matching.bandits import ThompsonSampling


def trained(seed: int = 0, exploration: float = 0.7) -> ThompsonSampling:
    random = np.random.default_rng(3)
    bandit = ThompsonSampling(3, 2.0, exploration, seed=seed, prior=(1.0, 0.0, -1.0))
    for _ in range(10):
        bandit.update(random.uniform(-1, 1, 3), float(random.normal()))
    return bandit


def test_draws_have_the_mean_and_covariance_of_what_is_believed() -> None:
    """θ̃ ~ N(θ̂, v² A⁻¹), within five standard errors of 40,000 draws."""
    bandit, count = trained(), 40_000
    theta = bandit.samples(np.eye(3), 1, count)  # scores of the unit vectors are θ̃ itself
    covariance = 0.7**2 * bandit.inverse
    errors = np.sqrt(np.diag(covariance) / count)
    assert (np.abs(theta.mean(axis=0) - bandit.theta) < 5 * errors).all()
    spread = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / count)
    assert (np.abs(np.cov(theta.T) - covariance) < 5 * spread).all()


def test_all_pairs_of_a_round_are_judged_by_one_draw() -> None:
    """Scores are linear in the context: the score of a sum is the sum of the scores."""
    X = np.random.default_rng(1).uniform(-1, 1, (5, 3))
    scores = trained().scores(X, 4)
    np.testing.assert_allclose(trained().scores(X.sum(axis=0, keepdims=True), 4), [scores.sum()])


def test_a_draw_depends_on_seed_and_round_alone() -> None:
    """The same again for a resumed run, another in another round or under another seed."""
    X = np.eye(3)
    resumed = ThompsonSampling(3, 2.0, 0.7, seed=0, prior=(1.0, 0.0, -1.0))
    resumed.restore(trained().state())
    np.testing.assert_array_equal(resumed.scores(X, 2), trained().scores(X, 2))
    assert not np.array_equal(trained().scores(X, 2), trained().scores(X, 3))
    assert not np.array_equal(trained().scores(X, 2), trained(seed=1).scores(X, 2))
    np.testing.assert_allclose(trained().samples(X, 2, 8)[0], trained().scores(X, 2))


def test_without_exploration_it_says_the_mean() -> None:
    """v = 0 leaves nothing to draw."""
    bandit = trained(exploration=0.0)
    X = np.random.default_rng(2).uniform(-1, 1, (6, 3))
    np.testing.assert_allclose(bandit.scores(X, 1), bandit.mean(X))
