"""The audit: all that was received, and nothing that was not of the schema goes unseen."""

from __future__ import annotations

from pathlib import Path

from local_federation import NAMES, Recorded

from knexa.service.cpm.audit import audit
from knexa.service.cpm.journal import Entry, Journal
from knexa.service.wire import federation_pb2 as pb


def started(journal: Journal) -> Recorded:
    one = Recorded(journal)
    one.begun()
    for agent, report in one.reports():
        one.conductor.report(agent, report, 3.0)
    return one


def test_an_audit_shows_every_number_that_was_received(tmp_path: Path) -> None:
    """Four agents join and report a profile of 56 numbers each, with round and schema; all texts are names, hashes and addresses."""
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        started(journal)
        found = audit(journal)
    assert not found.faults
    assert [(one.sender, one.kind) for one in found.received] == [(name, kind) for kind in ("joinrequest", "profile") for name in NAMES]
    assert found.numbers == 4 * (56 + 2)
    assert {name for name, _ in found.texts} == {f"joinrequest.{field}" for field in ("transfer_set", "address", "config", "start")}


def test_a_text_that_got_into_the_journal_is_found(tmp_path: Path) -> None:
    """Planted behind the schema's back, as a field that it does not know, or as rubbish: the audit names the entry."""
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        one = started(journal)
        body = one.reports()[0][1].SerializeToString() if one.reports() else b""
        smuggled = pb.Sealed(envelope=b"a private text").SerializeToString().replace(b"\x1a", b"\xfa\x01", 1)
        journal.append(Entry(9.0, "report", "a", "outcome-x", body + smuggled))
        journal.append(Entry(9.0, "report", "b", "rubbish", b"a private text"))
        assert len(audit(journal).faults) == 2
