"""The egress ledger: what left stands in it, and nothing can be taken out of it unnoticed."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.errors import LedgerError
from knexa.exchange.guardrail import Action, Finding, Reviewed
from knexa.exchange.ledger import BLOCKED, CUT, GENESIS, LEFT, QUARANTINED, Departure, Entry, Ledger, verified, verify, without_texts
from knexa.exchange.package import KnowledgePackage
from knexa.exchange.vetting import VettedAnswer, VettedPackage

FIRST = Departure(1.5, "r1-t-s", 1, "s", "text", "ab" * 32)
SECOND = replace(FIRST, match_id="r2-t-s", round=2)
FOUND = (Finding("secret/token", 0, 4, Action.BLOCK),)


def passing(prompt: str, text: str) -> VettedAnswer:
    return VettedAnswer(prompt, Reviewed(Action.PASS, text, tokens=1))


def vetted(*answers: VettedAnswer, tensors: bytes = b"") -> VettedPackage:
    texts = {one.prompt: one.reviewed.text for one in answers if one.reviewed.text is not None}
    return VettedPackage(KnowledgePackage("r1-t-s", "a" * 64, texts, tensors=tensors), answers)


THREE = vetted(passing("p/1", "return 1"), passing("p/2", "ü\n"), passing("p/3", "x" * 50))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent" / "ledger.jsonl"


@pytest.fixture
def filled(path: Path) -> Path:
    with Ledger(path) as ledger:
        for departure in (FIRST, SECOND):
            ledger.enter(departure, THREE, THREE.package)
    return path


def test_every_text_that_left_is_there_with_whom_and_why(path: Path) -> None:
    """Also what was cut for a budget, held back or blocked; of a blocked text nothing is kept that it could be told from."""
    answers = (
        passing("p/1", "left"),
        passing("p/2", "too much"),
        VettedAnswer("p/3", Reviewed(Action.QUARANTINE, None, FOUND), "held"),
        VettedAnswer("p/4", Reviewed(Action.BLOCK, None, FOUND)),
        VettedAnswer("p/5", Reviewed(Action.REDACT, "[redacted]", FOUND)),
    )
    sent = KnowledgePackage("r1-t-s", "a" * 64, {"p/1": "left", "p/5": "[redacted]"})
    with Ledger(path) as ledger:
        ledger.enter(FIRST, vetted(*answers), sent)
    entries = list(verified(path))
    assert [(one.prompt, one.what, one.text) for one in entries] == [
        ("p/1", LEFT, "left"),
        ("p/2", CUT, "too much"),
        ("p/3", QUARANTINED, "held"),
        ("p/4", BLOCKED, None),
        ("p/5", LEFT, "[redacted]"),
    ]
    assert [one.redacted for one in entries] == [False, False, False, False, True]
    assert {(one.student, one.ticket, one.match_id, one.time) for one in entries} == {("s", "ab" * 32, "r1-t-s", 1.5)}
    assert (entries[3].rules, entries[3].digest, entries[3].size) == (("secret/token",), "", 0)


def test_tensors_are_entered_by_hash_and_size(path: Path) -> None:
    """An adapter is no text, but it leaves."""
    package = vetted(tensors=b"weights")
    with Ledger(path) as ledger:
        ledger.enter(replace(FIRST, protocol="adapter"), package, package.package)
    (entry,) = verified(path)
    assert (entry.what, entry.prompt, entry.size, entry.protocol, entry.text) == (LEFT, "", 7, "adapter", None)
    assert len(entry.digest) == 64


def test_candidates_and_equal_texts_are_entered_each(path: Path) -> None:
    """Two blocked candidates of a prompt cannot be told apart, and are still two."""
    blocked = VettedAnswer("p/1", Reviewed(Action.BLOCK, None, FOUND))
    with Ledger(path) as ledger:
        ledger.enter(FIRST, vetted(blocked, blocked), vetted().package)
    assert verify(path)[0] == 2


def test_the_same_exchange_begun_again_is_entered_once(filled: Path) -> None:
    """A teacher that was killed between ledger and line teaches anew, and writes the same texts."""
    before = filled.read_bytes()
    with Ledger(filled) as ledger:
        ledger.enter(SECOND, THREE, THREE.package)
        assert filled.read_bytes() == before
        ledger.enter(replace(SECOND, match_id="r3-t-s"), THREE, THREE.package)
    assert verify(filled)[0] == 9


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_change_of_any_field_is_noticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whichever entry and field; a text too, though it may be deleted."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.enter(FIRST, THREE, THREE.package)
    entries = list(verified(path))
    index = data.draw(st.integers(0, 2))
    name = data.draw(st.sampled_from([one for one in Entry.__dataclass_fields__ if one != "redacted"]))
    value = getattr(entries[index], name)
    changed = {str: f"{value}x", int: 7, float: 2.5, tuple: ("private/verbatim",)}[type(value)]
    entries[index] = replace(entries[index], **{name: changed})
    path.write_bytes(b"".join(one.line() for one in entries))
    with pytest.raises(LedgerError, match=f"line {index + 1}"):
        verify(path)


@pytest.mark.parametrize("lost", range(5))
def test_an_entry_left_out_is_noticed(filled: Path, lost: int) -> None:
    """All but the last, which only a noted head shows."""
    lines = filled.read_bytes().splitlines(keepends=True)
    head = verify(filled)[1]
    filled.write_bytes(b"".join(lines[:lost] + lines[lost + 1 :]))
    with pytest.raises(LedgerError, match=f"line {lost + 1}"):
        verify(filled)
    filled.write_bytes(b"".join(lines[:-1]))
    assert verify(filled)[0] == 5
    with pytest.raises(LedgerError, match="has been cut off"):
        verify(filled, head)


def test_a_head_noted_earlier_is_found_as_long_as_nothing_was_rewritten(filled: Path) -> None:
    """Every hash of the chain is such a head, and so is that of the empty ledger; a chain written anew has others."""
    heads = [GENESIS, *(one.hash for one in verified(filled))]
    assert all(verify(filled, head) == (6, heads[-1]) for head in heads)
    filled.unlink()
    with Ledger(filled) as ledger:
        ledger.enter(SECOND, THREE, THREE.package)
    with pytest.raises(LedgerError, match="written anew"):
        verify(filled, heads[1])


def test_texts_can_be_deleted_and_the_chain_holds(filled: Path) -> None:
    """For a data officer who has to; what else the entry says stays, and the ledger goes on."""
    head = verify(filled)[1]
    without_texts(filled, [2, 3])
    assert [one.text is None for one in verified(filled)] == [False, True, True, False, False, False]
    assert verify(filled, head) == (6, head)
    with Ledger(filled) as ledger:
        ledger.enter(replace(FIRST, match_id="r3-t-s"), THREE, THREE.package)
    assert verify(filled)[0] == 9
    with pytest.raises(LedgerError, match="no entry 12"):
        without_texts(filled, [1, 12])


def test_a_line_torn_by_a_crash_is_dropped_and_one_in_the_middle_is_not(filled: Path) -> None:
    """What was being written had not been sent; what stands before other entries was."""
    whole = filled.read_bytes()
    filled.write_bytes(whole[:-20])
    with pytest.raises(LedgerError, match="line 6"):
        verify(filled)
    with Ledger(filled) as ledger:
        assert ledger.length == 5
        ledger.enter(SECOND, THREE, THREE.package)
    assert filled.read_bytes() == whole
    lines = whole.splitlines(keepends=True)
    filled.write_bytes(lines[0] + lines[1][:-20] + b"\n" + b"".join(lines[2:]))
    with pytest.raises(LedgerError, match="line 2"):
        Ledger(filled)


def test_only_its_owner_may_read_it(filled: Path) -> None:
    """Also after texts were deleted."""
    assert filled.stat().st_mode & 0o777 == 0o600
    without_texts(filled, [1])
    assert filled.stat().st_mode & 0o777 == 0o600


def test_one_process_at_a_time_writes(path: Path) -> None:
    """Two agents on one folder, or a deletion while the agent runs, would tear the chain."""
    with Ledger(path) as ledger:
        ledger.enter(FIRST, THREE, THREE.package)
        with pytest.raises(LedgerError, match="another process is writing"):
            Ledger(path)
        with pytest.raises(LedgerError, match="another process is writing"):
            without_texts(path, [1])
    without_texts(path, [1])


def test_one_text_to_two_students_or_under_two_tickets_is_entered_twice(filled: Path) -> None:
    """To whom a text went is what the ledger is for."""
    with Ledger(filled) as ledger:
        ledger.enter(replace(SECOND, student="other"), THREE, THREE.package)
        ledger.enter(replace(SECOND, ticket="cd" * 32), THREE, THREE.package)
    assert [(one.student, one.ticket[:2]) for one in verified(filled)][6::3] == [("other", "ab"), ("s", "cd")]


def test_after_a_full_disk_nothing_is_entered_until_the_ledger_is_opened_again(filled: Path) -> None:
    """A part of the entries may stand there: the next exchange is not told that all do."""
    before = filled.stat().st_size
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    third = replace(FIRST, match_id="r3-t-s")
    with Ledger(filled) as ledger:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (before + 300, usual[1]))
            with pytest.raises(LedgerError, match="nothing was sent"):
                ledger.enter(third, THREE, THREE.package)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        with pytest.raises(LedgerError, match="nothing is sent"):
            ledger.enter(third, THREE, THREE.package)
    with Ledger(filled) as ledger:
        ledger.enter(third, THREE, THREE.package)
    assert verify(filled)[0] == 9


def test_a_whole_number_of_seconds_is_a_time(path: Path) -> None:
    """It is read back as it was hashed."""
    with Ledger(path) as ledger:
        ledger.enter(replace(FIRST, time=7), THREE, THREE.package)
    assert {one.time for one in verified(path)} == {7.0}


def test_nobody_writes_between_what_a_deletion_reads_and_what_it_writes(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries of an agent that wrote in between would be gone, and the chain would not show it."""
    tried = []

    def read(path: Path) -> Iterator[Entry]:
        with pytest.raises(LedgerError, match="another process is writing"):
            Ledger(path)
        tried.append(path)
        return verified(path)

    monkeypatch.setattr("knexa.exchange.ledger.verified", read)
    without_texts(filled, [1])
    assert tried == [filled]


def test_an_agent_that_opened_its_ledger_while_texts_were_deleted_starts_again(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would write into a file that nobody sees any more."""

    def late(descriptor: int, path: Path) -> None:
        copy = path.with_name("copy")
        copy.write_bytes(path.read_bytes())
        copy.replace(path)

    monkeypatch.setattr("knexa.exchange.ledger._lock", late)
    with pytest.raises(LedgerError, match="was replaced while it was opened"):
        Ledger(filled)


def test_a_full_disk_is_said_before_anything_is_sent(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller must not send: it gets an error."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with Ledger(path) as ledger:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(LedgerError, match="No space left on device"):
            ledger.enter(FIRST, THREE, THREE.package)


@pytest.mark.parametrize("line", [b"{}\n", b"[]\n", b"no json\n", b"\xff\n", json.dumps({"number": 1}).encode() + b"\n"])
def test_what_is_no_ledger_is_said(path: Path, line: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(line)
    with pytest.raises(LedgerError, match="line 1: is no entry of a ledger"):
        verify(path)
    with pytest.raises(LedgerError, match="cannot be read"):
        verify(path.with_name("none.jsonl"))
