"""Texts on their way: the teacher's port, and the student's call at it. What is said is sealed; see :mod:`knexa.exchange.handshake`."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc import aio

from knexa.errors import PeerError
from knexa.exchange.handshake import Party, StudentSide, TeacherSide
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.signing import SigningKey, VerifyingKey
from knexa.service.identity import Credentials, Identity
from knexa.service.identity.trust import utc_now
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import PEER_SERVICE, NotReadyError, Server, channel

#: How often a student calls, from how many greetings on, and how long it waits between tries.
TRIES = 20
BEGINNINGS = 3
WAIT_S = 0.5
CALL_S = 20.0


@dataclass(frozen=True, slots=True)
class Ourselves:
    """What both sides of an exchange know of the federation. ``members``: identity of every agent by name. ``cpm``: signs tickets."""

    federation_id: str
    name: str
    members: Mapping[str, Identity]
    credentials: Credentials
    cpm: VerifyingKey
    transfer_set: str

    def party(self, peer: Identity, certificate: bytes) -> Party:
        """As a party to an exchange with ``peer``, whose ``certificate`` was verified."""
        key, _ = self.credentials.current()
        pinned = {peer.name: VerifyingKey.from_certificate_pem(certificate)}
        return Party(self.federation_id, self.name, SigningKey.from_private_pem(key), self.cpm, pinned, self.transfer_set)

    def member(self, name: str) -> Identity:
        """Raises PeerError for a name that is no agent's."""
        if name not in self.members:
            raise PeerError(f"{name!r} is no participant of this federation")
        return self.members[name]


@dataclass(slots=True)
class _Lesson:
    """One ticket at the teacher's: its side, and, once it has been asked, what is or will be the answer to just that call."""

    side: TeacherSide
    asked: str = ""
    answer: asyncio.Future[bytes] = field(default_factory=asyncio.Future)

    def end(self, why: PeerError) -> None:
        """Nothing is answered any more: whoever waits is told why."""
        self.side.forget()
        if not self.answer.done():
            self.answer.set_exception(why)
            self.answer.exception()  # it is no error of ours if nobody waits


class TeachersPort:
    """The methods of ``Peer``. ``on_request`` hears the name of a student and its request; the answer comes through :meth:`answer`.

    Closed, since there is no coordinator yet whose tickets could be checked, until :meth:`open` is called.
    """

    def __init__(self, seen: SeenTickets, on_request: Callable[[str, KnowledgeRequest], None]) -> None:
        self._seen, self._on_request = seen, on_request
        self._opened: Ourselves | None = None
        self._lessons: dict[str, _Lesson] = {}

    def open(self, we: Ourselves) -> None:
        self._opened = we

    def add_to(self, server: Server) -> None:
        server.serve(PEER_SERVICE, {"Greet": self.greet, "Exchange": self.exchange})

    async def greet(self, request: bytes, caller: Identity, certificate: bytes) -> bytes:
        student, token = self._student(caller), codec.parsed(pb.Greeting, request, caller.name).ticket
        party = self._we.party(student, certificate)
        # By what the ticket says, not by its bytes: the coordinator signs it anew whenever it tells of it.
        digest = party.accept(token, "teacher", time.time())[0].digest
        if digest not in self._lessons:
            self._lessons[digest] = _Lesson(TeacherSide(party, token, self._seen, time.time()))
        _, own = self._we.credentials.current()
        return pb.Greeting(certificate=own, offer=self._lessons[digest].side.offer).SerializeToString()

    async def exchange(self, request: bytes, caller: Identity, certificate: bytes) -> bytes:
        student, sealed = self._student(caller), codec.parsed(pb.Sealed, request, caller.name)
        ticket, _ = self._we.party(student, certificate).accept(sealed.ticket, "teacher", time.time())
        lesson = self._lessons.get(ticket.digest)
        if lesson is None:
            raise PeerError(f"{caller} asks without having greeted; it has to greet first")
        if not lesson.asked:
            asked = lesson.side.hear(sealed.offer, sealed.envelope, time.time())
            lesson.asked = _digest(sealed.envelope)
            self._on_request(student.name, asked)
        elif lesson.asked != _digest(sealed.envelope):
            raise PeerError(f"{caller} asks a second time under one ticket")
        return pb.Sealed(envelope=await asyncio.shield(lesson.answer)).SerializeToString()

    def answer(self, package: KnowledgePackage) -> None:
        """Seal ``package`` for who has asked. Nothing happens if nobody has, since before a restart for instance.

        What cannot be sealed (a student's key that is none, a ticket that has expired, tensors that do not fit) is told to the student.
        """
        for lesson in self._of(package.match_id):
            try:
                sealed = lesson.side.answer(package.within(lesson.side.ticket.byte_budget), time.time())
            except (PeerError, ValueError) as error:
                lesson.end(PeerError(f"{package.match_id} cannot be answered: {error}"))
            else:
                lesson.answer.set_result(sealed)

    def refuse(self, match_id: str, error: PeerError) -> None:
        """The request under ``match_id`` is not answered."""
        for lesson in self._of(match_id):
            lesson.end(error)

    def forget(self, round: int) -> None:
        """Lessons of rounds before ``round`` are over."""
        for digest, lesson in list(self._lessons.items()):
            if lesson.side.ticket.round < round:
                lesson.end(PeerError(f"round {lesson.side.ticket.round} is over"))
                del self._lessons[digest]

    def _of(self, match_id: str) -> list[_Lesson]:
        """Lessons of the match in which somebody waits for an answer."""
        asked = [lesson for lesson in self._lessons.values() if lesson.side.ticket.match_id == match_id and lesson.asked]
        return [lesson for lesson in asked if not lesson.answer.done()]

    @property
    def _we(self) -> Ourselves:
        if self._opened is None:
            raise NotReadyError("this agent has not joined its federation yet")
        return self._opened

    def _student(self, caller: Identity) -> Identity:
        if self._we.members.get(caller.name) != caller:
            raise PeerError(f"{caller} is no participant of this federation")
        return caller


