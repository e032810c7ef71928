"""Protocol ``adapter``: merging low-rank updates; FedAvg: averaging their factors."""

import pytest
import torch
from safetensors.torch import load, save

from knexa.learning.merging import Factors, factor_mean, merged

IN, OUT, RANK = 12, 9, 3


def factors(seed: int) -> Factors:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(RANK, IN, generator=random), torch.randn(OUT, RANK, generator=random)


def update(pair: Factors) -> torch.Tensor:
    a, b = pair
    return b @ a


@pytest.mark.parametrize(("alpha", "which"), [(0.0, 0), (1.0, 1)])
def test_at_the_ends_one_update_is_left(alpha: float, which: int) -> None:
    """Nothing of the way is the own update, all of it the other's."""
    pair = factors(0), factors(1)
    assert torch.allclose(update(merged(*pair, alpha)), update(pair[which]), atol=1e-5)


def test_no_update_of_that_rank_is_nearer_to_the_mixture() -> None:
    """The error is that of the singular values left out (Eckart & Young), and below that of averaged factors."""
    own, other, alpha = factors(0), factors(1), 0.4
    mixture = (1 - alpha) * update(own) + alpha * update(other)
    error = float(torch.linalg.norm(update(merged(own, other, alpha)) - mixture))
    assert error == pytest.approx(float(torch.linalg.svdvals(mixture)[RANK:].norm()), rel=1e-4)
    averaged = tuple((1 - alpha) * one + alpha * two for one, two in zip(own, other, strict=True))
    assert error < torch.linalg.norm(update(averaged) - mixture)


def test_equal_updates_with_other_factors_merge_to_themselves() -> None:
    """B A = (B R)(R⁻¹ A): which factors an agent happens to have must not matter."""
    a, b = factors(0)
    turn = torch.randn(RANK, RANK, generator=torch.Generator().manual_seed(5))
    same = torch.linalg.solve(turn, a), b @ turn
    assert torch.allclose(update(merged((a, b), same, 0.5)), b @ a, atol=1e-4)


def test_a_direction_in_which_nothing_was_learned_can_still_be_learned() -> None:
    """Where B is zero, A is not, so that the gradient of B is not."""
    a, _ = factors(0)
    new_a, new_b = merged((a, torch.zeros(OUT, RANK)), (a, torch.zeros(OUT, RANK)), 0.5)
    assert torch.count_nonzero(new_b) == 0
    assert torch.allclose(new_a @ new_a.T, torch.eye(RANK), atol=1e-5)


def adapter(pair: Factors) -> bytes:
    return save({"A": pair[0].half(), "B": pair[1].half()})


def test_fedavg_averages_factors_and_not_products() -> None:
    """A and B are means by weight; their product is not the mean of the products, as FedIT has it."""
    one, other = factors(0), factors(1)
    mean = load(factor_mean([adapter(one), adapter(other)], [0.25, 0.75]))
    for name, first, second in zip(("A", "B"), one, other, strict=True):
        assert torch.allclose(mean[name].float(), 0.25 * first + 0.75 * second, atol=4e-3)
    products = 0.25 * update(one) + 0.75 * update(other)
    assert torch.linalg.norm(mean["B"].float() @ mean["A"].float() - products) > 0.1 * torch.linalg.norm(products)


def test_fedavg_of_adapters_with_one_a_is_exact() -> None:
    """After a common start with nothing learned in A, the mean of factors is the mean of updates."""
    (a, one), (_, other) = factors(0), factors(1)
    mean = load(factor_mean([adapter((a, one)), adapter((a, other))], [0.5, 0.5]))
    assert torch.allclose(mean["B"].float() @ mean["A"].float(), (one @ a + other @ a) / 2, atol=0.05)
