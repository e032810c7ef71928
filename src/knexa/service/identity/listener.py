"""The port at which an authority answers (:mod:`.issuing`): a thread for each conversation, few at a time, all with a deadline."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from threading import BoundedSemaphore, Lock

from knexa.errors import CredentialsError, KnexaError, PeerError
from knexa.service.identity.credentials import Credentials
from knexa.service.identity.grant import Address
from knexa.service.identity.issuing import Issuing
from knexa.service.identity.renewal import own_issuer
from knexa.service.identity.wire import Line, answered, server_context

#: Conversations at once; further callers are turned away at the door.
_AT_ONCE = 32
#: Messages in one conversation: a newcomer asks for the root, then joins.
_MESSAGES = 2
#: How often an idle listener looks whether it should end, in seconds.
_GLANCE_S = 0.1


class Listener:
    """Bound when it is made, so that ``address`` can be told to others before :meth:`run`. Raises CredentialsError if it cannot be."""

    def __init__(self, issuing: Issuing, address: Address, clock: Callable[[], datetime], note: Callable[[str], None]) -> None:
        """``note`` gets a line for whatever an operator would want to know."""
        self._issuing = issuing
        self._clock = clock
        self._note = note
        self._free = BoundedSemaphore(_AT_ONCE)
        self._renewing = Lock()
        own_issuer(issuing.authority, clock())
        try:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            self._socket = socket.create_server((address.host, address.port), family=family, backlog=_AT_ONCE)
        except OSError as error:
            raise CredentialsError(f"{address}: cannot be listened at ({error.strerror}); choose another --listen HOST:PORT") from error
        self._socket.settimeout(_GLANCE_S)
        self.address = Address(address.host, self._socket.getsockname()[1])

    def run(self, over: Callable[[], bool]) -> None:
        """Answer until ``over``, which is called several times a second; what has begun is finished. Peers never end it."""
        running: set[Future[None]] = set()
        with self._socket, ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="issuer") as pool:
            while not over():
                with suppress(TimeoutError, ConnectionAbortedError):
                    connection, caller = self._socket.accept()
                    if self._free.acquire(blocking=False):
                        running.add(pool.submit(self._converse, connection, caller[0]))
                    else:
                        connection.close()
                for done in [one for one in running if one.done()]:
                    running.discard(done)
                    done.result()  # a fault of the program ends the listener, in sight of everybody
        for done in running:
            done.result()

    def _converse(self, plain: socket.socket, caller: str) -> None:
        """What goes wrong in it, over the network or on the disk of this machine, is noted: the next caller may fare better."""
        try:
            context = self._context()
            with plain, answered(plain, context) as line:
                self._answer(line, caller)
        except (KnexaError, OSError) as error:
            self._note(f"{caller}: {error}")
        finally:
            self._free.release()

    def _answer(self, line: Line, caller: str) -> None:
        for _ in range(_MESSAGES):
            message = line.receive()
            try:
                answer, news = self._issuing.answer(message, line.shown, self._clock())
            except PeerError as error:
                line.send({"refused": str(error)})
                raise
            except (KnexaError, OSError):
                line.send({"refused": "this authority cannot issue now; its operator sees why"})
                raise
            if news:
                self._note(f"{caller}: {news}")
            line.send(answer)
            if message["ask"] != "root":
                return

    def _context(self) -> ssl.SSLContext:
        """Made anew for each conversation, with the issuer's certificate of now."""
        with self._renewing:
            folder = own_issuer(self._issuing.authority, self._clock())
        return server_context(Credentials(folder))
