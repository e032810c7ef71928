"""Kernel UCB: what no sum of features can say."""

import json

import numpy as np
import pytest

from knexa.matching.bandits import KernelUCB, LinearBandit, LinUCB


def kernel(**options: object) -> KernelUCB:
    return KernelUCB(2, seed=0, columns=(0, 1), **options)  # type: ignore[arg-type]


def learned(bandit: LinearBandit) -> np.ndarray:
    """Expected rewards on a grid, after 400 noisy rewards of a bump at 0.3."""
    random = np.random.default_rng(0)
    for x in random.uniform(-1, 1, (400, 2)):
        bandit.update(x, float(np.exp(-((x[0] - 0.3) ** 2) / 0.05) + 0.1 * random.normal()))
    return bandit.mean(np.array([[at, 0.0] for at in np.linspace(-0.9, 0.9, 19)]))


def test_a_bump_is_found_that_a_linear_model_cannot_see() -> None:
    """The greatest expectation is at the bump; LinUCB puts it at an end."""
    grid = np.linspace(-0.9, 0.9, 19)
    assert grid[np.argmax(learned(kernel()))] == pytest.approx(0.3, abs=0.11)
    assert abs(grid[np.argmax(learned(LinUCB(2)))]) == pytest.approx(0.9)


def test_the_prior_is_that_of_the_linear_part() -> None:
    """Before any reward it expects what the prior says, as LinUCB does."""
    X = np.random.default_rng(1).uniform(-1, 1, (5, 2))
    np.testing.assert_allclose(kernel(prior=(1.0, -2.0)).mean(X), LinUCB(2, prior=(1.0, -2.0)).mean(X), atol=1e-12)


def test_inner_products_of_the_lifted_part_are_a_gaussian_kernel() -> None:
    """Near points have more in common than far ones, and none more than with itself (128 random features: within 0.3 of σ²)."""
    lifted = kernel().lift(np.array([[0.0, 0.0], [0.1, 0.0], [0.9, 0.9]]))[:, 2:]
    products = lifted @ lifted.T
    assert products[0, 0] > products[0, 1] > products[0, 2]
    assert products[0, 1] / products[0, 0] == pytest.approx(np.exp(-0.5 * (0.1 / 0.4) ** 2), abs=0.1)


def test_a_seed_names_the_features_and_a_restored_bandit_goes_on_equally() -> None:
    """State goes through JSON; the directions come from the seed."""
    whole, half = kernel(), kernel()
    x = np.array([0.2, -0.4])
    for bandit in (whole, half):
        bandit.update(x, 1.0)
    resumed = kernel()
    resumed.restore(json.loads(json.dumps(half.state())))
    np.testing.assert_array_equal(resumed.scores(x[None], 3), whole.scores(x[None], 3))
    assert not np.allclose(KernelUCB(2, seed=1, columns=(0, 1)).lift(x[None]), whole.lift(x[None]))


@pytest.mark.parametrize("X", [np.zeros((3, 5)), np.full((1, 2), np.nan)])
def test_contexts_of_another_shape_or_without_a_value_are_refused(X: np.ndarray) -> None:
    """One sentence, and nothing is scored."""
    with pytest.raises(ValueError, match="contexts must"):
        kernel().scores(X, 1)
