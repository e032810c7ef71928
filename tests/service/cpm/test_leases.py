"""Who is still there, and who gets on."""

from __future__ import annotations

from pathlib import Path

from local_federation import Recorded

from knexa.protocol.coordinator import Phase
from knexa.service.cpm.journal import Journal
from knexa.service.cpm.leases import Leases


def test_a_lease_lasts_as_long_as_it_was_renewed_for() -> None:
    """Whoever never came is gone, whoever spoke is there for one lease, and one who is there is enough to wait."""
    leases = Leases(30.0)
    assert leases.all_gone(["a"], 0.0)
    leases.renew("a", 100.0)
    assert not leases.all_gone(["a", "b"], 129.0)
    assert leases.all_gone(["a", "b"], 130.0)


def test_a_goodbye_ends_it_and_a_word_begins_it_anew() -> None:
    """An agent that left is not waited for until it is heard of again."""
    leases = Leases(30.0)
    leases.renew("a", 100.0, 5)
    leases.end("a")
    assert leases.all_gone(["a"], 101.0)
    assert leases.working(["a"], 101.0) == []
    leases.renew("a", 102.0)
    assert not leases.all_gone(["a"], 103.0)


def test_only_work_that_grows_is_progress() -> None:
    """An agent that hangs says so often that it is there; its work stands still, and one lease later it counts as idle."""
    leases = Leases(30.0)
    for second in range(0, 100, 10):
        leases.renew("hangs", float(second), 7)
        leases.renew("works", float(second), 7 + second)
    assert leases.working(["hangs", "works"], 29.0) == ["hangs", "works"]
    assert leases.working(["hangs", "works"], 99.0) == ["works"]
    assert not leases.all_gone(["hangs"], 99.0)


def test_going_on_without_somebody_survives_a_restart(tmp_path: Path) -> None:
    """It is in the journal as what was decided, with everything that followed from it."""
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        one = Recorded(journal).begun()
        for agent, report in one.reports()[:3]:
            one.conductor.report(agent, report, 3.0)
        one.conductor.go_on(4.0)
        assert one.conductor.coordinator.phase is Phase.EXCHANGES
        assert Recorded(journal).memory() == one.memory()
        one.conductor.go_on(5.0)
        assert Recorded(journal).memory() == one.memory()
        entries = len(list(journal.entries()))
        one.conductor.go_on(6.0)
        assert len(list(journal.entries())) == entries, "nobody is awaited, so there is nothing to keep"
