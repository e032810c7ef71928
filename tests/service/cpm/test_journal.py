"""The journal: what was appended is on disk, in order, once; what cannot be written is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from knexa.errors import ConfigurationError
from knexa.service.cpm.journal import Entry, Journal, JournalError

#: Appends for ever; tells a number on stdout only when it is on disk.
WRITER = """
import sys
from knexa.service.cpm.journal import Entry, Journal
with Journal("sqlite:///" + sys.argv[1]) as journal:
    number = sum(1 for _ in journal.entries())
    while True:
        number += 1
        journal.append(Entry(float(number), "report", "a", f"r-{number}", b"x" * 500))
        print(number, flush=True)
"""


def test_what_is_appended_together_is_there_together_or_not_at_all(tmp_path: Path) -> None:
    """Another reader sees nothing of it before the end; an error in between takes all of it back, and what was before stays."""
    url = f"sqlite:///{tmp_path / 'journal'}"
    with Journal(url) as journal, Journal(url) as reader:
        journal.append(Entry(1.0, "time", "", "before"))
        with journal.together():
            for number in range(5):
                journal.append(Entry(2.0, "report", "a", f"r-{number}"))
            assert len(list(reader.entries())) == 1
            reader._connection.rollback()
            assert len(list(journal.entries())) == 6
        assert len(list(reader.entries())) == 6

        def failing() -> None:
            with journal.together():
                journal.append(Entry(3.0, "report", "a", "lost"))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            failing()
        assert len(list(journal.entries())) == 6


def test_entries_come_back_as_they_were_in_their_order(tmp_path: Path) -> None:
    """Bytes, times and kinds survive exactly, also after the journal was opened again."""
    entries = [Entry(0.1 + 0.2, "join", "a", "j", b"\x00\xff"), Entry(1e9, "time", "", "t"), Entry(2.5, "report", "b", "j", b"")]
    url = f"sqlite:///{tmp_path / 'journal'}"
    with Journal(url) as journal:
        journal.begin("f-1", "a" * 64)
        for entry in entries:
            journal.append(entry)
    with Journal(url) as journal:
        assert list(journal.entries()) == entries
        assert journal.federation() == ("f-1", "a" * 64)


def test_there_is_one_entry_of_each_sender_and_id(tmp_path: Path) -> None:
    """A second one is refused, and the journal goes on."""
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        journal.append(Entry(1.0, "report", "a", "r-1"))
        with pytest.raises(JournalError, match="is there already"):
            journal.append(Entry(2.0, "report", "a", "r-1"))
        journal.append(Entry(3.0, "report", "b", "r-1"))
        assert [entry.time for entry in journal.entries()] == [1.0, 3.0]


def test_every_commit_is_synced(tmp_path: Path) -> None:
    """FULL: a commit waits for the disk. Killing a process would not show it, since the page cache survives that."""
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        connection = journal._engine.connect().connection
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_killed_writer_loses_nothing_that_it_told(tmp_path: Path) -> None:
    """Killed ten times at any moment: every number that was told is there, with at most the one that was being written beyond it."""
    path = tmp_path / "journal"
    told = 0
    for _ in range(10):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _, line in zip(range(7), writer.stdout, strict=False):
                told = int(line)
            os.kill(writer.pid, signal.SIGKILL)
            told = max([told, *map(int, writer.stdout.read().split())])
        with Journal(f"sqlite:///{path}") as journal:
            written = [entry.entry_id for entry in journal.entries()]
        assert written == [f"r-{number}" for number in range(1, len(written) + 1)]
        assert told <= len(written) <= told + 1


def test_a_journal_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """One sentence: which journal, and what to do."""
    with pytest.raises(JournalError, match="check the path and the space"):
        Journal(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder'}")
    with pytest.raises(ConfigurationError, match="pass sqlite"):
        Journal("nothing at all")


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    """Rubbish in the file is never taken for an empty journal."""
    path = tmp_path / "journal"
    path.write_bytes(b"rubbish" * 1000)
    with pytest.raises(JournalError):
        Journal(f"sqlite:///{path}")
