"""The loss of an answer's tokens: what the last layer is asked about, and that the answer is the same as if it were asked about all."""

import pytest
import torch
from torch.nn import functional

from knexa.config import LocalConfig
from knexa.evaluation.bank.splits import load_bank
from knexa.learning.backbone import EMBEDDED
from knexa.learning.encoding import IGNORED, Batch, collate
from knexa.learning.finetune import answer_logits, cross_entropy, evaluation_loss, example_losses, is_answer
from knexa.learning.learner import Learner
from knexa.participant.measure import texts_of

TEXTS = texts_of(load_bank().private[:40:5])


def trained(name: str) -> tuple[Learner, Batch]:
    learner = Learner(f"embedded:{name}", LocalConfig())
    learner.reset(1)
    learner.local_update(TEXTS, 2, 10, seed=1)
    return learner, collate(learner._examples(TEXTS), learner._tokenizer.pad_token_id)


def gradients(learner: Learner, loss: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, learner._adapter.parameters()))


@pytest.mark.parametrize("name", EMBEDDED)
def test_logits_of_answers_and_their_gradients_are_those_of_the_whole_text(name: str) -> None:
    """Row by row, each at the place of the token before; loss and gradients as transformers' users compute them with masked labels."""
    learner, batch = trained(name)
    whole = learner._adapter(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).logits[:, :-1]
    logits, answers = answer_logits(learner._adapter, batch)
    assert torch.equal(answers, batch.labels[:, 1:][is_answer(batch)])
    assert len(answers) == sum(len(example.ids) - example.prompt for example in learner._examples(TEXTS)) < batch.ids.numel() / 2
    assert torch.allclose(logits, whole[is_answer(batch)], atol=1e-4)
    usual = functional.cross_entropy(whole.flatten(0, 1), batch.labels[:, 1:].flatten(), ignore_index=IGNORED)
    ours = cross_entropy(learner._adapter, batch)
    assert ours.item() == pytest.approx(usual.item(), abs=1e-5)
    for one, other in zip(gradients(learner, ours), gradients(learner, usual), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_the_last_layer_sees_the_answers_alone_and_everything_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after an error in the model."""
    learner, batch = trained("qwen2")
    seen: list[tuple[int, ...]] = []
    head = learner._adapter.get_output_embeddings()
    usual = head.forward
    monkeypatch.setattr(head, "forward", lambda hidden: (seen.append(tuple(hidden.shape)), usual(hidden))[1])
    answer_logits(learner._adapter, batch)

    def broken(**inputs):
        raise RuntimeError("out of memory")

    broken.get_output_embeddings = lambda: head  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError):
        answer_logits(broken, batch)
    learner._adapter(input_ids=batch.ids, use_cache=False)
    width = seen[0][1]
    assert seen == [(int(is_answer(batch).sum()), width), (*batch.ids.shape, width)]


def test_the_loss_of_many_texts_counts_every_token_once() -> None:
    """The mean of the texts' own losses weighed by their tokens, however they are batched; and each of these is that of the text alone."""
    learner, _ = trained("gpt2")
    examples, pad = learner._examples(TEXTS), learner._tokenizer.pad_token_id
    alone = [float(cross_entropy(learner._adapter, collate([one], pad)).detach()) for one in examples]
    assert example_losses(learner._adapter, examples, pad, 3) == pytest.approx(alone, abs=1e-5)
    tokens = [len(one.ids) - one.prompt for one in examples]
    mean = sum(n * loss for n, loss in zip(tokens, alone, strict=True)) / sum(tokens)
    for size in (1, 3, 64):
        assert evaluation_loss(learner._adapter, examples, pad, size) == pytest.approx(mean, abs=1e-5)
    assert evaluation_loss(learner._adapter, [], pad) == 0.0
