"""Is this certificate what it says? Every rule that a peer has to meet, decided on values alone.

TLS has already proved that the peer holds the key. It has *not* asked whether this root may speak for that organisation: to
TLS all trusted roots are equal, so that hospital-b's root could vouch for ``knexa://hospital-a/clinic-1``. That question, and
every narrower rule, is answered here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from knexa.errors import PeerError
from knexa.service.identity.certificates import MAX_LIFETIME, PURPOSE, lifetime_of
from knexa.service.identity.keys import UNREADABLE, public_bytes
from knexa.service.identity.names import ISSUER, Identity, Role

#: Longest certificate, root or request that is looked at, in bytes; ours have fewer than 1,000.
LONGEST = 16_384
#: Longest list of certificates taken back: some 100,000 entries.
LONGEST_LIST = 4 * 2**20

_KNOWN_EXTENSIONS = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.SubjectAlternativeName,
    x509.AuthorityKeyIdentifier,
    x509.SubjectKeyIdentifier,
)


@dataclass(frozen=True, slots=True)
class Vouched:
    """What one organisation is trusted by: its root, and the serial numbers that its newest list takes back."""

    root: x509.Certificate
    revoked: frozenset[int] = frozenset()


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Anything that cannot be parsed inside the block is a PeerError that names ``what``."""
    try:
        yield
    except UNREADABLE as error:
        raise PeerError(f"{what} cannot be read ({str(error)[:200]}); it is damaged or of another make") from error


def read_certificate(content: bytes) -> x509.Certificate:
    """A certificate in PEM (the first, if there are more) or DER. Raises PeerError."""
    if len(content) > LONGEST:
        raise PeerError(f"a certificate of {len(content)} bytes is refused; ours have fewer than {LONGEST}")
    with readable("the certificate"):
        return x509.load_pem_x509_certificate(content) if content.lstrip().startswith(b"-----") else x509.load_der_x509_certificate(content)


def named_identity(certificate: x509.Certificate) -> Identity:
    """Whom the certificate names, by exactly one URI. Says nothing about whether that is true. Raises PeerError."""
    with readable("the certificate"):
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound as error:
            raise PeerError("the certificate names nobody: it has no URI knexa://ORGANISATION/NAME") from error
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        hosts = names.get_values_for_type(x509.DNSName)
        others = len(names) - len(uris) - len(hosts)
    if len(uris) != 1:
        raise PeerError(f"the certificate has {len(uris)} URIs; exactly one, knexa://ORGANISATION/NAME, is accepted")
    identity = Identity.from_uri(uris[0])
    if hosts != [identity.dns] or others:
        raise PeerError(f"the certificate of {identity} has other names besides; only the URI and {identity.dns} are accepted")
    return identity


def verified(certificate: x509.Certificate, vouching: Callable[[str], Vouched], now: datetime, role: Role) -> Identity:
    """The identity of a peer that is ``role`` in this connection, at ``now``.

    ``vouching`` gives what an organisation is trusted by, and raises PeerError where it is not. Raises PeerError, with what is
    wrong, unless the root of the organisation that the URI names has signed it and every other rule is met.
    """
    identity = named_identity(certificate)
    vouched = vouching(identity.organisation)
    whose = f"the certificate of {identity}"
    with readable(whose):
        _require_signed(certificate, vouched.root, whose)
        _require_time(certificate, vouched.root, now, whose)
        _require_purpose(certificate, identity, role, whose)
        if certificate.serial_number in vouched.revoked:
            raise PeerError(f"{whose} was revoked (serial {certificate.serial_number:x}); its organisation has to issue one for a new key")
    return identity


def _require_signed(certificate: x509.Certificate, root: x509.Certificate, whose: str) -> None:
    public_bytes(certificate.public_key())
    if certificate.version is not x509.Version.v3 or not isinstance(certificate.signature_hash_algorithm, hashes.SHA256):
        raise PeerError(f"{whose} is of another make; only X.509 version 3, signed with SHA-256, is accepted")
    try:
        certificate.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError) as error:
        raise PeerError(f"{whose} is not signed by the root of that organisation which is trusted here") from error


