"""What an agent is in its federation, once it has joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from knexa.errors import PeerError
from knexa.exchange.handshake import Party
from knexa.exchange.signing import SigningKey, VerifyingKey
from knexa.service.identity import Credentials, Identity, TrustStore
from knexa.service.identity.trust import utc_now


class CoordinatorKey:
    """The key that signs tickets: that of the newest certificate that the coordinator, ``expected``, has shown."""

    def __init__(self, expected: Identity, trust: TrustStore, certificate: bytes) -> None:
        """Raises PeerError as :meth:`take`."""
        self._expected, self._trust = expected, trust
        self._shown = b""
        self.take(certificate)

    def take(self, certificate: bytes) -> None:
        """Raises PeerError, with nothing changed, for a certificate that is not the coordinator's, or not good now."""
        if self._trust.verify(certificate, utc_now(), "server") != self._expected:
            raise PeerError(f"the coordinator shows a certificate that is not that of {self._expected}")
        if certificate != self._shown:
            self._shown, self.now = certificate, VerifyingKey.from_certificate_pem(certificate)


@dataclass(frozen=True, slots=True)
class Ourselves:
    """What both sides of an exchange know of the federation. ``members``: identity of every agent by name. ``cpm``: signs tickets."""

    federation_id: str
    name: str
    members: Mapping[str, Identity]
    credentials: Credentials
    cpm: CoordinatorKey
    transfer_set: str

    def party(self, peer: Identity, certificate: bytes) -> Party:
        """As a party to an exchange with ``peer``, whose ``certificate`` was verified."""
        key, _ = self.credentials.current()
        pinned = {peer.name: VerifyingKey.from_certificate_pem(certificate)}
        return Party(self.federation_id, self.name, SigningKey.from_private_pem(key), self.cpm.now, pinned, self.transfer_set)

    def member(self, name: str) -> Identity:
        """Raises PeerError for a name that is no agent's."""
        if name not in self.members:
            raise PeerError(f"{name!r} is no participant of this federation")
        return self.members[name]
