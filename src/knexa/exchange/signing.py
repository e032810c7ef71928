"""Who signed what: ECDSA over P-256 with SHA-256, under the key of a participant's certificate.

P-256, because identities are X.509 certificates that TLS has to take too, and the TLS of gRPC takes no Ed25519 certificates.
Every signature is for one *purpose*, which is signed with the message: a signature under a ticket is none under an offer.

ECDSA signatures are not unique: whoever has one can make a second that holds for the same message. Nothing here may
therefore take a signature, or bytes that contain one, for the name of a message; names are hashes of what was signed.
"""

from __future__ import annotations

import hashlib
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key, load_pem_private_key

from knexa.errors import ConfigurationError, PeerError
from knexa.exchange.framing import join_parts

#: Bytes of the longest signature: two 33-byte numbers in DER.
MOST_SIGNATURE_BYTES = 72

_ALGORITHM = ec.ECDSA(hashes.SHA256())
_DOMAIN = b"knexa signature 1"


class VerifyingKey:
    """The public half of an identity."""

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        """Raises PeerError if ``key`` is of another curve than P-256."""
        if not isinstance(key.curve, ec.SECP256R1):
            raise PeerError(f"a key on the curve {key.curve.name} cannot stand for a participant; it has to be on P-256")
        self._key = key
        self.public_bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.fingerprint = hashlib.sha256(self.public_bytes).hexdigest()

    @classmethod
    def from_public_bytes(cls, data: bytes) -> Self:
        """``data``: DER SubjectPublicKeyInfo, in the one form that ``public_bytes`` has."""
        try:
            key = load_der_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise PeerError(f"{len(data)} bytes are no public key; send the DER form of a P-256 key") from error
        found = cls._of(key)
        if found.public_bytes != data:
            raise PeerError("a public key is not in its canonical DER form, so its fingerprint would not be its own")
        return found

    @classmethod
    def from_certificate_pem(cls, pem: bytes) -> Self:
        """The key of the first certificate in ``pem``. Whether that certificate is valid, TLS and the caller decide."""
        try:
            key = x509.load_pem_x509_certificate(pem).public_key()
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            raise PeerError(f"{len(pem)} bytes hold no readable certificate; send an X.509 certificate in PEM form") from error
        return cls._of(key)

    @classmethod
    def _of(cls, key: object) -> Self:
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise PeerError(f"a {type(key).__name__} cannot stand for a participant; it has to be an ECDSA key on P-256")
        return cls(key)

    def verify(self, purpose: str, message: bytes, signature: bytes) -> None:
        """Raises PeerError unless ``signature`` was made for ``purpose`` over ``message`` with this key."""
        try:
            self._key.verify(signature, _signed(purpose, message), _ALGORITHM)
        except InvalidSignature as error:
            raise PeerError(
                f"the signature for {purpose!r} is not one of key {self.fingerprint[:16]} over this message: "
                "it was altered, signed by somebody else, or belongs to another exchange"
            ) from error


class SigningKey:
    """The private half of an identity; it never leaves the process."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Raises ConfigurationError if ``key`` is of another curve than P-256."""
        if not isinstance(key.curve, ec.SECP256R1):
            raise ConfigurationError(f"this participant's key is on the curve {key.curve.name}; make a certificate with a key on P-256")
        self._key = key
        self.verifying_key = VerifyingKey(key.public_key())

    @classmethod
    def from_private_pem(cls, pem: bytes) -> Self:
        """``pem``: an unencrypted private key. Raises ConfigurationError if it is not one on P-256."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: the key is encrypted
            raise ConfigurationError("this participant's private key is not readable; it has to be an unencrypted PEM file") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigurationError("this participant's private key is not for ECDSA; make a certificate with a key on P-256")
        return cls(key)

    @property
    def fingerprint(self) -> str:
        return self.verifying_key.fingerprint

    @property
    def public_bytes(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        return self.verifying_key.public_bytes

    def sign(self, purpose: str, message: bytes) -> bytes:
        """A DER signature of at most 72 bytes, another one each time."""
        return self._key.sign(_signed(purpose, message), _ALGORITHM)


def _signed(purpose: str, message: bytes) -> bytes:
    return join_parts(_DOMAIN, purpose.encode(), message)
