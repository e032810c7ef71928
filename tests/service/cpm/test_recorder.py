"""The record as a file: it goes on where a snapshot has it, if that is what stands there."""

from __future__ import annotations

from pathlib import Path

from knexa.events import read_events
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
