"""What a coordinator knows of each agent beside its profile: as what it joined, what it was told, which scores it gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from knexa.protocol.messages import Message
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.route import Reach


@dataclass(frozen=True, slots=True)
class Member:
    """An agent as it last joined.

    ``reach``: where its peers can call it. ``key``: fingerprint of its identity. ``start``: SHA-256 of the state that it starts from.
    """

    reach: Reach
    key: str
    start: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """A directive to one agent; ``number`` grows with every directive to anybody."""

    number: int
    message: Message


@dataclass(slots=True)
class Seat:
    """What is known of an agent: as what it joined, what still holds of what it was told, of which stages and rounds it gave scores."""

    member: Member | None = None
    said: list[Said] = field(default_factory=list)
    evaluated: set[tuple[str, int]] = field(default_factory=set)

    @property
    def finished(self) -> bool:
        """Whether its final scores are here."""
        return any(stage == "end" for stage, _ in self.evaluated)

    def state(self) -> dict[str, Any]:
        """JSON-able; without what it joined as, which the journal has."""
        said = [[one.number, codec.directive(one.message).SerializeToString().hex()] for one in self.said]
        return {"said": said, "evaluated": sorted(map(list, self.evaluated))}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state`."""
        told = [(number, pb.Directive.FromString(bytes.fromhex(data))) for number, data in state["said"]]
        self.said = [Said(number, codec.from_directive(directive)) for number, directive in told]
        self.evaluated = {(stage, round) for stage, round in state["evaluated"]}
