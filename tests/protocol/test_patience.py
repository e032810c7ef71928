"""Deadlines from what was seen: nobody picks a number, and a straggler cannot stretch it for long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knexa.matching.profile import Profile
from knexa.protocol.coordinator import Coordinator, Phase
from knexa.protocol.messages import ProfileReported
from knexa.protocol.patience import FEWEST, LEAST_S, Fixed, Observed

SECONDS = st.floats(0.0, 1e4)


def seen(durations: list[float], most: float = 3600.0) -> Observed:
    one = Observed(most)
    for seconds in durations:
        one.note("profiles", seconds)
    return one


def test_before_anything_is_known_the_bound_holds() -> None:
    """A handful of durations says too little."""
    assert seen([1.0] * (FEWEST - 1)).seconds("profiles") == 3600.0
    assert seen([1.0] * FEWEST).seconds("profiles") < 3600.0
    assert seen([1.0] * FEWEST).seconds("exchanges") == 3600.0


@given(st.lists(SECONDS, min_size=FEWEST, max_size=40), st.floats(1.0, 3600.0))
def test_a_deadline_is_within_its_bounds(durations: list[float], most: float) -> None:
    """Never above what the configuration allows, and never so short that the usual would be late."""
    deadline = seen(durations, most).seconds("profiles")
    assert min(LEAST_S, most) <= deadline <= most
    assert sum(seconds <= deadline for seconds in durations) * 2 >= len(durations) or deadline == most


def test_few_stragglers_do_not_stretch_it() -> None:
    """A fifth of the agents taking a hundred times as long leaves the others' deadline what it was, within half."""
    usual = [20.0 + 0.1 * index for index in range(40)]
    with_stragglers = usual + [2000.0] * 10
    assert seen(with_stragglers).seconds("profiles") <= 1.5 * seen(usual).seconds("profiles")


@pytest.mark.parametrize("one", [Fixed(7.0), seen([1.0, 5.0, 30.0] * 4)])
def test_a_restored_patience_goes_on_alike(one: Fixed | Observed) -> None:
    """State and restore are exact."""
    other = Fixed(7.0) if isinstance(one, Fixed) else Observed(3600.0)
    other.restore(one.state())
    assert [other.seconds(phase) for phase in ("profiles", "exchanges")] == [one.seconds(phase) for phase in ("profiles", "exchanges")]


def test_a_coordinator_stops_waiting_for_a_dead_agent_early(matchmaker, profile) -> None:
    """After rounds of a second each, a round without one agent is over long before the fixed bound, and goes on without it."""
    coordinator = Coordinator(("a", "b", "c"), matchmaker(), 20, Observed(3600.0))
    coordinator.start(0.0)
    now = 0.0
    for _ in range(8):
        for agent in ("a", "b", "c"):
            now += 0.3
            coordinator.on_message(agent, ProfileReported(_profile(profile, agent, coordinator.round)), now)
        coordinator.on_time(now + 3600.0)  # nobody exchanges anything in this test
        coordinator.on_time(now)
    for agent in ("a", "b"):
        coordinator.on_message(agent, ProfileReported(_profile(profile, agent, coordinator.round)), now + 0.5)
    assert coordinator.phase is Phase.PROFILES
    coordinator.on_time(now + LEAST_S + 1.0)
    assert coordinator.phase is Phase.EXCHANGES
    assert coordinator.standings["c"].missed == 1


def _profile(make, agent: str, round: int) -> Profile:
    made: Profile = make(agent, round)
    return made
