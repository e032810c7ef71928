"""An agent's work on texts without tests: nothing is run, a reference is all there is to compare with."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from knexa.config import load_config
from knexa.evaluation.bank.splits import load_bank
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.learning.generation import STOP_STRINGS
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import METRIC_BOUND, METRICS, Profile
from knexa.participant.measure import answered, exact_match
from knexa.participant.state import AgentState
from knexa.participant.workplace import LearningWorkplace
from knexa.protocol.peer import Study, Teach, Train

MATCH = Match("r1-agent-1-agent-4", 1, "agent-1", "agent-4")
SMALL = (
    "local.first_steps=3",
    "distillation.steps=3",
    "evaluation.problems=12",
    "evaluation.samples=2",
    "generation.max_new_tokens=12",
)


@pytest.fixture(scope="module")
def workplace() -> Iterator[LearningWorkplace]:
    with LearningWorkplace(load_config(preset="text", sets=SMALL)) as place:
        yield place


@pytest.mark.parametrize(
    ("reference", "answer", "equal"),
    [
        ("Blood pressure is high.", " Blood  pressure\nis high. ", True),
        ("Blood pressure is high.", "blood pressure is high.", False),
        ("Blood pressure is high.", "Blood pressure is high", False),
        ("yes", "", False),
    ],
)
def test_an_exact_match_forgives_whitespace_and_nothing_else(reference: str, answer: str, equal: bool) -> None:
    """Case, punctuation and words count."""
    assert exact_match(reference, answer) is equal


def test_texts_are_kept_unverified_and_counted(workplace: LearningWorkplace) -> None:
    """No test can refuse them, so all are learned and remembered, right or wrong; the outcome says how many nobody checked."""
    problems = list(workplace.data.transfer_set.problems.values())[:4]
    texts = {problem.task_id: "wrong" for problem in problems}
    package = KnowledgePackage(MATCH.match_id, workplace.transfer_set(), texts)
    outcome, after = workplace.perform("agent-4", Study(MATCH, package), workplace.start("agent-4"), 1)
    assert isinstance(outcome, Outcome)
    assert (outcome.texts, outcome.kept, outcome.unverified) == (4, 4, 4)
    assert AgentState.from_bytes(after).memory == texts


def test_a_profile_says_how_likely_the_right_tokens_of_the_probe_are(workplace: LearningWorkplace) -> None:
    """exp(-loss) in each of the file's categories, between 0 and 1 and no two alike; nothing compiles."""
    profile, after = workplace.perform("agent-4", Train(1), workplace.start("agent-4"), 1)
    assert isinstance(profile, Profile)
    assert Profile.from_dict(profile.to_dict()) == profile
    assert len(set(profile.probe)) == 12
    assert all(0.0 < value < 1.0 for value in profile.probe)
    assert profile.metrics[METRICS.index("syntax_ok")] == 0.0
    # tokens are weighted alike in the whole, categories in the mean: near, not equal
    learner = workplace._participant("agent-4", after).learner
    whole = math.exp(-learner.loss([(one.prompt, one.solution) for one in workplace.data.probe]))
    assert math.isclose(float(np.exp(np.log(profile.probe).mean())), whole, rel_tol=0.2)


def test_scores_are_exact_matches_under_the_files_own_names(workplace: LearningWorkplace) -> None:
    """No Pass@k where nothing is run; loss and perplexity are there."""
    scores = workplace.evaluate("agent-4", workplace.start("agent-4"), "end", 1)
    assert scores["scores"] == {"exact_match": 0.0}
    assert tuple(scores["by_category"]) == workplace.data.categories
    assert scores["perplexity"] == min(math.exp(scores["loss"]), METRIC_BOUND)


def test_texts_and_programs_in_one_set_are_each_answered_in_their_own_way(workplace: LearningWorkplace) -> None:
    """In the order asked: a mixed set gets what its texts and its programs get alone."""
    learner = workplace._participant("agent-1", workplace.start("agent-1")).learner
    texts, programs = workplace.data.probe[:2], load_bank().probe[:2]
    mixed = answered(learner, [texts[0], programs[0], texts[1], programs[1]], max_new_tokens=24)
    assert mixed[::2] == answered(learner, texts, max_new_tokens=24)
    assert mixed[1::2] == answered(learner, programs, max_new_tokens=24)
    assert not any(stop in few[0].text for few in mixed[1::2] for stop in STOP_STRINGS)


def test_a_teacher_answers_texts(workplace: LearningWorkplace) -> None:
    """As it answers programs."""
    ids = tuple(list(workplace.data.transfer_set.problems)[:3])
    vetted, _ = workplace.perform("agent-1", Teach(MATCH, KnowledgeRequest(MATCH.match_id, ids, 3)), workplace.start("agent-1"), 1)
    assert isinstance(vetted, VettedPackage)
    package = vetted.package
    assert set(package.texts) == set(ids)
