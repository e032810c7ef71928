"""JSON messages over TLS 1.3, with a cap on their size and a deadline for the whole conversation."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from knexa.errors import PeerError
from knexa.service.identity.credentials import CERTIFICATE, KEY, Credentials
from knexa.service.identity.grant import Address
from knexa.service.identity.names import ISSUER, Identity

#: Longest request, in bytes.
LONGEST_REQUEST = 64 * 1024
#: A conversation that is not over after this many seconds is ended.
PATIENCE_S = 10.0


def server_context(credentials: Credentials) -> ssl.SSLContext:
    """For an issuer: TLS 1.3; who shows a certificate must hold one of the own root, newcomers show none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_up(context, credentials)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.num_tickets = 0  # a resumed session would skip the certificate
    return context


def member_context(credentials: Credentials) -> ssl.SSLContext:
    """For an agent that calls its own organisation's issuer and shows its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _set_up(context, credentials)
    return context


def newcomer_context() -> ssl.SSLContext:
    """For somebody who trusts nobody yet: encrypted, and the other side holds the key it shows. Who that is, is checked afterwards."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _set_up(context: ssl.SSLContext, credentials: Credentials) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(credentials.folder / CERTIFICATE, credentials.folder / KEY)
    context.load_verify_locations(cadata=credentials.trust.root_pem(credentials.identity.organisation).decode())


class Line:
    """One TLS connection. Raises PeerError where the other side is at fault, or gone."""

    def __init__(self, connection: ssl.SSLSocket, until: float) -> None:
        """``until``: on the monotonic clock."""
        self._connection = connection
        self._until = until

    @property
    def shown(self) -> bytes | None:
        """The certificate (DER) that the other side showed; TLS has proved that it holds the key, and no more."""
        return self._connection.getpeercert(binary_form=True)

    def ask(self, message: Mapping[str, Any], longest: int = LONGEST_REQUEST) -> dict[str, Any]:
        """The answer to ``message``; PeerError with the other side's own words if it refuses."""
        self.send(message)
        answer = self.receive(longest)
        if "refused" in answer:
            raise PeerError(f"refused: {_printable(answer['refused'])}")
        return answer

    def send(self, message: Mapping[str, Any]) -> None:
        content = json.dumps(message, separators=(",", ":")).encode()
        with self._in_time():
            self._connection.sendall(len(content).to_bytes(4, "big") + content)

    def receive(self, longest: int = LONGEST_REQUEST) -> dict[str, Any]:
        length = int.from_bytes(self._exactly(4), "big")
        if length > longest:
            raise PeerError(f"a message of {length} bytes is refused; at most {longest}")
        return decoded(self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        content = bytearray()
        while len(content) < count:
            with self._in_time():
                part = self._connection.recv(min(count - len(content), 65536))
            if not part:
                raise PeerError("the connection ended before the message did")
            content += part
        return bytes(content)

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        self._connection.settimeout(max(0.001, self._until - time.monotonic()))
        with broken("the connection broke"):
            yield


@contextmanager
def dialled(address: Address, context: ssl.SSLContext, issuer_of: str | None) -> Iterator[Line]:
    """A line to ``address``, whose certificate must name the issuer of ``issuer_of``, if given. Raises PeerError."""
    until = time.monotonic() + PATIENCE_S
    host = Identity(issuer_of, ISSUER).dns if issuer_of else None
    with broken(f"{address}: nobody answers there; is the command still running on that machine?"):
        plain = socket.create_connection((address.host, address.port), timeout=PATIENCE_S)
    with plain:
        with broken(f"{address}: no TLS connection comes about"):
            connection = context.wrap_socket(plain, server_hostname=host)
        with connection:
            try:
                yield Line(connection, until)
            except PeerError as error:
                raise PeerError(f"{address}: {error}") from error


@contextmanager
def answered(plain: socket.socket, context: ssl.SSLContext) -> Iterator[Line]:
    """The line to a caller. Raises PeerError."""
    until = time.monotonic() + PATIENCE_S
    plain.settimeout(PATIENCE_S)
    with broken("no TLS connection comes about"):
        connection = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
    with connection:
        with broken("no TLS connection comes about"):
            try:
                connection.do_handshake()
            except ssl.SSLError:
                _let_read(connection)
                raise
        yield Line(connection, until)


def _let_read(connection: ssl.SSLSocket) -> None:
    """Give a caller whose handshake failed the time to read why: closed at once, its own unread bytes would reset the connection."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1.0)
        while connection.recv(4096):
            pass


@contextmanager
def broken(what: str) -> Iterator[None]:
    """Trouble with the network inside the block is a PeerError that begins with ``what``."""
    try:
        yield
    except TimeoutError as error:
        raise PeerError(f"{what} (it took longer than {PATIENCE_S:.0f} seconds)") from error
    except ssl.SSLCertVerificationError as error:
        raise PeerError(f"{what} ({error.verify_message})") from error
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        refused = "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason)
        raise PeerError(f"the other side refused the certificate that was shown ({reason})" if refused else f"{what} ({reason})") from error
    except OSError as error:
        raise PeerError(f"{what} ({error.strerror or error})") from error


def decoded(content: bytes) -> dict[str, Any]:
    """The JSON object in ``content``, whatever its fields. Raises PeerError."""
    try:
        message = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PeerError("a message is no JSON") from error
    if not isinstance(message, dict):
        raise PeerError("a message is no JSON object")
    return message


def text_field(message: Mapping[str, Any], name: str) -> str:
    """Raises PeerError unless the field is there and plain ASCII."""
    value = message.get(name)
    if not isinstance(value, str) or not value.isascii():
        raise PeerError(f"a message lacks the text {name!r}")
    return value


def _printable(text: object) -> str:
    """Somebody else's words, without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:400])
