"""What an organisation's root signs: itself, the certificates of its members, and the list of those it took back.

Roots sign members directly, so a chain has one certificate and there is no intermediate to lose.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from knexa.errors import ConfigurationError
from knexa.service.identity.names import Identity, Role

ROOT_LIFETIME = timedelta(days=3652)
#: No certificate of a member is valid for longer, counted from its first moment.
MAX_LIFETIME = timedelta(hours=24)
#: Certificates begin this much before they are made, for machines whose clocks are behind. Part of the lifetime.
BACKDATED = timedelta(minutes=5)

PURPOSE: dict[Role, ObjectIdentifier] = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}


def root_name(organisation: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, f"{organisation} root")]
    )


def root_certificate(key: ec.EllipticCurvePrivateKey, organisation: str, now: datetime) -> x509.Certificate:
    """Self-signed, for ten years; may sign certificates and lists, and no further authority."""
    return (
        x509.CertificateBuilder()
        .subject_name(root_name(organisation))
        .issuer_name(root_name(organisation))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + ROOT_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def member_certificate(
    public_key: ec.EllipticCurvePublicKey,
    identity: Identity,
    lifetime: timedelta,
    now: datetime,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """Valid for ``lifetime`` in all, of which :data:`BACKDATED` is past already; its uses are those of the identity's roles."""
    begins = now - BACKDATED
    names = [x509.UniformResourceIdentifier(identity.uri), x509.DNSName(identity.dns)]
    return (
        x509.CertificateBuilder()
        .subject_name(
            x509.Name(
                [
                    x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.organisation),
                    x509.NameAttribute(NameOID.COMMON_NAME, identity.name),
                ]
            )
        )
        .issuer_name(root.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([PURPOSE[role] for role in sorted(identity.roles)]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .sign(root_key, hashes.SHA256())
    )


def revocation_list(
    serials: Iterable[int], number: int, now: datetime, root: x509.Certificate, root_key: ec.EllipticCurvePrivateKey
) -> x509.CertificateRevocationList:
    """``serials`` are taken back. The list holds until one with a higher ``number`` arrives: it has no date of its own to expire at."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.subject)
        .last_update(now)
        .next_update(root.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
    )
    for serial in sorted(serials):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(root_key, hashes.SHA256())


def require_lifetime(lifetime: timedelta) -> timedelta:
    """``lifetime``, if a member's certificate may have it; ConfigurationError otherwise."""
    if not 2 * BACKDATED <= lifetime <= MAX_LIFETIME:
        least, most = (bound / timedelta(hours=1) for bound in (2 * BACKDATED, MAX_LIFETIME))
        raise ConfigurationError(f"lifetime: found {lifetime / timedelta(hours=1):g} hours; allowed: {least:.2f} to {most:g}")
    return lifetime


def lifetime_of(certificate: x509.Certificate) -> timedelta:
    return certificate.not_valid_after_utc - certificate.not_valid_before_utc


def due_at(certificate: x509.Certificate) -> datetime:
    """When half of its lifetime is over: time to renew, and still half of it left to succeed in."""
    return certificate.not_valid_before_utc + lifetime_of(certificate) / 2


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
