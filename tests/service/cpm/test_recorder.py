"""The record as a file: it goes on where a snapshot has it, if that is what stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from knexa.events import read_events
from knexa.service.cpm.journal import JournalError
from knexa.service.cpm.recorder import RecordFile


def test_it_goes_on_behind_its_mark_or_says_that_it_cannot(tmp_path: Path) -> None:
    """What was written after the mark is written again; a file that was cut, changed or removed does not stand."""
    path = tmp_path / "events.jsonl"
    one = RecordFile(path)
    one.append("match", {"round": 1})
    mark = one.mark()
    one.append("outcome", {"round": 1, "lost": True})
    one.close()
    assert RecordFile.stands(path, mark)
    again = RecordFile(path, mark)
    assert again.mark() == mark
    again.append("outcome", {"round": 2})
    again.close()
    assert [event["round"] for event in read_events(tmp_path)] == [1, 2]
    assert all("lost" not in event for event in read_events(tmp_path))
    whole = path.read_bytes()
    for spoiled in (whole[: mark["bytes"] - 1], b"x" + whole[1:], b""):
        path.write_bytes(spoiled)
        assert not RecordFile.stands(path, mark)
    path.unlink()
    assert not RecordFile.stands(path, mark)


def test_a_full_disk_is_an_error_of_the_journal() -> None:
    """While an event is written, and when the file is closed with what was left of it: the code is the same, and the sentence."""
    one = RecordFile(Path("/dev/full"))
    for write in (lambda: one.append("match", {"round": 1}), one.close):
        with pytest.raises(JournalError, match=r"/dev/full: cannot be written \(No space left on device\); make room"):
            write()
