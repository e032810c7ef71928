"""Federations under drawn faults keep every invariant and come to their end; the checks can fail."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from fault_schedule import FaultyFederation

from knexa.protocol.agent import Agent
from knexa.protocol.coordinator import Coordinator


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_under_any_faults_rewards_are_single_and_the_federation_ends(first: int) -> None:
    """``benchmarks/fault_schedules.py --replay SEED`` shows what happened in one."""
    happened: Counter[str] = Counter()
    for seed in range(first, first + 20):
        federation = FaultyFederation(seed)
        federation.run()
        happened += federation.happened
    assert {"lost", "refused", "forged", "crash of an agent"} <= happened.keys()


def test_a_seed_plays_the_same_schedule_again() -> None:
    one, other = FaultyFederation(7), FaultyFederation(7)
    one.run()
    other.run()
    assert one.script == other.script
    assert one.records == other.records


def fails(seeds: range) -> bool:
    """Whether an invariant stops one of these schedules."""
    for seed in seeds:
        try:
            FaultyFederation(seed).run()
        except AssertionError:
            return True
    return False


def test_a_coordinator_that_counts_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves matches open after their outcome: a doubled report is rewarded again."""
    take = Coordinator._take_outcome

    def forgetful(self: Coordinator, sender: str, outcome: object, now: float) -> list[object]:
        kept = dict(self._open)
        actions = take(self, sender, outcome, now)  # type: ignore[arg-type]
        if self._open:
            self._open |= {key: kept[key] for key in kept if key not in self._open}
        return list(actions)

    monkeypatch.setattr(Coordinator, "_take_outcome", forgetful)
    assert fails(range(40))


def test_an_agent_that_ignores_its_match_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It teaches whoever asks under a match of its own making."""
    check = Agent._take_match

    def gullible(self: Agent, match: object, now: float) -> list[object]:
        return list(check(self, replace(match, teacher=match.student, student=match.teacher), now))  # type: ignore[type-var, attr-defined]

    monkeypatch.setattr(Agent, "_take_match", gullible)
    assert fails(range(40))
