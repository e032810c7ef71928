"""Calls to agents that cannot be called: each opens a line to here, and calls for it wait for its answer on that line."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from knexa.errors import PeerError
from knexa.service.identity import Identity
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import NotReadyError

#: How long a call waits for the line of whom it is for.
LISTENER_S = 10.0
#: Calls that wait for the answers of one agent.
MOST_WAITING = 64


@dataclass(slots=True)
class _Line:
    calls: asyncio.Queue[pb.Relayed] = field(default_factory=asyncio.Queue)
    waiting: dict[int, asyncio.Future[pb.RelayedAnswer]] = field(default_factory=dict)


class Switchboard:
    """Lines by who listens on them: the newest of each, since an agent that opens another has lost the one before.

    ``calls`` and ``bytes`` count what was carried.
    """

    def __init__(self) -> None:
        self.calls = self.bytes = 0
        self._lines: dict[Identity, _Line] = {}
        self._opened = asyncio.Condition()
        self._numbers = itertools.count(1)

    async def listen(self, who: Identity) -> AsyncIterator[pb.Relayed]:
        """Calls for ``who``, for as long as they are iterated over."""
        line = self._lines[who] = _Line()
        try:
            async with self._opened:
                self._opened.notify_all()
            while True:
                yield await line.calls.get()
        finally:
            if self._lines.get(who) is line:
                del self._lines[who]
            for waits in line.waiting.values():
                if not waits.done():
                    waits.set_exception(NotReadyError(f"{who} listens no more"))

    async def call(self, to: Identity, certificate: bytes, method: pb.PeerMethod, body: bytes) -> pb.RelayedAnswer:
        """The answer of ``to``. ``certificate``: of the caller, PEM. Raises NotReadyError where nobody listens, PeerError for no method."""
        if method not in (pb.PEER_METHOD_GREET, pb.PEER_METHOD_EXCHANGE):
            raise PeerError(f"{to} is called by no method that agents have; are both of the same version of knexa?")
        line, number = await self._line(to), next(self._numbers)
        if len(line.waiting) >= MOST_WAITING:
            raise NotReadyError(f"{MOST_WAITING} calls wait for {to} already")
        answer: asyncio.Future[pb.RelayedAnswer] = asyncio.get_running_loop().create_future()
        line.waiting[number] = answer
        try:
            line.calls.put_nowait(pb.Relayed(number=number, certificate=certificate, method=method, body=body))
            answered = await answer
        finally:
            del line.waiting[number]
        self.calls += 1
        self.bytes += len(body) + len(answered.body)
        return answered

    def answer(self, who: Identity, answer: pb.RelayedAnswer) -> None:
        """From ``who``, to one of the calls for it. PeerError if there is no such call, or none any more."""
        line = self._lines.get(who)
        waits = None if line is None else line.waiting.get(answer.number)
        if waits is None or waits.done():
            raise PeerError(f"{who} answers call {answer.number}, which nobody waits for")
        waits.set_result(answer)

    async def _line(self, to: Identity) -> _Line:
        try:
            async with asyncio.timeout(LISTENER_S), self._opened:
                await self._opened.wait_for(lambda: to in self._lines)
                return self._lines[to]
        except TimeoutError as error:
            raise NotReadyError(f"{to} does not listen here") from error
