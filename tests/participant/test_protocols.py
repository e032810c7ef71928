"""Exchanges by ``logits`` and ``adapter`` on real tiny models: what travels, what it does, and what a bad package does not do."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from safetensors.torch import load

from knexa.config import load_config
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.participant.state import AgentState
from knexa.participant.workplace import LearningWorkplace
from knexa.protocol.peer import Ask, Study, Teach, Train

SETS = (
    "local.first_steps=30",
    "distillation.steps=0",
    "distillation.prompts=6",
    "distillation.alpha_start=1.0",
    "distillation.verify=false",
)


@pytest.fixture(scope="module")
def workplace() -> Iterator[LearningWorkplace]:
    with LearningWorkplace(load_config(None, sets=SETS)) as place:
        yield place


@pytest.fixture(scope="module")
def states(workplace: LearningWorkplace) -> dict[str, bytes]:
    """Two agents on one backbone; the teacher has trained."""
    first, *others = workplace.config.agents
    twin = next(agent for agent in others if agent.backbone == first.backbone)
    _, trained = workplace.perform(first.name, Train(1), workplace.start(first.name), 1)
    return {first.name: trained, twin.name: workplace.start(twin.name)}


def exchange(place: LearningWorkplace, states: dict[str, bytes], protocol: str) -> tuple[Match, KnowledgePackage]:
    teacher, student = states
    match = Match("r1", 1, teacher, student, protocol)
    request, _ = place.perform(student, Ask(match), states[student], 1)
    assert isinstance(request, KnowledgeRequest)
    vetted, _ = place.perform(teacher, Teach(match, request), states[teacher], 1)
    assert isinstance(vetted, VettedPackage)
    package = vetted.package
    return match, package


def study(place: LearningWorkplace, states: dict[str, bytes], match: Match, package: KnowledgePackage) -> tuple[Outcome, bytes]:
    outcome, after = place.perform(match.student, Study(match, package), states[match.student], 1)
    assert isinstance(outcome, Outcome)
    return outcome, after


@pytest.mark.parametrize(("protocol", "texts", "tensors"), [("text", True, False), ("logits", True, True), ("adapter", False, True)])
def test_a_package_holds_what_its_protocol_says(workplace: LearningWorkplace, states: dict[str, bytes], protocol, texts, tensors) -> None:
    """Texts, texts with logits, or an adapter alone; its size is what the student reports and pays for."""
    match, package = exchange(workplace, states, protocol)
    assert (bool(package.texts), bool(package.tensors)) == (texts, tensors)
    outcome, _ = study(workplace, states, match, package)
    assert outcome.accepted
    assert outcome.bytes == len(package.to_bytes()) > len(package.tensors)


def test_an_adapter_brings_what_its_teacher_learned(workplace: LearningWorkplace, states: dict[str, bytes]) -> None:
    """Merged all the way, and before any step of its own, the student has its teacher's loss on the probe (sent in half precision)."""
    match, package = exchange(workplace, states, "adapter")
    outcome, _ = study(workplace, states, match, package)
    teachers = workplace._participant(match.teacher, states[match.teacher])._losses()[1]
    assert outcome.probe_loss_after == pytest.approx(teachers, abs=1e-3)
    assert abs(outcome.probe_loss_before - teachers) > 0.005


@pytest.mark.parametrize("protocol", ["logits", "adapter"])
@pytest.mark.parametrize("tensors", [b"rubbish", b""])
def test_tensors_that_cannot_be_used_leave_the_student_as_it_was(
    workplace: LearningWorkplace, states: dict[str, bytes], protocol: str, tensors: bytes
) -> None:
    """The exchange is reported as not accepted, and not a bit of the student has changed."""
    match, package = exchange(workplace, states, protocol)
    outcome, after = study(workplace, states, match, replace(package, tensors=tensors))
    assert not outcome.accepted
    assert load(AgentState.from_bytes(after).learner).keys() == load(AgentState.from_bytes(states[match.student]).learner).keys()
    assert AgentState.from_bytes(after).learner == AgentState.from_bytes(states[match.student]).learner
    assert AgentState.from_bytes(after).memory == AgentState.from_bytes(states[match.student]).memory
