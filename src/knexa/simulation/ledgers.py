"""The egress ledgers of a simulation's agents: ``agents/NAME/ledger.jsonl`` in the run folder, as a real agent keeps one in its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from knexa.exchange.ledger import LEDGER_FILE, Departure, Ledger
from knexa.protocol.peer import Release


class Ledgers:
    """One for each agent that has taught, opened when it first does. Close them when the run ends or is stopped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, Ledger] = {}

    def enter(self, teacher: str, released: Release, now: float) -> None:
        """``now``: virtual seconds. Nothing is entered twice when a resumed run comes by here again."""
        if teacher not in self._open:
            self._open[teacher] = Ledger(ledger_of(self._folder, teacher))
        match = released.match
        departure = Departure(now, match.match_id, match.round, match.student, match.protocol)
        self._open[teacher].enter(departure, released.vetted, released.vetted.package)

    def close(self) -> None:
        for ledger in self._open.values():
            ledger.close()


def ledger_of(folder: Path, agent: str) -> Path:
    """Where the ledger of ``agent`` is in a run folder."""
    return folder / "agents" / agent / LEDGER_FILE


def ledgers_in(folder: Path) -> Sequence[Path]:
    """All ledgers of a run folder, by agent."""
    return sorted(folder.glob(f"agents/*/{LEDGER_FILE}"))
