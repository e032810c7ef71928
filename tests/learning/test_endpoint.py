"""Answers by a server of one's own: a real one, on PEFT's own layers, that is given adapters and asked over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openai_server import openai_server

from knexa.config import LocalConfig
from knexa.errors import ConfigurationError, ModelError
from knexa.evaluation.bank.splits import load_bank
from knexa.learning.endpoint import Endpoint
from knexa.learning.learner import Learner
from knexa.participant.measure import texts_of

BACKBONE = "embedded:gpt-neox"
TEXTS = texts_of(load_bank().private[:24])
PROMPTS = [problem.prompt for problem in load_bank().test[:200:40]]


def learner(endpoint: Endpoint | None = None) -> Learner:
    return Learner(BACKBONE, LocalConfig(learning_rate=3e-3), device="cpu", endpoint=endpoint)


def test_a_server_answers_as_the_agent_itself_would(tmp_path: Path) -> None:
    """With the adapter of whoever asks and of now: greedy texts to the letter, confidences up to rounding; old adapters are taken back."""
    own = learner()
    with openai_server(BACKBONE) as (url, server):
        other = learner(Endpoint(url, str(tmp_path)))
        for steps in (8, 30):
            own.reset(steps)
            own.local_update(TEXTS, steps, steps, seed=1)
            other.load(own.state())
            given: dict[str, Any] = {"max_new_tokens": 40}
            here, there = own.answer(PROMPTS, **given), other.answer(PROMPTS, **given)
            assert [few[0].text for few in there] == [few[0].text for few in here]
            assert len(server.adapters) == 1
        assert [path for path, _ in server.asked].count("/v1/load_lora_adapter") == 2
        assert len(list(tmp_path.iterdir())) == 1
        texts = own.answer(PROMPTS, max_new_tokens=16, stop=())
        assert [few[0].text for few in other.answer(PROMPTS, max_new_tokens=16, stop=())] == [few[0].text for few in texts]


def test_samples_come_back_in_the_order_of_their_prompts(tmp_path: Path) -> None:
    """In whatever order the server lists them; as many as were asked for."""
    with openai_server(BACKBONE) as (url, _):
        one = learner(Endpoint(url, str(tmp_path)))
        one.reset(0)
        found = one.answer(PROMPTS, max_new_tokens=8, samples=3, temperature=0.5)
        assert [len(few) for few in found] == [3] * len(PROMPTS)
        assert [few[0].text for few in found] == [few[0].text for few in one.answer(PROMPTS, max_new_tokens=8)]  # this server is greedy


def test_a_server_that_is_not_there_or_refuses_is_named() -> None:
    """With its address and what to do."""
    one = learner(Endpoint("http://127.0.0.1:1/v1", None))
    one.reset(0)
    with pytest.raises(ModelError, match="cannot be reached"):
        one.answer(PROMPTS, max_new_tokens=4)
    with openai_server("embedded:qwen2") as (url, server):
        server.load = lambda name, path: None
        one = learner(Endpoint(url, None))
        one.reset(0)
        with pytest.raises(ModelError, match=r"refuses completions \(404: .*does not exist"):
            one.answer(PROMPTS, max_new_tokens=4)
    with pytest.raises(ConfigurationError, match=r"engine\.endpoint: found 'ftp://x'"):
        Endpoint("ftp://x", None)
