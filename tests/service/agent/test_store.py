"""What an agent keeps: all of it comes back, and a crash between two writes leaves what was there before."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from knexa.errors import RunFolderError
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.matching.match import Match
from knexa.protocol.agent import AgentState, Phase
from knexa.protocol.peer import Study
from knexa.service.agent.store import AgentStore, Memory

MATCH = Match("r2-t-s", 2, "t", "s", curriculum=(1 / 3, 2 / 3))
PACKAGE = KnowledgePackage("r2-t-s", "a" * 64, {"p/1": "    return 'ä'\n"}, tensors=b"\x00\xff")
STATE = AgentState(Phase.STUDYING, 2, 2, match=MATCH, request=KnowledgeRequest("r2-t-s", ("p/1",), 4), deadline=1e9 + 0.1)


def memory() -> Memory:
    return Memory(b"\x00model\xff", b"s" * 32, STATE, Study(MATCH, PACKAGE), [b"\x01report", b"\x02"], ["start"])


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    """Model, machine, work in hand with its package, reports on their way: equal in another process."""
    AgentStore(tmp_path / "agent").save(memory())
    assert AgentStore(tmp_path / "agent").load() == memory()


def test_what_an_agent_keeps_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask allows to others: texts that arrived are in there, and weights that learned private ones."""
    before = os.umask(0o022)
    try:
        store, kept = AgentStore(tmp_path / "agent"), memory()
        store.save(kept)
        store.save(replace(kept, learner=b"another"))
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "agent", *(tmp_path / "agent").iterdir())}
    assert modes == {"agent": 0o700, "agent.json": 0o600, "learner-2.bin": 0o600}


def test_a_new_agent_has_nothing(tmp_path: Path) -> None:
    """And nothing is written by looking."""
    assert AgentStore(tmp_path / "agent").load() is None
    assert not (tmp_path / "agent").exists()


def test_only_the_newest_model_stays_on_disk(tmp_path: Path) -> None:
    """A model that did not change is not written again; one that did takes the place of the old one."""
    store, kept = AgentStore(tmp_path), memory()
    store.save(kept)
    kept.outbox.clear()
    store.save(kept)
    assert [path.name for path in tmp_path.glob("learner-*")] == ["learner-1.bin"]
    kept.learner = b"another"
    store.save(kept)
    assert [path.name for path in tmp_path.glob("learner-*")] == ["learner-2.bin"]
    assert AgentStore(tmp_path).load() == kept


@pytest.mark.parametrize("written", [1, 2, 3])
def test_a_crash_while_saving_leaves_what_was_saved_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """Whichever file was the last to be replaced: the old state or the new one is found, never a mixture."""
    store = AgentStore(tmp_path)
    before = memory()
    store.save(before)
    after = replace(before, learner=b"another", evaluated=["start", "round-2"])
    left = [written]

    def dying(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return renamed(self, target)

    renamed = Path.replace
    monkeypatch.setattr(Path, "replace", dying)
    try:
        store.save(after)
    except KeyboardInterrupt:
        assert written < 3
    monkeypatch.undo()
    assert AgentStore(tmp_path).load() == (after if written == 3 else before)


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    """One sentence, and the file is left as it is."""
    AgentStore(tmp_path).save(memory())
    (tmp_path / "agent.json").write_text("{", encoding="utf-8")
    with pytest.raises(RunFolderError, match="restore the folder"):
        AgentStore(tmp_path).load()
    assert (tmp_path / "agent.json").read_text(encoding="utf-8") == "{"
