"""The least that taking a report can cost: one synced write to the same disk, and one call over mutual TLS that does nothing.

Neither has anything of the coordinator: no check of who calls, no protocol, no record.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import grpc
from grpc import aio

from knexa.service.identity import CPM, Credentials, Identity
from knexa.service.local import OPERATOR
from knexa.service.wire.endpoints import channel

_SERVICE = "knexa.bench.Nothing"


def append_seconds(folder: Path, body: bytes, times: int = 300) -> float:
    """Median seconds of one insert and commit into a table like the journal's, with its settings, in ``folder``."""
    seconds = []
    with closing(sqlite3.connect(folder / "floor.sqlite")) as connection:
        for setting in ("journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {setting}")
        columns = "number INTEGER PRIMARY KEY AUTOINCREMENT, time FLOAT, kind TEXT, sender TEXT, entry_id TEXT, body BLOB"
        connection.execute(f"CREATE TABLE entries ({columns}, UNIQUE (sender, entry_id))")
        for number in range(times):
            began = time.perf_counter()
            entry = (float(number), "report", "agent", f"profile-{number}", body)
            connection.execute("INSERT INTO entries (time, kind, sender, entry_id, body) VALUES (?, ?, ?, ?, ?)", entry)
            connection.commit()
            seconds.append(time.perf_counter() - began)
    return median(seconds)


def call_seconds(server: Path, client: Path, body: bytes, times: int = 500) -> float:
    """Median seconds of one unary call with ``body`` on an open channel, one after the other. Both: folders of identities."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve_nothing, args=(server, theirs), daemon=True)
    process.start()
    try:
        return asyncio.run(_call(f"127.0.0.1:{ours.recv()}", client, body, times))
    finally:
        process.terminate()
        process.join()


async def _call(address: str, folder: Path, body: bytes, times: int) -> float:
    seconds = []
    async with channel(address, Identity(OPERATOR, CPM), Credentials(folder)) as line:
        call: Any = line.unary_unary(f"/{_SERVICE}/Nothing")
        await call(body)
        for _ in range(times):
            began = time.perf_counter()
            await call(body)
            seconds.append(time.perf_counter() - began)
    return median(seconds)


def _serve_nothing(folder: Path, told: Connection) -> None:
    asyncio.run(_serve(Credentials(folder), told))


async def _serve(credentials: Credentials, told: Connection) -> None:
    async def nothing(request: bytes, context: object) -> bytes:
        return b""

    server = aio.server()
    methods: dict[str, Any] = {"Nothing": grpc.unary_unary_rpc_method_handler(nothing)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, methods),))
    secure = grpc.ssl_server_credentials([credentials.current()], credentials.trust.roots_pem(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", secure)
    await server.start()
    told.send(port)
    await server.wait_for_termination()
