"""Who signed what."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from exchange_parties import OTHER, STUDENT, refuse
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.errors import ConfigurationError, PeerError
from knexa.exchange.framing import join_parts, split_parts
from knexa.exchange.signing import MOST_SIGNATURE_BYTES, SigningKey, VerifyingKey


def certificate(key: Any) -> bytes:
    """A certificate in PEM that ``key`` signed for itself."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "clinic-b")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    draft = x509.CertificateBuilder(name, name, key.public_key(), 7, begin, begin + timedelta(hours=24))
    algorithm = hashes.SHA256() if isinstance(key, ec.EllipticCurvePrivateKey) else None
    return draft.sign(key, algorithm).public_bytes(Encoding.PEM)


def pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=9), st.binary(max_size=99))
def test_a_signature_holds_for_its_purpose_message_and_key_only(purpose: str, message: bytes) -> None:
    """It verifies as it was made, and for no other purpose, message or key, also where purpose and message are cut elsewhere."""
    signature = STUDENT.sign(purpose, message)
    assert len(signature) <= MOST_SIGNATURE_BYTES
    STUDENT.verifying_key.verify(purpose, message, signature)
    for other_purpose, other_message in ((purpose + "x", message), (purpose, message + b"x"), (purpose + "x", message[1:])):
        refuse(lambda: STUDENT.verifying_key.verify(other_purpose, other_message, signature))  # noqa: B023
    refuse(lambda: OTHER.verifying_key.verify(purpose, message, signature))


def test_a_purpose_cannot_borrow_letters_from_the_message() -> None:
    """The same letters, cut between purpose and message in another place, are another signature."""
    refuse(lambda: STUDENT.verifying_key.verify("tick", b"et1", STUDENT.sign("ticket", b"1")))


def test_a_certificate_and_its_key_have_one_fingerprint() -> None:
    """A key is known by the same name whether it comes in a certificate, as bytes, or as the private key itself."""
    private = ec.generate_private_key(ec.SECP256R1())
    key = SigningKey(private)
    exported = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    found = VerifyingKey.from_certificate_pem(certificate(private))
    again = VerifyingKey.from_public_bytes(key.public_bytes)
    assert {key.fingerprint, found.fingerprint, again.fingerprint, SigningKey.from_private_pem(exported).fingerprint} == {key.fingerprint}
    found.verify("offer", b"message", key.sign("offer", b"message"))


def test_only_keys_on_p_256_stand_for_a_participant() -> None:
    """Another curve or algorithm is refused at once: as PeerError in a peer's certificate, as ConfigurationError in our own key."""
    for private in (ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()):
        refuse(lambda: VerifyingKey.from_certificate_pem(certificate(private)), "P-256")  # noqa: B023
        der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        refuse(lambda: VerifyingKey.from_public_bytes(der), "P-256")  # noqa: B023
        with pytest.raises(ConfigurationError, match=r"P-256|ECDSA"):
            SigningKey.from_private_pem(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def test_a_key_has_one_encoding() -> None:
    """The compressed form of the same point is refused: it would be the same key under another fingerprint."""
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), STUDENT.public_bytes[-65:])
    compressed = point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    algorithm = STUDENT.public_bytes[2:23]
    der = b"\x30\x39" + algorithm + b"\x03\x22\x00" + compressed
    refuse(lambda: VerifyingKey.from_public_bytes(der), "canonical")


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=120), st.binary(max_size=60).map(lambda tail: STUDENT.public_bytes[: 91 - len(tail)] + tail)))
def test_any_bytes_are_a_key_or_a_peer_error(data: bytes) -> None:
    """Garbage, and keys with another tail: a key that encodes to the same bytes, or PeerError and nothing else."""
    for text in (data, pem(data)):
        refuse(lambda: VerifyingKey.from_certificate_pem(text))  # noqa: B023
    try:
        found = VerifyingKey.from_public_bytes(data)
    except PeerError:
        return
    assert found.public_bytes == data


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_damaged_certificate_is_a_peer_error() -> None:
    """Each bit of a certificate flipped in turn: a key or a PeerError, whatever part of it the flip hits."""
    der = x509.load_pem_x509_certificate(certificate(ec.generate_private_key(ec.SECP256R1()))).public_bytes(Encoding.DER)
    refused = 0
    for place in range(8 * len(der)):
        damaged = bytearray(der)
        damaged[place // 8] ^= 1 << place % 8
        try:
            VerifyingKey.from_certificate_pem(pem(bytes(damaged)))
        except PeerError:
            refused += 1
    assert refused > len(der)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=9), max_size=4))
def test_parts_come_back_as_they_were(parts: list[bytes]) -> None:
    """Joining and splitting is the identity, and no other number of parts or kind is read out of the same bytes."""
    data = join_parts(b"kind", *parts)
    assert split_parts(data, b"kind", *[9] * len(parts)) == tuple(parts)
    refuse(lambda: split_parts(data, b"king", *[9] * len(parts)))
    refuse(lambda: split_parts(data, b"kind", *[9] * (len(parts) + 1)))
    refuse(lambda: split_parts(data + b"\x00", b"kind", *[9] * len(parts)))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_parts_or_a_peer_error(data: bytes) -> None:
    """What parses is exactly what joining gives back."""
    try:
        parts = split_parts(data, b"", 20, 20)
    except PeerError:
        return
    assert join_parts(b"", *parts) == data
