"""Generation on the embedded fleet: batching may not change what a model says."""

from contextlib import nullcontext

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from knexa.config import LocalConfig, ModelConfig
from knexa.evaluation.bank.splits import load_bank
from knexa.learning import generation
from knexa.learning.attention import FAMILIES, one_token_attention
from knexa.learning.backbone import EMBEDDED, ZOO, load_backbone
from knexa.learning.encoding import beginning, encode
from knexa.learning.generation import STOP_STRINGS, Row, choose, generate
from knexa.learning.learner import Learner

PROMPTS = [problem.prompt for problem in load_bank().validation[::10]]


@pytest.mark.parametrize("name", EMBEDDED)
def test_a_batch_says_what_each_prompt_alone_would_get(name: str) -> None:
    """Left padding, sorting and leaving rows change no greedy text, for any architecture."""
    backbone = load_backbone(f"embedded:{name}")
    together = generate(backbone.model, backbone.tokenizer, PROMPTS, max_new_tokens=40)
    alone = [generate(backbone.model, backbone.tokenizer, [prompt], max_new_tokens=40)[0] for prompt in PROMPTS]
    assert [few[0].text for few in together] == [few[0].text for few in alone]
    assert all(few[0].confidence == pytest.approx(one[0].confidence, abs=1e-4) for few, one in zip(together, alone, strict=True))


def test_greedy_texts_are_those_of_transformers() -> None:
    """Our loop and `generate` of transformers agree token for token."""
    backbone = load_backbone("embedded:gpt2")
    ours = generate(backbone.model, backbone.tokenizer, PROMPTS[:4], max_new_tokens=32)
    for prompt, few in zip(PROMPTS[:4], ours, strict=True):
        inputs = backbone.tokenizer(prompt, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False)
        output = backbone.model.generate(**inputs, max_new_tokens=32, do_sample=False)  # type: ignore[operator]
        theirs = backbone.tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert theirs.startswith(few[0].text)


def test_sampling_repeats_with_its_seed_and_varies_within_it() -> None:
    """Equal seeds give equal samples; samples of one prompt differ."""
    backbone = load_backbone("embedded:bloom")
    first, second, other = (
        generate(backbone.model, backbone.tokenizer, PROMPTS[:3], max_new_tokens=24, temperature=1.5, samples=6, seed=seed)
        for seed in (5, 5, 6)
    )
    assert first == second != other
    assert all(len({completion.text for completion in few}) > 1 for few in first)


def test_tokens_are_drawn_as_often_as_the_tempered_softmax_says() -> None:
    """Within five standard deviations of 20,000 draws; what has probability zero is never drawn, at either end of the vocabulary."""
    probabilities = torch.tensor([0.0, 0.5, 0.3, 0.0, 0.15, 0.05, 0.0])
    draws, temperature = 20_000, 0.4
    log_probabilities = torch.log_softmax(temperature * probabilities.log(), dim=-1).expand(draws, -1)
    tokens, gains = choose(log_probabilities, temperature, torch.rand(draws, 1, generator=torch.Generator().manual_seed(3)))
    assert tokens.shape == (draws, 1)
    assert torch.allclose(gains, log_probabilities.gather(1, tokens).squeeze(1), atol=1e-5)  # of the model, not of what was drawn from
    shares = torch.bincount(tokens.flatten(), minlength=len(probabilities)) / draws
    assert ((shares - probabilities).abs() <= 5 * (probabilities * (1 - probabilities) / draws).sqrt()).all()


