"""On a GPU, where there is one: what is recorded, moved and rounded there gives what the CPU gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from knexa.config import LocalConfig, ModelConfig
from knexa.evaluation.bank.splits import load_bank
from knexa.learning.backbone import EMBEDDED
from knexa.learning.learner import Learner
from knexa.participant.measure import texts_of

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

TEXTS = texts_of(load_bank().private[:48])
PROMPTS = [problem.prompt for problem in load_bank().test[::8]]


def trained(name: str, device: str, model: ModelConfig | None = None, *, steps: int = 12) -> Learner:
    learner = Learner(f"embedded:{name}", LocalConfig(learning_rate=3e-3), model, device)
    learner.reset(3)
    learner.local_update(TEXTS, steps, steps, seed=1)
    return learner


@pytest.mark.parametrize("name", EMBEDDED)
def test_a_gpu_learns_what_the_cpu_learns(name: str) -> None:
    """Twelve steps from the same seed end at the same loss, up to the order of sums; the state moves between the two."""
    here, there = trained(name, "cpu"), trained(name, "cuda")
    assert there.loss(TEXTS) == pytest.approx(here.loss(TEXTS), rel=0.02)
    state = there.state()
    here.load(state)
    assert here.loss(TEXTS) == pytest.approx(there.loss(TEXTS), rel=1e-3)
    there.reset(9)
    there.load(state)
    assert there.state() == state


@pytest.mark.parametrize("name", EMBEDDED)
def test_recorded_steps_answer_as_the_cpu_does(name: str) -> None:
    """Greedy answers of a trained agent: nearly all to the letter; ties may fall the other way."""
    here, there = trained(name, "cpu"), trained(name, "cuda")
    here.load(there.state())
    given: dict[str, Any] = {"max_new_tokens": 48}
    ours, theirs = here.answer(PROMPTS, **given), there.answer(PROMPTS, **given)
    alike = sum(one[0].text == other[0].text for one, other in zip(ours, theirs, strict=True))
    assert alike >= 0.95 * len(PROMPTS)


def test_a_recording_follows_the_adapter() -> None:
    """What is recorded reads the weights where they are: after more learning, and for another agent, answers are that one's."""
    learner = trained("qwen2", "cuda", steps=2)
    first = learner.state()
    before = learner.answer(PROMPTS, max_new_tokens=32)
    learner.local_update(TEXTS, 60, 60, seed=2)
    after = learner.answer(PROMPTS, max_new_tokens=32)
    assert [few[0].text for few in before] != [few[0].text for few in after]
    learner.load(first)
    assert [few[0].text for few in learner.answer(PROMPTS, max_new_tokens=32)] == [few[0].text for few in before]


def test_sampling_is_repeatable_there() -> None:
    """Same seed, same samples; they differ from one another."""
    learner = trained("gpt-neox", "cuda")
    given: dict[str, Any] = {"max_new_tokens": 32, "temperature": 0.8, "samples": 5, "seed": 4}
    first, second = learner.answer(PROMPTS, **given), learner.answer(PROMPTS, **given)
    assert [[one.text for one in few] for few in first] == [[one.text for one in few] for few in second]
    assert len({one.text for few in first for one in few}) > len(PROMPTS)


def test_bfloat16_and_recomputed_activations_learn_there_too() -> None:
    """To about the loss of exact weights."""
    exact = trained("qwen2", "cuda").loss(TEXTS)
    rough = trained("qwen2", "cuda", ModelConfig(dtype="bfloat16", checkpointing=True)).loss(TEXTS)
    assert rough == pytest.approx(exact, rel=0.05)
