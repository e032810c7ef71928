"""DP-SGD: without clipping and noise it is the plain gradient; with them no text counts for more than was said."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from knexa.config import LocalConfig, load_config
from knexa.learning.encoding import CPU, collate, encode
from knexa.learning.finetune import cross_entropy
from knexa.learning.learner import Learner
from knexa.learning.private_sgd import private_step

TEXTS = [(f"def f{n}(x):\n", f"    return x + {n * 37}\n") for n in range(6)]
NORMLESS = 1e9


@pytest.fixture(scope="module")
def learner() -> Learner:
    one = Learner("embedded:gpt2", LocalConfig(), load_config(None).model)
    one.reset(3)
    one.local_update(TEXTS, 3, 3, 1)  # so that B is not zero, and both factors have gradients
    return one


def step(learner: Learner, texts: list[tuple[str, str]], **given: float) -> torch.Tensor:
    """The gradient that a step leaves, as one vector."""
    tokenizer, parameters = learner._tokenizer, learner._adapter.parameters()
    examples = [encode(tokenizer, *text, 256) for text in texts]
    settings = {"rate": 1.0, "clip": NORMLESS, "noise": 0.0, **given}
    private_step(learner._adapter, parameters, examples, rng=np.random.default_rng(7), pad=tokenizer.pad_token_id, device=CPU, **settings)
    return torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])


def test_without_clipping_and_noise_it_is_the_mean_of_the_texts_gradients(learner: Learner) -> None:
    """To rounding."""
    parameters = learner._adapter.parameters()
    expected = torch.zeros(sum(parameter.numel() for parameter in parameters))
    for text in TEXTS:
        loss = cross_entropy(learner._adapter, collate([encode(learner._tokenizer, *text, 256)], learner._tokenizer.pad_token_id))
        expected += torch.cat([one.flatten() for one in torch.autograd.grad(loss, parameters)]) / len(TEXTS)
    assert torch.allclose(step(learner, TEXTS), expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("clip", [0.01, 0.5])
def test_one_text_changes_the_sum_by_no_more_than_the_clip(learner: Learner, clip: float) -> None:
    """Whatever it is; several are not clipped together."""
    one = step(learner, TEXTS[:1], clip=clip)
    assert float(one.norm()) <= clip * (1 + 1e-5)
    with_it, without = step(learner, TEXTS, clip=clip) * len(TEXTS), step(learner, TEXTS[1:], clip=clip) * (len(TEXTS) - 1)
    assert float((with_it - without).norm()) <= clip * (1 + 1e-4)
    assert float(with_it.norm()) > float(one.norm())


def test_noise_has_the_stated_deviation(learner: Learner) -> None:
    """Over the expected number of texts, not over how many took part."""
    quiet, loud = step(learner, TEXTS, clip=0.5), step(learner, TEXTS, clip=0.5, noise=2.0)
    deviation = float((loud - quiet).std())
    assert deviation == pytest.approx(2.0 * 0.5 / len(TEXTS), rel=0.03)


def test_texts_take_part_by_chance_and_a_step_may_have_none(learner: Learner) -> None:
    """A step without any has noise alone; over many steps each text takes part as often as was said."""
    alone = step(learner, TEXTS, rate=1e-9, clip=1.0, noise=1.0) * 1e-9 * len(TEXTS)
    assert float(alone.std()) == pytest.approx(1.0, rel=0.03)
    one = step(learner, TEXTS[:1], clip=1.0)
    rng, taken = np.random.default_rng(0), 0
    for _ in range(300):
        drawn = private_step(
            learner._adapter,
            learner._adapter.parameters(),
            [encode(learner._tokenizer, *TEXTS[0], 256)],
            **{"rate": 0.3, "clip": 1.0, "noise": 0.0, "rng": rng, "pad": learner._tokenizer.pad_token_id, "device": CPU},
        )
        taken += drawn > 0.0
    assert taken / 300 == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / 300))
    assert float(one.norm()) > 0.0


def test_an_adapter_trained_with_noise_learns_and_one_with_too_much_does_not(learner: Learner) -> None:
    """The same texts again and again: little noise still lowers their loss."""
    texts = TEXTS * 20
    losses = {}
    for noise in (0.0, 0.05, 50.0):
        learner.reset(3)
        before = learner.loss(TEXTS)
        learner.private_update(texts, 12, 12, np.random.default_rng(1), rate=8 / len(texts), clip=1.0, noise=noise)
        losses[noise] = learner.loss(TEXTS) - before
    assert losses[0.0] < -0.1
    assert losses[0.05] < -0.1
    assert losses[50.0] > losses[0.05]
