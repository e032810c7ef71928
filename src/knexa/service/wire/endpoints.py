"""gRPC over mutual TLS: servers that know who calls, and channels to one named party.

TLS proves that a caller holds the key of a certificate that some trusted organisation has signed. Who that is, and whether it is so
still, :class:`~knexa.service.identity.TrustStore` says, from the certificate itself and on every call.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import grpc
from grpc import aio

from knexa.errors import ConfigurationError, PeerError
from knexa.service.identity import Credentials, Identity
from knexa.service.identity.grant import Address
from knexa.service.wire.callers import A_MINUTE, BusyError, Callers

CPM_SERVICE = "knexa.v1.Cpm"
PEER_SERVICE = "knexa.v1.Peer"
RELAY_SERVICE = "knexa.v1.Relay"

#: Largest message, after decompression. gRPC's own default; said here because safety depends on it.
LARGEST_MESSAGE = 4 * 2**20

#: Calls at once, of all callers together; beyond that they are told to come back.
_MOST_CALLS = 4096

#: Different lines about one caller within ten minutes; beyond that only the counts go on.
_MOST_LINES = 20

_HANDSHAKES_PASS_S = 0.02

#: A connection lives at most so long; then it is made anew, with the certificates and the revocations of then.
_CONNECTION_AGE_MS = 60_000
#: How long a call may go on after its connection is too old: an exchange waits for a model that writes.
_CALL_GRACE_MS = 60 * 60 * 1000

_SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_connection_age_ms", _CONNECTION_AGE_MS),
    ("grpc.max_connection_age_grace_ms", _CALL_GRACE_MS),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
)
_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)


def channel(address: str, expected: Identity, credentials: Credentials) -> aio.Channel:
    """A channel to ``address`` that opens only if ``expected`` is there, vouched for by its own organisation's root and no other."""
    key, chain = credentials.current()
    secure = grpc.ssl_channel_credentials(credentials.trust.root_pem(expected.organisation), key, chain)
    return aio.secure_channel(address, secure, options=(*_CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", expected.dns)))


async def shows_itself(address: Address, expected: Identity, credentials: Credentials) -> bool:
    """Whether ``expected`` is at ``address``, by its own certificate. Shows none itself: a coordinator's is none to call agents with."""
    secure = ssl.create_default_context(cadata=credentials.trust.root_pem(expected.organisation).decode())
    secure.set_alpn_protocols(["h2"])
    try:
        _, writer = await asyncio.open_connection(address.host, address.port, ssl=secure, server_hostname=expected.dns)
    except (OSError, ssl.SSLError):
        return False
    writer.close()
    return True


#: Raw request and the caller, whose certificate (PEM) it has shown; raw reply.
Unary = Callable[[bytes, Identity, bytes], Awaitable[bytes]]
#: The same with a stream of replies.
Stream = Callable[[bytes, Identity, bytes], AsyncIterator[bytes]]


class Seldom:
    """Passes a line on, unless it was just passed on: whoever is refused tries again every few seconds."""

    def __init__(self, note: Callable[[str], None], seconds: float = 600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._note, self._seconds, self._clock = note, seconds, clock
        self._said: dict[tuple[str, str], float] = {}

    def __call__(self, line: str, about: str = "") -> None:
        """``about``: whose lines these are; one party's do not take the place of another's."""
        now = self._clock()
        self._said = {said: at for said, at in self._said.items() if now - at < self._seconds}
        ours = sum(whose == about for whose, _ in self._said)
        if (about, line) not in self._said and ours < _MOST_LINES and len(self._said) < 100 * _MOST_LINES:
            self._said[about, line] = now
            self._note(line)


class NotReadyError(PeerError):
    """Nobody is at fault: the same call can be answered a little later."""


def _configuration(pair: tuple[bytes, bytes], roots: bytes) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([pair], roots)


class _UntrustedError(PeerError):
    """The caller's certificate held when it called, and holds no more."""


class Server:
    """One port. Every call reaches its method with the verified identity of who calls, or is refused.

    ``refused`` counts what was turned away: for the caller's ``identity``, for the ``message`` it sent (a PeerError), or because it has
    asked too ``often`` (see :mod:`knexa.service.wire.callers`).
    """

    def __init__(self, credentials: Credentials, clock: Callable[[], datetime], note: Callable[[str], None]) -> None:
        """``note`` gets a line for whatever an operator would want to know."""
        self.refused = {"identity": 0, "message": 0, "often": 0}
        self._callers = Callers()
        self._credentials, self._clock, self._note = credentials, clock, Seldom(note)
        self._server = aio.server(options=_SERVER_OPTIONS, maximum_concurrent_rpcs=_MOST_CALLS)

    def serve(self, service: str, unary: Mapping[str, Unary], streams: Mapping[str, Stream] | None = None) -> None:
        """Methods by their names in ``federation.proto``."""
        methods: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(self._unary(method)) for name, method in unary.items()}
        methods |= {name: grpc.unary_stream_rpc_method_handler(self._stream(method)) for name, method in (streams or {}).items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))

    async def listen(self, address: str) -> int:
        """Bind to ``address`` (HOST:PORT, port 0 = any free one), begin to serve, return the port. ConfigurationError if it is taken."""
        self._held = self._holding()
        news: Any = self._news  # may be None, which types-grpcio does not know
        secure = grpc.dynamic_ssl_server_credentials(_configuration(*self._held), news, require_client_authentication=True)
        try:
            port = int(self._server.add_secure_port(address, secure))
        except RuntimeError as error:
            raise ConfigurationError(f"{address}: cannot be listened at; choose another --listen HOST:PORT") from error
        await self._server.start()
        return port

    async def stop(self, grace_s: float) -> None:
        """Take no new calls; give those that run ``grace_s`` seconds."""
        await self._server.stop(grace_s)

    def _holding(self) -> tuple[tuple[bytes, bytes], bytes]:
        """Key and certificate, and the roots of whom is trusted."""
        return self._credentials.current(), self._credentials.trust.roots_pem()

    def _news(self) -> grpc.ServerCertificateConfiguration | None:
        """Asked for every new connection, so that renewed certificates and admitted organisations need no restart; None = as before.

        To answer with a configuration when nothing is new costs a TLS context a connection, and gRPC (1.85) now and then takes the one
        that another handshake is using away under it, which ends the process (grpc/grpc issue 36693).
        """
        holding = self._holding()
        if holding == self._held:
            return None
        self._held = holding
        time.sleep(_HANDSHAKES_PASS_S)  # see above: those that have begun are to be through; it is once in some hours
        return _configuration(*holding)

    async def _caller(self, context: Any) -> tuple[Identity, bytes]:
        shown = context.auth_context().get("x509_pem_cert")
        try:
            if not shown:
                raise PeerError("the caller has shown no certificate")
            certificate = bytes(next(iter(shown)))
            return self._credentials.trust.verify(certificate, self._clock(), "client"), certificate
        except PeerError as error:
            self.refused["identity"] += 1
            self._note(f"refused a caller: {error}")
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
            raise

    def _still_trusted(self, certificate: bytes) -> None:
        """A call may last for hours; a key that was taken back meanwhile is told nothing more. Raises PeerError."""
        try:
            self._credentials.trust.verify(certificate, self._clock(), "client")
        except PeerError as error:
            raise _UntrustedError(str(error)) from error

    async def _refuse(self, context: Any, caller: Identity, error: PeerError) -> None:
        if isinstance(error, NotReadyError):
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        if isinstance(error, _UntrustedError):
            self.refused["identity"] += 1
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
        self.refused["message"] += 1
        self._note(f"refused {caller}: {error}", str(caller))
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    async def _wait(self, context: Any, error: BusyError) -> None:
        if self.refused["often"] % A_MINUTE == 0:
            self._note(f"told to wait: {error}")  # one line for hundreds of calls: whoever floods the port is not to flood the log
        self.refused["often"] += 1
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))

    def _unary(self, method: Unary) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def call(request: bytes, context: Any) -> bytes:
            caller, certificate = await self._caller(context)
            try:
                with self._callers.calling(caller, time.monotonic()):
                    reply = await method(request, caller, certificate)
                self._still_trusted(certificate)
                return reply
            except BusyError as error:
                await self._wait(context, error)
                raise
            except PeerError as error:
                await self._refuse(context, caller, error)
                raise

        return call

    def _stream(self, method: Stream) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        async def call(request: bytes, context: Any) -> AsyncIterator[bytes]:
            caller, certificate = await self._caller(context)
            try:
                with self._callers.calling(caller, time.monotonic()):
                    async for reply in method(request, caller, certificate):
                        self._still_trusted(certificate)
                        yield reply
            except BusyError as error:
                await self._wait(context, error)
            except PeerError as error:
                await self._refuse(context, caller, error)

        return call