@pytest.mark.parametrize("temperature", [0.0, 0.4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tokens_chosen_a_few_rows_at_a_time_are_those_chosen_at_once(
    temperature: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, with rows that do not come out even."""
    random = torch.Generator().manual_seed(0)
    logits, drawn = torch.randn(50, 300, generator=random).to(dtype), torch.rand(50, 1, generator=random)
    at_once = choose(logits, temperature, drawn)
    for numbers in (1, 7 * 300, 49 * 300):
        monkeypatch.setattr(generation, "CHOSEN_FROM", numbers)
        assert all(torch.equal(one, other) for one, other in zip(at_once, choose(logits, temperature, drawn), strict=True))


def test_no_text_goes_past_its_stop_string() -> None:
    """A body ends where the indentation ends."""
    backbone = load_backbone("embedded:gpt-neox")
    for few in generate(backbone.model, backbone.tokenizer, PROMPTS, max_new_tokens=64, temperature=1.5, samples=2, seed=1):
        assert not any(stop in completion.text for completion in few for stop in STOP_STRINGS)


def test_an_answer_ends_at_the_stop_strings_asked_for_and_at_no_others() -> None:
    """Without any only the end-of-text token ends it; with one it is what stands before that."""
    backbone = load_backbone("embedded:gpt-neox")
    whole, cut = (
        [few[0].text for few in generate(backbone.model, backbone.tokenizer, PROMPTS, max_new_tokens=48, stop=stop)]
        for stop in ((), ("\n    return",))
    )
    assert sum("\n    return" in text for text in whole) > 3
    assert [text.split("\n    return")[0] for text in whole] == [text.removesuffix("\n") for text in cut]


def test_an_empty_prompt_is_no_crash() -> None:
    """A prompt of no tokens gets some text, not an error."""
    backbone = load_backbone("embedded:qwen2")
    assert len(generate(backbone.model, backbone.tokenizer, [""], max_new_tokens=4)) == 1


@pytest.mark.parametrize("name", EMBEDDED)
def test_transformers_loads_the_tokenizer_that_the_base_was_trained_with(name: str) -> None:
    """AutoTokenizer may not replace the splitting rules in the file: equal tokens for every prompt and solution."""
    loaded, file = load_backbone(f"embedded:{name}").tokenizer, Tokenizer.from_file(str(ZOO / name / "tokenizer.json"))
    for problem in load_bank().validation:
        for text in (problem.prompt, problem.solution):
            assert loaded(text, add_special_tokens=False)["input_ids"] == file.encode(text, add_special_tokens=False).ids
            assert loaded.decode(file.encode(text, add_special_tokens=False).ids) == text


def test_a_model_that_was_trained_with_a_beginning_gets_one() -> None:
    """In what it learns and in what it is asked, once, cut or not; a model without one gets none."""
    plain = load_backbone("embedded:qwen2").tokenizer
    marked = load_backbone("embedded:qwen2").tokenizer
    marked.add_special_tokens({"bos_token": "<|begin|>"})
    marked._tokenizer.post_processor = TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", marked.bos_token_id)])
    assert (beginning(plain), beginning(marked)) == ([], [marked.bos_token_id])
    without, one, cut = (
        encode(plain, "def f():\n", "    pass\n", 64),
        encode(marked, "def f():\n", "    pass\n", 64),
        encode(marked, "x " * 90, "y", 32),
    )
    assert one.ids == (marked.bos_token_id, *without.ids)
    assert one.prompt == without.prompt + 1
    assert (cut.ids[0], len(cut.ids), cut.cut) == (marked.bos_token_id, 32, True)
    asked: list[list[int]] = []

    def decode(tokenizer, prompts, *rest):
        asked.extend(prompts)
        return [Row(number, 0, [tokenizer.eos_token_id], 0.0) for number in range(len(prompts))]

    generate(None, marked, ["def f():\n", "x " * 90], max_new_tokens=8, context=32, decode=decode)
    assert asked[0] == list(one.ids[: one.prompt])
    assert (asked[1][0], len(asked[1])) == (marked.bos_token_id, 24)


@pytest.mark.parametrize("name", [name for name in EMBEDDED if name.replace("-", "_") in FAMILIES])
def test_attention_of_one_token_says_what_the_usual_one_says(name: str) -> None:
    """Rows padded on the left, after the same prompts: logits alike up to rounding, and the usual attention is back afterwards."""
    model = load_backbone(f"embedded:{name}", "cpu").model
    mask = torch.ones(3, 9, dtype=torch.int64)
    mask[1, :4] = 0
    ids, token = torch.arange(30, 54).reshape(3, 8), torch.tensor([[7], [8], [9]])
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    found = []
    with torch.no_grad():
        for own in (False, True):
            cache = model(input_ids=ids, attention_mask=mask[:, :8], position_ids=positions[:, :8], use_cache=True).past_key_values
            given = {"input_ids": token, "position_ids": positions[:, -1:], "past_key_values": cache}
            with one_token_attention(model) if own else nullcontext():
                found.append(model(attention_mask=mask[:, None, None].bool() if own else mask, **given).logits)
    assert torch.allclose(*found, atol=1e-4)
    assert model.config._attn_implementation == "sdpa"


def test_bfloat16_models_answer_about_as_exact_ones_do() -> None:
    """A trained agent's greedy answers: most of them to the letter, although every sum is rounded."""
    texts = [(problem.prompt, problem.solution) for problem in load_bank().private[:40]]
    answers = []
    for dtype in ("float32", "bfloat16"):
        learner = Learner("embedded:qwen2", LocalConfig(learning_rate=3e-3), ModelConfig(dtype=dtype), "cpu")
        learner.reset(1)
        learner.local_update(texts, 30, 30, seed=1)
        answers.append([few[0].text for few in learner.answer([prompt for prompt, _ in texts], max_new_tokens=40)])
    assert sum(one == other for one, other in zip(*answers, strict=True)) >= 0.6 * len(texts)
