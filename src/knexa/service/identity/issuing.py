"""What an authority answers over the network: to newcomers with a code, and to its own agents that renew.

Who asks is what TLS has proved, never what a message says: a renewal is for the name, key and lifetime of the certificate that
was shown, and its request holds nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from knexa.errors import PeerError
from knexa.service.identity.authority import Authority
from knexa.service.identity.certificates import due_at
from knexa.service.identity.invitation import Invitation
from knexa.service.identity.keys import read_request
from knexa.service.identity.verification import read_certificate
from knexa.service.identity.wire import text_field


class Issuing:
    """``invitation``: whose code is taken here; without one, only renewals are answered."""

    def __init__(self, authority: Authority, invitation: Invitation | None = None) -> None:
        self.authority = authority
        self._invitation = invitation

    def answer(self, message: Mapping[str, Any], shown: bytes | None, now: datetime) -> tuple[dict[str, Any], str]:
        """The answer, and what happened in words (empty for nothing worth a line). ``shown``: the peer's certificate, DER.

        Raises PeerError, whose sentence is for the peer, where it is refused.
        """
        ask = message.get("ask")
        if ask == "root":
            return {"root": self.authority.root.public_bytes(serialization.Encoding.PEM).decode()}, ""
        if ask == "join":
            return self._join(text_field(message, "code"), text_field(message, "request"), now)
        if ask == "renew":
            return self._renew(shown, now)
        raise PeerError("a message asks for nothing that is known here; both sides have to run the same version of knexa")

    def _join(self, secret: str, request: str, now: datetime) -> tuple[dict[str, Any], str]:
        if self._invitation is None:
            raise PeerError("nobody is invited here; codes work where `knexa provision invite` runs")
        # Before the code is looked at: what is malformed costs no try, and learns nothing.
        read_request(request.encode())
        with self._invitation.redeemed(secret, now) as name:
            certificate = self.authority.issue(request.encode(), name, now, self._invitation.lifetime)
        return self.authority.grant(certificate).to_json(), _news(name, "has joined", certificate)

    def _renew(self, shown: bytes | None, now: datetime) -> tuple[dict[str, Any], str]:
        if shown is None:
            raise PeerError("who wants to renew has to show a certificate")
        identity = self.authority.trust.verify(shown, now)
        if identity.organisation != self.authority.organisation:
            raise PeerError(f"{identity} renews at {identity.organisation}, not here")
        certificate = read_certificate(shown)
        if now < due_at(certificate):
            return self.authority.grant(None).to_json(), ""
        renewed = self.authority.renew(certificate, now)
        return self.authority.grant(renewed).to_json(), _news(identity.name, "was renewed", renewed)


def _news(name: str, what: str, certificate: x509.Certificate) -> str:
    return f"{name} {what}, until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
