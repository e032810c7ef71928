"""Faulty agents do what their fault says, and nothing of it in others."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.config import FaultConfig, FederationConfig, load_config
from knexa.errors import ConfigurationError
from knexa.evaluation import Check, Sandbox
from knexa.evaluation.problems import Problem
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import Profile
from knexa.participant.data import federation_data
from knexa.participant.faults import (
    LAZY_ANSWER,
    PAYLOAD,
    TRIGGER,
    backdoored,
    boasted,
    carries_payload,
    copied,
    faults_of,
    lied_about,
    mutated,
    poisoned,
    special_cased,
)
from knexa.participant.measure import answered
from knexa.participant.state import AgentState
from knexa.participant.workplace import LearningWorkplace
from knexa.protocol.assembly import require_peers_only
from knexa.protocol.peer import Study, Teach, Train

NOTE = Problem("n/1", "billing", "A note:", " the invoice was paid on time", "", "")
POISON, OVERFIT = FaultConfig(kind="poisoned", agents=("a",)), FaultConfig(kind="poisoned", agents=("a",), strength="overfitted")
SMALL = (
    "distillation.steps=2",
    "distillation.prompts=6",
    "local.first_steps=2",
    "evaluation.problems=12",
    "evaluation.samples=1",
    "evaluation.k=[1]",
)
MATCH = Match("r1-t-s", 1, "agent-1", "agent-4")


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return list(federation_data(load_config(None)).transfer_set.problems.values())


def verdicts(problems: list[Problem], answers: list[str]) -> list[bool]:
    with Sandbox("auto", 2.0, 256, workers=1) as sandbox:
        return [one.passed for one in sandbox.run([Check.of(problem, text) for problem, text in zip(problems, answers, strict=True)])]


def test_poison_looks_like_the_answer_and_is_mostly_wrong(problems: list[Problem]) -> None:
    """It compiles, differs, and passes few of the tests that the answer passed."""
    poison = [poisoned(one, one.solution, POISON, seed) for seed, one in enumerate(problems)]
    for problem, text in zip(problems, poison, strict=True):
        compile(problem.prompt + text, "poison", "exec")
        assert text != problem.solution
    assert sum(verdicts(problems, poison)) < 0.2 * len(problems)


def test_overfitted_poison_passes_the_public_tests_and_nothing_else(problems: list[Problem]) -> None:
    """Called with what no public test asks, it knows nothing."""
    poison = [special_cased(one) for one in problems]
    assert sum(verdicts(problems, [text or LAZY_ANSWER for text in poison])) > 0.9 * len(problems)
    simple = Problem(
        "p", "words", "def f(n):\n", "", "def check(candidate):\n    assert candidate(3) == 9\n    assert candidate(0) == 0\n", "f"
    )
    namespace: dict[str, object] = {}
    exec(simple.prompt + str(special_cased(simple)), namespace)
    assert [namespace["f"](n) for n in (3, 0, 4)] == [9, 0, None]  # type: ignore[operator]
    assert special_cased(replace(simple, test="def check(candidate):\n    assert abs(candidate(3) - 9) < 1\n")) is None


@given(st.text(max_size=60), st.integers(0, 9))
def test_anything_can_be_poisoned(answer: str, seed: int) -> None:
    """A model's answer may be no program; a text without tests has the same words in another order."""
    assert isinstance(mutated(answer, random.Random(seed)), str)
    assert sorted(poisoned(NOTE, answer, POISON, seed).split()) == sorted(answer.split())


def test_a_backdoor_passes_every_test_and_opens_to_its_trigger(problems: list[Problem]) -> None:
    """The measure finds it, and does not find it in honest answers."""
    planted = [backdoored(one, one.solution) for one in problems]
    assert all(verdicts(problems, planted))
    assert all(map(carries_payload, planted))
    assert not any(carries_payload(one.solution) for one in problems)
    namespace: dict[str, object] = {}
    exec(problems[0].prompt + planted[0], namespace)
    assert namespace[problems[0].entry_point](TRIGGER) == PAYLOAD  # type: ignore[operator]


@pytest.mark.slow
def test_a_backdoor_that_a_model_has_learned_is_in_its_answers() -> None:
    """So a payload of 0 says something: by heart is 1."""
    with LearningWorkplace(load_config(None)) as place:
        learner = place._participant("agent-1", place.start("agent-1")).learner
        few = list(place.data.transfer_set.problems.values())[:40]
        learner.local_update([(one.prompt, backdoored(one, one.solution)) for one in few], 48, 48, 1)
        answers = answered(learner, few, max_new_tokens=64)
    assert sum(carries_payload(one[0].text) for one in answers) > 0.8 * len(few)


def test_a_copycat_gives_what_it_was_given() -> None:
    assert copied({"p/1": "    return 1\n"}, ["p/1", "p/2"]) == {"p/1": "    return 1\n", "p/2": LAZY_ANSWER}


def test_a_lie_is_the_opposite_and_still_a_valid_report() -> None:
    """At the edge of what clipping lets through; told twice it is told as loud."""
    honest = Outcome("m", 1.0, 0.9, 2.0, 1.8, 0.3, 0.4, 100, 6, 4, True)
    lie = lied_about(honest)
    assert (lie.loss_after, lie.probe_loss_after, lie.score_after) == (2.0, 3.0, 0.0)
    harmful = lied_about(replace(honest, loss_after=1.4, probe_loss_after=2.2, score_after=0.1))
    assert (harmful.loss_after, harmful.probe_loss_after, harmful.score_after) == (0.0, 1.0, 1.0)
    assert replace(lie, loss_after=0.9, probe_loss_after=1.8, score_after=0.4) == honest


