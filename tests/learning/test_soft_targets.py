"""Protocol ``logits``: soft targets of a real tiny model, their loss, and what is refused."""

import pytest
import torch
from safetensors.torch import save

from knexa.config import DistillationConfig, LocalConfig
from knexa.errors import PeerError
from knexa.evaluation.bank.splits import load_bank
from knexa.learning.encoding import SoftTarget, collate
from knexa.learning.finetune import cross_entropy
from knexa.learning.learner import Learner
from knexa.learning.soft_targets import pack, soft_targets, taught_loss, unpack
from knexa.participant.measure import texts_of

TEXTS = texts_of(load_bank().private[:12])


@pytest.fixture(scope="module")
def learner() -> Learner:
    learner = Learner("embedded:gpt-neox", LocalConfig())
    learner.reset(1)
    return learner


def test_soft_targets_are_the_models_own_distribution(learner: Learner) -> None:
    """With the whole vocabulary they sum to 1 at every token, and at temperature 1 a model is no distance from itself."""
    examples = learner._examples(TEXTS)
    model, pad = learner._adapter, learner._tokenizer.pad_token_id
    whole = soft_targets(model, examples, pad, learner._vocabulary)
    assert all(len(one.ids) == len(example.ids) - example.prompt for one, example in zip(whole, examples, strict=True))
    assert torch.allclose(whole[0].log.float().exp().sum(-1), torch.ones(len(whole[0].ids)), atol=2e-3)
    soft = collate(unpack(pack(whole), examples, learner._vocabulary), pad)
    assert taught_loss(model, soft, 1.0).item() == pytest.approx(0.0, abs=1e-3)


def test_without_soft_targets_the_loss_is_cross_entropy(learner: Learner) -> None:
    """A batch of texts alone is Eq. 2's, to the bit."""
    batch = collate(learner._examples(TEXTS), learner._tokenizer.pad_token_id)
    assert torch.equal(taught_loss(learner._adapter, batch, 2.0), cross_entropy(learner._adapter, batch))


def test_texts_with_and_without_soft_targets_share_a_batch(learner: Learner) -> None:
    """Every token counts once: the loss is the token-weighted mean of both kinds."""
    examples, pad = learner._examples(TEXTS[:2]), learner._tokenizer.pad_token_id
    model = learner._adapter
    soft = unpack(pack(soft_targets(model, examples[:1], pad, 4)), examples[:1], learner._vocabulary)[0]
    tokens = [len(example.ids) - example.prompt for example in examples]
    alone = [taught_loss(model, collate([one], pad), 2.0).item() for one in (soft, examples[1])]
    together = taught_loss(model, collate([soft, examples[1]], pad), 2.0).item()
    assert together == pytest.approx(sum(n * loss for n, loss in zip(tokens, alone, strict=True)) / sum(tokens), rel=1e-4)


def test_distilling_logits_brings_the_student_nearer_to_its_teacher(learner: Learner) -> None:
    """After twenty steps the divergence from what a trained teacher found likely is smaller than before."""
    learner.reset(3)
    learner.local_update(TEXTS, 20, 20, seed=1)
    said = learner.logits(TEXTS, 8)
    learner.reset(4)
    soft = learner.softened(TEXTS, said)
    batch = collate(list(soft.values()), learner._tokenizer.pad_token_id)
    before = taught_loss(learner._adapter, batch, 2.0).item()
    learner.distil(TEXTS[:4], TEXTS, 0.5, DistillationConfig(steps=20), seed=1, logits=soft)
    assert taught_loss(learner._adapter, batch, 2.0).item() < 0.7 * before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda ids, log: (ids[:-1], log[:-1]), "its tokenizer must be another"),
        (lambda ids, log: (ids, torch.full_like(log, torch.nan)), "not finite"),
        (lambda ids, log: (ids + 10**6, log), "do not exist"),
        (lambda ids, log: (ids - 10**6, log), "do not exist"),
        (lambda ids, log: (ids.float(), log), "not int32"),
        (lambda ids, log: (ids, log[:, :1]), "one shape"),
    ],
)
def test_soft_targets_that_do_not_fit_are_the_teachers_fault(learner: Learner, spoil, message: str) -> None:
    """Wrong lengths, types, tokens and numbers are refused before anything is learned from them."""
    examples = learner._examples(TEXTS[:1])
    good = soft_targets(learner._adapter, examples, learner._tokenizer.pad_token_id, 4)[0]
    with pytest.raises(PeerError, match=message):
        unpack(pack([SoftTarget(*spoil(good.ids, good.log))]), examples, learner._vocabulary)


@pytest.mark.parametrize(
    "blob", [b"", b"rubbish" * 20, save({"ids.0": torch.zeros(1, 1, dtype=torch.int32)})], ids=["empty", "rubbish", "half"]
)
def test_bytes_that_hold_no_soft_targets_are_the_teachers_fault(learner: Learner, blob: bytes) -> None:
    """What is no safetensors, or lacks a tensor, is refused in one sentence."""
    with pytest.raises(PeerError, match="cannot be read"):
        unpack(blob, learner._examples(TEXTS[:1]), learner._vocabulary)
