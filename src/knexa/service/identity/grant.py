"""What an authority gives to one of its agents: a certificate, whom to trust, and where to find others."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeGuard

from knexa.errors import ConfigurationError, CredentialsError, PeerError
from knexa.service.identity.files import read, write_if_other

FORMAT = 1
#: Longest grant that is looked at, in bytes: room for a thousand organisations.
LONGEST = 8 * 2**20

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP port of a host (name, IPv4, or IPv6 in brackets)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str, what: str = "address") -> Address:
        """Raises ConfigurationError. Port 0 is for listeners: any free one."""
        found = _ADDRESS.fullmatch(text)
        if not found or int(found[2]) > 65535:
            raise ConfigurationError(f"{what}: found {text[:100]!r}; allowed: HOST:PORT, such as ca.hospital-a.example:7432 or [::1]:7432")
        return cls(found[1].strip("[]"), int(found[2]))


@dataclass(frozen=True, slots=True)
class Addresses:
    """``issuer``: where agents renew (`knexa provision serve`). ``cpm``: the matchmaker of the federation. None: not known."""

    issuer: Address | None = None
    cpm: Address | None = None

    @classmethod
    def read(cls, path: Path) -> Addresses:
        """From a TOML file; none if there is no file. Raises ConfigurationError."""
        if not path.is_file():
            return cls()
        try:
            found = tomllib.loads(read(path).decode())
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"{path}: is no TOML ({error})") from error
        for key, value in found.items():
            if key not in ("issuer", "cpm") or not isinstance(value, str):
                raise ConfigurationError(f"{path}: found {key} = {value!r}; allowed: issuer and cpm, each a text HOST:PORT")
        return cls(**{key: Address.parse(value, f"{path}, {key}") for key, value in found.items()})

    def write(self, path: Path) -> None:
        """What is not known stands there as an example, commented out."""
        lines = [
            "# Whom agents call.",
            f'issuer = "{self.issuer}"' if self.issuer else '# issuer = "ca.hospital-a.example:7432"',
            f'cpm = "{self.cpm}"' if self.cpm else '# cpm = "cpm.example:7430"',
        ]
        write_if_other(path, ("\n".join(lines) + "\n").encode())

    def updated(self, newer: Addresses) -> Addresses:
        """What ``newer`` knows, and the rest from here."""
        return Addresses(newer.issuer or self.issuer, newer.cpm or self.cpm)


@dataclass(frozen=True, slots=True)
class Grant:
    """``certificate``: PEM; None where the agent's own is still good for a while. ``roots`` and ``lists``: PEM by organisation,

    all that the authority trusts. Nothing in a grant is secret; it has to arrive unchanged.
    """

    certificate: str | None
    roots: Mapping[str, str]
    lists: Mapping[str, str]
    addresses: Addresses

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "certificate": self.certificate,
            "roots": dict(self.roots),
            "lists": dict(self.lists),
            **{field.name: str(value) if (value := getattr(self.addresses, field.name)) else None for field in fields(Addresses)},
        }

    @classmethod
    def from_json(cls, found: object) -> Grant:
        """Checks the form alone; whom it may be believed is for the receiver. Raises PeerError."""
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise PeerError(f"the grant is not of format {FORMAT}; both sides have to run the same version of knexa")
        certificate, roots, lists = (found.get(key) for key in ("certificate", "roots", "lists"))
        if not (certificate is None or _plain(certificate)) or not _texts(roots) or not _texts(lists):
            raise PeerError("the grant has a field of the wrong kind")
        try:
            known = {key: Address.parse(found[key]) for key in ("issuer", "cpm") if isinstance(found.get(key), str)}
        except ConfigurationError as error:
            raise PeerError(f"the grant holds no proper {error}") from error
        return cls(certificate, roots, lists, Addresses(**known))

    @classmethod
    def read(cls, path: Path) -> Grant:
        """From a file that ``knexa provision approve`` wrote. Raises CredentialsError or PeerError."""
        content = read(path)
        try:
            return cls.from_json(json.loads(content[:LONGEST]))
        except (ValueError, RecursionError) as error:
            raise CredentialsError(f"{path}: is no grant ({error}); pass the file that `knexa provision approve` wrote") from error


def _texts(found: object) -> TypeGuard[dict[str, str]]:
    return isinstance(found, dict) and all(_plain(key) and _plain(value) for key, value in found.items())


def _plain(found: object) -> bool:
    return isinstance(found, str) and found.isascii()
