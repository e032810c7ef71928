"""How the exchange of a match travels, by who of the two can be called."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Self

from knexa.errors import ConfigurationError
from knexa.service.identity import RELAY, Identity
from knexa.service.identity.grant import Address

#: Where a port listens, and nobody can be called.
EVERYWHERE = frozenset({"0.0.0.0", "::"})

#: Characters of an address: a host name has 253 at most.
LONGEST = 320


class Way(Enum):
    """``DIRECT``: the student calls the teacher. ``REVERSE``: the teacher opens a line to the student, which asks on it.

    ``RELAY``: the student calls a relay at which the teacher listens. ``NONE``: neither can be called.
    """

    DIRECT = "direct"
    REVERSE = "reverse"
    RELAY = "relay"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reach:
    """Where an agent can be called: ``address`` is HOST:PORT, ``relay`` ORGANISATION@HOST:PORT at which it listens; "" is nowhere."""

    address: str = ""
    relay: str = ""

    @property
    def valid(self) -> bool:
        """Whether both are what they should be: they are told to peers, and shown to people."""
        if max(len(self.address), len(self.relay)) > LONGEST:
            return False
        try:
            return (not self.address or bool(Address.parse(self.address))) and (not self.relay or bool(RelayAt.parse(self.relay)))
        except ConfigurationError:
            return False


@dataclass(frozen=True, slots=True)
class RelayAt:
    """The relay of ``organisation`` at ``address`` (HOST:PORT)."""

    organisation: str
    address: str

    def __str__(self) -> str:
        return f"{self.organisation}@{self.address}"

    @property
    def identity(self) -> Identity:
        return Identity(self.organisation, RELAY)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ConfigurationError."""
        organisation, at, address = text.partition("@")
        if not at:
            raise ConfigurationError(f"relay: found {text[:100]!r}; allowed: ORGANISATION@HOST:PORT")
        return cls(Identity(organisation, RELAY).organisation, str(Address.parse(address, "relay")))


@dataclass(frozen=True, slots=True)
class Route:
    """What one of the two peers of a match does about it: ``address`` is HOST:PORT that it calls, "" if it waits to be called.

    ``relay``: the organisation that runs the relay there, "" if the peer itself is there.
    """

    path: Way
    address: str = ""
    relay: str = ""


def told_address(listen: str, reached_at: str | None) -> Address:
    """What peers are told of an agent that listens at ``listen``: ``reached_at`` if it says so; port 0 is the one that it will get.

    Raises ConfigurationError for an address that is none, or that is everywhere and hence nowhere.
    """
    told = Address.parse(listen, "--listen")
    if reached_at is not None:
        told = Address.parse(reached_at, "--reached-at")
    if told.host in EVERYWHERE:
        raise ConfigurationError(f"--listen {listen}: say with --reached-at under which HOST:PORT peers reach this agent")
    return told


def path(teacher: Reach, student: Reach) -> Way:
    """The most direct one."""
    if teacher.address:
        return Way.DIRECT
    if student.address:
        return Way.REVERSE
    return Way.RELAY if teacher.relay else Way.NONE


def route(teacher: Reach, student: Reach, *, as_student: bool) -> Route:
    """For one of the two."""
    taken = path(teacher, student)
    if taken is Way.DIRECT and as_student:
        return Route(taken, teacher.address)
    if taken is Way.REVERSE and not as_student:
        return Route(taken, student.address)
    if taken is Way.RELAY and as_student:
        relay = RelayAt.parse(teacher.relay)
        return Route(taken, relay.address, relay.organisation)
    return Route(taken)
