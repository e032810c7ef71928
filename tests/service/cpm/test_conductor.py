"""The coordinator's memory: whatever was acknowledged is restored to the bit, counted once, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from local_federation import NAMES, ROUNDS, Recorded, join_request

from knexa.errors import PeerError
from knexa.protocol.coordinator import Phase
from knexa.service.cpm.journal import Entry, Journal, JournalError
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb

Step = Callable[[Recorded], None]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        yield journal


def play(one: Recorded, journal: Journal) -> Iterator[None]:
    """All rounds, one input at a time; goes on where the journal ends."""
    conductor = one.conductor
    while conductor.coordinator.phase is not Phase.FINISHED:
        known = {(entry.sender, entry.entry_id) for entry in journal.entries()}
        now = float(len(known))
        due = [(agent, report) for agent, report in one.reports() if (agent, report.report_id) not in known]
        if due:
            conductor.report(*due[0], now)
        else:
            conductor.tick(now)
        yield


def test_a_restart_after_any_input_restores_everything(journal: Journal) -> None:
    """Events, directives, standings, deadline and the bandit (its digest is in the events) are those of the process that died."""
    one = Recorded(journal).begun()
    steps = 0
    for _ in play(one, journal):
        steps += 1
        assert Recorded(journal).memory() == one.memory()
    assert steps > 4 * ROUNDS
    assert one.conductor.coordinator.phase is Phase.FINISHED
    assert sum('"kind": "reward"' in event for event in one.events) == 2 * ROUNDS


def test_agents_that_no_path_leads_between_are_not_paired(journal: Journal) -> None:
    """Two that can be called nowhere: never with each other, whatever the matchmaker would like; with the others they are paired."""
    one = Recorded(journal)
    hidden = set(NAMES[:2])
    for name in NAMES:
        request = join_request(name)
        if name in hidden:
            request.address = ""
        one.conductor.join(name, request, name * 64, 1.0)
    one.conductor.start(2.0)
    for _ in play(one, journal):
        pass
    rounds = [json.loads(event)["matches"] for event in one.events if json.loads(event)["kind"] == "match"]
    pairs = [{match["teacher"], match["student"]} for matches in rounds for match in matches]
    assert len(pairs) == 2 * ROUNDS
    assert hidden not in pairs
    assert all(any(name in pair for pair in pairs) for name in hidden)
    assert one.conductor.hidden == list(NAMES[:2])
    assert Recorded(journal).events == one.events


def test_a_restart_from_a_snapshot_restores_everything_as_well(journal: Journal) -> None:
    """At every moment, from whichever round's snapshot is there: what a replay of the whole journal restores, and it goes on alike."""
    one = Recorded(journal).begun()
    numbers = set()
    for _ in play(one, journal):
        snapshot = journal.snapshot()
        if snapshot is not None:
            numbers.add(snapshot.number)
            again = Recorded(journal, snapshot, one.events)
            assert again.memory() == one.memory() == Recorded(journal).memory()
            assert again.conductor.inputs == one.conductor.inputs
            assert again.conductor.transfer_set == one.conductor.transfer_set
            assert again.conductor.seats == one.conductor.seats
    assert len(numbers) == ROUNDS


def test_a_federation_that_only_ever_restarts_from_snapshots_decides_as_a_steady_one(tmp_path: Path) -> None:
    """Every input goes to a process that began with the newest snapshot just before it."""
    with Journal(f"sqlite:///{tmp_path / 'one'}") as first, Journal(f"sqlite:///{tmp_path / 'two'}") as second:
        steady = Recorded(first).begun()
        for _ in play(steady, first):
            pass
        events = Recorded(second).begun().events
        while (one := Recorded(second, second.snapshot(), events)).conductor.coordinator.phase is not Phase.FINISHED:
            next(play(one, second), None)
            events = one.events
        assert one.events == steady.events


