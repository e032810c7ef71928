"""Any bytes from another party either become a valid value or are refused as that party's fault; nothing else happens."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_federation import Recorded, outcome, profile

from knexa.errors import PeerError
from knexa.matching.match import Match
from knexa.protocol.messages import ExchangeFailed, Finished, Matched, OutcomeReported, ProfileReported, RoundOpened
from knexa.service.cpm.journal import Journal
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.route import Route, Way

MATCH = Match("r1-a-b", 1, "a", "b", "text", tuple([1 / 12] * 12), 0.5, 0.5)
SCORES = {"scores": {"pass@1": 0.5}, "by_category": dict.fromkeys(codec.CATEGORIES, 0.5), "loss": 1.0, "perplexity": None}
EVALUATION = {
    **SCORES,
    "stage": "end",
    "round": 3,
    "split": "test",
    "problems": 12,
    "samples": 1,
    "texts_kept": 3,
    "cut": 1,
    "correct": [1] * 12,
}
REPORTS = [
    codec.report("one", what).SerializeToString()
    for what in (ProfileReported(profile("a", 1)), OutcomeReported(outcome(MATCH)), ExchangeFailed("r1-a-b", ""), EVALUATION)
]
DIRECTIVES = [
    codec.directive(what, b"ticket", Route(Way.DIRECT, "a.example:1")).SerializeToString()
    for what in (RoundOpened(1), Matched(MATCH), Finished(3))
]


@st.composite
def spoiled(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """Bytes that are nearly a message: some changed, cut out, or put in."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["change", "cut", "insert"])):
            case "change" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "cut":
                del data[at : at + draw(st.integers(1, 20))]
            case _:
                data[at:at] = draw(st.binary(min_size=1, max_size=20))
    return bytes(data)


def numbers(value: Any) -> list[float]:
    if isinstance(value, float):
        return [value]
    if isinstance(value, dict):
        return [one for inner in value.values() for one in numbers(inner)]
    return [one for inner in value for one in numbers(inner)] if isinstance(value, list | tuple) else []


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=300) | spoiled(REPORTS))
def test_a_report_is_one_or_is_refused(data: bytes) -> None:
    """Profiles and scores that pass hold finite numbers only; what passed is written as it was read."""
    try:
        report_id, what = codec.from_report("a", codec.parsed(pb.ReportRequest, data, "a"))
    except PeerError:
        return
    assert codec.from_report("a", codec.report(report_id, what))[0] == report_id
    held = what if isinstance(what, dict) else what.profile.to_dict() if isinstance(what, ProfileReported) else {}
    assert all(map(math.isfinite, numbers(held)))


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=300) | spoiled(DIRECTIVES))
def test_a_directive_is_one_or_is_refused(data: bytes) -> None:
    """A match that passes has a route, too, or the PeerError says that it has none."""
    try:
        told = codec.parsed(pb.Directive, data, "cpm")
        message = codec.from_directive(told)
        if isinstance(message, Matched):
            codec.from_route(told.matched)
    except PeerError:
        return
    assert isinstance(message, RoundOpened | Matched | Finished)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """In its first round, with everybody there."""
    return Recorded(Journal(f"sqlite:///{tmp_path_factory.mktemp('fuzz') / 'journal'}")).begun()


@settings(max_examples=800, deadline=None)
@given(st.data())
def test_a_coordinator_takes_a_report_or_stays_as_it_was(recorded: Recorded, data: st.DataObject) -> None:
    """Whoever sends what, under whichever name: a refusal changes nothing, and the journal's replay stays equal to what is in memory."""
    agent = data.draw(st.sampled_from(["a", "b", "c", "d"]))
    sent = data.draw(st.binary(max_size=200) | spoiled(REPORTS))
    before, known = recorded.memory(), recorded.conductor.inputs
    try:
        recorded.conductor.report(agent, codec.parsed(pb.ReportRequest, sent, agent), 3.0)
    except PeerError:
        assert recorded.memory() == before
        assert recorded.conductor.inputs == known
    assert recorded.conductor.broken is None


def test_what_was_taken_can_be_replayed(recorded: Recorded) -> None:
    """Everything that the fuzzer got in, a restart reads again."""
    assert Recorded(recorded.conductor._journal).memory() == recorded.memory()
