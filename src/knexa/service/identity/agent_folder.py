"""An agent's folder, as provisioning sees it: a key is made in it, a request leaves it, a grant comes in.

``identity.key`` (private)   ``request.csr``   ``identity.pem``   ``trust/``   ``addresses.toml``
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from knexa.errors import CredentialsError, PeerError
from knexa.service.identity.credentials import ADDRESSES, CERTIFICATE, KEY, REQUEST, TRUST, Credentials
from knexa.service.identity.files import make_private_folder, write
from knexa.service.identity.grant import Addresses, Grant
from knexa.service.identity.keys import create_key, key_fingerprint, load_key, signing_request
from knexa.service.identity.names import Identity
from knexa.service.identity.trust import TrustStore
from knexa.service.identity.verification import Vouched, read_certificate, read_root, verified


class AgentFolder:
    """Raises CredentialsError if ``path`` holds no key, or one that is damaged or open to others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key = load_key(path / KEY)

    @classmethod
    def create(cls, path: Path, identity: Identity | None) -> AgentFolder:
        """Make key and request. A key that waits for its certificate is kept; one that has a certificate is refused.

        ``identity``: whom the request asks to be; None where the issuer knows whom it invited.
        """
        make_private_folder(path)
        if (path / CERTIFICATE).exists():
            raise CredentialsError(f"{path}: is {Credentials(path).identity} already; choose another folder for another identity")
        if not (path / KEY).exists():
            create_key(path / KEY)
        folder = cls(path)
        write(path / REQUEST, signing_request(folder._key, identity))
        return folder

    @property
    def key_fingerprint(self) -> str:
        return key_fingerprint(self._key.public_key())

    def request(self) -> bytes:
        """A signing request that names nobody."""
        return signing_request(self._key, None)

    def install(self, grant: Grant, now: datetime, root: x509.Certificate | None = None) -> Identity:
        """Take over ``grant``: whom to trust, then the certificate, then the addresses. Who this agent is now.

        ``root``: the root that the organisation is known to have; without one, that in the folder, and in a folder without any
        the grant is believed. Everything is checked before anything is written; PeerError where the grant is at fault.
        """
        certificate = self._granted(grant)
        identity = self._checked(grant, certificate, root, now)
        TrustStore.create(self.path / TRUST).mirror(grant.roots, grant.lists)
        if not (self.path / CERTIFICATE).exists():
            # Whoever came by a code has asked for nobody; a later approval has to know who asks.
            write(self.path / REQUEST, signing_request(self._key, identity))
        if grant.certificate is not None:
            write(self.path / CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM))
        Addresses.read(self.path / ADDRESSES).updated(grant.addresses).write(self.path / ADDRESSES)
        return identity

    def _granted(self, grant: Grant) -> x509.Certificate:
        if grant.certificate is None:
            return Credentials(self.path).certificate
        certificate = read_certificate(grant.certificate.encode())
        if certificate.public_key() != self._key.public_key():
            raise PeerError(f"the certificate granted is for another key than {self.path / KEY}; send this folder's {REQUEST} for approval")
        return certificate

    def _checked(self, grant: Grant, certificate: x509.Certificate, root: x509.Certificate | None, now: datetime) -> Identity:
        known = self._known_root() or root

        def vouching(organisation: str) -> Vouched:
            if organisation not in grant.roots:
                raise PeerError(f"the grant lacks the root of {organisation}")
            named, offered = read_root(grant.roots[organisation].encode())
            if named != organisation or (known and offered != known):
                raise PeerError(f"the grant has another root for {organisation} than the one that is known here; nothing was changed")
            return Vouched(offered)

        identity = verified(certificate, vouching, now, "server")
        if (self.path / CERTIFICATE).exists() and (held := Credentials(self.path).identity) != identity:
            raise PeerError(f"the grant is for {identity}, but {self.path} is {held}; nothing was changed")
        return identity

    def _known_root(self) -> x509.Certificate | None:
        """The own organisation's root, as an earlier grant has brought it."""
        if not (self.path / CERTIFICATE).exists():
            return None
        credentials = Credentials(self.path)
        return read_certificate(credentials.trust.root_pem(credentials.identity.organisation))
