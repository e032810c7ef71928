"""What models with different tokenizers say of one text, brought to one of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from knexa.config import LocalConfig
from knexa.errors import ModelError
from knexa.learning.backbone import load_backbone
from knexa.learning.cross_vocabulary import END, Told, Vocabulary, blend, pack_told, unpack_told
from knexa.learning.encoding import Example, encode
from knexa.learning.learner import Learner

NAMES = ("qwen2", "gpt2", "bloom", "gpt-neox")
PROMPT = 'def f(xs):\n    """Return the sum of xs."""\n'
BODY = "    result = sum(x for x in xs if x % 2 == 0)\n    return result\n"


@pytest.fixture(scope="module")
def learners() -> dict[str, Learner]:
    made = {name: Learner(f"embedded:{name}", LocalConfig()) for name in NAMES}
    for learner in made.values():
        learner.reset(1)
    return made


@pytest.fixture(scope="module")
def vocabularies() -> dict[str, Vocabulary]:
    return {name: Vocabulary(load_backbone(f"embedded:{name}").tokenizer) for name in NAMES}


def listed(example: Example) -> list[dict[int, float]]:
    """Probabilities of the likely tokens at each token of an example."""
    assert example.soft is not None
    rows = zip(example.soft.ids.tolist(), example.soft.log.float().exp().tolist(), strict=True)
    return [{token: p for token, p in zip(ids, ps, strict=True) if p > 1e-4} for ids, ps in rows]


def certain(vocabulary: Vocabulary, text: str) -> Told:
    """A model with this vocabulary that knows the text by heart."""
    places = vocabulary.places(text)
    strings = [END if start == end else text[start:end] for start, end in places]
    starts, ends = zip(*places, strict=True)
    return Told(starts, ends, (1.0,) * len(places), tuple(((string, 1.0),) for string in strings))


@pytest.mark.parametrize("student", NAMES)
@pytest.mark.parametrize("teacher", NAMES)
@pytest.mark.parametrize("text", [BODY, "", 'return "é → 🙂"\n', "x\n\n\n   y  "])
def test_who_knows_a_text_by_heart_teaches_exactly_that_text(vocabularies, student: str, teacher: str, text: str) -> None:
    """Whatever the two tokenizers: all mass is on the student's own token, however both cut the text."""
    tokenizer = load_backbone(f"embedded:{student}").tokenizer
    example = encode(tokenizer, PROMPT, text, 256)
    target = blend(vocabularies[student], text, example, [certain(vocabularies[teacher], text)], 4)
    for token, ids, logs in zip(example.ids[example.prompt :], target.ids, target.log, strict=True):
        assert int(ids[0]) == token
        assert float(logs[0]) == 0.0
        assert float(logs.float().exp().sum()) == pytest.approx(1.0, abs=1e-3)


def test_a_model_hears_itself_as_it_is(learners: dict[str, Learner]) -> None:
    """Told in strings and brought back to the same tokenizer, the likely tokens and their probabilities are what they were."""
    for learner in learners.values():
        texts = [(PROMPT, BODY), (PROMPT, "    return 1\n")]
        direct = learner.softened(texts, learner.logits(texts, 8))
        told = learner.softened(texts, learner.blend(texts, [learner.tell(texts, 8)], 8))
        for text in texts:
            for before, after in zip(listed(direct[text]), listed(told[text]), strict=True):
                assert after == pytest.approx({token: before[token] for token in after}, abs=2e-3)
                assert sum(before.values()) - sum(after.values()) < 1e-2


def test_the_mean_of_several_is_between_them(learners: dict[str, Learner]) -> None:
    """A token's probability in the blend of two is the mean of what it has in the blends of one, where both are heard."""
    texts, student = [(PROMPT, BODY)], learners["gpt2"]
    told = [learners[name].tell(texts, 8) for name in ("gpt2", "gpt-neox")]
    both, *each = (student.softened(texts, student.blend(texts, some, 16))[texts[0]] for some in (told, told[:1], told[1:]))
    for mean, one, other in zip(listed(both), listed(each[0]), listed(each[1]), strict=True):
        likeliest = max(mean, key=lambda token: mean[token])
        assert mean[likeliest] == pytest.approx((one.get(likeliest, 0.0) + other.get(likeliest, 0.0)) / 2, abs=5e-3)


def test_a_token_that_reaches_further_counts_for_all_that_begin_alike(vocabularies) -> None:
    """The student's token ends within the teacher's second one: what goes on with the rest is its own, what does not its first part's."""
    tokenizer = load_backbone("embedded:qwen2").tokenizer
    text = "(x):\n    return x"
    example = encode(tokenizer, PROMPT, text, 256)
    place = next(at for at, (start, end) in enumerate(vocabularies["qwen2"].places(text)) if text[start:end] == "):\n")
    told = Told((2, 4), (4, 8), (0.8, 0.5), ((("):", 0.8), (")", 0.2)), (("\n   ", 0.5), ("\n", 0.3), (" #", 0.2))))
    target = blend(vocabularies["qwen2"], text, example, [told], 4)
    likely = listed(replace(example, soft=target))[place]
    assert likely[example.ids[example.prompt + place]] == pytest.approx(0.8 * 0.8, abs=1e-3)
    assert likely[vocabularies["qwen2"].first(")")] == pytest.approx(0.8 * 0.2 + 0.2, abs=1e-3)


def test_told_survives_the_wire(vocabularies) -> None:
    """JSON and back is the same value."""
    told = [certain(vocabularies["qwen2"], text) for text in (BODY, "", "é")]
    assert unpack_told(pack_told(told)) == told


def test_who_begins_elsewhere_is_silent(vocabularies) -> None:
    """A model whose tokens never begin where the student's do says nothing: the student keeps the text itself."""
    tokenizer = load_backbone("embedded:gpt2").tokenizer
    example = encode(tokenizer, PROMPT, BODY, 256)
    elsewhere = Told((10_000,), (10_001,), (1.0,), (((" nonsense", 1.0),),))
    target = blend(vocabularies["gpt2"], BODY, example, [elsewhere], 3)
    assert target.ids[:, 0].tolist() == list(example.ids[example.prompt :])
    assert torch.equal(target.log[:, 0], torch.zeros(len(target.ids), dtype=torch.float16))


def test_a_tokenizer_without_places_is_refused() -> None:
    """Slow tokenizers do not know where their tokens lie."""

    class Slow:
        is_fast, name_or_path = False, "slow"

    with pytest.raises(ModelError, match="'slow' does not say where its tokens lie"):
        Vocabulary(Slow())
