"""Private profiles: what is told has noise, is told as seldom as was said, and costs what was said."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import numpy as np
import pytest

from knexa.config import FederationConfig, load_config
from knexa.errors import ConfigurationError
from knexa.evaluation.partition import category_histogram
from knexa.exchange.package import KnowledgePackage
from knexa.learning.generation import Completion
from knexa.matching.match import Match, Outcome
from knexa.matching.profile import Profile
from knexa.participant.private_profile import budgets, private_metrics, released_now, spent
from knexa.participant.state import AgentState
from knexa.participant.workplace import LearningWorkplace
from knexa.protocol.peer import Study, Train

SMALL = (
    *("rounds=4", "local.first_steps=2", "local.steps=1", "distillation.steps=2", "distillation.prompts=4"),
    *("evaluation.problems=12", "evaluation.samples=1", "evaluation.k=[1]"),
)
PRIVATE = ("privacy.epsilon=2", "privacy.metrics_every=2", "distillation.rollback=none")

CENTRAL = ("central.method=fedavg", "matching.matchmaker=local")


def settings(*more: str) -> FederationConfig:
    return load_config(None, sets=(*SMALL, *more))


def profile(place: LearningWorkplace, round: int, state: bytes) -> tuple[Profile, bytes]:
    told, after = place.perform("agent-1", Train(round), state, round)
    assert isinstance(told, Profile)
    return told, after


def test_the_budget_is_divided_and_spent_by_the_end() -> None:
    """Two releases of four means in four rounds, and a histogram; nothing before the first."""
    config = settings(*PRIVATE)
    first, each = budgets(config)
    assert first + 8 * each == Fraction(2)
    assert [round for round in range(1, 5) if released_now(config.privacy, round)] == [1, 3]
    assert (spent(config, 0), spent(config, 4)) == (0.0, 2.0)
    assert spent(config, 1) == spent(config, 2) < spent(config, 3)


def test_a_histogram_is_told_once_and_never_again_with_other_noise() -> None:
    """The same in every round, also from a state that was saved; not the true one; metrics stay from release to release."""
    with LearningWorkplace(settings(*PRIVATE)) as place:
        profiles, state = [], place.start("agent-1")
        for round in range(1, 5):
            one, state = profile(place, round, AgentState.from_bytes(state).to_bytes())
            profiles.append(Profile.from_dict(one.to_dict()))
        true = category_histogram(place.data.private["agent-1"].train, place.data.transfer_set.categories)
        assert len({one.histogram for one in profiles}) == 1
        assert not np.allclose(profiles[0].histogram, true)
        measured = [one.metrics[:6] for one in profiles]
        assert measured[0] == measured[1] != measured[2] == measured[3]
        assert all(one.metric("train_loss") == 0.0 for one in profiles)
        scores = place.evaluate("agent-1", state, "end", 4)
        assert scores["epsilon"] == 2.0


def test_a_seed_draws_the_same_noise_and_another_place_other() -> None:
    """A simulation comes out alike; a real agent does not follow from its seed."""
    told = []
    for noise in ("seeded", "seeded", "system"):
        config = settings(*PRIVATE)
        config = config.model_copy(update={"privacy": config.privacy.model_copy(update={"noise": noise})})
        with LearningWorkplace(config) as place:
            told.append(profile(place, 1, place.start("agent-1"))[0])
    assert told[0] == told[1]
    assert told[0].histogram != told[2].histogram


def test_means_with_much_budget_are_the_means() -> None:
    """In the steps that they are told in."""
    with LearningWorkplace(settings()) as place:
        problems = place.data.private["agent-1"].validation
        passed = np.arange(len(problems)) % 3 == 0
        answers = [Completion(problem.solution, 0.0) for problem in problems]
        told = private_metrics(problems, passed, answers, [1.25] * len(problems), Fraction(10**6), Random(0))
    assert told["pass@1"] == pytest.approx(passed.mean())
    assert (told["syntax_ok"], told["loss"], told["codebleu"]) == (1.0, 1.25, 1.0)


def test_an_outcome_tells_nothing_of_private_data() -> None:
    """Its losses are those on the public probe, twice."""
    with LearningWorkplace(settings(*PRIVATE)) as place:
        problem = next(iter(place.data.transfer_set.problems.values()))
        package = KnowledgePackage("m", place.transfer_set(), {problem.task_id: problem.solution})
        outcome, _ = place.perform("agent-1", Study(Match("m", 1, "agent-2", "agent-1"), package), place.start("agent-1"), 1)
    assert isinstance(outcome, Outcome)
    assert (outcome.loss_before, outcome.loss_after) == (outcome.probe_loss_before, outcome.probe_loss_after)
    assert outcome.accepted


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["privacy.epsilon=1"], r"distillation\.rollback: found 1\.0; allowed: 'none' where privacy\.epsilon is set"),
        (["privacy.epsilon=1", "distillation.rollback=none", "reward.measure=blend"], r"reward\.measure: found 'blend'; allowed: 'probe'"),
        (["privacy.epsilon=0"], r"privacy\.epsilon: found 0"),
        (["privacy.epsilon=1e-7"], r"privacy\.epsilon: found 1e-07"),
        (["privacy.histogram=1"], r"privacy\.histogram: found 1"),
        (["privacy.histogram=1e-7"], r"privacy\.histogram: found 1e-07"),
        (["privacy.sgd_noise=1e-200"], r"privacy\.sgd_noise: found 1e-200; allowed: 0, or at least 0\.05"),
        (["privacy.sgd_epsilon=1"], r"privacy\.sgd_epsilon: found 1\.0; allowed: none, or privacy\.sgd_noise above 0"),
        ([*CENTRAL, "privacy.sgd_noise=1"], r"central\.method: found 'fedavg'; allowed: none where privacy\.epsilon or privacy\.sgd_noise"),
        ([*CENTRAL, *PRIVATE], r"central\.method: found 'fedavg'; allowed: none where privacy\.epsilon or privacy\.sgd_noise"),
    ],
)
def test_what_would_tell_more_is_refused(sets: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_config(None, sets=sets)


def test_what_was_cut_is_told_of_public_texts_alone() -> None:
    """With a budget an evaluation has no exact number about private texts: it is the same whatever those are."""
    told = {}
    for sets in (PRIVATE, ()):
        for alpha in (0.1, 10):
            with LearningWorkplace(settings("model.longest=40", f"data.alpha={alpha}", *sets)) as place:
                told[sets, alpha] = place.evaluate("agent-1", place.start("agent-1"), "start", 0)["cut"]
    assert told[PRIVATE, 0.1] == told[PRIVATE, 10] < min(told[(), 0.1], told[(), 10])
    assert told[(), 0.1] != told[(), 10]


def test_a_delta_that_lets_a_whole_text_out_is_refused() -> None:
    with (
        LearningWorkplace(settings("privacy.sgd_noise=1", "privacy.delta=0.5")) as place,
        pytest.raises(ConfigurationError, match=r'agent "agent-1": privacy\.delta = 0\.5 lets a whole text out'),
    ):
        place.start("agent-1")


def test_a_run_that_would_spend_too_much_does_not_start() -> None:
    with (
        LearningWorkplace(settings("privacy.sgd_noise=0.6", "privacy.sgd_epsilon=0.5")) as place,
        pytest.raises(ConfigurationError, match=r'agent "agent-1": privacy\.sgd_epsilon = 0\.5, and its local updates'),
    ):
        place.start("agent-1")
