"""Whom this machine trusts: a folder with one root for each organisation, and the newest list of what it took back.

``ORGANISATION.pem`` and ``ORGANISATION.crl``; nothing is shared between organisations, so that admitting one is one new file. The folder
is looked at on every call, and read again when a file has come, gone or been replaced: a list counts as soon as it is there. A file that
somebody edits in its place is noticed within :data:`GLANCE_S`.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from knexa.durable import sync
from knexa.errors import CredentialsError, PeerError
from knexa.service.identity.files import locked, make_private_folder, read, require_unwritable, write
from knexa.service.identity.names import Identity, Role, require_name
from knexa.service.identity.verification import (
    Vouched,
    list_organisation,
    read_certificate,
    read_list,
    read_root,
    verified,
    verified_list,
)

#: How often all files are looked at although the folder says that none of them was replaced.
GLANCE_S = 2.0
#: Certificates that are remembered as verified, and the largest of them in bytes: 10 MiB in all.
MOST_VERIFIED, LONGEST_VERIFIED = 4096, 2560

_SETTLES_NS = 100_000_000

#: Name, inode, time of change in ns and size of a file: differs whenever the file was written or replaced.
_Mark = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class _Verified:
    """A certificate that was verified by what is held: who it is, and from when until when that is so."""

    identity: Identity
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Held:
    """The folder as it was read: what was there, and what it means."""

    marks: frozenset[_Mark]
    vouched: dict[str, Vouched]
    roots: bytes
    lists: Mapping[bytes, bytes]
    verified: dict[tuple[bytes, Role], _Verified] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Look:
    """When the folder was changed (ns), when that was looked at, and whether a later change must show.

    It need not while the clock of the file system, which ticks every few milliseconds, may still stand where it stood.
    """

    changed: int
    when: float
    settled: bool

    @classmethod
    def at(cls, folder: Path) -> _Look:
        try:
            changed = os.stat(folder).st_ctime_ns  # of its names, and of who may write to it
        except OSError:
            return cls(0, 0.0, settled=False)
        return cls(changed, time.monotonic(), time.time_ns() - changed > _SETTLES_NS)

    def spares(self, other: _Look) -> bool:
        """Whether the files need not be looked at for ``other``, having been for this one."""
        return self.settled and self.changed == other.changed and other.when - self.when < GLANCE_S


class TrustStore:
    """A folder of roots and lists. Raises CredentialsError where the folder is at fault, PeerError where what is offered is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held = _Held(frozenset(), {}, b"", {})
        self._looked = _Look(0, 0.0, settled=False)

    @classmethod
    def create(cls, folder: Path) -> TrustStore:
        make_private_folder(folder)
        return cls(folder)

    def organisations(self) -> tuple[str, ...]:
        return tuple(sorted(self._read().vouched))

    def roots_pem(self) -> bytes:
        """All roots, for ``root_certificates`` of gRPC. That a TLS handshake succeeds is not enough: call :meth:`verify` then."""
        return self._read().roots

    def root_pem(self, organisation: str) -> bytes:
        self.vouched(organisation)
        return read(self._root(organisation))

    def lists(self) -> Mapping[bytes, bytes]:
        """The newest list of every organisation that has one (PEM), by its SHA-256."""
        return self._read().lists

    def list_pem(self, organisation: str) -> bytes | None:
        """The newest list of revoked certificates, or None where the organisation has published none."""
        self.vouched(organisation)
        return read(self._list(organisation)) if self._list(organisation).is_file() else None

    def verify(self, certificate: bytes, now: datetime, role: Role = "client") -> Identity:
        """Who the peer is that showed ``certificate`` (PEM or DER) as ``role`` of a connection; PeerError if it is refused.

        ``now``: aware, from the wall clock. TLS must have proved that the peer holds the certificate's key.
        """
        held = self._read()
        known = held.verified.get((certificate, role))
        if known is None or not known.begins <= now <= known.ends:
            shown = read_certificate(certificate)
            identity = verified(shown, self.vouched, now, role)
            root = self.vouched(identity.organisation).root
            begins, ends = (
                max(shown.not_valid_before_utc, root.not_valid_before_utc),
                min(shown.not_valid_after_utc, root.not_valid_after_utc),
            )
            known = _Verified(identity, begins, ends)
            if held is self._held and len(certificate) <= LONGEST_VERIFIED:
                if len(held.verified) >= MOST_VERIFIED:
                    held.verified.clear()
                held.verified[certificate, role] = known
        return known.identity

    def admit(self, root: bytes, organisation: str, now: datetime) -> str:
        """Trust ``organisation`` by its ``root`` (PEM) from now on; its fingerprint, to compare on another channel.

        Nothing else in the folder is written. Raises PeerError if it is no such root, and CredentialsError if another one is
        trusted already: who wants to replace a root has to :meth:`dismiss` the organisation first.
        """
        require_name("organisation", organisation)
        named, certificate = read_root(root)
        if named != organisation:
            raise PeerError(f"the root is that of {named}, not of {organisation}")
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begins <= now <= ends:
            raise PeerError(f"the root of {named} is valid from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}, not now; ask for its new one")
        held = self._read().vouched.get(organisation)
        if held and held.root != certificate:
            raise CredentialsError(
                f"{self._root(organisation)}: another root of {organisation} is trusted already (fingerprint {fingerprint(held.root)}); "
                f"if it was really replaced, dismiss the organisation first"
            )
        if not held:
            self._write_root(organisation, certificate)
        return fingerprint(certificate)

    def admit_list(self, content: bytes) -> bool:
        """Take over a list of revoked certificates (PEM); whether it was news.

        Whoever brings it needs no trust: it counts by its signature, and an older list never replaces a newer one. PeerError otherwise.
        """
        offered = read_list(content)
        organisation = list_organisation(offered)
        root = self.vouched(organisation).root
        number, _ = verified_list(offered, root)
        path = self._list(organisation)
        with locked(self.folder):
            if path.is_file() and verified_list(read_list(read(path)), root)[0] >= number:
                return False
            write(path, offered.public_bytes(serialization.Encoding.PEM))
        return True

    def dismiss(self, organisation: str) -> None:
        """Trust ``organisation`` no longer. Raises PeerError if it is not trusted."""
        self.vouched(organisation)
        self._root(organisation).unlink()
        self._list(organisation).unlink(missing_ok=True)
        sync(self.folder)

    def mirror(self, roots: Mapping[str, str], lists: Mapping[str, str]) -> None:
        """Trust exactly ``roots``, with ``lists`` where they are newer. What stays the same is not written again.

        All is checked before anything is written. Raises PeerError.
        """
        offered = {organisation: read_root(pem.encode()) for organisation, pem in roots.items()}
        for organisation, (named, root) in offered.items():
            if named != organisation:
                raise PeerError(f"the root of {named} is offered as that of {organisation}")
            if organisation in lists:
                verified_list(read_list(lists[organisation].encode()), root)
        held = self._read().vouched
        for organisation in held:
            if organisation not in offered or held[organisation].root != offered[organisation][1]:
                self.dismiss(organisation)
        for organisation, (_, root) in offered.items():
            if organisation not in held or held[organisation].root != root:
                self._write_root(organisation, root)
            if organisation in lists:
                self.admit_list(lists[organisation].encode())

    def _write_root(self, organisation: str, root: x509.Certificate) -> None:
        write(self._root(organisation), root.public_bytes(serialization.Encoding.PEM))

    def _root(self, organisation: str) -> Path:
        return self.folder / f"{organisation}.pem"

    def _list(self, organisation: str) -> Path:
        return self.folder / f"{organisation}.crl"

    def vouched(self, organisation: str) -> Vouched:
        """What ``organisation`` is trusted by; PeerError if it is not."""
        held = self._read()
        if organisation not in held.vouched:
            trusted = ", ".join(sorted(held.vouched)) or "nobody"
            raise PeerError(f"organisation {organisation!r} is not trusted here (trusted: {trusted}); its root has to be admitted first")
        return held.vouched[organisation]

    def _read(self) -> _Held:
        """The folder's content, read again if a file changed. Replaced as a whole, so that threads need no lock."""
        look = _Look.at(self.folder)
        if self._looked.spares(look):
            return self._held
        marks = self._marks()
        while marks != self._held.marks:
            try:
                held = self._load_all(marks)
            except CredentialsError:
                if self._marks() == marks:
                    raise
            else:
                self._held = held
            # Whoever writes to the folder meanwhile makes us look once more.
            marks = self._marks()
        self._looked = look
        return self._held

    def _marks(self) -> frozenset[_Mark]:
        require_unwritable(self.folder)
        marks = set()
        for entry in os.scandir(self.folder):
            if entry.name.endswith((".pem", ".crl")) and not entry.name.startswith("."):
                with suppress(FileNotFoundError):  # dismissed since the folder was listed
                    fact = entry.stat()
                    marks.add((entry.name, fact.st_ino, fact.st_mtime_ns, fact.st_size))
        return frozenset(marks)

    def _load_all(self, marks: frozenset[_Mark]) -> _Held:
        organisations = sorted(name.removesuffix(".pem") for name, *_ in marks if name.endswith(".pem"))
        vouched = {organisation: self._load(organisation) for organisation in organisations}
        pem = b"".join(one.root.public_bytes(serialization.Encoding.PEM) for one in vouched.values())
        lists = [read(self._list(name)) for name in organisations if self._list(name).is_file()]
        return _Held(marks, vouched, pem, {hashlib.sha256(one).digest(): one for one in lists})

    def _load(self, organisation: str) -> Vouched:
        """One organisation's files; whatever is wrong with them is this machine's fault, and then nobody is trusted."""
        try:
            root_file, list_file = self._root(organisation), self._list(organisation)
            require_unwritable(root_file)
            named, root = read_root(read(root_file))
            if named != organisation:
                raise PeerError(f"it is the root of {named}")
            return Vouched(root, verified_list(read_list(read(list_file)), root)[1] if list_file.is_file() else frozenset())
        except PeerError as error:
            raise CredentialsError(f"{self._root(organisation)} or .crl: {error}; restore it, or remove it and admit it again") from error


def fingerprint(root: x509.Certificate) -> str:
    """SHA-256 of the whole certificate, hexadecimal."""
    return hashlib.sha256(root.public_bytes(serialization.Encoding.DER)).hexdigest()


def utc_now() -> datetime:
    """The clock that commands pass on to everything else in this package."""
    return datetime.now(UTC)
