"""Organisations, their members, and an authority that answers at a real port."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from knexa.service.identity import Authority, Credentials, Identity
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.certificates import MAX_LIFETIME
from knexa.service.identity.grant import Address
from knexa.service.identity.invitation import Invitation
from knexa.service.identity.issuing import Issuing
from knexa.service.identity.listener import Listener
from knexa.service.identity.trust import utc_now

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


def pem(signed: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return signed.public_bytes(serialization.Encoding.PEM)


def member(
    authority: Authority, folder: Path, name: str, now: datetime = NOW, lifetime: timedelta = MAX_LIFETIME, *, near: bool = True
) -> Credentials:
    """``name`` with a certificate in ``folder``; ``near``: the authority knows the folder."""
    agent = AgentFolder.create(folder, Identity(authority.organisation, name))
    certificate = authority.issue(agent.request(), name, now, lifetime, folder if near else None)
    agent.install(authority.grant(certificate), now)
    return Credentials(folder)


def acquainted(*authorities: Authority, now: datetime = NOW) -> None:
    """All trust each other, as far as their own stores go."""
    for one in authorities:
        for other in authorities:
            one.trust.admit(pem(other.root), other.organisation, now)


@contextmanager
def answering(
    authority: Authority,
    invitation: Invitation | None = None,
    clock: Callable[[], datetime] = utc_now,
    notes: list[str] | None = None,
    issuing: Issuing | None = None,
) -> Iterator[Address]:
    """The authority's listener on a free port of this machine; a fault of it fails the test."""
    listener = Listener(
        issuing or Issuing(authority, invitation), Address("127.0.0.1", 0), clock, (notes if notes is not None else []).append
    )
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(listener.run, stop.is_set)
        try:
            yield listener.address
        finally:
            stop.set()
        running.result()


def files(*folders: Path) -> dict[Path, tuple[bytes, int]]:
    """Content and time of change, in ns, of every file under ``folders``."""
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def contents(paths: Sequence[Path]) -> bytes:
    return b"\n".join(path.read_bytes() for path in paths)
