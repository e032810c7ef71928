"""Calls that ``knexa doctor`` makes: whether the other side answers, as who it should be, lets us in, and can call us. If not, why not."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from dataclasses import replace
from typing import Any

import grpc

from knexa.errors import ConfigurationError, PeerError
from knexa.service.identity import Credentials, Identity
from knexa.service.identity.credentials import CERTIFICATE, KEY
from knexa.service.identity.grant import Address
from knexa.service.identity.trust import utc_now
from knexa.service.wire import codec
from knexa.service.wire import federation_pb2 as pb
from knexa.service.wire.endpoints import CPM_SERVICE, Server, channel

CALL_S = 5.0
#: The coordinator needs as long as it tries to call back, and its answer a moment more.
CALL_BACK_S = 2 * CALL_S


def let_in(where: str, option: str, expected: Identity, command: str, credentials: Credentials) -> str:
    """Says that ``expected`` answers at ``where`` (HOST:PORT, as ``option`` has it) and lets us in; each step that can fail by itself."""
    address = Address.parse(where, option)
    try:
        socket.create_connection((address.host, address.port), CALL_S).close()
    except OSError as error:
        raise ConfigurationError(
            f"{address}: nobody answers ({error}); is `{command}` running there, and does a firewall let you through?"
        ) from error
    return asyncio.run(_called(str(address), expected, credentials))


def require_free(where: str, option: str) -> Address:
    """Listen at ``where`` (HOST:PORT, as ``option`` has it) for a moment, before it counts; where that was.

    Raises ConfigurationError for what is no address, or can be listened at by nobody.
    """
    address = Address.parse(where, option)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.create_server((address.host, address.port), family=family) as one:
            return Address(address.host, one.getsockname()[1])
    except OSError as error:
        raise ConfigurationError(f"{address}: cannot be listened at ({error.strerror}); choose another {option} HOST:PORT") from error


async def called_back(cpm: str, coordinator: Identity, listen: str, told: Address, credentials: Credentials) -> bool:
    """Whether the coordinator reaches this agent at ``told`` while it listens at ``listen`` (HOST:PORT).

    Where that is taken, the agent itself may be running there; then it is the one to be reached. Raises PeerError.
    """
    server = Server(credentials, utc_now, lambda line: None)
    try:
        port = await server.listen(listen)
    except ConfigurationError:
        port = Address.parse(listen).port
    request = pb.CallBackRequest(address=str(replace(told, port=told.port or port)))
    try:
        async with channel(cpm, coordinator, credentials) as line:
            reply = await _asked(line, "CallBack", request.SerializeToString(), f"{coordinator} at {cpm}", CALL_BACK_S)
        return codec.parsed(pb.CallBackReply, reply, str(coordinator)).reached
    finally:
        await server.stop(0.0)


async def greeted(address: str, expected: Identity, credentials: Credentials) -> tuple[pb.HelloReply, float]:
    """The coordinator's answer, and by how many seconds its clock is ahead of this one, to within half the time of the call."""
    async with channel(address, expected, credentials) as line:
        began = time.time()
        reply = codec.parsed(pb.HelloReply, await _asked(line, "Hello", b"", f"{expected} at {address}", CALL_S), str(expected))
        return reply, reply.time - (began + time.time()) / 2


async def _asked(line: grpc.aio.Channel, method: str, request: bytes, who: str, seconds: float) -> bytes:
    call: Any = line.unary_unary(f"/{CPM_SERVICE}/{method}")
    try:
        reply: bytes = await call(request, timeout=seconds)
    except grpc.aio.AioRpcError as error:
        raise PeerError(f"{who} does not answer ({error.details()}); see the check of the coordinator") from error
    return reply


async def _called(address: str, expected: Identity, credentials: Credentials) -> str:
    async with channel(address, expected, credentials) as line:
        try:
            await asyncio.wait_for(line.channel_ready(), CALL_S)
        except TimeoutError:
            raise PeerError(_why_not(address, expected, credentials)) from None
        try:
            # There is no such method: an answer to it has come through both sides' checks of certificates and changes nothing.
            nothing: Any = line.unary_unary("/knexa.v1/Nothing")
            await nothing(b"", timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise PeerError(
                    f"{expected} at {address} does not let {credentials.identity} in ({error.details()}); has its operator trusted "
                    f"the root of {credentials.identity.organisation}?"
                ) from error
    return f"{expected} answers at {address}, and lets {credentials.identity} in"


def _why_not(address: str, expected: Identity, credentials: Credentials) -> str:
    """gRPC does not say why a handshake failed; plain TLS does, its own side at once and the other's with the first byte."""
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context(cadata=credentials.trust.root_pem(expected.organisation).decode())
    context.load_cert_chain(credentials.folder / CERTIFICATE, credentials.folder / KEY)
    refused = (
        f"{expected} at {address} does not let {credentials.identity} in; has its operator trusted the root of "
        f"{credentials.identity.organisation}, and is this certificate not revoked?"
    )
    shown = False
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), CALL_S) as plain,
            context.wrap_socket(plain, server_hostname=expected.dns) as secure,
        ):
            shown = True
            if not secure.recv(1):
                return refused  # hung up as soon as it had seen the certificate
    except ssl.SSLCertVerificationError as error:
        return f"{address} is not {expected} ({error.verify_message}); ask its operator for address and organisation, compare the clocks"
    except (OSError, ssl.SSLError) as error:
        return refused if shown else f"{address} speaks no TLS that fits ({error}); is it the right port?"
    return f"{address} answers, but not as {expected.name}; is it the right port?"