def _require_time(certificate: x509.Certificate, root: x509.Certificate, now: datetime, whose: str) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        raise PeerError(f"{whose} is not valid before {begins:%Y-%m-%d %H:%M:%S} UTC; compare the clocks of both machines")
    if now > ends:
        raise PeerError(f"{whose} expired at {ends:%Y-%m-%d %H:%M:%S} UTC; it has to be renewed there")
    if lifetime_of(certificate) > MAX_LIFETIME:
        raise PeerError(f"{whose} is valid for {lifetime_of(certificate)}; at most 24 hours are accepted")
    if not root.not_valid_before_utc <= now <= root.not_valid_after_utc:
        raise PeerError(f"{whose} is signed by a root that is not valid now; its organisation needs a new one")


def _require_purpose(certificate: x509.Certificate, identity: Identity, role: Role, whose: str) -> None:
    extensions = certificate.extensions
    for extension in extensions:
        if extension.critical and not isinstance(extension.value, _KNOWN_EXTENSIONS):
            raise PeerError(f"{whose} has a critical extension that is unknown here ({extension.oid.dotted_string})")
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise PeerError(f"{whose} does not say what its key may be used for") from error
    if constraints.ca or usage.key_cert_sign or usage.crl_sign:
        raise PeerError(f"{whose} is an authority's; a member's certificate may not sign others")
    if not usage.digital_signature or PURPOSE[role] not in purposes or role not in identity.roles:
        raise PeerError(f"{whose} is not for a {role}; it was issued for another purpose")


def read_root(content: bytes) -> tuple[str, x509.Certificate]:
    """An organisation's name and its self-signed root, whenever that is valid. Raises PeerError on anything else."""
    root = read_certificate(content)
    with readable("the root"):
        organisation = _organisation(root)
        public_bytes(root.public_key())
        try:
            root.verify_directly_issued_by(root)
            constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
            usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
        except (InvalidSignature, ValueError, x509.ExtensionNotFound) as error:
            raise PeerError(f"the root of {organisation} is no authority's own certificate") from error
        if not constraints.ca or not usage.key_cert_sign or not usage.crl_sign:
            raise PeerError(f"the root of {organisation} may not sign certificates and lists; ask for the root.pem of its authority")
    return organisation, root


def read_list(content: bytes) -> x509.CertificateRevocationList:
    """A list of revoked certificates, unverified. Raises PeerError."""
    if len(content) > LONGEST_LIST:
        raise PeerError(f"a list of revoked certificates of {len(content)} bytes is refused; at most {LONGEST_LIST}")
    with readable("the list of revoked certificates"):
        return x509.load_pem_x509_crl(content)


def list_organisation(revocations: x509.CertificateRevocationList) -> str:
    """Whose list it says to be. Raises PeerError."""
    with readable("the list of revoked certificates"):
        return _organisation(revocations)


def verified_list(revocations: x509.CertificateRevocationList, root: x509.Certificate) -> tuple[int, frozenset[int]]:
    """Number and serials of a list that ``root`` has signed. Raises PeerError."""
    with readable("the list of revoked certificates"):
        key = root.public_key()
        public_bytes(key)
        if revocations.issuer != root.subject or not revocations.is_signature_valid(key):  # type: ignore[arg-type]
            raise PeerError("the list of revoked certificates is not signed by the root of that organisation which is trusted here")
        try:
            number = revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        except x509.ExtensionNotFound as error:
            raise PeerError("the list of revoked certificates has no number, so nobody can tell whether it is the newest") from error
        return number, frozenset(entry.serial_number for entry in revocations)


def _organisation(signed: x509.Certificate | x509.CertificateRevocationList) -> str:
    """The organisation in the issuer's name; roots and lists carry it there. Raises PeerError."""
    names = signed.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if len(names) != 1:
        raise PeerError(f"the issuer's name holds {len(names)} organisations instead of one")
    return Identity.from_uri(f"knexa://{names[0].value!s}/{ISSUER}").organisation
