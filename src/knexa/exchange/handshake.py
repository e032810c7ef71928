"""The two sides of one exchange, each a value that goes through its steps once: values in, bytes out, no socket.

    student                                         teacher
    StudentSide(me, token, now).offer    ---->      TeacherSide(me, token, seen, now).offer
                                         <----
    .ask(teacher_offer, request, now)    ---->      .hear(student_offer, envelope, now) -> request
    .receive(envelope, now) -> package   <----      .answer(package, now)

Who is at fault: a PeerError is the peer's or the CPM's doing (SwappedKeyError: one that has to be looked into), a ValueError a
step out of turn on our own side, a LedgerError our disk's. After any of them from ``hear`` or ``receive`` the exchange is either still
open (the message was not the peer's own) or over; it never half happened.

Bytes may be sent again as they are: the offers and envelopes that are made here are for one exchange whoever sees them, and how often.
Use a side from one thread at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from knexa.errors import PeerError
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.sealing import FreshKey, Role, Session, open_offer, open_sealed, require_key, seal, sign_offer
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.signing import SigningKey, VerifyingKey
from knexa.exchange.ticket import Ticket, open_ticket

_OTHER: dict[Role, Role] = {"student": "teacher", "teacher": "student"}


@dataclass(frozen=True, slots=True)
class Party:
    """What a participant knows before an exchange begins.

    ``cpm``: the key that signs tickets. ``peers``: pinned keys by agent name, from certificates that their own organisations vouch for,
    never from the CPM. ``transfer_set``: SHA-256 of the set that this participant holds.
    """

    federation: str
    name: str
    key: SigningKey
    cpm: VerifyingKey
    peers: Mapping[str, VerifyingKey]
    transfer_set: str

    def accept(self, token: bytes, role: Role, now: float) -> tuple[Ticket, VerifyingKey]:
        """The ticket, and the pinned key of the peer. Raises PeerError unless the ticket is the CPM's and is for us in ``role``."""
        ticket = open_ticket(token, self.cpm, now)
        named, other = getattr(ticket, role), getattr(ticket, _OTHER[role])
        if (ticket.federation, named) != (self.federation, self.name):
            raise PeerError(
                f"the ticket of match {ticket.match_id!r} is for {role} {named!r} of federation {ticket.federation!r}; "
                f"this is {self.name!r} of {self.federation!r}"
            )
        if ticket.transfer_set != self.transfer_set:
            theirs, ours = ticket.transfer_set[:16], self.transfer_set[:16]
            raise PeerError(f"the ticket of match {ticket.match_id!r} is for the transfer set {theirs}, but {self.name!r} holds {ours}")
        if other not in self.peers:
            raise PeerError(f"the ticket of match {ticket.match_id!r} is with {other!r}, whose key is not pinned; enrol it first")
        require_key(ticket, role, self.key.verifying_key)
        require_key(ticket, _OTHER[role], self.peers[other])
        return ticket, self.peers[other]


class StudentSide:
    """Asks once, receives once. ``offer``: what the teacher has to get before, or together with, the request."""

    def __init__(self, me: Party, token: bytes, now: float) -> None:
        self.ticket, self._teacher = me.accept(token, "student", now)
        self._key, self._fresh = me.key, FreshKey()
        self.offer = sign_offer(self.ticket, "student", me.key, self._fresh.public)
        self._session: Session | None = None

    def ask(self, teacher_offer: bytes, request: KnowledgeRequest, now: float) -> bytes:
        """The sealed request."""
        if self._session is not None:
            raise ValueError(f"match {self.ticket.match_id!r}: the student has asked already")
        if request.match_id != self.ticket.match_id or not 0 <= request.budget <= self.ticket.prompt_budget:
            raise ValueError(f"match {self.ticket.match_id!r}: the request is for another match, or over the ticket's budget")
        offered = open_offer(self.ticket, "teacher", self._teacher, teacher_offer, now)
        session = Session(self.ticket, offered, self._fresh.public)
        envelope = seal(session, "request", request.to_bytes(), self._key)
        self._session = session
        return envelope

    def receive(self, envelope: bytes, now: float) -> KnowledgePackage:
        """The package. That it answers only what was asked is for the agent's state machine to check, which knows the request."""
        if self._session is None:
            raise ValueError(f"match {self.ticket.match_id!r}: the student has not asked yet")
        package = KnowledgePackage.from_bytes(open_sealed(self._session, "package", envelope, self._teacher, self._fresh, now))
        if (package.match_id, package.transfer_set) != (self.ticket.match_id, self.ticket.transfer_set):
            raise PeerError(f"{self.ticket.teacher!r} sealed a package of another match or transfer set under {self.ticket.match_id!r}")
        if package.answers > self.ticket.prompt_budget:
            raise PeerError(f"{self.ticket.teacher!r} sent {package.answers} answers; the ticket allows {self.ticket.prompt_budget}")
        return package

    def forget(self) -> None:
        """End the exchange: whatever comes now cannot be opened any more."""
        self._fresh.forget()


class TeacherSide:
    """Hears one request, answers once. The ticket is used up, on disk, before the request is told to anybody."""

    def __init__(self, me: Party, token: bytes, seen: SeenTickets, now: float) -> None:
        self.ticket, self._student = me.accept(token, "teacher", now)
        seen.check(self.ticket, now)
        self._seen, self._key, self._fresh = seen, me.key, FreshKey()
        self.offer = sign_offer(self.ticket, "teacher", me.key, self._fresh.public)
        self._session: Session | None = None

    def hear(self, student_offer: bytes, envelope: bytes, now: float) -> KnowledgeRequest:
        """The student's request."""
        offered = open_offer(self.ticket, "student", self._student, student_offer, now)
        session = Session(self.ticket, self._fresh.public, offered)
        plaintext = open_sealed(session, "request", envelope, self._student, self._fresh, now)
        self._seen.take(self.ticket, now)
        request = KnowledgeRequest.from_bytes(plaintext)
        if request.match_id != self.ticket.match_id or request.budget > self.ticket.prompt_budget:
            raise PeerError(f"{self.ticket.student!r} asks under another match than {self.ticket.match_id!r}, or for more than its ticket")
        self._session = session
        return request

    def answer(self, package: KnowledgePackage, now: float) -> bytes:
        """The sealed package: at most the ticket's ``prompt_budget`` answers and ``byte_budget`` bytes (see ``package.within``)."""
        session = self._session
        if session is None:
            raise ValueError(f"match {self.ticket.match_id!r}: the teacher has heard no request, or has answered it")
        self.ticket.check_time(now)
        if (package.match_id, package.transfer_set) != (self.ticket.match_id, self.ticket.transfer_set):
            raise ValueError(f"the package is for match {package.match_id!r} or its transfer set, not those of {self.ticket.match_id!r}")
        if package.answers > self.ticket.prompt_budget:
            raise ValueError(f"match {self.ticket.match_id!r}: {package.answers} answers; the ticket allows {self.ticket.prompt_budget}")
        envelope = seal(session, "package", package.to_bytes(), self._key)
        self._session = None
        return envelope

    def forget(self) -> None:
        """End the exchange without an answer."""
        self._fresh.forget()
        self._session = None