def test_a_snapshot_of_another_version_is_left_alone(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it means may have changed; the entries mean what they did."""
    for _ in play(Recorded(journal).begun(), journal):
        pass
    assert journal.snapshot() is not None
    monkeypatch.setattr("knexa.service.cpm.journal.version", lambda name: "0.0.0")
    assert journal.snapshot() is None


def test_a_restarted_coordinator_decides_as_the_first_would_have(tmp_path: Path) -> None:
    """Every input goes to a process that was restarted just before it; the record is the same as without any restart."""
    with Journal(f"sqlite:///{tmp_path / 'one'}") as first, Journal(f"sqlite:///{tmp_path / 'two'}") as second:
        steady = Recorded(first).begun()
        for _ in play(steady, first):
            pass
        Recorded(second).begun()
        while (one := Recorded(second)).conductor.coordinator.phase is not Phase.FINISHED:
            next(play(one, second), None)
        assert one.events == steady.events


def test_a_report_sent_again_is_counted_once(journal: Journal) -> None:
    """Also by a process that was restarted in between: the reply was lost, not the report."""
    one = Recorded(journal).begun()
    agent, report = one.reports()[0]
    one.conductor.report(agent, report, 5.0)
    before = one.memory()
    one.conductor.report(agent, report, 6.0)
    again = Recorded(journal)
    again.conductor.report(agent, report, 7.0)
    assert again.memory() == one.memory() == before
    assert sum(entry.kind == "report" for entry in journal.entries()) == 1


def test_reports_that_come_together_are_taken_as_one_by_one(tmp_path: Path) -> None:
    """The same events, memory and journal, whatever is refused among them; a restart has them all."""
    with Journal(f"sqlite:///{tmp_path / 'one'}") as first, Journal(f"sqlite:///{tmp_path / 'two'}") as second:
        apart, together = Recorded(first).begun(), Recorded(second).begun()
        rounds = 0
        while apart.conductor.coordinator.phase is not Phase.FINISHED:
            due = apart.reports()
            if due:
                spoiled = pb.ReportRequest.FromString(due[0][1].SerializeToString())
                spoiled.report_id = "another"
                many = [*due, due[0], (due[0][0], spoiled)]
                alone = [refusal(apart, agent, report) for agent, report in many]
                assert [str(one) for one in together.conductor.report_all(many, 5.0)] == alone
                assert {"None"} < set(alone)
            for one in (apart, together):
                one.conductor.tick(1000.0 * rounds)
            rounds += 1
        assert together.memory() == apart.memory() == Recorded(second).memory()
        assert list(second.entries()) == list(first.entries())


def test_what_a_failed_sync_has_lost_is_acknowledged_to_nobody(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither then nor when it is sent again, although memory knows of it; a restart takes it."""
    one = Recorded(journal).begun()
    due = one.reports()
    write = journal._write

    def failing(*statements: object, keep: bool = False) -> None:
        if keep:
            raise JournalError("no room")
        write(*statements, keep=keep)

    monkeypatch.setattr(journal, "_write", failing)
    with pytest.raises(JournalError, match="no room"):
        one.conductor.report_all(due, 5.0)
    monkeypatch.undo()
    for again in (lambda: one.conductor.report_all(due, 6.0), lambda: one.conductor.report(*due[0], 6.0)):
        with pytest.raises(JournalError, match="start the coordinator again"):
            again()
    journal._connection.rollback()
    assert not any(entry.kind == "report" for entry in journal.entries())
    restarted = Recorded(journal)
    assert restarted.conductor.report_all(due, 7.0) == [None] * len(due)


def refusal(one: Recorded, agent: str, report: pb.ReportRequest) -> str:
    try:
        one.conductor.report(agent, report, 5.0)
    except PeerError as error:
        return str(error)
    return "None"


@pytest.mark.parametrize(
    ("agent", "change"),
    [
        ("a", lambda report: report.profile.metrics.append(1.0)),
        ("a", lambda report: report.profile.metrics.__setitem__(0, float("nan"))),
        ("a", lambda report: report.profile.histogram.__setitem__(0, float("inf"))),
        ("a", lambda report: setattr(report.profile, "round", 7)),
        ("a", lambda report: setattr(report, "report_id", "line\nbreak")),
        ("a", lambda report: report.ClearField("profile")),
    ],
)
def test_what_breaks_the_protocol_changes_and_keeps_nothing(
    journal: Journal, agent: str, change: Callable[[pb.ReportRequest], object]
) -> None:
    """A refused report is neither in memory nor in the journal; an honest one can still come."""
    one = Recorded(journal).begun()
    reports = dict(one.reports())
    spoiled = pb.ReportRequest.FromString(reports[agent].SerializeToString())
    change(spoiled)
    before, kept = one.memory(), list(journal.entries())
    with pytest.raises(PeerError):
        one.conductor.report(agent, spoiled, 5.0)
    assert (one.memory(), list(journal.entries())) == (before, kept)
    one.conductor.report(agent, reports[agent], 6.0)


def test_a_deadline_fires_although_the_phase_before_was_quick(journal: Journal) -> None:
    """The earlier phase's alarm, still to come when the next one began, must not take the place of its own."""
    one = Recorded(journal).begun()
    for agent, report in one.reports():
        one.conductor.report(agent, report, 3.0)
    assert one.conductor.coordinator.phase is Phase.EXCHANGES
    now = 4.0
    while one.conductor.coordinator.phase is Phase.EXCHANGES and now < 300.0:
        now += 1.0
        one.conductor.tick(now)
    assert one.conductor.coordinator.phase is not Phase.EXCHANGES


class FullJournal(Journal):
    """A journal whose disk is full from one moment on."""

    full = False

    def append(self, entry: Entry) -> None:
        if self.full:
            raise JournalError("no space left")
        super().append(entry)


def test_after_a_journal_error_nothing_more_is_acknowledged(tmp_path: Path) -> None:
    """Memory is ahead of the disk then: every further input is refused until a restart, which forgets what was not kept."""
    with FullJournal(f"sqlite:///{tmp_path / 'journal'}") as journal:
        one = Recorded(journal).begun()
        (agent, report), (other, another), *_ = one.reports()
        journal.full = True
        with pytest.raises(JournalError, match="no space"):
            one.conductor.report(agent, report, 5.0)
        journal.full = False
        with pytest.raises(JournalError, match="start the coordinator again"):
            one.conductor.report(other, another, 6.0)
        again = Recorded(journal)
        again.conductor.report(agent, report, 7.0)
        again.conductor.report(other, another, 8.0)


@pytest.mark.parametrize(("stage", "round"), [("end", 1), ("round", 2), ("round", 0), ("start", 1)])
def test_scores_are_taken_when_they_are_due_and_once(journal: Journal, stage: str, round: int) -> None:
    """None before its time, none twice, however they are called: a journal cannot be filled with them."""
    one = Recorded(journal).begun()
    scores = {"scores": {"pass@1": 0.5}, "by_category": dict.fromkeys(codec.CATEGORIES, 0.5), "loss": 1.0, "perplexity": None}
    fields = {
        **scores,
        "stage": "start",
        "round": 0,
        "split": "test",
        "problems": 12,
        "samples": 1,
        "texts_kept": 3,
        "cut": 1,
        "correct": [1] * 12,
    }
    with pytest.raises(PeerError, match="not due"):
        one.conductor.report("a", codec.report("one", {**fields, "stage": stage, "round": round}), 5.0)
    one.conductor.report("a", codec.report("two", fields), 5.0)
    with pytest.raises(PeerError, match="not due, or known"):
        one.conductor.report("a", codec.report("three", fields), 5.0)


def test_nobody_joins_with_other_settings_or_another_transfer_set(journal: Journal) -> None:
    """What all must hold alike is checked before anybody is told anything."""
    one = Recorded(journal)
    one.conductor.join("a", join_request("a"), "k" * 64, 1.0)
    spoiled = (
        ("config", "other"),
        ("transfer_set", "b" * 64),
        ("transfer_set", "short"),
        ("address", "a\nb:1"),
        ("relay", "relay.example:7450"),
        ("address", "unix:/tmp/x"),
    )
    for field, value in spoiled:
        request = join_request("b")
        setattr(request, field, value)
        with pytest.raises(PeerError, match="agent 'b'"):
            one.conductor.join("b", request, "k" * 64, 2.0)
    assert one.conductor.missing == ["b", "c", "d"]


def test_coming_back_is_no_news_but_a_new_address_is(journal: Journal) -> None:
    """An agent that restarts where it was leaves no entry; one that has moved is found at its new address, also after a restart."""
    one = Recorded(journal).begun()
    entries = len(list(journal.entries()))
    one.conductor.join("a", join_request("a"), "a" * 64, 9.0)
    assert len(list(journal.entries())) == entries
    moved = join_request("a")
    moved.address = "elsewhere.example:7440"
    one.conductor.join("a", moved, "a" * 64, 10.0)
    member = Recorded(journal).conductor.seats["a"].member
    assert member is not None
    assert member.reach.address == "elsewhere.example:7440"


@pytest.mark.parametrize("report_id", ["join-5", "join-6"])
def test_no_report_takes_the_id_of_a_join(journal: Journal, report_id: str) -> None:
    """An agent that calls its report as a join would be called, and then moves: both are taken, also by a process that was restarted."""
    one = Recorded(journal).begun()
    one.conductor.report("a", codec.report(report_id, {**_evaluation(), "stage": "start"}), 5.0)
    for number in range(2):
        moved = join_request("a")
        moved.address = f"elsewhere-{number}.example:7440"
        one.conductor.join("a", moved, "a" * 64, 10.0)
    again = Recorded(journal)
    assert again.memory() == one.memory()
    assert again.conductor.reach("a").address == "elsewhere-1.example:7440"
    with pytest.raises(PeerError, match="no name of a report"):
        one.conductor.report("a", codec.report(f"#{report_id}", {**_evaluation(), "stage": "start"}), 11.0)


def test_a_journal_whose_joins_have_no_sign_goes_on(tmp_path: Path) -> None:
    """As it was written before there was one: it restores the same memory, and takes further joins."""
    with Journal(f"sqlite:///{tmp_path / 'one'}") as first, Journal(f"sqlite:///{tmp_path / 'two'}") as second:
        one = Recorded(first).begun()
        for entry in first.entries():
            second.append(replace(entry, entry_id=entry.entry_id.removeprefix("#")))
        again = Recorded(second)
        assert again.memory() == one.memory()
        moved = join_request("a")
        moved.address = "elsewhere.example:7440"
        again.conductor.join("a", moved, "a" * 64, 10.0)
        assert Recorded(second).conductor.reach("a").address == "elsewhere.example:7440"


def test_the_end_names_everybodys_final_state(journal: Journal) -> None:
    """Who has reported final scores is finished, who has not is lost: nobody is left out in silence."""
    one = Recorded(journal).begun()
    for _ in play(one, journal):
        pass
    scores = {"scores": {"pass@1": 0.5}, "by_category": dict.fromkeys(codec.CATEGORIES, 0.5), "loss": 1.0, "perplexity": None}
    fields = {
        **scores,
        "stage": "end",
        "round": ROUNDS,
        "split": "test",
        "problems": 12,
        "samples": 1,
        "texts_kept": 3,
        "cut": 1,
        "correct": [1] * 12,
    }
    for name in NAMES[:3]:
        one.conductor.report(name, codec.report("evaluation-end", fields), 50.0)
    assert one.conductor.unfinished == [NAMES[3]]
    one.conductor.close(60.0)
    assert '"state": "finished"' in one.events[-1]
    assert one.events[-1].count('"state": "lost"') == 1
    assert Recorded(journal).events == one.events


def test_scores_before_the_start_are_refused(journal: Journal) -> None:
    """The record begins with its header, so nothing may come before it."""
    one = Recorded(journal)
    one.conductor.join("a", join_request("a"), "k" * 64, 1.0)
    with pytest.raises(PeerError, match="before the federation has started"):
        one.conductor.report("a", codec.report("x", {**_evaluation(), "stage": "start"}), 2.0)
    assert one.events == []


def _evaluation() -> dict[str, object]:
    shares = {"scores": {"pass@1": 0.5}, "by_category": dict.fromkeys(codec.CATEGORIES, 0.5), "loss": None, "perplexity": None}
    return {**shares, "round": 0, "split": "test", "problems": 12, "samples": 1, "texts_kept": 0, "cut": 0, "correct": [0] * 12}
