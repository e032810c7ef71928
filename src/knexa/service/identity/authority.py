"""An organisation's own certificate authority. Its root key is made in this folder and never leaves it.

``root.key`` (private)   ``root.pem`` (to give to other organisations)   ``issued.jsonl`` (:mod:`.issued`)
``trust/`` (:mod:`.trust`): what the organisation's agents are told to trust, its own root and list of revoked certificates among it
``issuer/``: the identity under which it answers agents that join or renew   ``addresses.toml``: what agents are told to call
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from knexa.errors import ConfigurationError, CredentialsError, PeerError
from knexa.service.identity.certificates import (
    MAX_LIFETIME,
    lifetime_of,
    member_certificate,
    require_lifetime,
    revocation_list,
    root_certificate,
)
from knexa.service.identity.files import PRIVATE, locked, make_private_folder, read, write_new
from knexa.service.identity.grant import Addresses, Grant
from knexa.service.identity.issued import Entry, IssuedLog, issued, living, reachable, revoked_keys, taken_back
from knexa.service.identity.keys import create_key, key_fingerprint, load_key, read_request
from knexa.service.identity.names import ISSUER, Identity, require_name
from knexa.service.identity.trust import TrustStore, fingerprint
from knexa.service.identity.verification import read_root

ROOT_KEY = "root.key"
ROOT = "root.pem"
LOG = "issued.jsonl"
TRUST = "trust"
ADDRESSES = "addresses.toml"


class Authority:
    """Opened by :meth:`create` or :meth:`open`. Several processes may use one folder; they take turns."""

    def __init__(self, folder: Path, root: x509.Certificate, organisation: str, key: ec.EllipticCurvePrivateKey) -> None:
        self.folder = folder
        self.organisation = organisation
        self.root = root
        self.trust = TrustStore(folder / TRUST)
        self._key = key
        self._log = IssuedLog(folder / LOG)

    @classmethod
    def create(cls, folder: Path, organisation: str, now: datetime, addresses: Addresses | None = None) -> Authority:
        """A new organisation, with a new root key. Raises CredentialsError, and changes nothing, if the folder holds one already."""
        require_name("organisation", organisation)
        make_private_folder(folder)
        with locked(folder):
            key = create_key(folder / ROOT_KEY)
            root = root_certificate(key, organisation, now)
            write_new(folder / LOG, b"", PRIVATE)
            (addresses or Addresses()).write(folder / ADDRESSES)
            TrustStore.create(folder / TRUST).admit(_pem(root), organisation, now)
            authority = cls(folder, root, organisation, key)
            authority._publish_list(now)
            # Last: a folder with a root.pem is complete.
            write_new(folder / ROOT, _pem(root))
        return authority

    @classmethod
    def open(cls, folder: Path) -> Authority:
        """The authority in ``folder``. Raises CredentialsError if there is none, or if its key is damaged or open to others."""
        if not (folder / ROOT).is_file():
            raise CredentialsError(f"{folder}: is no authority; make one with `knexa provision init ORGANISATION --ca {folder}`")
        try:
            organisation, root = read_root(read(folder / ROOT))
        except PeerError as error:
            raise CredentialsError(f"{folder / ROOT}: {error}; restore it from a backup") from error
        key = load_key(folder / ROOT_KEY)
        if key.public_key() != root.public_key():
            raise CredentialsError(f"{folder / ROOT_KEY}: does not belong to {folder / ROOT}; restore both from the same backup")
        return cls(folder, root, organisation, key)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.root)

    @property
    def addresses(self) -> Addresses:
        return Addresses.read(self.folder / ADDRESSES)

    def issue(
        self, request: bytes, name: str, now: datetime, lifetime: timedelta = MAX_LIFETIME, folder: Path | None = None
    ) -> x509.Certificate:
        """A certificate as ``name`` for the key that signed ``request`` (PKCS 10, PEM).

        The caller answers for ``name``; what the request says about itself is not looked at. ``folder``: where the agent lives,
        if this machine can reach it. Raises PeerError for a bad request, a revoked key, or a name that another key holds.
        """
        identity = self.member(name) if folder != self.folder / ISSUER else Identity(self.organisation, ISSUER)
        key = read_request(request).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return self._certify(key, identity, now, lifetime, folder)

    def member(self, name: str) -> Identity:
        """The identity of a member of this organisation. Raises ConfigurationError for a name that nobody may have."""
        if name == ISSUER:
            raise ConfigurationError(f"name: found {name!r}; allowed: any other, this one is the authority's own")
        return Identity(self.organisation, name)

    def renew(self, certificate: x509.Certificate, now: datetime, folder: Path | None = None) -> x509.Certificate:
        """One for the same name, key and lifetime. The caller has verified ``certificate``, or knows its folder. Raises PeerError."""
        identity, key = self._own(certificate)
        return self._certify(key, identity, now, lifetime_of(certificate), folder)

    def revoke(self, who: str, now: datetime) -> list[Entry]:
        """Take back the key of ``who``, a name or a serial: all its certificates, and it gets no more. What was taken back.

        A name may be given to a new key afterwards. Raises ConfigurationError if nothing was ever issued to ``who``.
        """
        with locked(self.folder):
            entries = self._log.entries()
            if not any(who in (entry.name, entry.serial) for entry in entries):
                raise ConfigurationError(f"{who!r}: no certificate has this name or serial; `knexa provision show {self.folder}` lists all")
            concerned = taken_back(entries, who, now)
            if concerned:
                self._log.append(concerned)
            # Also without news: a revocation that was cut off between log and list is completed by asking again.
            self._publish_list(now)
        return concerned

    def grant(self, certificate: x509.Certificate | None) -> Grant:
        """``certificate`` with all that its bearer needs to know beside it."""
        organisations = self.trust.organisations()
        lists = {one: pem.decode() for one in organisations if (pem := self.trust.list_pem(one))}
        roots = {one: self.trust.root_pem(one).decode() for one in organisations}
        return Grant(_pem(certificate).decode() if certificate else None, roots, lists, self.addresses)

    def living(self, now: datetime) -> list[Entry]:
        """The certificates in use: newest of each name, neither expired nor revoked."""
        with locked(self.folder):
            return living(self._log.entries(), now)

    def reachable(self) -> list[Entry]:
        """The newest certificate of each name that lives in a folder of this machine."""
        with locked(self.folder):
            return reachable(self._log.entries())

    def revoked_keys(self) -> set[str]:
        with locked(self.folder):
            return revoked_keys(self._log.entries())

    def _certify(
        self, key: ec.EllipticCurvePublicKey, identity: Identity, now: datetime, lifetime: timedelta, folder: Path | None
    ) -> x509.Certificate:
        require_lifetime(lifetime)
        with locked(self.folder):
            _require_free(self._log.entries(), identity, key_fingerprint(key), now)
            certificate = member_certificate(key, identity, lifetime, now, self.root, self._key)
            if certificate.not_valid_after_utc > self.root.not_valid_after_utc:
                raise CredentialsError(f"{self.folder / ROOT}: ends at {self.root.not_valid_after_utc:%Y-%m-%d}; begin a new authority")
            self._log.append([issued(certificate, identity.name, now, folder)])
        return certificate

    def _own(self, certificate: x509.Certificate) -> tuple[Identity, ec.EllipticCurvePublicKey]:
        """Name and key of a certificate that this authority has issued, whenever that was. PeerError otherwise."""
        with locked(self.folder):
            serial = f"{certificate.serial_number:x}"
            found = [one for one in self._log.entries() if one.kind == "issued" and one.serial == serial]
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        if not found or found[0].key != key_fingerprint(key):
            raise PeerError(f"this authority has issued no certificate with the serial {serial} for that key")
        return Identity(self.organisation, found[0].name), key

    def _publish_list(self, now: datetime) -> None:
        """Sign the list that the log asks for. Serials that expired over a lifetime ago are left out: nobody accepts them anyway."""
        entries: Sequence[Entry] = self._log.entries()
        horizon = (now - MAX_LIFETIME).timestamp()
        serials = [int(entry.serial, 16) for entry in entries if entry.kind == "revoked" and entry.expires > horizon]
        number = 1 + sum(entry.kind == "revoked" for entry in entries)
        self.trust.admit_list(_list_pem(revocation_list(serials, number, now, self.root, self._key)))


def _require_free(entries: Sequence[Entry], identity: Identity, key: str, now: datetime) -> None:
    if key in revoked_keys(entries):
        raise PeerError("this key was revoked; make a new key in a new folder")
    for entry in living(entries, now):
        if entry.name == identity.name and entry.key != key:
            raise PeerError(
                f"{identity} is in use by another key until {datetime.fromtimestamp(entry.expires, now.tzinfo):%Y-%m-%d %H:%M} UTC; choose "
                f"another name, or, if that key is lost, revoke {identity.name} first"
            )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _list_pem(revocations: x509.CertificateRevocationList) -> bytes:
    return revocations.public_bytes(serialization.Encoding.PEM)
