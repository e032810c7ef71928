"""The methods of ``Relay`` over a switchboard: open to all trusted agents, or to one teacher at its student's port."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

from knexa.errors import ConfigurationError, PeerError
from knexa.service.identity import Identity
from knexa.service.relay.switchboard import Switchboard
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.callers import Callers
from knexa.service.wire.endpoints import RELAY_SERVICE, Server

#: Calls of one agent for another at once, and a minute. Every call costs whom it is for an answer, out of its own share.
CALLS_AT_ONCE, CALLS_A_MINUTE = 4, 40


class RelayService:
    """``admit`` raises PeerError for who may not listen here."""

    def __init__(self, switchboard: Switchboard, admit: Callable[[Identity], None] = lambda who: None) -> None:
        self._switchboard, self._admit = switchboard, admit
        self._pairs = Callers(CALLS_AT_ONCE, CALLS_A_MINUTE)

    def add_to(self, server: Server, *, calls: bool) -> None:
        """``calls``: whether others may call who listens here."""
        unary = {"Answer": self.answer, **({"Call": self.call} if calls else {})}
        server.serve(RELAY_SERVICE, unary, {"Listen": self.listen})

    async def listen(self, request: bytes, caller: Identity, certificate: bytes) -> AsyncIterator[bytes]:
        self._admit(caller)
        async for told in self._switchboard.listen(caller):
            yield told.SerializeToString()

    async def answer(self, request: bytes, caller: Identity, certificate: bytes) -> bytes:
        self._switchboard.answer(caller, codec.parsed(pb.RelayedAnswer, request, caller.name))
        return pb.AnswerReply().SerializeToString()

    async def call(self, request: bytes, caller: Identity, certificate: bytes) -> bytes:
        asked = codec.parsed(pb.RelayedCall, request, caller.name)
        try:
            to = Identity(asked.organisation, asked.agent)
        except ConfigurationError as error:
            raise PeerError(f"{caller} calls somebody whose name is none: {error}") from error
        with self._pairs.calling((caller, to), time.monotonic()):
            answer = await self._switchboard.call(to, certificate, asked.method, asked.body)
        answer.number = 0  # a matter between the relay and who listens
        return answer.SerializeToString()