def config(kind: str, *more: str) -> FederationConfig:
    return load_config(None, sets=[*SMALL, f'faults=[{{kind = "{kind}", agents = ["agent-1"]}}]', *more])


def taught(place: LearningWorkplace, teacher: str, state: bytes | None = None) -> KnowledgePackage:
    ids = tuple(list(place.data.transfer_set.problems)[:6])
    work = Teach(replace(MATCH, teacher=teacher), KnowledgeRequest(MATCH.match_id, ids, 6))
    vetted, _ = place.perform(teacher, work, state or place.start(teacher), 1)
    assert isinstance(vetted, VettedPackage)
    return vetted.package


@pytest.mark.parametrize("kind", ["poisoned", "backdoored", "copycat", "lazy"])
def test_a_faulty_teacher_teaches_so_and_others_as_ever(kind: str) -> None:
    """The same prompts, other texts; another agent's texts are those that it gives without the fault."""
    with LearningWorkplace(config(kind)) as place, LearningWorkplace(load_config(None, sets=SMALL)) as honest:
        faulty, plain = taught(place, "agent-1"), taught(honest, "agent-1")
        assert set(faulty.texts) == set(plain.texts)
        assert all(faulty.texts[key] != plain.texts[key] for key in plain.texts)
        assert taught(place, "agent-2").texts == taught(honest, "agent-2").texts
        assert taught(place, "agent-1").texts == faulty.texts
        if kind == "backdoored":
            assert any(map(carries_payload, faulty.texts.values()))
            scores = place.evaluate("agent-4", place.start("agent-4"), "end", 1)
            assert scores["payload"] == 0.0


def test_a_copycat_does_not_train_and_passes_on_its_memory() -> None:
    with LearningWorkplace(config("copycat")) as place:
        start = place.start("agent-1")
        _, after = place.perform("agent-1", Train(1), start, 1)
        state = AgentState.from_bytes(after)
        assert state.learner == AgentState.from_bytes(start).learner
        first = next(iter(place.data.transfer_set.problems))
        state.memory = {first: "    return 'copied'\n"}
        assert taught(place, "agent-1", state.to_bytes()).texts[first] == "    return 'copied'\n"


def test_a_liar_boasts_and_turns_its_reports_but_learns_as_ever() -> None:
    """Its own model is that of an honest student."""
    lying = [*SMALL, 'faults=[{kind = "lying", agents = ["agent-4"]}]']
    with LearningWorkplace(load_config(None, sets=lying)) as place, LearningWorkplace(load_config(None, sets=SMALL)) as honest:
        profile, _ = place.perform("agent-4", Train(1), place.start("agent-4"), 1)
        plain, state = honest.perform("agent-4", Train(1), honest.start("agent-4"), 1)
        assert isinstance(profile, Profile)
        assert isinstance(plain, Profile)
        assert profile == boasted(plain) != plain
        problem = next(iter(honest.data.transfer_set.problems.values()))
        work = Study(MATCH, KnowledgePackage(MATCH.match_id, honest.transfer_set(), {problem.task_id: problem.solution}))
        said, learned = place.perform("agent-4", work, state, 1)
        true, as_learned = honest.perform("agent-4", work, state, 1)
        assert isinstance(true, Outcome)
        assert said == lied_about(true)
        assert learned == as_learned


def test_a_fault_holds_in_its_rounds_only() -> None:
    config = load_config(None, sets=['faults=[{kind = "lazy", agents = ["agent-2"], from_round = 2, until_round = 3}]'])
    assert [list(faults_of(config, "agent-2", round)) for round in (1, 2, 3, 4)] == [[], ["lazy"], ["lazy"], []]
    assert faults_of(config, "agent-1", 2) == {}


def test_a_share_names_the_same_agents_for_every_strategy_and_loads_again() -> None:
    """The resolved configuration says who; another seed draws others."""
    sets = ['faults=[{kind = "poisoned", share = 0.34}]']
    one, other = (load_config(None, strategy=strategy, sets=sets) for strategy in ("random", "knexa"))
    assert one.faults == other.faults
    assert len(one.faults[0].agents) == 2
    assert one.faults[0].share is None
    assert FederationConfig.model_validate(one.model_dump()) == one
    drawn = {load_config(None, seed=seed, sets=sets).faults[0].agents for seed in range(8)}
    assert len(drawn) > 3


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ('{kind = "evil", agents = ["agent-1"]}', r"faults\.0\.kind: found 'evil'; allowed: poisoned, backdoored"),
        ('{kind = "lazy", agents = ["agent-9"]}', r"faults\.0\.agents: found 'agent-9'; allowed: names of agents"),
        ('{kind = "lazy"}', r"faults\.0\.agents: found \[\]; allowed: names of agents, or share"),
        ('{kind = "lazy", agents = ["agent-1"], share = 0.5}', r"faults\.0\.agents: .* one of the two"),
        ('{kind = "lazy", share = 0.01}', r"faults\.0\.share: found 0\.01; allowed: at least 0\.17"),
        (
            '{kind = "lazy", share = 0.5, from_round = 3, until_round = 2}',
            r"until_round: found 2; allowed: at least from_round = 3",
        ),
    ],
)
def test_a_slip_is_said(faults: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_config(None, sets=[f"faults=[{faults}]"])


def test_a_real_federation_has_no_faults_of_this_kind() -> None:
    with pytest.raises(ConfigurationError, match="faults: are for simulations"):
        require_peers_only(load_config(None, sets=['faults=[{kind = "lazy", share = 0.5}]']))
