"""What a server decides: whose answer wins, who averages with whom, what is sent to whom."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from arithmetic_workplace import ArithmeticWorkplace
from hypothesis import given
from hypothesis import strategies as st

from knexa.baselines import central_kd, fedavg, fedid
from knexa.baselines.tasks import SERVER, Answers, R, Task
from knexa.config import FederationConfig, load_config


class Desk:
    """Carries tasks out with arithmetic agents, and remembers who did what."""

    def __init__(self, config: FederationConfig) -> None:
        self.place = ArithmeticWorkplace(config)
        self.states = {name: self.place.start(name) for name in (SERVER, *(agent.name for agent in config.agents))}
        self.done: list[tuple[str, str]] = []

    def carry(self, orders: Sequence[tuple[str, Task[R]]]) -> list[R]:
        results = []
        for who, task in orders:
            self.done.append((who, type(task).__name__))
            result, state = self.place.assist(who, task, self.states[who], 1)
            results.append(result)
            self.states[who] = state if who != SERVER or type(task).__name__ == "Learn" else self.states[who]
        return results

    def able(self, name: str) -> list[float]:
        able: list[float] = json.loads(self.states[name])
        return able


def fleet(config: FederationConfig) -> dict[str, str]:
    return {agent.name: agent.backbone for agent in config.agents}


ballots = st.lists(
    st.lists(st.tuples(st.sampled_from(["p", "q"]), st.sampled_from(["a\n", "b\n", "c"]), st.floats(-5, 0)), max_size=3).map(
        lambda answers: Answers(tuple({prompt: (prompt, text, confidence) for prompt, text, confidence in answers}.values()))
    ),
    max_size=6,
)


@given(ballots)
def test_the_text_with_the_greatest_sum_of_confidences_wins(given_: list[Answers]) -> None:
    """Every prompt that somebody answered has one winner, and no other text of that prompt has more votes."""
    elected = dict(fedid.vote(given_))
    answers = [answer for ballot in given_ for answer in ballot.answers]
    assert set(elected) == {prompt for prompt, _, _ in answers}
    for prompt, winner in elected.items():
        votes = {text: sum(math.exp(c) for p, t, c in answers if p == prompt and t.rstrip() == text.rstrip()) for _, text, _ in answers}
        assert math.isclose(votes[next(text for text in votes if text.rstrip() == winner.rstrip())], max(votes.values()))


def test_two_who_agree_outvote_one_who_is_surer() -> None:
    """Agreement counts as confidence does; white space at the end does not tell texts apart."""
    sure = Answers((("p", "return 1\n", math.log(0.9)),))
    agreed = [Answers((("p", text, math.log(0.5)),)) for text in ("return 2", "return 2\n\n")]
    assert fedid.vote([sure, *agreed]) == (("p", "return 2\n"),)
    assert fedid.vote([sure, agreed[0]]) == (("p", "return 1\n"),)


def test_agents_with_equal_backbones_average_and_others_stay_as_they_are() -> None:
    """Weighted by their examples: the group's mean, the same for all of it; who is alone does not even take part."""
    config = load_config(strategy="fedavg")
    desk = Desk(config)
    before = {name: desk.able(name) for name in fleet(config)}
    tally = fedavg.step(desk.carry, fleet(config), config, 1)
    assert tally is not None
    assert tally.students == 4
    mean = [(1 * x + 5 * y) / 6 for x, y in zip(before["agent-1"], before["agent-5"], strict=True)]  # 10 and 50 examples
    assert desk.able("agent-1") == desk.able("agent-5") == pytest.approx(mean)
    assert {name: desk.able(name) for name in ("agent-3", "agent-4")} == {name: before[name] for name in ("agent-3", "agent-4")}


def test_before_the_first_round_a_group_takes_its_first_agents_adapter() -> None:
    """So that the factors that are averaged later have a common start."""
    config = load_config(strategy="fedavg")
    desk = Desk(config)
    first = desk.able("agent-1")
    fedavg.step(desk.carry, fleet(config), config, 0)
    assert desk.able("agent-1") == desk.able("agent-5") == first


def test_without_equal_backbones_there_is_nothing_to_average() -> None:
    """No task, no event."""
    desk = Desk(load_config(strategy="fedavg"))
    config = load_config(strategy="fedavg")
    assert fedavg.step(desk.carry, {"agent-1": "embedded:qwen2", "agent-2": "embedded:gpt2"}, config, 1) is None
    assert desk.done == []


def test_everybody_tells_of_everybodys_texts_and_gets_the_mean_in_its_own_vocabulary() -> None:
    """One blend for each backbone; all end nearer to the mean of all."""
    config = load_config(strategy="central-kd", sets=("distillation.prompts=4",))
    desk = Desk(config)
    mean = [sum(column) / 6 for column in zip(*map(desk.able, fleet(config)), strict=True)]
    before = {name: desk.able(name) for name in fleet(config)}
    central_kd.step(desk.carry, fleet(config), config, 1)
    assert sum(who == SERVER for who, _ in desk.done) == len(set(fleet(config).values()))
    for name, old in before.items():
        assert desk.able(name) == pytest.approx([(x + m) / 2 for x, m in zip(old, mean, strict=True)])


def test_the_server_learns_from_votes_and_answers_for_itself() -> None:
    """Its state changes; what is distilled is its answers, not those of the agents."""
    config = load_config(strategy="fedid", sets=("distillation.prompts=4",))
    desk = Desk(config)
    before: dict[str, Any] = {name: desk.able(name) for name in desk.states}
    tally = fedid.step(desk.carry, fleet(config), config, 1)
    assert desk.able(SERVER) != before[SERVER]
    assert (tally.texts, tally.server_texts) == (12, 2)
    taught = [category for category, (x, y) in enumerate(zip(before["agent-1"], desk.able("agent-1"), strict=True)) if x != y]
    assert len(taught) <= 2
    for category in taught:
        expected = (before["agent-1"][category] + desk.able(SERVER)[category]) / 2
        assert desk.able("agent-1")[category] == pytest.approx(expected)
