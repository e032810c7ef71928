"""The journal in PostgreSQL is the journal in SQLite: same entries, same refusals, same decisions after a restart."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_federation import Recorded
from postgres import programs, server

from knexa.service.cpm.journal import Entry, Journal, JournalError

pytestmark = pytest.mark.skipif(programs() is None, reason="needs the programs of a PostgreSQL server")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    # Not in pytest's folder: only its owner may look into that, and the server may run as another user.
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        with server(Path(place) / "server") as found:
            yield found


def test_a_federation_goes_on_from_it_as_from_sqlite(url: str, tmp_path: Path) -> None:
    """Everything is restored by a second process, equal to one over SQLite; an entry that is there already is refused and kept once."""
    with Journal(url) as journal, Journal(f"sqlite:///{tmp_path / 'journal'}") as beside:
        assert journal.federation() is None
        journal.begin("f-1", "a" * 64)
        one, other = Recorded(journal).begun(), Recorded(beside).begun()
        for recorded in (one, other):
            for agent, report in recorded.reports():
                recorded.conductor.report(agent, report, 3.0)
        assert one.events == other.events
        kept = list(journal.entries())
        with pytest.raises(JournalError, match="is there already"):
            journal.append(Entry(9.0, kept[0].kind, kept[0].sender, kept[0].entry_id))
    with Journal(url) as journal:
        assert journal.federation() == ("f-1", "a" * 64)
        assert list(journal.entries()) == kept
        assert Recorded(journal).memory() == one.memory()


def test_a_server_that_is_not_there_is_said_without_its_password() -> None:
    """One sentence with what to do; nothing secret in it."""
    with pytest.raises(JournalError, match="cannot be opened") as caught:
        Journal("postgresql+psycopg://knexa:secret@127.0.0.1:1/knexa")
    assert "secret" not in str(caught.value)
