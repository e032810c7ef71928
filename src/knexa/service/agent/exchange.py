"""A student asks its teacher and gets a package, over as many lines as it takes. What is said is sealed; see

:mod:`knexa.exchange.handshake`.
"""

from __future__ import annotations

import asyncio
import time

from knexa.errors import PeerError
from knexa.exchange.handshake import StudentSide
from knexa.exchange.package import KnowledgePackage, KnowledgeRequest
from knexa.service.agent.lines import Line, LineLostError, RefusedError, line_to
from knexa.service.agent.ourselves import Ourselves
from knexa.service.identity import Identity
from knexa.service.identity.trust import utc_now
from knexa.service.relay.switchboard import Switchboard
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.route import Route

#: How often a student calls, from how many greetings on, and how long it waits between tries.
TRIES = 20
BEGINNINGS = 3
WAIT_S = 0.5
CALL_S = 20.0


async def learn_from(
    we: Ourselves, teacher: str, route: Route, switchboard: Switchboard, ticket: bytes, request: KnowledgeRequest
) -> KnowledgePackage:
    """The package that ``teacher``, by way of ``route``, answers ``request`` with; tries again while it cannot be reached.

    Raises PeerError if the teacher refuses, or is not who the ticket and its organisation say it is.
    """
    expected = we.member(teacher)
    call = _Call(we, expected, ticket, request)
    try:
        for attempt in range(TRIES):
            try:
                async with line_to(expected, route, we.credentials, switchboard) as line:
                    return await call.through(line)
            except LineLostError as error:
                if attempt == TRIES - 1:
                    raise PeerError(f"{expected} cannot be reached ({route.path.value}): {error}") from error
            except RefusedError as error:
                if not call.can_begin_anew() or attempt == TRIES - 1:
                    raise PeerError(f"{expected} refuses: {error}") from error
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

    async def through(self, line: Line) -> KnowledgePackage:
        if self._side is None:
            self._side, self._asked = await self._greet(line)
        # As long as the ticket is good: a model writes meanwhile.
        patience = max(self._side.ticket.expires_at - time.time(), CALL_S)
        told = codec.parsed(pb.Sealed, await line.call("Exchange", self._asked.SerializeToString(), patience), self._expected.name)
        return self._side.receive(told.envelope, time.time())

    def can_begin_anew(self) -> bool:
        """After a refusal to answer, once more from the greeting on: the teacher may have been restarted."""
        asked = self._side is not None
        self.end()
        return asked and self._begun < BEGINNINGS

    def end(self) -> None:
        if self._side is not None:
            self._side.forget()
        self._side = None

    async def _greet(self, line: Line) -> tuple[StudentSide, pb.Sealed]:
        self._begun += 1
        told = await line.call("Greet", pb.Greeting(ticket=self._ticket).SerializeToString(), CALL_S)
        greeting = codec.parsed(pb.Greeting, told, self._expected.name)
        who = self._we.credentials.trust.verify(greeting.certificate, utc_now(), "server")
        if who != self._expected:
            raise PeerError(f"{who} answers where {self._expected} should be")
        side = StudentSide(self._we.party(who, greeting.certificate), self._ticket, time.time())
        envelope = side.ask(greeting.offer, self._request, time.time())
        return side, pb.Sealed(ticket=self._ticket, offer=side.offer, envelope=envelope)
