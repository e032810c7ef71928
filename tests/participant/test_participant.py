"""An agent's work on a real tiny model and a real sandbox: what is trained, taught, kept and reported."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from knexa.config import FederationConfig, load_config
from knexa.errors import ConfigurationError, RunFolderError
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.vetting import VettedPackage
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import Profile
from knexa.participant.faults import LAZY_ANSWER
from knexa.participant.state import AgentState
from knexa.participant.workplace import LearningWorkplace
from knexa.protocol.peer import Ask, Study, Teach, Train

MATCH = Match("r1-agent-1-agent-4", 1, "agent-1", "agent-4")
SMALL = (
    "local.first_steps=3",
    "distillation.steps=3",
    "distillation.prompts=6",
    "evaluation.problems=12",
    "evaluation.samples=2",
    "evaluation.k=[1,2]",
)


def _config(*sets: str) -> FederationConfig:
    return load_config(None, sets=(*SMALL, *sets))


@pytest.fixture(scope="module")
def workplace() -> Iterator[LearningWorkplace]:
    with LearningWorkplace(_config()) as place:
        yield place


def _package(place: LearningWorkplace, texts: dict[str, str]) -> KnowledgePackage:
    return KnowledgePackage(MATCH.match_id, place.transfer_set(), texts)


def _study(place: LearningWorkplace, texts: dict[str, str], state: bytes | None = None) -> tuple[Outcome, AgentState]:
    outcome, after = place.perform("agent-4", Study(MATCH, _package(place, texts)), state or place.start("agent-4"), 1)
    assert isinstance(outcome, Outcome)
    return outcome, AgentState.from_bytes(after)


def _answers(place: LearningWorkplace, count: int) -> dict[str, str]:
    problems = list(place.data.transfer_set.problems.values())[:count]
    return {problem.task_id: problem.solution for problem in problems}


def test_training_changes_the_adapter_and_reports_a_valid_profile(workplace: LearningWorkplace) -> None:
    """A profile passes the closed schema, and the new state differs from the old."""
    state = workplace.start("agent-4")
    profile, after = workplace.perform("agent-4", Train(1), state, 1)
    assert isinstance(profile, Profile)
    assert Profile.from_dict(profile.to_dict()) == profile
    assert 0.25 <= profile.metric("codebleu") <= 1.0
    assert AgentState.from_bytes(after).learner != AgentState.from_bytes(state).learner


def test_a_student_keeps_only_what_passes_the_public_tests(workplace: LearningWorkplace) -> None:
    """Four right answers and two wrong ones: four are kept and remembered."""
    right = _answers(workplace, 6)
    wrong = dict(list(right.items())[:2])
    outcome, state = _study(workplace, {**right, **dict.fromkeys(wrong, "    return None\n")})
    assert (outcome.texts, outcome.kept) == (6, 4)
    assert set(state.memory) == set(right) - set(wrong)


def test_rubbish_is_nothing_kept_and_no_crash(workplace: LearningWorkplace) -> None:
    """Empty, broken and hostile texts: the exchange is worth nothing, the agent lives."""
    texts = ["", "\x00\x00", "    raise SystemExit\n", "    return (\n", "    while True: pass\n", "import os; os._exit(0)\n"]
    outcome, state = _study(workplace, dict(zip(_answers(workplace, 6), texts, strict=True)))
    assert outcome.kept == 0
    assert state.memory == {}


def test_texts_for_unknown_prompts_are_not_learned(workplace: LearningWorkplace) -> None:
    """Only prompts of the transfer set count."""
    outcome, state = _study(workplace, {"no/such/prompt": "    return 1\n"})
    assert outcome.kept == 0
    assert state.memory == {}


def test_memory_grows_over_exchanges(workplace: LearningWorkplace) -> None:
    """What was verified once stays: the second exchange adds to the first."""
    answers = list(_answers(workplace, 6).items())
    _, first = _study(workplace, dict(answers[:3]))
    _, second = _study(workplace, dict(answers[3:]), first.to_bytes())
    assert list(second.memory) == [key for key, _ in answers]


def test_a_teacher_answers_what_it_was_asked_within_budget(workplace: LearningWorkplace) -> None:
    """Every asked prompt of the transfer set gets one text; unknown ids and what is over budget do not."""
    ids = tuple(_answers(workplace, 5))
    request = KnowledgeRequest(MATCH.match_id, (*ids, "no/such/prompt"), budget=4)
    vetted, _ = workplace.perform("agent-1", Teach(MATCH, request), workplace.start("agent-1"), 1)
    assert isinstance(vetted, VettedPackage)
    package = vetted.package
    assert set(package.texts) == set(ids[:4])


def test_a_harmful_exchange_is_rolled_back() -> None:
    """With a bound that nothing can meet, adapter and memory are those from before, and the outcome says so."""
    with LearningWorkplace(_config("distillation.rollback=0", "distillation.learning_rate=0.5")) as place:
        state = place.start("agent-4")
        outcome, after = _study(place, _answers(place, 4), state)
        assert not outcome.accepted
        assert after.learner == AgentState.from_bytes(state).learner
        assert after.memory == {}


def test_a_rolled_back_exchange_leaves_the_memory_as_it_was(workplace: LearningWorkplace) -> None:
    """Also a text for a prompt that was taught again."""
    answers = _answers(workplace, 3)
    _, held = _study(workplace, answers)
    again = {key: text + "    # again\n" for key, text in answers.items()}
    with LearningWorkplace(_config("distillation.rollback=0", "distillation.learning_rate=0.5")) as place:
        outcome, after = _study(place, again, held.to_bytes())
    assert not outcome.accepted
    assert after == held


def test_candidates_are_fewer_prompts_and_no_more_texts() -> None:
    """Two for each of half of the prompts; what is sent twice as often is the same text once, and the most confident stands first."""
    with LearningWorkplace(_config("distillation.candidates=2", "generation.candidate_temperature=1.5")) as place:
        request, _ = place.perform("agent-4", Ask(MATCH), place.start("agent-4"), 1)
        assert isinstance(request, KnowledgeRequest)
        assert (len(request.prompt_ids), request.budget) == (3, 6)
        vetted, _ = place.perform("agent-1", Teach(MATCH, request), place.start("agent-1"), 1)
        assert isinstance(vetted, VettedPackage)
        package = vetted.package
        assert set(package.texts) == set(request.prompt_ids)
        assert 3 < package.answers <= 6
        assert all(len(set(package.candidates(key))) == len(package.candidates(key)) for key in package.texts)
        participant = place._participant("agent-1", place.start("agent-1"))
        written = participant.answers(request.prompt_ids, 1, 2)
        assert [one.confidence for _, one in written] == sorted((one.confidence for _, one in written), reverse=True)
        assert list(package.texts) == list(dict.fromkeys(key for key, _ in written))
        alone = dict(participant.answers(request.prompt_ids, 1))
        assert all(alone[key].text in package.candidates(key) for key in package.texts)
        vetted, _ = place.perform("agent-1", Teach(replace(MATCH, protocol="logits"), request), place.start("agent-1"), 1)
        assert isinstance(vetted, VettedPackage)
        assert not vetted.package.others


def test_a_student_asks_nothing_in_a_category_without_a_share() -> None:
    """Where the coordinator gave it none because the teacher is not better there."""
    with LearningWorkplace(_config("matching.only_better=true", "distillation.prompts=40")) as place:
        match = replace(MATCH, curriculum=(0.0, 1.0, *(0.0,) * 10))
        request, _ = place.perform("agent-4", Ask(match), place.start("agent-4"), 1)
        assert isinstance(request, KnowledgeRequest)
        assert set(request.prompt_ids) == set(place.data.transfer_set.of_category("number_theory"))


def test_alpha_by_need_looks_at_the_texts_and_the_schedule_at_the_round() -> None:
    """In the last round the schedule is at its end, and three texts of 128 are still little to learn; an adapter has no texts to count."""
    match = replace(MATCH, round=2)
    for alpha, expected in (("schedule", 0.5), ("need", 0.2 + 0.3 * 3 / 128)):
        with LearningWorkplace(_config(f"distillation.alpha={alpha}", "rounds=2")) as place:
            student = place._participant("agent-4", place.start("agent-4"))
            assert student.alpha(match, 3) == pytest.approx(expected)
            assert student.alpha(replace(match, protocol="adapter"), 3) == pytest.approx(0.5)


def test_without_verification_wrong_texts_are_learned_too() -> None:
    """Plain AKD, as in the paper: everything received is distilled; without memory nothing stays."""
    with LearningWorkplace(_config("distillation.verify=false", "distillation.memory=false", "matching.curriculum=false")) as place:
        outcome, state = _study(place, dict.fromkeys(_answers(place, 6), "    return None\n"))
        assert outcome.kept == 6
        assert state.memory == {}


def test_a_lazy_teacher_teaches_empty_bodies_and_a_weak_agent_never_trains() -> None:
    """The faults of preset crowd."""
    with LearningWorkplace(load_config(None, preset="crowd", sets=SMALL)) as place:
        lazy, weak = (next(fault.agents[0] for fault in place.config.faults if fault.kind == kind) for kind in ("lazy", "weak"))
        request, _ = place.perform("agent-1", Ask(MATCH), place.start("agent-1"), 1)
        assert isinstance(request, KnowledgeRequest)
        vetted, _ = place.perform(lazy, Teach(MATCH, request), place.start(lazy), 1)
        assert isinstance(vetted, VettedPackage)
        package = vetted.package
        assert set(package.texts.values()) == {LAZY_ANSWER}
        start = place.start(weak)
        _, after = place.perform(weak, Train(1), start, 1)
        assert AgentState.from_bytes(after).learner == AgentState.from_bytes(start).learner


def test_evaluation_on_the_test_split_has_every_k(workplace: LearningWorkplace) -> None:
    """Start scores: Pass@k for all configured k, ordered, over the configured number of problems; and CodeBLEU."""
    scores = workplace.evaluate("agent-4", workplace.start("agent-4"), "start", 0)
    assert scores["split"] == "test"
    assert scores["problems"] == 12
    assert 0.0 <= scores["scores"]["pass@1"] <= scores["scores"]["pass@2"] <= 1.0
    assert 0.25 <= scores["scores"]["codebleu"] <= 1.0


def test_a_damaged_state_is_refused() -> None:
    """Bytes that no run wrote raise a RunFolderError."""
    with pytest.raises(RunFolderError):
        AgentState.from_bytes(b"not a state")


@pytest.mark.parametrize(("longest", "fits"), [(256, True), (257, False)])
def test_answers_leave_prompts_half_of_what_a_model_reads(longest: int, fits: bool) -> None:
    """GPT-2 reads 512 tokens; BLOOM has no bound, and needs no refusal."""
    config = load_config(sets=[*SMALL, f"generation.max_new_tokens={longest}"])
    with LearningWorkplace(config) as place:
        bounded = {agent.name: agent.backbone for agent in config.agents if agent.backbone == "embedded:gpt2"}
        free = next(agent.name for agent in config.agents if agent.backbone == "embedded:bloom")
        assert place.start(free)
        if fits:
            assert place.start(next(iter(bounded)))
        else:
            with pytest.raises(ConfigurationError, match=r"max_new_tokens: found 257; allowed: at most 256, half of the 512 tokens"):
                place.start(next(iter(bounded)))
