"""A server's tasks on real tiny models: what is answered, told, averaged, distilled and adopted."""

from collections.abc import Iterator

import pytest

from knexa.baselines.budget import prompts_each
from knexa.baselines.tasks import SERVER, Adopt, Answer, Blend, Distil, Learn, Mean, Share, Tell
from knexa.config import load_config
from knexa.participant.faults import LAZY_ANSWER
from knexa.participant.state import AgentState
from knexa.participant.workplace import LearningWorkplace
from knexa.protocol.peer import Train

SETS = ("local.first_steps=20", "local.steps=0", "distillation.prompts=8", "distillation.alpha_start=1.0", "distillation.alpha_end=1.0")


@pytest.fixture(scope="module")
def workplace() -> Iterator[LearningWorkplace]:
    with LearningWorkplace(load_config(strategy="fedid", sets=SETS)) as place:
        yield place


@pytest.fixture(scope="module")
def states(workplace: LearningWorkplace) -> dict[str, bytes]:
    """Two twins on qwen2 and another backbone between them; all have trained, each on its own data."""
    return {name: workplace.perform(name, Train(1), workplace.start(name), 1)[1] for name in ("agent-1", "agent-4", "agent-5")}


@pytest.fixture(scope="module")
def solutions(workplace: LearningWorkplace) -> tuple[tuple[str, str], ...]:
    return tuple((problem.task_id, problem.solution) for problem in list(workplace.data.transfer_set.problems.values())[:16])


def loss(place: LearningWorkplace, agent: str, state: bytes, texts: tuple[tuple[str, str], ...]) -> float:
    problems = place.data.transfer_set.problems
    return place._participant(agent, state).learner.loss([(problems[key].prompt, text) for key, text in texts])


def test_all_answer_the_same_prompts_and_others_in_the_next_round(workplace: LearningWorkplace, states: dict[str, bytes]) -> None:
    """Seed and round alone draw them; the server draws the same."""
    drawn = [{prompt for prompt, _ in workplace.assist(name, Answer(5), state, 3)[0].texts} for name, state in states.items()]
    drawn.append({prompt for prompt, _ in workplace.assist(SERVER, Answer(5), workplace.start(SERVER), 3)[0].texts})
    assert len(drawn[0]) == 5
    assert all(one == drawn[0] for one in drawn)
    assert {prompt for prompt, _ in workplace.assist("agent-1", Answer(5), states["agent-1"], 4)[0].texts} != drawn[0]


def test_asking_changes_nobody(workplace: LearningWorkplace, states: dict[str, bytes], solutions) -> None:
    """Answering, telling and sharing leave every byte of the state."""
    for task in (Answer(2), Tell(solutions[:2]), Share()):
        assert workplace.assist("agent-1", task, states["agent-1"], 1)[1] == states["agent-1"]


def test_the_server_starts_from_a_seed_of_its_own(workplace: LearningWorkplace) -> None:
    """On the first agent's backbone here, and yet not as the first agent."""
    assert AgentState.from_bytes(workplace.start(SERVER)).learner != AgentState.from_bytes(workplace.start("agent-1")).learner
    assert workplace.start(SERVER) == workplace.start(SERVER)


def test_the_server_learns_what_was_voted_for(workplace: LearningWorkplace, solutions) -> None:
    """Its loss on these texts falls."""
    start = workplace.start(SERVER)
    _, after = workplace.assist(SERVER, Learn(solutions, 12), start, 1)
    assert loss(workplace, SERVER, after, solutions) < loss(workplace, SERVER, start, solutions) - 0.02


def test_what_a_good_teacher_finds_likely_reaches_a_student_with_another_tokenizer(workplace: LearningWorkplace, solutions) -> None:
    """A teacher that knows the texts well, told in strings and blended into the student's vocabulary: the student's loss on them falls."""
    _, teacher = workplace.assist(SERVER, Learn(solutions, 60), workplace.start(SERVER), 1)
    told, _ = workplace.assist(SERVER, Tell(solutions), teacher, 1)
    soft, _ = workplace.assist(SERVER, Blend("embedded:gpt-neox", solutions, (told,)), b"", 1)
    student = workplace.start("agent-4")
    learned, after = workplace.assist("agent-4", Distil(solutions, 20, soft), student, 1)
    assert learned.accepted
    assert loss(workplace, "agent-4", after, solutions) < loss(workplace, "agent-4", student, solutions) - 0.02


def test_a_step_that_harms_is_rolled_back(solutions) -> None:
    """With a bound that nothing can meet, the adapter is the one from before, and the answer says so."""
    sets = (*SETS, "distillation.rollback=0", "distillation.learning_rate=0.5")
    with LearningWorkplace(load_config(strategy="fedid", sets=sets)) as place:
        state = place.start("agent-4")
        learned, after = place.assist("agent-4", Distil(solutions, 3), state, 1)
        assert not learned.accepted
        assert AgentState.from_bytes(after).learner == AgentState.from_bytes(state).learner


def test_a_groups_mean_is_the_same_adapter_for_all_of_it(workplace: LearningWorkplace, states: dict[str, bytes]) -> None:
    """After adopting it the twins are the same model, and between what they were."""
    shared = [workplace.assist(name, Share(), states[name], 1)[0] for name in ("agent-1", "agent-5")]
    assert [one.examples for one in shared] == [len(workplace.data.private[name].train) for name in ("agent-1", "agent-5")]
    mean, _ = workplace.assist(SERVER, Mean(tuple(one.adapter for one in shared), (0.5, 0.5)), b"", 1)
    adopted = [workplace.assist(name, Adopt(mean), states[name], 1) for name in ("agent-1", "agent-5")]
    assert (
        workplace.assist("agent-1", Share(), adopted[0][1], 1)[0].adapter
        == workplace.assist("agent-5", Share(), adopted[1][1], 1)[0].adapter
    )
    assert adopted[0][0].loss_before != adopted[0][0].loss_after


def test_a_lazy_agent_votes_for_nothing_with_all_its_weight() -> None:
    """It answers empty bodies and claims to be certain of them."""
    with LearningWorkplace(load_config(preset="crowd", strategy="fedid", sets=SETS)) as place:
        lazy = next(fault.agents[0] for fault in place.config.faults if fault.kind == "lazy")
        answers, _ = place.assist(lazy, Answer(3), place.start(lazy), 1)
        assert {(text, confidence) for _, text, confidence in answers.answers} == {(LAZY_ANSWER, 0.0)}


def test_of_a_small_transfer_set_no_agent_answers_more_than_a_student_of_a_pair_would_be_written() -> None:
    """A student asks at most all of it; so half of the agents' share is half of it, whatever the budget says."""
    sets = (*SETS, "distillation.prompts=1000", "generation.max_new_tokens=2")
    with LearningWorkplace(load_config(strategy="central-kd", sets=sets)) as place:
        answers, _ = place.assist("agent-1", Answer(prompts_each(place.config)), place.start("agent-1"), 1)
        assert len(answers.answers) == len(place.data.transfer_set.problems) // 2
