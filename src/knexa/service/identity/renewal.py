"""Short-lived certificates that go on for weeks: renewed at half of their lifetime, without anybody's restart.

Where the authority can reach an agent's folder, it writes the new certificate into it. An agent elsewhere calls its authority's
issuer over mutual TLS with the certificate that is still valid. Both also bring what is new about whom to trust.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from knexa.errors import CredentialsError, KnexaError, PeerError
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.authority import Authority
from knexa.service.identity.credentials import CERTIFICATE, Credentials
from knexa.service.identity.grant import LONGEST, Address, Grant
from knexa.service.identity.keys import key_fingerprint
from knexa.service.identity.names import ISSUER, Identity
from knexa.service.identity.wire import dialled, member_context


@dataclass(frozen=True, slots=True)
class Renewal:
    """What came of one agent. ``problem``: a sentence where it failed, empty otherwise."""

    name: str
    folder: Path
    outcome: Literal["renewed", "not due", "revoked", "failed"]
    problem: str = ""


def renew_reachable(authority: Authority, now: datetime) -> list[Renewal]:
    """Look after every folder that the authority can reach: a new certificate if the old one is due, and whom to trust, always.

    An agent whose key was revoked is told whom to trust, and gets no certificate. One agent's problem is not another's.
    """
    lost = authority.revoked_keys()
    return [_look_after(authority, entry.name, Path(entry.folder), entry.key in lost, now) for entry in authority.reachable()]


def _look_after(authority: Authority, name: str, path: Path, lost: bool, now: datetime) -> Renewal:
    try:
        credentials = Credentials(path)
        if lost:
            news = authority.grant(None)
            credentials.trust.mirror(news.roots, news.lists)
            return Renewal(name, path, "revoked")
        due = credentials.due(now)
        certificate = authority.renew(credentials.certificate, now, path) if due else None
        AgentFolder(path).install(authority.grant(certificate), now)
    except KnexaError as error:
        return Renewal(name, path, "failed", str(error))
    return Renewal(name, path, "renewed" if due else "not due")


def renew_at_issuer(path: Path, now: datetime, issuer: Address | None = None) -> Renewal:
    """Ask the organisation's issuer, over mutual TLS. ``issuer``: where it is, if the folder does not say, or says wrongly.

    A certificate that is not due stays; whom to trust is brought up to date in any case, so asking often is cheap and right.
    Raises CredentialsError if there is no valid certificate to show or no address, PeerError if the issuer cannot be reached or refuses.
    """
    credentials = Credentials(path)
    credentials.require_valid(now)
    identity = credentials.identity
    issuer = issuer or credentials.addresses.issuer
    if issuer is None:
        raise CredentialsError(f"{path}: does not know where {identity.organisation} renews; pass --issuer HOST:PORT")
    with dialled(issuer, member_context(credentials), identity.organisation) as line:
        shown = line.shown
        if shown is None or credentials.trust.verify(shown, now, "server") != Identity(identity.organisation, ISSUER):
            raise PeerError(f"that is not the issuer of {identity.organisation}")
        grant = Grant.from_json(line.ask({"ask": "renew"}, LONGEST))
    AgentFolder(path).install(grant, now)
    return Renewal(identity.name, path, "renewed" if grant.certificate else "not due")


def own_issuer(authority: Authority, now: datetime) -> Path:
    """The folder of the identity under which ``authority`` answers, with a certificate that is not due at ``now``.

    An issuer whose key was revoked gets a new one; the old folder stays beside it. Raises CredentialsError.
    """
    path = authority.folder / ISSUER
    try:
        if (path / CERTIFICATE).exists():
            credentials = Credentials(path)
            if key_fingerprint(credentials.key.public_key()) not in authority.revoked_keys():
                if credentials.due(now):
                    AgentFolder(path).install(authority.grant(authority.renew(credentials.certificate, now, path)), now)
                return path
            path.rename(path.with_name(f"{ISSUER}-revoked-{credentials.certificate.serial_number:x}"))
        folder = AgentFolder.create(path, Identity(authority.organisation, ISSUER))
        folder.install(authority.grant(authority.issue(folder.request(), ISSUER, now, folder=path)), now, authority.root)
    except PeerError as error:
        raise CredentialsError(f"{path}: {error}") from error
    return path
