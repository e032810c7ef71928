"""Who somebody is: a name within an organisation, written into a certificate as the URI ``knexa://ORGANISATION/NAME``.

The name also says what its bearer is for. Three names are reserved for servers, whose certificates cannot open a connection as a
client: :data:`CPM`, the organisation's matchmaker, :data:`ISSUER`, where its agents renew, and :data:`RELAY`, which carries sealed
exchanges between agents that cannot call each other. All others are agents, which call and, since peers call them, also listen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self

from knexa.errors import ConfigurationError, PeerError

#: What the bearer of a certificate does in one connection: opens it, or is called.
Role = Literal["client", "server"]

CPM = "cpm"
ISSUER = "issuer"
RELAY = "relay"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_URI = re.compile(r"knexa://([^/]*)/([^/]*)")
_ALLOWED = "1 to 31 of a-z, 0-9 and -, beginning with a letter or digit"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """Both parts are 1 to 31 of a-z, 0-9 and ``-``; anything else raises ConfigurationError."""

    organisation: str
    name: str

    def __post_init__(self) -> None:
        require_name("organisation", self.organisation)
        require_name("name", self.name)

    def __str__(self) -> str:
        return self.uri

    @property
    def uri(self) -> str:
        """What a peer is authorised on."""
        return f"knexa://{self.organisation}/{self.name}"

    @property
    def dns(self) -> str:
        """The host name beside the URI: TLS clients such as gRPC's refuse a certificate whose only name is a URI."""
        return f"{self.name}.{self.organisation}.knexa"

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset({"server"}) if self.name in (CPM, ISSUER, RELAY) else frozenset({"client", "server"})

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The identity that a certificate's URI names; only the one spelling that :attr:`uri` prints. Raises PeerError."""
        found = _URI.fullmatch(uri)
        if not found or not all(_NAME.fullmatch(part) for part in found.groups()):
            raise PeerError(f"{uri[:100]!r} is no identity; expected knexa://ORGANISATION/NAME, each part {_ALLOWED}")
        return cls(*found.groups())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """``ORGANISATION/NAME`` as a user types it, with or without ``knexa://``. Raises ConfigurationError."""
        organisation, slash, name = text.removeprefix("knexa://").partition("/")
        if not slash:
            raise ConfigurationError(f"identity: found {text!r}; allowed: ORGANISATION/NAME, such as hospital-a/clinic-1")
        return cls(organisation, name)


def require_name(what: str, text: str) -> str:
    """``text``, if it may be the name of an organisation or of one of its members; ConfigurationError otherwise."""
    if not _NAME.fullmatch(text):
        raise ConfigurationError(f"{what}: found {text[:100]!r}; allowed: {_ALLOWED}")
    return text