async def learn_from(we: Ourselves, teacher: str, address: str, ticket: bytes, request: KnowledgeRequest) -> KnowledgePackage:
    """The package that ``teacher`` at ``address`` answers ``request`` with; tries again while it cannot be reached.

    Raises PeerError if the teacher refuses, or is not who the ticket and its organisation say it is.
    """
    expected = we.member(teacher)
    if not address:
        raise PeerError(f"{expected} has told the coordinator no address where its peers reach it")
    call = _Call(we, expected, ticket, request)
    try:
        for attempt in range(TRIES):
            try:
                async with channel(address, expected, we.credentials) as line:
                    return await call.through(line)
            except aio.AioRpcError as error:
                if not call.can_go_on(error) or attempt == TRIES - 1:
                    raise PeerError(f"{expected} at {address} refuses: {error.details()}") from error
            await asyncio.sleep(WAIT_S * min(attempt + 1, 10))
        raise AssertionError("the last try raises or returns")
    finally:
        call.end()


class _Call:
    """A student's side of one exchange, over as many connections as it takes. What was asked is asked again as it was."""

    def __init__(self, we: Ourselves, expected: Identity, ticket: bytes, request: KnowledgeRequest) -> None:
        self._we, self._expected, self._ticket, self._request = we, expected, ticket, request
        self._side: StudentSide | None = None
        self._asked = pb.Sealed()
        self._begun = 0

    async def through(self, line: aio.Channel) -> KnowledgePackage:
        if self._side is None:
            self._side, self._asked = await self._greet(line)
        # As long as the ticket is good: a model writes meanwhile.
        patience = max(self._side.ticket.expires_at - time.time(), CALL_S)
        told = codec.parsed(pb.Sealed, await _call(line, "Exchange", self._asked, patience), self._expected.name)
        return self._side.receive(told.envelope, time.time())

    def can_go_on(self, error: aio.AioRpcError) -> bool:
        """After a lost connection, yes. After a refusal to answer once more from the greeting on: the teacher may have been restarted."""
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            return True
        asked = self._side is not None
        self.end()
        return asked and self._begun < BEGINNINGS

    def end(self) -> None:
        if self._side is not None:
            self._side.forget()
        self._side = None

    async def _greet(self, line: aio.Channel) -> tuple[StudentSide, pb.Sealed]:
        self._begun += 1
        told = await _call(line, "Greet", pb.Greeting(ticket=self._ticket), CALL_S)
        greeting = codec.parsed(pb.Greeting, told, self._expected.name)
        who = self._we.credentials.trust.verify(greeting.certificate, utc_now(), "server")
        if who != self._expected:
            raise PeerError(f"{who} answers where {self._expected} should be")
        side = StudentSide(self._we.party(who, greeting.certificate), self._ticket, time.time())
        envelope = side.ask(greeting.offer, self._request, time.time())
        return side, pb.Sealed(ticket=self._ticket, offer=side.offer, envelope=envelope)


async def _call(line: aio.Channel, method: str, request: Any, seconds: float) -> bytes:
    call: Any = line.unary_unary(f"/{PEER_SERVICE}/{method}")
    return bytes(await call(request.SerializeToString(), timeout=seconds))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
