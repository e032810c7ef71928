"""ECDSA keys on P-256: made on the machine that uses them, kept in a file that only their owner may read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from knexa.errors import CredentialsError, PeerError
from knexa.service.identity.files import PRIVATE, read_private, write_new
from knexa.service.identity.names import Identity

#: What cryptography raises on bytes that are not what they claim to be.
UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion)


def create_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A new key in ``path`` (PKCS 8, PEM, mode 600); raises CredentialsError rather than overwrite one."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_new(path, pem, PRIVATE)
    return key


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key in ``path``; CredentialsError if it is missing, damaged, of another kind, or readable by others."""
    try:
        key = serialization.load_pem_private_key(read_private(path), password=None)
    except UNREADABLE as error:
        raise CredentialsError(f"{path}: holds no usable private key; restore it from a backup, or begin again in a new folder") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CredentialsError(f"{path}: holds a key of another kind; only ECDSA keys on P-256 are used here")
    return key


def public_bytes(key: object) -> bytes:
    """The public key as SubjectPublicKeyInfo, DER; ValueError unless it is on P-256."""
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not an ECDSA key on P-256")
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_fingerprint(key: object) -> str:
    """SHA-256 of the public key, hexadecimal: what people compare on another channel. ValueError unless on P-256."""
    return hashlib.sha256(public_bytes(key)).hexdigest()


def signing_request(key: ec.EllipticCurvePrivateKey, identity: Identity | None) -> bytes:
    """A PKCS 10 request (PEM) signed by ``key``; names ``identity``, or nobody where the issuer knows whom it expects."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if identity:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity.uri)]), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def read_request(pem: bytes) -> x509.CertificateSigningRequest:
    """The request, whose sender proved to hold its key. Raises PeerError on anything else."""
    try:
        request = x509.load_pem_x509_csr(pem)
        public_bytes(request.public_key())
        proven = request.is_signature_valid
    except UNREADABLE as error:
        raise PeerError("the request cannot be read: it is no PKCS 10 request for an ECDSA key on P-256") from error
    if not proven:
        raise PeerError("the request is not signed by the key that it asks a certificate for")
    return request


def requested_identity(request: x509.CertificateSigningRequest) -> Identity:
    """Whom a request asks to be. Only a person's approval makes it more than a wish. Raises PeerError."""
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (*UNREADABLE, x509.ExtensionNotFound) as error:
        raise PeerError("the request names nobody; make it with `knexa provision request ORGANISATION/NAME`") from error
    if len(uris) != 1:
        raise PeerError(f"the request names {len(uris)} identities instead of one")
    return Identity.from_uri(uris[0])
