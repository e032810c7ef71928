"""Credibility: whose reports count."""

import json

import numpy as np
import pytest

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching.matchmakers.knexa import KnexaMatchmaker
from knexa.matching.trust import LEAST_REPORTS, LEAST_WEIGHT, Credibility
from knexa.study.trajectory import simulate
from knexa.study.worlds.adversaries import Liars
from knexa.study.worlds.compatibility import CompatibilityWorld


def heard(errors: dict[str, float], times: int = 10, seed: int = 0) -> Credibility:
    """After ``times`` reports of each agent, whose errors are normal with the given deviation."""
    credibility, random = Credibility(), np.random.default_rng(seed)
    for _ in range(times):
        for agent, deviation in errors.items():
            credibility.note(agent, deviation * random.normal())
    return credibility


def test_reports_that_are_far_off_again_and_again_count_for_nothing() -> None:
    """Four agents off by one deviation, two by five: the two lose their say, the four keep it."""
    credibility = heard({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0, "x": 5.0, "y": 5.0}, times=30)
    assert all(credibility.weight(agent) > 0.5 for agent in "abcd")
    assert all(credibility.weight(agent) < 0.01 for agent in "xy")


def test_one_who_is_new_is_believed() -> None:
    """Nobody is judged by fewer than LEAST_REPORTS reports."""
    credibility = heard({"a": 1.0, "b": 1.0}, times=5)
    for _ in range(LEAST_REPORTS - 1):
        credibility.note("new", 100.0)
        assert credibility.weight("new") == 1.0
    credibility.note("new", 100.0)
    assert credibility.weight("new") == LEAST_WEIGHT


def test_nobody_is_believed_less_where_all_err_alike() -> None:
    """A model that fits badly makes everybody err: errors are compared with each other, not with zero."""
    for scale in (0.1, 1.0, 10.0):
        credibility = Credibility()
        for _ in range(5):
            for agent in "abc":
                credibility.note(agent, scale)
        assert [credibility.weight(agent) for agent in "abc"] == [1.0] * 3


def test_an_agent_that_becomes_honest_is_believed_again() -> None:
    """Errors are forgotten in an exponential window."""
    credibility = heard({"a": 1.0, "b": 1.0, "c": 1.0, "x": 6.0}, times=10)
    assert credibility.weight("x") < 0.05
    for _ in range(60):
        credibility.note("x", 1.0)
    assert credibility.weight("x") == 1.0


def test_a_hundred_agents_of_one_organisation_have_the_say_of_one() -> None:
    """Their reports share one weight, and their lies are one record: the median of honest errors does not move."""
    sybils = {f"sybil-{number}": "sybils" for number in range(100)}
    credibility, random = Credibility(sybils), np.random.default_rng(0)
    assert sum(credibility.weight(agent) for agent in sybils) == pytest.approx(1.0)
    for _ in range(20):
        for agent in ("a", "b", "c", "d"):
            credibility.note(agent, random.normal())
        for agent in sybils:
            credibility.note(agent, 5.0 * random.normal())
    assert all(credibility.weight(agent) > 0.5 for agent in "abcd")
    assert sum(credibility.weight(agent) for agent in sybils) < 0.01


def test_state_goes_through_json() -> None:
    """A restored Credibility weighs as the saved one."""
    credibility, other = heard({"a": 1.0, "b": 2.0, "c": 4.0}), Credibility()
    other.restore(json.loads(json.dumps(credibility.state())))
    assert [other.weight(agent) for agent in "abc"] == [credibility.weight(agent) for agent in "abc"]


@pytest.mark.parametrize("share", [0.2])
def test_liars_cost_little_where_reports_are_weighed_and_much_where_not(share: float) -> None:
    """The ablation, in a world of 16 agents: true worth with weighing is well above that without."""
    scores = {}
    for trust in (True, False):
        runs = []
        for seed in range(2):
            world = Liars(CompatibilityWorld(16, "high", seed), share, seed)
            config = MatchingConfig(curriculum=False, log_candidates=False, trust=trust)
            runs.append(simulate(world, KnexaMatchmaker(config, RewardConfig(delta=0.0), 60, seed), 60, seed).score)
        scores[trust] = np.mean(runs)
    assert scores[True] > 1.2 * scores[False]
