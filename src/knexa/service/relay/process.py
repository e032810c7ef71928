"""``knexa relay serve``: carries sealed exchanges between agents that cannot call each other. It keeps nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from knexa.errors import ConfigurationError
from knexa.service.identity import RELAY, Credentials
from knexa.service.identity.grant import Address
from knexa.service.identity.trust import utc_now
from knexa.service.relay.server import RelayService
from knexa.service.relay.switchboard import Switchboard
from knexa.service.wire.endpoints import Server

GRACE_S = 5.0


def serve_relay(identity: Path, listen: str, note: Callable[[str], None]) -> None:
    """Run until the process is told to end. ``identity``: folder of a key and certificate for the name ``relay``."""
    Address.parse(listen, "--listen")
    credentials = Credentials(identity)
    credentials.require_valid(utc_now())
    if credentials.identity.name != RELAY:
        raise ConfigurationError(f"{identity}: is {credentials.identity}; a relay's name is {RELAY!r}, make one with `knexa provision`")
    asyncio.run(_serve(credentials, listen, note))


async def _serve(credentials: Credentials, listen: str, note: Callable[[str], None]) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    switchboard = Switchboard()
    server = Server(credentials, utc_now, note)
    RelayService(switchboard).add_to(server, calls=True)
    port = await server.listen(listen)
    note(f"{credentials.identity}: listening at {listen.rpartition(':')[0]}:{port}")
    try:
        await ended.wait()
    finally:
        await server.stop(GRACE_S)
    note(f"stopped; {switchboard.calls} calls and {switchboard.bytes} sealed bytes were carried")
