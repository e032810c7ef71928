"""The agent's line to its coordinator: it joins, hears directives, and reports until it is acknowledged. It only dials out.

Every method tries again, after a wait that grows to :data:`LONGEST_WAIT_S`, for as long as the coordinator cannot be reached; a
coordinator that refuses (a PeerError on its side) is heard, not asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
from grpc import aio

from knexa.errors import PeerError
from knexa.service.identity import Credentials, Identity
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import CPM_SERVICE, channel

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
CALL_S = 20.0
GOODBYE_S = 2.0

#: Statuses with which a coordinator refuses what it was asked. That a caller is not believed to be who it is can pass: certificates
#: are renewed, organisations admitted, clocks set.
_REFUSALS = frozenset({grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED})

_T = TypeVar("_T")


class CpmConnection:
    """``note`` gets a line when the coordinator is lost, and when it is there again."""

    def __init__(self, address: str, expected: Identity, credentials: Credentials, note: Callable[[str], None]) -> None:
        self._address, self._expected, self._credentials, self._note = address, expected, credentials, note
        self._channel: aio.Channel | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._lost = False

    async def join(self, request: pb.JoinRequest) -> pb.Federation:
        """Raises PeerError if the coordinator does not take this agent."""
        reply = await self._persist(lambda: self._call("Join", request.SerializeToString()))
        return codec.parsed(pb.Federation, reply, "cpm")

    async def report(self, report: bytes) -> None:
        """Returns when the report is on the coordinator's disk. Raises PeerError if it was refused."""
        await self._persist(lambda: self._call("Report", report))

    async def revoked(self, question: pb.Lists) -> pb.Lists:
        """Lists of revoked certificates that this agent lacks."""
        reply = await self._persist(lambda: self._call("Revoked", question.SerializeToString()))
        return codec.parsed(pb.Lists, reply, "cpm")

    async def alive(self, worked_ms: int) -> bytes:
        """Renew the lease; the coordinator's certificate of now (PEM)."""
        reply = await self._persist(lambda: self._call("Alive", pb.AliveRequest(worked_ms=worked_ms).SerializeToString()))
        return codec.parsed(pb.AliveReply, reply, "cpm").certificate

    async def leave(self) -> None:
        """Say goodbye, once: whoever is not there will miss it by itself."""
        try:
            await self._call("Alive", pb.AliveRequest(leaving=True).SerializeToString(), GOODBYE_S)
        except aio.AioRpcError as error:
            self._note(f"{self._expected} has not heard the goodbye ({error.details()}); it will notice when the lease is over")

    async def directives(self) -> AsyncIterator[pb.Directive]:
        """All directives, for ever; those that still hold are told again after the line was lost."""
        wait = FIRST_WAIT_S
        while True:
            try:
                # A line of its own, made anew each time: it shows the certificate of now.
                async with channel(self._address, self._expected, self._credentials) as line:
                    open_stream: Any = line.unary_stream(f"/{CPM_SERVICE}/Directives")
                    async for told in open_stream(pb.DirectivesRequest().SerializeToString()):
                        wait = FIRST_WAIT_S
                        self._found()
                        yield codec.parsed(pb.Directive, told, "cpm")
            except aio.AioRpcError as error:
                self._lose(error)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)

    async def close(self) -> None:
        self._renew()
        await asyncio.gather(*self._closing)

    def _renew(self) -> None:
        """The next call opens a channel that shows the certificate of then; calls of others on this one may end."""
        if self._channel is not None:
            task = asyncio.get_running_loop().create_task(self._channel.close(CALL_S))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._channel = None

    async def _persist(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        wait = FIRST_WAIT_S
        while True:
            try:
                done = await attempt()
            except aio.AioRpcError as error:
                self._lose(error)
                self._renew()
            else:
                self._found()
                return done
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)

    async def _call(self, method: str, request: bytes, seconds: float = CALL_S) -> bytes:
        call: Any = (await self._open()).unary_unary(f"/{CPM_SERVICE}/{method}")
        return bytes(await call(request, timeout=seconds))

    async def _open(self) -> aio.Channel:
        if self._channel is None:
            self._channel = channel(self._address, self._expected, self._credentials)
        return self._channel

    def _lose(self, error: aio.AioRpcError) -> None:
        """Raises PeerError where trying again cannot help."""
        if error.code() in _REFUSALS:
            raise PeerError(f"{self._expected} at {self._address} refuses: {error.details()}") from error
        if not self._lost:
            what = "does not accept this certificate" if error.code() is grpc.StatusCode.UNAUTHENTICATED else "cannot be reached"
            self._note(f"{self._expected} at {self._address} {what} ({error.details()}); trying again")
        self._lost = True

    def _found(self) -> None:
        if self._lost:
            self._note(f"{self._expected} is there again")
        self._lost = False
