"""Continuous batching on the CPU, unrecorded: the same steps as on a GPU, compared with batches that are padded."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from knexa.evaluation.bank.splits import load_bank
from knexa.learning.attention import FAMILIES
from knexa.learning.backbone import EMBEDDED, Backbone, load_backbone
from knexa.learning.continuous import ContinuousBatching, SlotDecoder
from knexa.learning.generation import STOP_STRINGS, generate

PROMPTS = [problem.prompt for problem in load_bank().test[:24:3]]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("embedded:qwen2", "cpu")


def answers(one: Backbone, decode: Any, **options: Any) -> list[list[tuple[str, float]]]:
    given = {"max_new_tokens": 40, **options}
    found = generate(one.model, one.tokenizer, PROMPTS, decode=decode, **given)
    return [[(few.text, few.confidence) for few in some] for some in found]


@pytest.mark.parametrize("name", [name for name in EMBEDDED if name.replace("-", "_") in FAMILIES])
def test_slots_give_the_answers_of_padded_batches(name: str) -> None:
    """Greedy, for every architecture that it is for; what the model thought of them too, up to rounding."""
    one = load_backbone(f"embedded:{name}", "cpu")
    padded, slots = answers(one, None), answers(one, ContinuousBatching(one.model))
    assert [text for ((text, _),) in slots] == [text for ((text, _),) in padded]
    assert [sure for ((_, sure),) in slots] == pytest.approx([sure for ((_, sure),) in padded], abs=1e-4)


def test_a_few_slots_serve_many_prompts(backbone: Backbone) -> None:
    """Whoever ends makes room: three slots answer eight prompts as eight do, and use them again at the next call."""
    few = SlotDecoder(backbone.model, backbone.tokenizer.pad_token_id, 3, 256)
    expected = [text for ((text, _),) in answers(backbone, ContinuousBatching(backbone.model))]
    for _ in range(2):
        assert [text for ((text, _),) in answers(backbone, few.decode)] == expected


def test_a_sampled_answer_does_not_depend_on_who_shares_the_batch(backbone: Backbone) -> None:
    """Its numbers belong to its prompt and sample: other slots, same answers; another seed, other answers."""
    options = {"temperature": 0.8, "samples": 3, "seed": 5}
    wide = answers(backbone, ContinuousBatching(backbone.model), **options)
    narrow = answers(backbone, SlotDecoder(backbone.model, backbone.tokenizer.pad_token_id, 4, 256).decode, **options)
    texts = [[text for text, _ in some] for some in wide]
    assert texts == [[text for text, _ in some] for some in narrow]
    assert len({text for some in texts for text in some}) > len(PROMPTS)
    other = answers(backbone, ContinuousBatching(backbone.model), **{**options, "seed": 6})
    assert texts != [[text for text, _ in some] for some in other]


def test_samples_follow_the_models_own_probabilities(backbone: Backbone) -> None:
    """The first token of 2,000 samples: each share within four standard deviations of the model's probability."""
    tokenizer, samples = backbone.tokenizer, 2000
    ids = tokenizer(PROMPTS[0], add_special_tokens=False)["input_ids"]
    rows = ContinuousBatching(backbone.model)(tokenizer, [ids], 1, 1.0, samples, 3, STOP_STRINGS)
    counts = torch.bincount(torch.tensor([row.tokens[0] for row in rows]), minlength=backbone.model.config.vocab_size) / samples
    with torch.no_grad():
        p = backbone.model(input_ids=torch.tensor([ids])).logits[0, -1].softmax(-1)
    assert bool(((counts - p).abs() <= 4 * (p * (1 - p) / samples).sqrt() + 2 / samples).all())


def test_no_prompts_have_no_answers(backbone: Backbone) -> None:
    """And cost no step."""
    assert generate(backbone.model, backbone.tokenizer, [], max_new_tokens=8, decode=ContinuousBatching(backbone.model)) == []
