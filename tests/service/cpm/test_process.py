"""When a coordinator's process lets time pass: not while somebody gets on, at once when everybody is gone, at the longest in any case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from local_federation import NAMES, Recorded, small

from knexa.events import TIMINGS_FILE, read_events
from knexa.protocol.coordinator import Phase
from knexa.protocol.messages import Matched
from knexa.service.cpm.journal import Entry, Journal
from knexa.service.cpm.leases import Leases
from knexa.service.cpm.process import CpmPlan, _Process

LEASE_S, SOFT_S, HARD_S = 30.0, 100.0, 600.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        yield journal


@pytest.fixture
def process(journal: Journal, tmp_path: Path) -> _Process:
    plan = CpmPlan(small(f"transport.deadline_s={HARD_S}"), tmp_path, tmp_path, "127.0.0.1:0")
    return _Process(plan, journal, "f-1", lambda line: None)


@pytest.fixture
def waiting(journal: Journal) -> Recorded:
    """Three of four agents have reported at second 3; the phase's deadline is second 102."""
    one = Recorded(journal).begun()
    for agent, report in one.reports()[:3]:
        one.conductor.report(agent, report, 3.0)
    assert one.conductor.wake_at == 2.0 + SOFT_S
    return one


def test_a_coordinator_that_hears_nobody_does_not_play_alone(process: _Process, waiting: Recorded) -> None:
    """With everybody out of reach, as when its own line is cut, a phase waits for its longest deadline; it goes on when one is back."""
    leases = Leases(LEASE_S)
    for now in (35.0, 102.0, 300.0):
        assert phase_at(process, waiting, leases, now) is Phase.PROFILES
    leases.renew("a", 310.0)
    assert phase_at(process, waiting, leases, 311.0) is Phase.EXCHANGES


def test_at_the_end_who_is_missing_gets_a_whole_lease(process: _Process, waiting: Recorded) -> None:
    """A restart, or everybody out of reach at the last moment, is no reason to name them lost at once."""
    leases = Leases(LEASE_S)
    assert not process._is_over(waiting.conductor, leases, 1000.0, 990.0)
    assert process._is_over(waiting.conductor, leases, 1020.0, 990.0)
    leases.renew("a", 1015.0)
    assert not process._is_over(waiting.conductor, leases, 1020.0, 990.0)
    assert process._is_over(waiting.conductor, leases, 990.0 + HARD_S, 990.0)


def phase_at(process: _Process, waiting: Recorded, leases: Leases, now: float) -> Phase:
    process._pass_time(waiting.conductor, leases, now)
    return waiting.conductor.coordinator.phase


def test_a_deadline_moves_while_who_is_awaited_gets_on(process: _Process, waiting: Recorded) -> None:
    """Up to the longest that is allowed, however busy it is."""
    leases = Leases(LEASE_S)
    for second in range(0, int(HARD_S), 10):
        leases.renew("d", float(second), worked_ms=second)
        assert phase_at(process, waiting, leases, float(second)) is Phase.PROFILES
    leases.renew("d", HARD_S + 2.0, worked_ms=10**6)
    assert phase_at(process, waiting, leases, HARD_S + 2.0) is Phase.EXCHANGES


def test_a_deadline_holds_for_who_only_says_that_it_is_there(process: _Process, waiting: Recorded) -> None:
    """An agent that hangs keeps its lease, and no deadline."""
    leases = Leases(LEASE_S)
    for second in range(0, 102, 10):
        leases.renew("d", float(second), worked_ms=7)
        assert phase_at(process, waiting, leases, float(second)) is Phase.PROFILES
    leases.renew("d", 102.0, worked_ms=7)
    assert phase_at(process, waiting, leases, 102.0) is Phase.EXCHANGES


def test_nobody_waits_for_who_is_gone(process: _Process, waiting: Recorded) -> None:
    """As soon as its lease is over, or at once after its goodbye."""
    leases = Leases(LEASE_S)
    leases.renew("a", 30.0)
    leases.renew("d", 5.0)
    assert phase_at(process, waiting, leases, 34.9) is Phase.PROFILES
    leases.renew("d", 36.0)
    leases.end("d")
    assert phase_at(process, waiting, leases, 36.1) is Phase.EXCHANGES


def test_a_teacher_that_writes_is_waited_for_by_its_student(process: _Process, waiting: Recorded) -> None:
    """A student that waits for its package computes nothing; its teacher's work keeps the exchange open."""
    leases = Leases(LEASE_S)
    leases.renew("a", 39.0)
    assert phase_at(process, waiting, leases, 40.0) is Phase.EXCHANGES
    told = [said.message for name in NAMES for said in waiting.conductor.holding(name, 0)]
    match = next(message.match for message in told if isinstance(message, Matched))
    late = 40.0 + SOFT_S
    leases.renew(match.student, late, worked_ms=5)
    leases.renew(match.student, late + 31.0, worked_ms=5)
    leases.renew(match.teacher, late + 31.0, worked_ms=9)
    assert phase_at(process, waiting, leases, late + 32.0) is Phase.EXCHANGES
    leases.renew(match.student, late + 62.0, worked_ms=5)
    assert phase_at(process, waiting, leases, late + 63.0) is Phase.BETWEEN


def test_the_time_of_a_run_is_from_its_first_start_on(process: _Process, journal: Journal, tmp_path: Path) -> None:
    """A coordinator that was started again long after its agents had joined counts what was before."""
    journal.append(Entry(1000.0, "start", "", "start"))
    journal.append(Entry(8000.0, "close", "", "close"))
    process._keep_timings()
    assert [row["seconds"] for row in read_events(tmp_path, TIMINGS_FILE)] == [7000.0]
