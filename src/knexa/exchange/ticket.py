"""A ticket: the CPM's signed permission for one exchange, held by both peers and good for one package.

A ticket pins everything that the peers must agree on before a text moves: who teaches whom in which round, under which identity keys, over
which transfer set, how much, and until when. Its ``digest`` is its name, and goes into everything that the two sign and seal.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields
from functools import partial
from typing import Self, get_type_hints

from knexa.errors import PeerError
from knexa.exchange.framing import join_parts, read_fields, split_parts, write_fields
from knexa.exchange.limits import LONGEST_ID, LONGEST_LIFE, MOST_BYTES, MOST_PROMPTS, MOST_TOKEN_BYTES
from knexa.exchange.signing import MOST_SIGNATURE_BYTES, SigningKey, VerifyingKey

_PURPOSE = "ticket"
_KIND = b"knexa ticket 1"
_name = partial(re.fullmatch, r"[a-z0-9][a-z0-9-]{0,30}")
_hash = partial(re.fullmatch, r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """``teacher`` may send ``student`` one package in ``round`` of ``federation``.

    ``transfer_set``: SHA-256 that both must hold. ``teacher_key``, ``student_key``: fingerprints of their identity keys.
    ``prompt_budget``: most answers. ``byte_budget``: most bytes of the package before it is sealed. ``expires_at``: Unix seconds.
    """

    federation: str
    match_id: str
    round: int
    teacher: str
    student: str
    protocol: str
    transfer_set: str
    teacher_key: str
    student_key: str
    prompt_budget: int
    byte_budget: int
    expires_at: int

    def to_bytes(self) -> bytes:
        return write_fields({one.name: getattr(self, one.name) for one in fields(self)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Any bytes either parse or raise PeerError. Says nothing about who wrote them: see :func:`open_ticket`."""
        ticket = cls(**read_fields(data, "a ticket", _SCHEMA, MOST_TOKEN_BYTES))
        if fault := ticket.fault():
            raise PeerError(f"a ticket is not valid: {fault}; ask the coordinator's operator")
        return ticket

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes: the ticket's name, whatever signature it came with."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def fault(self) -> str:
        """The first rule that this ticket breaks, in words; empty if it keeps all."""
        broken = (
            *(f"{one} {getattr(self, one)!r} is no name" for one in _NAMES if not _name(getattr(self, one))),
            *(f"{one} is no SHA-256" for one in _HASHES if not _hash(getattr(self, one))),
            *(f"{one} is not from 1 to {most}" for one, most in _MOST.items() if not 1 <= getattr(self, one) <= most),
            *(["match_id is empty, too long or not printable"] if not is_id(self.match_id) else []),
            *(["teacher and student are the same"] if self.teacher == self.student or self.teacher_key == self.student_key else []),
        )
        return next(iter(broken), "")

    def check_time(self, now: float) -> None:
        """Raises PeerError once the ticket has expired, and when it outlives what a ticket may; a clock of NaN is too late."""
        if not now < self.expires_at:
            raise PeerError(f"the ticket of match {self.match_id!r} has expired; wait for the next round, and compare the clocks")
        if self.expires_at - now > LONGEST_LIFE:
            hours = LONGEST_LIFE // 3600
            raise PeerError(f"the ticket of match {self.match_id!r} is good for more than {hours} hours; compare the clocks")


_SCHEMA: dict[str, type] = get_type_hints(Ticket)
_NAMES = ("federation", "teacher", "student", "protocol")
_HASHES = ("transfer_set", "teacher_key", "student_key")
_MOST = {"round": 2**31, "prompt_budget": MOST_PROMPTS, "byte_budget": MOST_BYTES, "expires_at": 2**53}


def is_id(text: str) -> bool:
    """Whether ``text`` can name a match: printable, so that a peer cannot write lines into a log."""
    return 0 < len(text) <= LONGEST_ID and text.isprintable()


def sign_ticket(ticket: Ticket, key: SigningKey) -> bytes:
    """A token: the ticket under the CPM's signature. Raises ValueError for a ticket that no peer would open."""
    if fault := ticket.fault():
        raise ValueError(f"cannot sign a ticket: {fault}")
    content = ticket.to_bytes()
    return join_parts(_KIND, content, key.sign(_PURPOSE, content))


def open_ticket(token: bytes, cpm: VerifyingKey, now: float) -> Ticket:
    """The ticket in ``token``. Raises PeerError unless ``cpm`` signed it, and it is well-formed and good at ``now`` (Unix seconds)."""
    content, signature = split_parts(token, _KIND, MOST_TOKEN_BYTES, MOST_SIGNATURE_BYTES)
    cpm.verify(_PURPOSE, content, signature)
    ticket = Ticket.from_bytes(content)
    ticket.check_time(now)
    return ticket
