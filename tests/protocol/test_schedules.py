"""Both sides of the protocol together, under schedules that Hypothesis chooses: any order, copies, losses, lies, late wake-ups."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from protocol_world import NAMES, ROUNDS, World

from knexa.protocol.agent import WORKING
from knexa.protocol.coordinator import Phase

schedules = st.lists(st.integers(0, 2**16), max_size=250)


@given(schedules)
@settings(max_examples=100, deadline=None)
def test_every_schedule_ends_with_disjoint_pairs_and_single_rewards(schedule: list[int]) -> None:
    """Losses, copies, lies and early deadlines in any order: every invariant holds, and the federation finishes."""
    world = World()
    for number in schedule:
        world.step(number, faults=True)
    world.drain()
    assert world.coordinator.phase is Phase.FINISHED
    assert not world.work


@given(schedules)
@settings(max_examples=60, deadline=None)
def test_without_faults_every_match_is_rewarded_whatever_the_order(schedule: list[int]) -> None:
    """Reordered and doubled messages cost nothing: each of the three rounds gives two matches, and each match its reward."""
    world = World()
    for number in schedule:
        world.step(number, faults=False)
    world.drain()
    assert len(world.matches) == 2 * ROUNDS
    assert set(world.rewards) == set(world.matches)
    assert all(agent.state.over for agent in world.agents.values())


class Protocol(RuleBasedStateMachine):
    """Anything in any order; at the end, or wherever hypothesis stops, the federation still comes to rest."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @precondition(lambda self: self.world.letters)
    @rule(which=st.integers(0, 999))
    def deliver(self, which: int) -> None:
        self.world.deliver(self.world.letters.pop(which % len(self.world.letters)))

    @precondition(lambda self: self.world.letters)
    @rule(which=st.integers(0, 999))
    def lose(self, which: int) -> None:
        self.world.letters.pop(which % len(self.world.letters))

    @precondition(lambda self: self.world.letters)
    @rule(which=st.integers(0, 999))
    def double(self, which: int) -> None:
        self.world.letters.append(self.world.letters[which % len(self.world.letters)])

    @precondition(lambda self: self.world.work)
    @rule(which=st.integers(0, 999))
    def end_work(self, which: int) -> None:
        self.world.finish_work(sorted(self.world.work)[which % len(self.world.work)])

    @precondition(lambda self: self.world.wakes)
    @rule()
    def let_time_pass(self) -> None:
        self.world.wake()

    @rule(number=st.integers(0, 2**12))
    def lie(self, number: int) -> None:
        self.world.lie(number)

    @rule(name=st.sampled_from(NAMES))
    def restart(self, name: str) -> None:
        self.world.restart(name)

    @rule()
    def restart_coordinator(self) -> None:
        self.world.restart_coordinator()

    @invariant()
    def who_works_has_work_in_hand(self) -> None:
        for name, agent in self.world.agents.items():
            assert (agent.state.phase in WORKING) == (name in self.world.work)

    @invariant()
    def nobody_is_in_two_open_matches(self) -> None:
        peers = [peer for match in self.world.coordinator._open.values() for peer in (match.teacher, match.student)]
        assert len(peers) == len(set(peers))

    def teardown(self) -> None:
        self.world.drain()
        assert self.world.coordinator.phase is Phase.FINISHED
        assert self.world.coordinator.round == ROUNDS


def test_both_machines_keep_every_invariant_whatever_happens() -> None:
    """Letters, work, time, lies and restarts, chosen by hypothesis, which also finds the shortest way to a failure."""
    run_state_machine_as_test(Protocol, settings=settings(max_examples=60, stateful_step_count=60, deadline=None))  # type: ignore[no-untyped-call]
