"""What an agent shows to others: its key and its certificate, read again from disk whenever the certificate was renewed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from knexa.errors import CredentialsError, PeerError
from knexa.service.identity.certificates import due_at
from knexa.service.identity.files import read, read_private
from knexa.service.identity.grant import Addresses
from knexa.service.identity.keys import load_key
from knexa.service.identity.names import Identity
from knexa.service.identity.trust import TrustStore
from knexa.service.identity.verification import named_identity, read_certificate

KEY = "identity.key"
CERTIFICATE = "identity.pem"
REQUEST = "request.csr"
TRUST = "trust"
ADDRESSES = "addresses.toml"


@dataclass(frozen=True, slots=True)
class _Held:
    mark: tuple[int, int, int]
    identity: Identity
    certificate: x509.Certificate
    pem: bytes


class Credentials:
    """The credentials in an agent's folder. Raises CredentialsError, here and later, if they cannot be used.

    The key is read once, since it never changes. The certificate is looked at on every call and read again when it changed; so a
    server that asks :meth:`current` for each connection presents the renewed one, without a restart.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trust = TrustStore(folder / TRUST)
        self._key = load_key(folder / KEY)
        self._key_pem = read_private(folder / KEY)
        self._held = self._load()

    @property
    def identity(self) -> Identity:
        return self._fresh().identity

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """For signatures under this identity."""
        return self._key

    @property
    def certificate(self) -> x509.Certificate:
        return self._fresh().certificate

    @property
    def addresses(self) -> Addresses:
        return Addresses.read(self.folder / ADDRESSES)

    def current(self) -> tuple[bytes, bytes]:
        """Key and certificate chain, both PEM. Roots sign agents directly, so the chain is one certificate."""
        return self._key_pem, self._fresh().pem

    def expires(self) -> datetime:
        return self.certificate.not_valid_after_utc

    def due(self, now: datetime) -> bool:
        """Whether half of the certificate's lifetime is over, so that it is time to renew."""
        return now >= due_at(self.certificate)

    def require_valid(self, now: datetime) -> None:
        """Raise CredentialsError unless the certificate is valid at ``now``: peers would refuse it."""
        certificate = self.certificate
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise CredentialsError(
                f"{self.folder / CERTIFICATE}: is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} to "
                f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC, not now; ask {self.identity.organisation} to approve "
                f"{self.folder / REQUEST} again or for an invitation, and have `knexa provision renew` run from then on"
            )

    def _fresh(self) -> _Held:
        if _mark(self.folder / CERTIFICATE) != self._held.mark:
            self._held = self._load()
        return self._held

    def _load(self) -> _Held:
        path = self.folder / CERTIFICATE
        if not path.is_file():
            raise CredentialsError(f"{path}: there is no certificate yet; `knexa provision show {self.folder}` says how to get one")
        mark = _mark(path)
        try:
            certificate = read_certificate(read(path))
            identity = named_identity(certificate)
        except PeerError as error:
            raise CredentialsError(f"{path}: {error}; ask for it again") from error
        if certificate.public_key() != self._key.public_key():
            raise CredentialsError(f"{path}: does not belong to {self.folder / KEY}; ask for a certificate for this key")
        return _Held(mark, identity, certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _mark(path: Path) -> tuple[int, int, int]:
    try:
        fact = path.stat()
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be read ({error.strerror})") from error
    return fact.st_ino, fact.st_mtime_ns, fact.st_size
