"""The newcomer's side of an invitation: a key made here, a code that says whom to believe, a certificate at the end."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509

from knexa.errors import PeerError
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.credentials import CERTIFICATE, Credentials
from knexa.service.identity.grant import LONGEST, Address, Grant
from knexa.service.identity.invitation import Code, root_pin
from knexa.service.identity.names import ISSUER, Identity
from knexa.service.identity.verification import Vouched, read_certificate, read_root, verified
from knexa.service.identity.wire import Line, dialled, newcomer_context, text_field


def join(address: Address, code: Code, path: Path, now: datetime) -> Identity:
    """Become who the code invites, with a key made in ``path``. Whom this agent is afterwards.

    Raises CredentialsError if ``path`` cannot hold a new identity, PeerError if the other side is not the authority of the code,
    or refuses. The key is kept in either case, for the next try.
    """
    folder = _folder(path, now)
    with dialled(address, newcomer_context(), None) as line:
        root = _authenticated(line, code, now)
        request = folder.request().decode()
        grant = Grant.from_json(line.ask({"ask": "join", "code": code.secret, "request": request}, LONGEST))
    if grant.certificate is None:
        raise PeerError(f"{address}: answered without a certificate")
    return folder.install(grant, now, root)


def _folder(path: Path, now: datetime) -> AgentFolder:
    """A new folder; or one whose certificate has expired, which may join again with the same key."""
    if (path / CERTIFICATE).exists() and now > Credentials(path).expires():
        return AgentFolder(path)
    return AgentFolder.create(path, None)


def _authenticated(line: Line, code: Code, now: datetime) -> x509.Certificate:
    """The root that the code pins, once the other side has shown it and holds its issuer's key. Nothing was told to it before."""
    organisation, root = read_root(text_field(line.ask({"ask": "root"}), "root").encode())
    if root_pin(root) != code.pin:
        raise PeerError("that is not the authority that the code is from; copy address and code once more. The code was not shown to it")

    def vouching(wanted: str) -> Vouched:
        if wanted != organisation:
            raise PeerError(f"it shows a certificate of {wanted} beside the root of {organisation}")
        return Vouched(root)

    if line.shown is None or verified(read_certificate(line.shown), vouching, now, "server") != Identity(organisation, ISSUER):
        raise PeerError(f"that is not the issuer of {organisation}. The code was not shown to it")
    return root
