"""Which texts a student keeps and remembers. The sandbox is real; texts without tests are the same problems with their tests taken off."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.config import DistillationConfig
from knexa.evaluation.bank.splits import load_bank
from knexa.evaluation.problems import Problem
from knexa.evaluation.sandbox import Sandbox
from knexa.exchange.package import KnowledgePackage
from knexa.participant.measure import Checker
from knexa.participant.selection import chosen, remember
from knexa.participant.state import AgentState

PROBLEMS = {problem.task_id: problem for problem in load_bank().transfer[:8]}
UNTESTED = {key: replace(problem, test="") for key, problem in PROBLEMS.items()}
IDS = list(PROBLEMS)
WRONG = "    return None\n"
SHIPPED = DistillationConfig()


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with Sandbox("auto", 2.0, 256, workers=1) as sandbox:
        yield Checker(sandbox)


def package(*candidates: tuple[str, ...]) -> KnowledgePackage:
    """Candidates for the first, the second, ... of :data:`IDS`."""
    answers = dict(zip(IDS, candidates, strict=False))
    others = {key: few[1:] for key, few in answers.items() if few[1:]}
    return KnowledgePackage("r1-t-s", "ab" * 32, {key: few[0] for key, few in answers.items()}, others=others)


def right(prompt: str) -> str:
    return PROBLEMS[prompt].solution


def test_the_first_candidate_that_passes_is_kept(checker: Checker) -> None:
    """In the order of the teacher's confidence; a prompt without any that passes is left out, and the order is the package's."""
    also_right = right(IDS[0]) + "    # again\n"
    sent = package((WRONG, right(IDS[0]), also_right), (WRONG, WRONG), (right(IDS[2]), WRONG))
    assert list(chosen(sent, PROBLEMS, checker, SHIPPED).items()) == [(IDS[0], right(IDS[0])), (IDS[2], right(IDS[2]))]


@pytest.mark.parametrize(("problems", "verify"), [(UNTESTED, True), (PROBLEMS, False)])
def test_where_nothing_is_checked_the_most_confident_candidate_is_kept(
    checker: Checker, problems: dict[str, Problem], verify: bool
) -> None:
    """Because there is no test, or because the student does not verify."""
    sent = package((WRONG, right(IDS[0])), (right(IDS[1]), WRONG))
    config = DistillationConfig(verify=verify)
    assert chosen(sent, problems, checker, config) == sent.texts


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 1.0), st.integers(0, 8))
def test_of_unchecked_texts_the_share_that_the_teacher_is_most_sure_of_is_kept(checker: Checker, share: float, count: int) -> None:
    """The first of the package, at least one of any."""
    sent = package(*[(f"text {number}",) for number in range(count)])
    kept = chosen(sent, UNTESTED, checker, DistillationConfig(keep=share))
    assert list(kept) == IDS[: len(kept)]
    assert len(kept) == math.ceil(round(share * count, 6))


def test_texts_that_pass_their_tests_are_kept_whatever_the_share(checker: Checker) -> None:
    """A test knows better than the teacher's confidence: half of the two unchecked texts go, no checked one."""
    mixed = {key: UNTESTED[key] if key in IDS[:2] else problem for key, problem in PROBLEMS.items()}
    sent = package(*[(right(key),) for key in IDS[:5]])
    assert list(chosen(sent, mixed, checker, DistillationConfig(keep=0.5))) == [IDS[0], *IDS[2:5]]


def test_without_agreement_the_last_text_is_remembered() -> None:
    """Whoever wrote it."""
    state = AgentState(b"")
    for teacher, text in (("a", "one two"), ("b", "one two"), ("c", "three")):
        remember(state, teacher, {IDS[0]: text}, UNTESTED, SHIPPED)
    assert (state.memory, state.votes) == ({IDS[0]: "three"}, {})


def test_with_agreement_the_text_most_like_the_others_is_remembered() -> None:
    """The odd one out does not replace what two agree on; that is also so after a save in between."""
    config, state = DistillationConfig(agreement=True), AgentState(b"")
    for teacher, text in (("a", "one two"), ("b", "one two four"), ("c", "three")):
        remember(state, teacher, {IDS[0]: text}, UNTESTED, config)
        state = AgentState.from_bytes(state.to_bytes())
    assert state.memory == {IDS[0]: "one two four"}
    remember(state, "d", {IDS[0]: "one two"}, UNTESTED, config)
    assert state.memory == {IDS[0]: "one two"}


def test_a_teacher_has_one_vote_a_prompt() -> None:
    """It cannot make a majority by saying the same thing often: its last text counts, once."""
    config, state = DistillationConfig(agreement=True), AgentState(b"")
    for teacher, text in (("a", "one two"), ("b", "one two"), ("c", "three"), ("c", "three"), ("c", "three"), ("c", "three")):
        remember(state, teacher, {IDS[0]: text}, UNTESTED, config)
    assert state.memory == {IDS[0]: "one two"}
    assert state.votes == {IDS[0]: {"a": "one two", "b": "one two", "c": "three"}}


def test_a_text_that_passed_its_test_needs_nobodys_agreement() -> None:
    """It replaces what is there, and no vote is kept."""
    config, state = DistillationConfig(agreement=True), AgentState(b"")
    for teacher, text in (("a", "one two"), ("b", "one two"), ("c", "three")):
        remember(state, teacher, {IDS[0]: text}, PROBLEMS, config)
    assert (state.memory, state.votes) == ({IDS[0]: "three"}, {})
