"""Calls to agents that cannot be called: each opens a line to here, and calls for it wait for its answer on that line."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from knexa.errors import PeerError
from knexa.exchange.limits import MOST_BYTES
from knexa.service.identity import Identity
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import NotReadyError

#: How long a call waits for the line of whom it is for.
LISTENER_S = 10.0
#: Calls that wait for the answers of one agent; bytes of one call (a sealed request with its ticket and offer), and of all that wait.
MOST_WAITING = 64
MOST_CALL_BYTES = MOST_BYTES + 64 * 1024
MOST_HELD_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class _Call:
    told: pb.Relayed
    answer: asyncio.Future[pb.RelayedAnswer]


@dataclass(slots=True)
class _Line:
    """``waiting``: calls by number. ``untold``: numbers of those that its listener has not heard yet; some may have been given up."""

    untold: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    waiting: dict[int, _Call] = field(default_factory=dict)


class Switchboard:
    """Lines by who listens on them: the newest of each, since an agent that opens another has lost the one before.

    ``calls`` and ``bytes`` count what was carried; ``held`` is the bytes of calls that wait.
    """

    def __init__(self) -> None:
        self.calls = self.bytes = self.held = 0
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
                call = line.waiting.get(await line.untold.get())
                if call is not None:
                    yield call.told
        finally:
            if self._lines.get(who) is line:
                del self._lines[who]
            for call in line.waiting.values():
                if not call.answer.done():
                    call.answer.set_exception(NotReadyError(f"{who} listens no more"))

    async def call(self, to: Identity, certificate: bytes, method: pb.PeerMethod, body: bytes) -> pb.RelayedAnswer:
        """The answer of ``to``. ``certificate``: of the caller, PEM.

        Raises NotReadyError where nobody listens or too much waits, PeerError for no method, and for a body that no exchange has.
        """
        if method not in (pb.PEER_METHOD_GREET, pb.PEER_METHOD_EXCHANGE):
            raise PeerError(f"{to} is called by no method that agents have; are both of the same version of knexa?")
        if len(body) > MOST_CALL_BYTES:
            raise PeerError(f"a call of {len(body)} bytes is no exchange; at most {MOST_CALL_BYTES} are carried")
        line = await self._line(to)
        if len(line.waiting) >= MOST_WAITING or self.held + len(body) > MOST_HELD_BYTES:
            raise NotReadyError(f"as many calls as are carried at once wait already, {len(line.waiting)} of them for {to}")
        return await self._carried(line, pb.Relayed(number=next(self._numbers), certificate=certificate, method=method, body=body))

    async def _carried(self, line: _Line, told: pb.Relayed) -> pb.RelayedAnswer:
        call = _Call(told, asyncio.get_running_loop().create_future())
        line.waiting[told.number] = call
        self.held += len(told.body)
        try:
            line.untold.put_nowait(told.number)
            answered = await call.answer
        finally:
            del line.waiting[told.number]
            self.held -= len(told.body)
        self.calls += 1
        self.bytes += len(told.body) + len(answered.body)
        return answered

    def answer(self, who: Identity, answer: pb.RelayedAnswer) -> None:
        """From ``who``, to one of the calls for it. PeerError if there is no such call, or none any more."""
        line = self._lines.get(who)
        call = None if line is None else line.waiting.get(answer.number)
        if call is None or call.answer.done():
            raise PeerError(f"{who} answers call {answer.number}, which nobody waits for")
        call.answer.set_result(answer)

    async def _line(self, to: Identity) -> _Line:
        try:
            async with asyncio.timeout(LISTENER_S), self._opened:
                await self._opened.wait_for(lambda: to in self._lines)
                return self._lines[to]
        except TimeoutError as error:
            raise NotReadyError(f"{to} does not listen here") from error
