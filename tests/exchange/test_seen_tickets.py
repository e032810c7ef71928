"""One ticket, one package, also across a restart."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from exchange_parties import NOW, TICKET, ledger, refuse

from knexa.errors import LedgerError, PeerError
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.ticket import Ticket

TAKE_UNTIL_KILLED = """
import sys
from pathlib import Path
from dataclasses import replace
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.ticket import Ticket
ticket = Ticket.from_bytes(sys.argv[2].encode())
with SeenTickets(Path(sys.argv[1]), ticket.expires_at - 600) as seen:
    for number in range(int(sys.argv[3]), 10**9):
        seen.take(replace(ticket, match_id=f"r1-{number}"), ticket.expires_at - 600)
        print(number, flush=True)
"""


def numbered(number: int, expires_at: int = TICKET.expires_at) -> Ticket:
    return replace(TICKET, match_id=f"r1-{number}", expires_at=expires_at)


def test_a_ticket_is_taken_once(tmp_path: Path) -> None:
    """The second time is refused, in the same process and after a restart; another ticket is not."""
    with ledger(tmp_path) as seen:
        seen.take(TICKET, NOW)
        refuse(lambda: seen.take(TICKET, NOW), "served already")
    with ledger(tmp_path) as seen:
        refuse(lambda: seen.check(TICKET, NOW), "served already")
        refuse(lambda: seen.take(TICKET, NOW), "served already")
        seen.take(numbered(2), NOW)
        assert len(seen) == 2


def test_an_expired_ticket_is_not_taken(tmp_path: Path) -> None:
    """Nor noted."""
    with ledger(tmp_path) as seen:
        refuse(lambda: seen.take(TICKET, NOW + 600), "expired")
        assert len(seen) == 0


def test_of_many_threads_one_gets_the_ticket(tmp_path: Path) -> None:
    """Calls at the same moment do not both pass."""

    def attempt(number: int) -> bool:
        try:
            seen.take(numbered(number // 8), NOW)
        except PeerError:
            return False
        return True

    with ledger(tmp_path) as seen, ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(attempt, range(160)))
    assert sum(taken) == 20


def test_what_was_acknowledged_before_a_kill_is_refused_afterwards(tmp_path: Path) -> None:
    """kill -9 of a real process, three times over the same ledger: no ticket is good twice."""
    path, first = tmp_path / "seen-tickets", 0
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for most in (1, 40, 7):
        command = [sys.executable, "-c", TAKE_UNTIL_KILLED, str(path), TICKET.to_bytes().decode(), str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            acknowledged = [int(process.stdout.readline()) for _ in range(most)]
            process.kill()
            acknowledged += [int(line) for line in process.stdout.read().splitlines()]
        assert acknowledged == list(range(first, first + len(acknowledged)))
        first += len(acknowledged)
        with SeenTickets(path, NOW) as seen:
            for number in range(first):
                refuse(lambda: seen.take(numbered(number), NOW), "served already")  # noqa: B023
            assert len(seen) <= first + 1
            first = len(seen)


def test_a_ticket_is_on_disk_before_it_counts_as_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last sync before ``take`` returns saw the line whole: surviving a kill alone would not show it."""
    synced: list[bytes] = []
    really = os.fsync

    def watched(file: int) -> None:
        really(file)
        synced.append(path.read_bytes())

    with ledger(tmp_path) as seen:
        path = seen.path
        monkeypatch.setattr(os, "fsync", watched)
        for number in range(3):
            seen.take(numbered(number), NOW)
            assert numbered(number).digest.encode() + b" " in synced[-1]
            assert synced[-1].endswith(b"\n")
            assert len(synced) == number + 1


@pytest.mark.parametrize("torn", [b"a", b"ab" * 32, b"ab" * 32 + b" 10006", b"\x00" * 80])
def test_a_torn_last_line_is_dropped(tmp_path: Path, torn: bytes) -> None:
    """What was cut short was never acknowledged; everything before it stands, and so does what comes after."""
    with ledger(tmp_path) as seen:
        seen.take(TICKET, NOW)
    with (tmp_path / "seen-tickets").open("ab") as file:
        file.write(torn)
    with ledger(tmp_path) as seen:
        seen.take(numbered(2), NOW)
    with ledger(tmp_path) as seen:
        assert len(seen) == 2
        refuse(lambda: seen.take(TICKET, NOW), "served already")
        refuse(lambda: seen.take(numbered(2), NOW), "served already")


@pytest.mark.parametrize("damage", [(b"tickets 1", b"tickets 2"), (TICKET.digest.encode(), b"garbage"), (b"1000600\n", b"soon\n")])
def test_a_damaged_ledger_is_refused(tmp_path: Path, damage: tuple[bytes, bytes]) -> None:
    """Rather than taken for one that has seen nothing; the file stays as it is."""
    with ledger(tmp_path) as seen:
        seen.take(TICKET, NOW)
    path = tmp_path / "seen-tickets"
    path.write_bytes(broken := path.read_bytes().replace(*damage))
    with pytest.raises(LedgerError, match="damaged"):
        SeenTickets(path, NOW)
    assert path.read_bytes() == broken


def test_a_full_disk_serves_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """A line that the system cuts short raises LedgerError, so does every take after it; a restart with room goes on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ledger(tmp_path) as seen:
        seen.take(numbered(1), NOW)
        resource.setrlimit(resource.RLIMIT_FSIZE, (seen.path.stat().st_size + 30, hard))
        try:
            with pytest.raises(LedgerError, match="cannot be written"):
                seen.take(numbered(2), NOW)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with pytest.raises(LedgerError, match="restart"):
            seen.take(numbered(3), NOW)
    with ledger(tmp_path) as seen:
        refuse(lambda: seen.take(numbered(1), NOW), "served already")
        seen.take(numbered(2), NOW)


def test_a_ledger_belongs_to_one_process(tmp_path: Path) -> None:
    """Two could each serve the same ticket once."""
    with ledger(tmp_path), pytest.raises(LedgerError, match="another process"):
        SeenTickets(tmp_path / "seen-tickets", NOW)
    with pytest.raises(LedgerError, match="cannot be written"):
        SeenTickets(tmp_path / "no-such-folder" / "seen-tickets", NOW)


def test_what_was_forgotten_stays_refused_when_the_clock_goes_back(tmp_path: Path) -> None:
    """A restart drops expired tickets; setting the clock back makes none of them good again, and costs no ticket that is."""
    path = tmp_path / "seen-tickets"
    late = numbered(3, TICKET.expires_at + 100)
    with SeenTickets(path, NOW) as seen:
        seen.take(TICKET, NOW)
        seen.take(late, NOW)
    with SeenTickets(path, TICKET.expires_at) as seen:
        assert len(seen) == 1
    with SeenTickets(path, NOW) as seen:
        refuse(lambda: seen.take(TICKET, NOW), "served already")
        refuse(lambda: seen.take(late, NOW), "served already")
        seen.take(numbered(4, late.expires_at), NOW)


def test_a_ledger_of_a_long_run_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expired tickets are dropped while it runs, none that is still good."""
    monkeypatch.setattr(os, "fsync", lambda file: None)  # thousands of syncs say nothing here
    with ledger(tmp_path) as seen:
        for number in range(3000):
            seen.take(numbered(number, int(NOW) + number + 10), NOW + number)
        assert len(seen) <= 1010
        refuse(lambda: seen.take(numbered(2995, int(NOW) + 3005), NOW + 3000), "served already")
    assert seen.path.read_bytes().count(b"\n") <= 1011
