"""The log of an authority: every certificate that it issued and every key that it took back, one JSON object a line.

A line is on disk before the certificate leaves. From the log follow the two rules that keep a name one agent: a name belongs
to one key at a time, and a key that was revoked gets no further certificate.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from pydantic import TypeAdapter

from knexa.errors import CredentialsError
from knexa.service.identity.keys import key_fingerprint


@dataclass(frozen=True, slots=True)
class Entry:
    """``key``: SHA-256 of the public key. ``serial``: hexadecimal. ``at``, ``expires``: seconds since 1970.

    ``folder``: absolute path of the agent's folder, where the authority can reach it; empty for agents elsewhere.
    """

    kind: Literal["issued", "revoked"]
    at: float
    name: str
    key: str
    serial: str
    expires: float
    folder: str = ""


#: Checks the kind of every field.
_FORM = TypeAdapter(Entry)


def issued(certificate: x509.Certificate, name: str, now: datetime, folder: Path | None) -> Entry:
    key, serial = key_fingerprint(certificate.public_key()), f"{certificate.serial_number:x}"
    reach = str(folder.absolute()) if folder else ""
    return Entry("issued", now.timestamp(), name, key, serial, certificate.not_valid_after_utc.timestamp(), reach)


def revoked_keys(entries: Iterable[Entry]) -> set[str]:
    return {entry.key for entry in entries if entry.kind == "revoked"}


def living(entries: Sequence[Entry], now: datetime) -> list[Entry]:
    """Of each name the certificate that lasts longest, unless it has expired or its key was revoked; by name."""
    lost = revoked_keys(entries)
    longest: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind == "issued" and entry.key not in lost and entry.expires > now.timestamp():
            longest[entry.name] = max(entry, longest.get(entry.name, entry), key=lambda one: one.expires)
    return [longest[name] for name in sorted(longest)]


def reachable(entries: Sequence[Entry]) -> list[Entry]:
    """The newest entry of each name whose newest certificate went into a folder of this machine; revoked ones too, by name."""
    newest = {entry.name: entry for entry in entries if entry.kind == "issued"}
    return [newest[name] for name in sorted(newest) if newest[name].folder]


def taken_back(entries: Sequence[Entry], who: str, now: datetime) -> list[Entry]:
    """What revoking ``who``, a name or a serial, adds to the log: every certificate, not yet taken back, of each key concerned."""
    lost = revoked_keys(entries)
    keys = {entry.key for entry in entries if entry.kind == "issued" and who in (entry.name, entry.serial)}
    concerned = [entry for entry in entries if entry.kind == "issued" and entry.key in keys - lost]
    return [replace(entry, kind="revoked", at=now.timestamp(), folder="") for entry in concerned]


class IssuedLog:
    """``issued.jsonl`` of an authority. Callers hold the lock of the folder while they read and append."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[Entry] = []
        self._read_bytes = 0

    def entries(self) -> Sequence[Entry]:
        """All, oldest first. Only what was appended since the last call, by whichever process, is read."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read_bytes)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # a write that was cut off, and so never answered; the next append removes it
                    self._entries.append(self._entry(line))
                    self._read_bytes += len(line)
        except OSError as error:
            raise CredentialsError(f"{self.path}: cannot be read ({error.strerror}); restore it from a backup") from error
        return self._entries

    def append(self, entries: Sequence[Entry]) -> None:
        """On disk when this returns."""
        self.entries()
        lines = b"".join(json.dumps(asdict(entry), separators=(",", ":")).encode() + b"\n" for entry in entries)
        try:
            with self.path.open("r+b") as file:
                file.truncate(self._read_bytes)
                file.seek(self._read_bytes)
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CredentialsError(f"{self.path}: cannot be written ({error.strerror}); nothing was issued or revoked") from error

    def _entry(self, line: bytes) -> Entry:
        try:
            return _FORM.validate_json(line, strict=True)
        except ValueError as error:
            raise CredentialsError(f"{self.path}: a line is damaged ({error}); restore the file from a backup") from error
