"""Lines to a teacher: its own port, a relay at which it listens, or a line that it has opened to this student.

Whatever carries a call, what is said is sealed, and signed by both ends.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc import aio

from knexa.errors import PeerError
from knexa.service.identity import RELAY, Credentials, Identity
from knexa.service.relay.switchboard import Switchboard
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import PEER_SERVICE, RELAY_SERVICE, NotReadyError, channel
from knexa.service.wire.route import Route, Way

#: By the names that both services have for them.
METHODS = {"Greet": pb.PEER_METHOD_GREET, "Exchange": pb.PEER_METHOD_EXCHANGE}

_PASSING = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED})


class LineLostError(Exception):
    """The teacher, or what leads to it, cannot be reached for now."""


class RefusedError(PeerError):
    """The teacher was reached, and does not do it."""


class Line(ABC):
    @abstractmethod
    async def call(self, method: str, body: bytes, seconds: float) -> bytes:
        """Raises LineLostError or RefusedError."""


class _Direct(Line):
    def __init__(self, line: aio.Channel) -> None:
        self._line = line

    async def call(self, method: str, body: bytes, seconds: float) -> bytes:
        return await _called(self._line, f"/{PEER_SERVICE}/{method}", body, seconds)


class _Relayed(Line):
    def __init__(self, line: aio.Channel, teacher: Identity) -> None:
        self._line, self._teacher = line, teacher

    async def call(self, method: str, body: bytes, seconds: float) -> bytes:
        asked = pb.RelayedCall(organisation=self._teacher.organisation, agent=self._teacher.name, method=METHODS[method], body=body)
        told = await _called(self._line, f"/{RELAY_SERVICE}/Call", asked.SerializeToString(), seconds)
        return _answered(codec.parsed(pb.RelayedAnswer, told, RELAY))


class _Reverse(Line):
    def __init__(self, switchboard: Switchboard, teacher: Identity, credentials: Credentials) -> None:
        self._switchboard, self._teacher, self._credentials = switchboard, teacher, credentials

    async def call(self, method: str, body: bytes, seconds: float) -> bytes:
        _, own = self._credentials.current()
        try:
            async with asyncio.timeout(seconds):
                return _answered(await self._switchboard.call(self._teacher, own, METHODS[method], body))
        except (NotReadyError, TimeoutError) as error:
            raise LineLostError(str(error) or f"{self._teacher} has not answered") from error


@asynccontextmanager
async def line_to(teacher: Identity, route: Route, credentials: Credentials, switchboard: Switchboard) -> AsyncIterator[Line]:
    """Made anew for every try, with the certificate of then. PeerError where there is no way."""
    if route.path is Way.REVERSE:
        yield _Reverse(switchboard, teacher, credentials)
    elif route.path is Way.RELAY and route.address:
        async with channel(route.address, Identity(route.relay, RELAY), credentials) as line:
            yield _Relayed(line, teacher)
    elif route.path is Way.DIRECT and route.address:
        async with channel(route.address, teacher, credentials) as line:
            yield _Direct(line)
    else:
        raise PeerError(f"neither {teacher} nor this agent can be called: give one of them --listen, or both --relay")


async def _called(line: aio.Channel, method: str, body: bytes, seconds: float) -> bytes:
    call: Any = line.unary_unary(method)
    try:
        return bytes(await call(body, timeout=seconds))
    except aio.AioRpcError as error:
        if error.code() in _PASSING:
            raise LineLostError(error.details() or error.code().name) from error
        raise RefusedError(error.details() or error.code().name) from error


def _answered(answer: pb.RelayedAnswer) -> bytes:
    if answer.try_again:
        raise LineLostError(answer.refusal)
    if answer.refusal:
        raise RefusedError(answer.refusal)
    return answer.body
