"""The audit: all that was received, and nothing that was not of the schema goes unseen."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import knexa
from local_federation import NAMES, Recorded

from knexa.errors import PeerError
from knexa.protocol.messages import REFUSED, ExchangeFailed, Matched
from knexa.service.cpm.audit import audit
from knexa.service.cpm.journal import Entry, Journal, JournalError
from knexa.service.wire import codec
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


def refused(one: Recorded, agent: str, report: pb.ReportRequest) -> None:
    with pytest.raises(PeerError, match="not written as its values are"):
        one.conductor.report(agent, report, 5.0)


def test_no_report_that_is_taken_makes_the_audit_fail(tmp_path: Path) -> None:
    """What says the same in other bytes is refused: a reason that is none, one k twice, a value of the schema that nothing reads."""
    evaluation = {"scores": {"pass@1": 0.5}, "by_category": dict.fromkeys(codec.CATEGORIES, 0.5), "loss": None, "perplexity": None}
    evaluation |= {"round": 0, "split": "test", "problems": 2, "samples": 1, "texts_kept": 0, "cut": 0, "correct": [0, 1]}
    twice = codec.report("twice", {**evaluation, "stage": "start"})
    twice.evaluation.k.append(1)
    twice.evaluation.pass_at_k.append(0.5)
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        one = started(journal)
        match = next(said.message.match for said in one.conductor.holding("a", 0) if isinstance(said.message, Matched))
        for number, reason in enumerate((0, 99)):
            refused(one, "a", pb.ReportRequest(report_id=f"failure-{number}", failure=pb.Failure(match_id=match.match_id, reason=reason)))
        refused(one, "b", twice)
        one.conductor.report("b", codec.report("once", {**evaluation, "stage": "start"}), 6.0)
        one.conductor.report("a", codec.report("failure", ExchangeFailed(match.match_id, REFUSED)), 7.0)
        assert not audit(journal).faults


def test_a_report_whose_numbers_come_in_another_order_is_taken(tmp_path: Path) -> None:
    """On the wire, fields may come in any order; what is kept is in one."""
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        one = Recorded(journal).begun()
        agent, report = one.reports()[0]
        turned = pb.ReportRequest(profile=report.profile).SerializeToString() + pb.ReportRequest(report_id="p").SerializeToString()
        one.conductor.report(agent, codec.parsed(pb.ReportRequest, turned, agent), 5.0)
        assert not audit(journal).faults


def test_an_audit_proves_nothing_where_there_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file, an empty one, a journal that never began: each is refused, and none is made."""
    (tmp_path / "journal.sqlite").touch()
    assert knexa("audit", "cpm", str(tmp_path)) == 5
    assert knexa("audit", "cpm", str(tmp_path), "--journal", f"sqlite:///{tmp_path / 'nonexist.sqlite'}") == 2
    assert "there is no such file" in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "nonexist.sqlite").exists()
    Journal(f"sqlite:///{tmp_path / 'new'}").close()
    assert knexa("audit", "cpm", str(tmp_path), "--journal", f"sqlite:///{tmp_path / 'new'}") == 5
    assert "no federation has begun in it" in capsys.readouterr().err.replace("\n", " ")


def test_a_journal_that_is_damaged_behind_its_first_entries_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rubbish in the middle of the file is met while entries are read, not when it is opened."""
    path = tmp_path / "journal.sqlite"
    with Journal(f"sqlite:///{path}") as journal:
        journal.begin("f-1", "a" * 64)
        for number in range(200):
            journal.append(Entry(1.0, "report", "a", f"r-{number}", bytes(1000)))
    whole = path.read_bytes()
    path.write_bytes(whole[:100_000] + b"\xff" * 50_000 + whole[150_000:])
    with Journal(f"sqlite:///{path}") as journal:
        for read in (lambda: list(journal.entries()), lambda: journal.ids(1000)):
            with pytest.raises(JournalError, match=r"cannot be read .*; restore it from a backup"):
                read()
    assert knexa("audit", "cpm", str(tmp_path)) == 5
    assert "restore it from a backup" in capsys.readouterr().err.replace("\n", " ")
