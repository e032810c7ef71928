"""Test equipment: a workplace whose agents are 12 numbers, their competence in each category.

Training raises the own categories, teaching moves the student towards what the teacher sent. It implements the whole
interface with arithmetic, so that the simulator can be tested for order, faults and resume in milliseconds. It says
nothing about learning.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from knexa.baselines.tasks import Adopt, Answer, Answers, Blend, Distil, Learn, Learned, Mean, Share, Shared, Task, Tell
from knexa.config import FederationConfig
from knexa.errors import ModelError
from knexa.exchange.guardrail import Action, Reviewed
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedAnswer, VettedPackage
from knexa.matching.match import Outcome
from knexa.matching.profile import CATEGORY_COUNT, METRICS, Profile, family_block
from knexa.protocol.peer import Ask, Result, Study, Teach, Train, Work
from knexa.randomness import stream

TRANSFER_SET = "a" * 64


class ArithmeticWorkplace:
    """Competences in [0, 1]; a state is their JSON."""

    def __init__(self, config: FederationConfig, *, seconds: float = 0.0) -> None:
        self.config = config
        self.seconds = seconds

    def transfer_set(self) -> str:
        return TRANSFER_SET

    def start(self, agent: str) -> bytes:
        return _pack([float(x) for x in stream(self.config.seed, "start", agent).random(CATEGORY_COUNT) * 0.2])

    def perform(self, agent: str, work: Work, state: bytes, round: int) -> tuple[Result, bytes]:
        time.sleep(self.seconds)
        able = _unpack(state)
        result, able = self._do(agent, work, able, round)
        return result, _pack(able)

    def _do(self, agent: str, work: Work, able: list[float], round: int) -> tuple[Result, list[float]]:
        own = [float(x) for x in stream(self.config.seed, "data", agent).dirichlet([0.1] * CATEGORY_COUNT)]
        match work:
            case Train():
                noise = stream(self.config.seed, agent, "train", round).random(CATEGORY_COUNT) * 0.01
                able = [min(1.0, x + 0.2 * share * (1 - x) + float(n) * share) for x, share, n in zip(able, own, noise, strict=True)]
                return self._profile(agent, able, own, round), able
            case Ask(match):
                wanted = sorted(range(CATEGORY_COUNT), key=lambda c: able[c])
                return KnowledgeRequest(
                    match.match_id, tuple(f"prompt/{c}" for c in wanted), min(6, self.config.distillation.prompts)
                ), able
            case Teach(match, request):
                texts = {prompt: repr(able[int(prompt.removeprefix("prompt/"))]) for prompt in request.prompt_ids[: request.budget]}
                answers = tuple(VettedAnswer(prompt, Reviewed(Action.PASS, text, tokens=1)) for prompt, text in texts.items())
                return VettedPackage(KnowledgePackage(match.match_id, TRANSFER_SET, texts), answers), able
            case Study(match, package):
                return _study(match.match_id, package, able)

    def _profile(self, agent: str, able: list[float], own: list[float], round: int) -> Profile:
        metrics = [sum(able) / len(able), *(0.0 for _ in METRICS[1:])]
        return Profile(agent, round, family_block("gpt2"), tuple(metrics), tuple(own), tuple(able), (0.0,) * CATEGORY_COUNT)

    def assist(self, agent: str, task: Task[Any], state: bytes, round: int) -> tuple[Any, bytes]:
        """An answer is a competence, a distribution too; what is distilled moves the agent half of the way, up or down."""
        time.sleep(self.seconds)
        match task:
            case Answer(prompts):
                drawn = stream(self.config.seed, "central", round).permutation(CATEGORY_COUNT)[:prompts]
                return Answers(tuple((str(c), repr(_unpack(state)[c]), -1.0 - _unpack(state)[c]) for c in map(int, drawn))), state
            case Tell():
                return state, state
            case Blend(_, _, told):
                return _mean([_unpack(one) for one in told], [1 / len(told)] * len(told)), state
            case Share():
                return Shared(state, 10 * int(agent.removeprefix("agent-"))), state
            case Mean(adapters, weights):
                return _mean([_unpack(one) for one in adapters], weights), state
            case Distil(texts, _, soft):
                offered = dict(enumerate(_unpack(soft))) if soft else {int(category): float(text) for category, text in texts}
                return _moved(_unpack(state), offered, 0.5)
            case Learn(texts, _):
                return None, _moved(_unpack(state), {int(category): float(text) for category, text in texts}, 1.0)[1]
            case Adopt(adapter):
                return _moved(_unpack(state), dict(enumerate(_unpack(adapter))), 1.0)
        raise TypeError(type(task).__name__)

    def evaluate(self, agent: str, state: bytes, stage: str, round: int) -> dict[str, Any]:
        able = _unpack(state)
        return {"scores": {"pass@1": sum(able) / len(able)}, "split": "validation" if stage == "round" else "test"}

    def save(self, agent: str, state: bytes, folder: Path) -> None:
        (folder / "competence.json").write_bytes(state)

    def close(self) -> None:
        """It starts nothing."""


class PacedWorkplace(ArithmeticWorkplace):
    """agent-3 works three times as long as agent-1."""

    def perform(self, agent: str, work: Work, state: bytes, round: int) -> tuple[Result, bytes]:
        time.sleep(0.03 * int(agent.removeprefix("agent-")))
        return super().perform(agent, work, state, round)


class FailingWorkplace(ArithmeticWorkplace):
    """Breaks in various ways while agent-2 trains in round 2."""

    how = "bug"

    def perform(self, agent: str, work: Work, state: bytes, round: int) -> tuple[Result, bytes]:
        if agent == "agent-2" and isinstance(work, Train) and round == 2:
            match self.how:
                case "bug":
                    raise IndexError("list index out of range")
                case "model":
                    raise ModelError("its adapter does not fit; train it again")
                case "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
        return super().perform(agent, work, state, round)


def _study(match_id: str, package: KnowledgePackage, able: list[float]) -> tuple[Outcome, list[float]]:
    better = list(able)
    kept = 0
    for prompt, text in package.texts.items():
        category, offered = int(prompt.removeprefix("prompt/")), float(text)
        if offered > able[category]:
            kept += 1
            better[category] += 0.5 * (offered - able[category])
    before, after = (1 - sum(one) / len(one) for one in (able, better))
    size = len(package.to_bytes())
    return Outcome(match_id, before, after, before, after, 1 - before, 1 - after, size, len(package.texts), kept, True), better


def _mean(states: Sequence[list[float]], weights: Sequence[float]) -> bytes:
    return _pack([sum(w * x for w, x in zip(weights, column, strict=True)) for column in zip(*states, strict=True)])


def _moved(able: list[float], offered: dict[int, float], share: float) -> tuple[Learned, bytes]:
    after = [(1 - share) * x + share * offered.get(category, x) for category, x in enumerate(able)]
    return Learned(1 - sum(able) / len(able), 1 - sum(after) / len(after)), _pack(after)


def _pack(able: list[float]) -> bytes:
    return json.dumps(able).encode()


def _unpack(state: bytes) -> list[float]:
    able: list[float] = json.loads(state)
    return able


def create(config: FederationConfig) -> ArithmeticWorkplace:
    return ArithmeticWorkplace(config)


def create_slow(config: FederationConfig) -> ArithmeticWorkplace:
    return ArithmeticWorkplace(config, seconds=0.05)


def create_paced(config: FederationConfig) -> ArithmeticWorkplace:
    return PacedWorkplace(config)


def create_stuck(config: FederationConfig) -> ArithmeticWorkplace:
    return ArithmeticWorkplace(config, seconds=600.0)


def create_bug(config: FederationConfig) -> ArithmeticWorkplace:
    return FailingWorkplace(config)


def create_model_error(config: FederationConfig) -> ArithmeticWorkplace:
    workplace = FailingWorkplace(config)
    workplace.how = "model"
    return workplace


def create_killed(config: FederationConfig) -> ArithmeticWorkplace:
    workplace = FailingWorkplace(config)
    workplace.how = "killed"
    return workplace
