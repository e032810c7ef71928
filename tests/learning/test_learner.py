"""Learning on real tiny models: losses fall, states restore, Eq. 2 is what is descended."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from knexa.config import DistillationConfig, LocalConfig
from knexa.evaluation.bank.splits import load_bank
from knexa.learning.distillation import akd_step, alpha_at, alpha_by_need
from knexa.learning.encoding import IGNORED, collate, encode, endless_batches
from knexa.learning.finetune import cross_entropy, warmed_up
from knexa.learning.learner import Learner
from knexa.participant.measure import texts_of

BANK = load_bank()
WORDS = texts_of([p for p in BANK.private if p.category == "words"][:40])
PAIRS = texts_of([p for p in BANK.private if p.category == "pairing"][:40])


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner("embedded:gpt-neox", LocalConfig(learning_rate=3e-3, batch_size=8))


def test_a_local_update_lowers_the_loss_on_what_was_learned(learner: Learner) -> None:
    """Twenty steps on forty texts lower their loss."""
    learner.reset(1)
    before = learner.loss(WORDS)
    learner.local_update(WORDS, 20, 20, seed=1)
    assert learner.loss(WORDS) < 0.9 * before


def test_distillation_teaches_what_only_the_teacher_wrote(learner: Learner) -> None:
    """With alpha 0.5, twenty steps lower the loss on the taught texts."""
    learner.reset(1)
    before = learner.loss(PAIRS)
    learner.distil(WORDS, PAIRS, 0.5, DistillationConfig(steps=20), seed=1)
    assert learner.loss(PAIRS) < 0.9 * before


def test_a_restored_state_goes_on_as_if_it_had_never_stopped(learner: Learner) -> None:
    """Adapter, optimiser moments and step count are all in the state: ten steps straight equal five, restore, five; to the bit."""
    learner.reset(2)
    learner.local_update(WORDS, 5, 50, seed=1)
    middle = learner.state()
    learner.local_update(WORDS, 5, 50, seed=2)
    straight = learner.state()
    learner.reset(9)
    learner.local_update(PAIRS, 3, 50, seed=3)
    learner.load(middle)
    learner.local_update(WORDS, 5, 50, seed=2)
    assert learner.state() == straight


def test_equation_2_is_the_weighted_sum_of_both_losses(learner: Learner) -> None:
    """(1 - alpha) L_local + alpha CE(taught), for the loss and for its gradient."""
    learner.reset(1)
    own, other = (collate(learner._examples(texts[:6]), learner._tokenizer.pad_token_id) for texts in (WORDS, PAIRS))
    parameters = learner._adapter.parameters()
    loss = akd_step(learner._adapter, iter([own]), iter([other]), 0.3, accumulate=1)
    gradients = [p.grad.clone() for p in parameters if p.grad is not None]
    for p in parameters:
        p.grad = None
    expected = 0.7 * cross_entropy(learner._adapter, own) + 0.3 * cross_entropy(learner._adapter, other)
    expected.backward()
    assert loss == pytest.approx(float(expected), abs=1e-5)
    assert all(torch.allclose(g, p.grad, atol=1e-5) for g, p in zip(gradients, parameters, strict=True))
    for p in parameters:
        p.grad = None


def test_alpha_runs_linearly_from_start_to_end() -> None:
    """The paper's schedule: 0.2 in the first round, 0.5 in the last, equal steps between."""
    alphas = [alpha_at(round, 20, 0.2, 0.5) for round in range(1, 21)]
    assert alphas[0] == pytest.approx(0.2)
    assert alphas[-1] == pytest.approx(0.5)
    assert np.allclose(np.diff(alphas), 0.3 / 19)


@given(st.integers(0, 128), st.integers(0, 128), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_alpha_by_need_grows_with_what_there_is_to_learn(some: int, more: int, start: float, end: float) -> None:
    """From the schedule's start with nothing to its end with a text for every prompt, never beyond."""
    some, more = sorted((some, more))
    start, end = sorted((start, end))
    few, many = (alpha_by_need(taught, 128, start, end) for taught in (some, more))
    assert start <= few <= many <= end + 1e-12
    assert (alpha_by_need(0, 128, start, end), alpha_by_need(128, 128, start, end)) == (start, pytest.approx(end))


def test_own_texts_beside_the_taught_ones_keep_a_student_from_forgetting(learner: Learner) -> None:
    """After as many steps on the same taught texts, who saw own ones beside them knows its own better than who hardly did."""
    learner.reset(1)
    learner.local_update(WORDS, 20, 20, seed=1)
    learned, forgotten = learner.state(), []
    for alpha in (0.5, 1.0):
        learner.load(learned)
        learner.distil(WORDS, PAIRS, alpha, DistillationConfig(steps=20), seed=1)
        forgotten.append(learner.loss(WORDS))
    assert forgotten[0] < forgotten[1]


def test_prompt_and_padding_are_masked_in_the_loss(learner: Learner) -> None:
    """Labels hold the answer and its end, nothing else."""
    example = encode(learner._tokenizer, *WORDS[0], 256)
    batch = collate(
        [example, encode(learner._tokenizer, *max(WORDS, key=lambda t: len(t[0] + t[1])), 256)], learner._tokenizer.pad_token_id
    )
    learned = batch.labels[0][batch.labels[0] != IGNORED].tolist()
    assert learner._tokenizer.decode(learned, skip_special_tokens=True) == WORDS[0][1]
    assert learned[-1] == learner._tokenizer.eos_token_id


def test_every_example_is_seen_once_a_pass(learner: Learner) -> None:
    """Batches by length still cover the data: one pass over 40 examples in batches of 8 holds each exactly once."""
    examples = learner._examples(WORDS)
    batches = endless_batches(examples, 8, learner._tokenizer.pad_token_id, np.random.default_rng(0))
    rows = [
        tuple(row[mask.bool()].tolist())
        for _ in range(5)
        for batch in [next(batches)]
        for row, mask in zip(batch.ids, batch.mask, strict=True)
    ]
    assert sorted(rows) == sorted(example.ids for example in examples)


def test_warm_up_is_linear_and_ends() -> None:
    """The rate rises by equal steps to its full value."""
    assert [warmed_up(1.0, step, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_no_batches_are_made_of_nothing() -> None:
    """Without examples there is no first batch, and no waiting for one."""
    with pytest.raises(ValueError, match="no examples"):
        next(endless_batches([], 8, 0, np.random.default_rng(0)))
