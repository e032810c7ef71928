"""Reading prompts in groups, into a cache with room: nothing that a model says may depend on how they were read."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2Config, MistralConfig, MistralForCausalLM

from knexa.evaluation.bank.splits import load_bank
from knexa.learning import prefill
from knexa.learning.backbone import EMBEDDED, load_backbone
from knexa.learning.generation import close_up, generate, rows_together

PROMPTS = [problem.prompt for problem in load_bank().validation[::10]]


@given(st.lists(st.integers(0, 700)))
def test_groups_hold_everybody_once_in_order_and_little_padding(lengths: list[int]) -> None:
    """Neighbours share a reading while their padding and their tokens stay within bounds; a prompt alone may be of any length."""
    groups = list(prefill.alike(lengths))
    assert [at for start, end in groups for at in range(start, end)] == list(range(len(lengths)))
    for start, end in groups:
        padded = max(lengths[start:end]) * (end - start)
        assert end == start + 1 or (padded <= prefill.TOGETHER and padded - sum(lengths[start:end]) <= prefill.PADDING)


@torch.inference_mode()
def test_sorted_prompts_are_padded_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the model reads is close to what the prompts hold, where one batch of them all would be half padding."""
    backbone = load_backbone("embedded:gpt2")
    ids = [list(range(10, 10 + length)) for length in range(10, 400, 10)]
    read = []
    forward = backbone.model.forward

    def counted(**given):
        read.append(given["input_ids"].numel())
        return forward(**given)

    monkeypatch.setattr(backbone.model, "forward", counted)
    prefill.prefill(backbone.model, ids, 0)
    assert sum(read) <= sum(map(len, ids)) + prefill.PADDING * len(read)
    assert len(read) < len(ids) / 2


@pytest.mark.parametrize("name", EMBEDDED)
@torch.inference_mode()
def test_read_in_groups_or_at_once_the_model_goes_on_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache, mask and logits of several samples a prompt, then two more tokens, with rows that leave between them."""
    backbone = load_backbone(f"embedded:{name}")
    ids = sorted((backbone.tokenizer(prompt)["input_ids"] for prompt in PROMPTS), key=len)
    keep = torch.tensor(close_up([row % 3 == 0 for row in range(2 * len(ids))]))
    found = []
    for padding in (0, 10**9):
        monkeypatch.setattr(prefill, "PADDING", padding)
        monkeypatch.setattr(prefill, "TOGETHER", 200 if padding == 0 else 10**9)
        cache, mask, logits = prefill.prefill(backbone.model, ids, backbone.tokenizer.pad_token_id, samples=2, room=2)
        seen = [logits]
        for token in (40, 50):
            if token == 50:
                cache.batch_select_indices(keep)
                mask = mask[keep]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            places = prefill.positions(backbone.model, mask, last_only=True)
            given = {"input_ids": torch.full((len(mask), 1), token), "attention_mask": mask, **places}
            seen.append(backbone.model(**given, past_key_values=cache, use_cache=True).logits[:, -1])
        assert cache.get_seq_length() == mask.shape[1]
        found.append(seen)
    assert len(found[0][0]) == 2 * len(ids)
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_head_is_given_last_tokens_as_a_block_of_their_own(name: str) -> None:
    """A view into all hidden states would have PyTorch copy the head's weights once for every prompt."""
    backbone = load_backbone(f"embedded:{name}")
    given: list[torch.Tensor] = []
    model: Any = backbone.model
    model.get_output_embeddings().register_forward_pre_hook(lambda head, inputs: given.append(inputs[0]))
    generate(model, backbone.tokenizer, PROMPTS, max_new_tokens=3)
    assert sum(len(one) for one in given) >= 3 * len(PROMPTS)
    assert all(one.shape[1] == 1 and one.is_contiguous() for one in given)


def test_a_model_with_a_window_is_read_at_once_and_says_what_each_prompt_alone_gets() -> None:
    """What a sliding window keeps depends on where a row ends, so its cache stays transformers' own."""
    torch.manual_seed(0)
    tokenizer = load_backbone("embedded:qwen2").tokenizer
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    model = MistralForCausalLM(MistralConfig(vocab_size=len(tokenizer), sliding_window=16, **sizes)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(8)  # random weights alone make flat logits, whose greatest is chance
    together = generate(model, tokenizer, PROMPTS, max_new_tokens=24, stop=())
    alone = [generate(model, tokenizer, [prompt], max_new_tokens=24, stop=())[0] for prompt in PROMPTS]
    assert [few[0].text for few in together] == [few[0].text for few in alone]


@given(st.lists(st.booleans(), min_size=1))
def test_rows_close_up_with_as_few_moves_as_can_be(going_on: list[bool]) -> None:
    """Everybody who goes on has one place, and whoever is not among the last keeps it."""
    places = close_up(going_on)
    assert sorted(places) == [row for row, goes in enumerate(going_on) if goes]
    assert all(place == row for place, row in enumerate(places) if going_on[place])


@given(st.lists(st.booleans(), min_size=6, max_size=6).filter(any), st.permutations(range(6)))
def test_a_cache_keeps_whatever_rows_it_is_told_in_their_order(going_on: list[bool], order: list[int]) -> None:
    """As plain indexing of keys and values does, whether rows close up or come in any order."""
    keys, values = torch.randn(2, 6, 2, 5, 4)
    for places in (close_up(going_on), [row for row in order if going_on[row]]):
        layer = prefill.RoomyLayer(6, 8)
        layer.lazy_initialization(keys, values)
        layer.update(keys, values)
        layer.batch_select_indices(torch.tensor(places))
        assert torch.equal(layer.keys, keys[places])
        assert torch.equal(layer.values, values[places])


def test_a_small_model_decodes_more_rows_together_than_a_large_one() -> None:
    """Up to 512 while their keys and values are few; at least 128."""
    small, large = (GPT2Config(n_embd=width, n_layer=4, n_head=4) for width in (64, 4096))
    assert rows_together(small, 200) == 512
    assert 128 < rows_together(small, 600) < 512
    assert rows_together(large, 200) == 128
