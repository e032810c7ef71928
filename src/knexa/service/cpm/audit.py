"""``knexa audit cpm``: everything that a coordinator ever took from its agents, from its journal, and a proof of what it can be.

What arrives is parsed by the closed schema, and only the parsed values are kept: whatever else was in the bytes is gone before anything
reads it. The proof is that every entry, written again from its values alone, is the entry: there are numbers in it, and texts in five
places, each of which has a form of its own (a match, a report, two hashes, an address). Refused messages are not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from knexa.errors import PeerError
from knexa.service.cpm.journal import Entry, Journal
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb

#: Bytes of an identity's fingerprint, which stand before a request to join.
_KEY = 64


@dataclass(frozen=True, slots=True)
class Received:
    """One entry: who sent it when, what kind of message it was, its values by field, and its size in bytes.

    ``fault``: why it is not of the schema; empty if it is.
    """

    time: float
    sender: str
    kind: str
    values: dict[str, Any]
    bytes: int
    fault: str = ""


@dataclass(slots=True)
class Audit:
    """``numbers``: how many were received. ``texts``: every text by its field: identifiers, hashes and addresses are all there can be.

    ``faults``: entries that hold something else.
    """

    received: list[Received] = field(default_factory=list)
    numbers: int = 0
    texts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def faults(self) -> list[Received]:
        return [one for one in self.received if one.fault]


def audit(journal: Journal) -> Audit:
    """All that agents sent, in the order in which it was taken."""
    found = Audit()
    for entry in journal.entries():
        if entry.kind not in ("join", "report"):
            continue
        one = _received(entry)
        found.received.append(one)
        for name, value in one.values.items():
            for single in value if isinstance(value, list) else [value]:
                if isinstance(single, str | bytes):
                    found.texts[f"{one.kind}.{name}", single if isinstance(single, str) else single.hex()] += 1
                else:
                    found.numbers += 1
    return found


def _received(entry: Entry) -> Received:
    body = entry.body[_KEY:] if entry.kind == "join" else entry.body
    kind: type[Message] = pb.JoinRequest if entry.kind == "join" else pb.ReportRequest
    try:
        message = codec.parsed(kind, body, entry.sender)
        if isinstance(message, pb.ReportRequest):
            _, what = codec.from_report(entry.sender, message)
            again = codec.report(entry.entry_id, what).SerializeToString()
        else:
            again = message.SerializeToString()
    except PeerError as error:
        return Received(entry.time, entry.sender, entry.kind, {}, len(entry.body), str(error))
    fault = "" if again == body else "the bytes hold more than the schema's values"
    inner = getattr(message, str(message.WhichOneof("what"))) if isinstance(message, pb.ReportRequest) else message
    name = type(inner).__name__.lower()
    return Received(entry.time, entry.sender, name, dict(_values(inner)), len(entry.body), fault)


def _values(message: Message) -> Iterator[tuple[str, Any]]:
    for described, value in message.ListFields():
        yield described.name, value if isinstance(value, str | bytes | int | float) else list(value)
