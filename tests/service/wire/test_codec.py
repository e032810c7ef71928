"""The wire: values come back as they were, and any bytes either parse or are the sender's fault."""

from __future__ import annotations

import importlib.resources
import math
from pathlib import Path

import pytest
from google.protobuf.message import Message
from grpc_tools import protoc
from hypothesis import given
from hypothesis import strategies as st
from local_federation import outcome, profile

from knexa.errors import PeerError
from knexa.matching.match import Match
from knexa.protocol.messages import ExchangeFailed, Finished, Matched, OutcomeReported, ProfileReported, RoundOpened
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.route import Route, Way

MATCH = Match("r1-a-b", 1, "a", "b", "text", tuple([1 / 12] * 12), -0.25, 0.5)
EVALUATION = {
    "stage": "round",
    "round": 10,
    "split": "validation",
    "problems": 12,
    "samples": 4,
    "scores": {"pass@1": 0.1, "pass@5": 0.3, "codebleu": 0.4},
    "by_category": dict.fromkeys(codec.CATEGORIES, 0.2),
    "loss": 0.5,
    "perplexity": None,
    "texts_kept": 3,
    "cut": 2,
    "correct": [0, 1, 2, 3, 4, 0, 0, 0, 1, 1, 2, 4],
}
GREEDY = {**EVALUATION, "scores": {"pass@1": 0.1}}


@pytest.mark.parametrize("message", [RoundOpened(3), Finished(20), Matched(MATCH)])
def test_a_directive_arrives_as_it_was_said(message) -> None:
    """Through bytes and back; a match brings its ticket and where its teacher is called."""
    sent = pb.Directive.FromString(codec.directive(message, b"ticket", Route(Way.DIRECT, "host:1")).SerializeToString())
    assert codec.from_directive(sent) == message
    if isinstance(message, Matched):
        assert (sent.matched.ticket, sent.matched.address) == (b"ticket", "host:1")


@pytest.mark.parametrize(
    "report",
    [ProfileReported(profile("a", 2)), OutcomeReported(outcome(MATCH)), ExchangeFailed("r1-a-b", codec.NO_PACKAGE), EVALUATION, GREEDY],
    ids=["profile", "outcome", "failure", "evaluation", "without CodeBLEU"],
)
def test_a_report_arrives_as_it_was_made(report) -> None:
    """Every float to the bit."""
    sent = pb.ReportRequest.FromString(codec.report("id-1", report).SerializeToString())
    assert codec.from_report("a", sent) == ("id-1", report)


def test_names_of_own_categories_stay_at_home() -> None:
    """Shares arrive in order under numbers, exact matches beside them; up to 12, and at least one."""
    own = {**EVALUATION, "scores": {"exact_match": 0.25}, "by_category": {"heart": 0.5, "patient 17": 0.0}}
    sent = codec.report("id-1", own)
    assert b"patient" not in sent.SerializeToString()
    _, arrived = codec.from_report("a", pb.ReportRequest.FromString(sent.SerializeToString()))
    assert arrived == {**own, "by_category": {"category 01": 0.5, "category 02": 0.0}}
    for shares in ([], [0.1] * 13):
        sent.evaluation.ClearField("by_category")
        sent.evaluation.by_category.extend(shares)
        with pytest.raises(PeerError):
            codec.from_report("a", sent)


def test_free_text_has_no_way_to_the_coordinator() -> None:
    """Why an exchange failed is one of two words on the wire, whatever the agent wrote."""
    sent = codec.report("id-1", ExchangeFailed("r1-a-b", "patient 17 has ..."))
    assert b"patient" not in sent.SerializeToString()
    text_fields = {
        f"{message.name}.{field.name}"
        for message in pb.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
        if field.type in (field.TYPE_STRING, field.TYPE_BYTES)
        and message.name in ("ReportRequest", "Profile", "Outcome", "Failure", "Evaluation")
    }
    assert text_fields == {"ReportRequest.report_id", "Outcome.match_id", "Failure.match_id"}


def test_what_the_schema_does_not_know_is_dropped() -> None:
    """A field of another schema, with a text in it, neither arrives nor is kept."""
    smuggled = pb.Sealed(envelope=b"a secret text").SerializeToString().replace(b"\x1a", b"\xfa\x01", 1)  # as field 31
    whole = codec.report("id-1", EVALUATION).SerializeToString() + smuggled
    assert b"secret" in pb.ReportRequest.FromString(whole).SerializeToString()
    assert b"secret" not in codec.parsed(pb.ReportRequest, whole, "a").SerializeToString()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("loss", math.nan),
        ("loss", -1.0),
        ("pass_at_k", [2.0, 0.1]),
        ("codebleu", 1.5),
        ("codebleu", math.nan),
        ("by_category", [0.1] * 11),
        ("stage", 9),
        ("k", [1]),
        ("problems", 2**31),
    ],
)
def test_an_evaluation_that_breaks_the_schema_is_refused(field: str, value) -> None:
    """Scores are shares, losses finite or absent, blocks complete."""
    sent = codec.report("id-1", EVALUATION)
    sent.evaluation.ClearField(field)
    if isinstance(value, list):
        getattr(sent.evaluation, field).extend(value)
    else:
        setattr(sent.evaluation, field, value)
    with pytest.raises(PeerError):
        codec.from_report("a", sent)


@pytest.mark.parametrize("kind", [pb.ReportRequest, pb.Directive, pb.JoinRequest, pb.Greeting, pb.Sealed, pb.Federation])
@given(data=st.binary(max_size=300))
def test_any_bytes_either_parse_or_are_the_senders_fault(kind: type[Message], data: bytes) -> None:
    """Nothing but a PeerError, at the parser and behind it."""
    try:
        message = codec.parsed(kind, data, "a")
        if isinstance(message, pb.ReportRequest):
            codec.from_report("a", message)
        if isinstance(message, pb.Directive):
            codec.from_directive(message)
    except PeerError:
        return


@given(data=st.data())
def test_flipped_bits_in_a_report_parse_or_are_the_senders_fault(data: st.DataObject) -> None:
    """Near the truth the parser gets further: what it lets through is valid, to its last number."""
    whole = bytearray(codec.report("id-1", OutcomeReported(outcome(MATCH))).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        codec.from_report("a", codec.parsed(pb.ReportRequest, bytes(whole), "a"))
    except PeerError:
        return


def test_the_compiled_schema_is_that_of_the_proto_file(tmp_path: Path) -> None:
    """federation_pb2.py is what grpc_tools makes of federation.proto today."""
    root = Path(str(importlib.resources.files("knexa"))).parent
    assert protoc.main(["protoc", f"-I{root}", f"--python_out={tmp_path}", str(root / "knexa/service/wire/federation.proto")]) == 0
    made = tmp_path / "knexa/service/wire/federation_pb2.py"
    assert made.read_text(encoding="utf-8") == (root / "knexa/service/wire/federation_pb2.py").read_text(encoding="utf-8")
