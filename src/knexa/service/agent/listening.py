"""A teacher that cannot be called listens on a line that it has opened itself: at a relay, or at its student's port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
from grpc import aio

from knexa.errors import KnexaError, PeerError
from knexa.service.agent.teachers_port import TeachersPort
from knexa.service.identity import Credentials, Identity
from knexa.service.identity.trust import utc_now
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.callers import AT_ONCE
from knexa.service.wire.endpoints import RELAY_SERVICE, NotReadyError, channel

WAIT_S = 1.0
ANSWER_S = 20.0
TRIES = 5


class Listener:
    """At ``address``, where ``expected`` is: calls that come on the line go to ``port``, as if they had come to a port of its own."""

    def __init__(self, address: str, expected: Identity, credentials: Credentials, port: TeachersPort, note: Callable[[str], None]) -> None:
        self._address, self._expected, self._credentials, self._port, self._note = address, expected, credentials, port, note
        self._answering: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._said = False

    async def listen(self, over: asyncio.Event) -> None:
        """Until it is ``over``; opens the line again whenever it was lost."""
        listening = asyncio.create_task(self._listen())
        ending = asyncio.create_task(over.wait())
        try:
            await asyncio.wait({listening, ending}, return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                listening.result()  # it ends by an error only
        finally:
            running = [listening, ending, *self._answering]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                async with channel(self._address, self._expected, self._credentials) as line:
                    stream: Any = line.unary_stream(f"/{RELAY_SERVICE}/Listen")
                    async for told in stream(pb.ListenRequest().SerializeToString()):
                        self._said = False
                        await self._room.acquire()  # reads no further while so many are being answered
                        task = asyncio.create_task(self._answer(line, codec.parsed(pb.Relayed, told, self._expected.name)))
                        self._answering.add(task)
                        task.add_done_callback(self._answered)
            except (aio.AioRpcError, PeerError) as error:
                self._say(error.details() if isinstance(error, aio.AioRpcError) else str(error))
            await asyncio.sleep(WAIT_S)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answering.discard(task)
        self._room.release()

    async def _answer(self, line: aio.Channel, told: pb.Relayed) -> None:
        answer = pb.RelayedAnswer(number=told.number)
        try:
            caller = self._credentials.trust.verify(told.certificate, utc_now(), "client")
            method = {pb.PEER_METHOD_GREET: self._port.greet, pb.PEER_METHOD_EXCHANGE: self._port.exchange}.get(told.method)
            if method is None:
                raise PeerError("there is no such method; are both of the same version of knexa?")
            answer.body = await method(told.body, caller, told.certificate)
        except KnexaError as error:
            answer.refusal, answer.try_again = str(error), isinstance(error, NotReadyError)
            if not answer.try_again:
                self._note(f"refused a call by way of {self._expected}: {error}")
        await self._send(line, answer.SerializeToString())

    async def _send(self, line: aio.Channel, answer: bytes) -> None:
        """Tried again while the relay is busy; an answer that cannot be told is asked for again, on the next line."""
        call: Any = line.unary_unary(f"/{RELAY_SERVICE}/Answer")
        for attempt in range(TRIES):
            try:
                await call(answer, timeout=ANSWER_S)
            except aio.UsageError:
                return  # the line was closed meanwhile
            except aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED or attempt == TRIES - 1:
                    return self._say(error.details())
                await asyncio.sleep(WAIT_S)
            else:
                return

    def _say(self, why: str | None) -> None:
        if not self._said:
            self._note(f"no line to {self._expected} at {self._address} for now ({why}); trying again")
        self._said = True
