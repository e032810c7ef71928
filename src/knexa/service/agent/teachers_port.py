"""The teacher's side of exchanges: who greets with a ticket gets an offer, who asks under it gets its answer, sealed, once."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from knexa.errors import PeerError
from knexa.exchange.handshake import TeacherSide
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.ticket import Ticket
from knexa.matching.match import Match
from knexa.service.agent.ourselves import Ourselves
from knexa.service.identity import Identity
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import PEER_SERVICE, NotReadyError, Server


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

    def waiting(self, match: Match) -> list[Ticket]:
        """The tickets under which the student of ``match`` waits for the package; none if it does not, since before a restart for instance.

        Who waits under the same match_id with a ticket for somebody else, or for another way, is refused: nobody has vetted that.
        """
        wanted = (match.student, match.round, match.protocol)
        for lesson in self._of(match.match_id):
            ticket = lesson.side.ticket
            if (ticket.student, ticket.round, ticket.protocol) != wanted:
                lesson.end(PeerError(f"{match.match_id} is another match than this ticket's"))
        return [lesson.side.ticket for lesson in self._of(match.match_id)]

    def answer(self, ticket: Ticket, package: KnowledgePackage) -> None:
        """Seal ``package`` for who waits under ``ticket``.

        What cannot be sealed (a student's key that is none, a ticket that has expired, tensors that do not fit) is told to the student.
        """
        lesson = self._lessons[ticket.digest]
        try:
            sealed = lesson.side.answer(package, time.time())
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


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
