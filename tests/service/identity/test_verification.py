"""What a peer's certificate has to be: each rule alone, broken in a certificate that is otherwise right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st
from identities import NOW, member, pem

from knexa.errors import PeerError
from knexa.service.identity import Authority, Identity, TrustStore
from knexa.service.identity.authority import ROOT_KEY
from knexa.service.identity.certificates import member_certificate, root_certificate
from knexa.service.identity.keys import load_key

URI = "knexa://hospital-a/clinic-1"
DNS = "clinic-1.hospital-a.knexa"
NO_CA = x509.BasicConstraints(ca=False, path_length=None)
#: Bytes of the certificate below that its signature covers, with their header.
SIGNED = 400


def usage(**changes: bool) -> x509.KeyUsage:
    none = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only"),
        False,
    )
    return x509.KeyUsage(**{"digital_signature": True, "decipher_only": False, **none, **changes})


@dataclass(frozen=True)
class Recipe:
    """A certificate of clinic-1 as hospital-a issues it; a test changes one thing."""

    begins: datetime = NOW - timedelta(minutes=5)
    lifetime: timedelta = timedelta(hours=24)
    names: tuple[x509.GeneralName, ...] = (x509.UniformResourceIdentifier(URI), x509.DNSName(DNS))
    constraints: x509.BasicConstraints | None = NO_CA
    key_usage: x509.KeyUsage | None = field(default_factory=usage)
    purposes: tuple[ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)
    more: tuple[x509.ExtensionType, ...] = ()
    hash: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    key: Callable[[], ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = lambda: ec.generate_private_key(ec.SECP256R1())

    def signed_by(self, authority: Authority) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(authority.root.subject)
            .public_key(self.key().public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.begins)
            .not_valid_after(self.begins + self.lifetime)
        )
        if self.names:
            builder = builder.add_extension(x509.SubjectAlternativeName(self.names), critical=False)
        for one in (self.constraints, self.key_usage, *self.more):
            if one is not None:
                builder = builder.add_extension(one, critical=True)
        if self.purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.purposes), critical=False)
        return pem(builder.sign(load_key(authority.folder / ROOT_KEY), self.hash))


def names(*uris: str, dns: str = DNS) -> tuple[x509.GeneralName, ...]:
    return (*(x509.UniformResourceIdentifier(uri) for uri in uris), x509.DNSName(dns))


WRONG = {
    "expired": (Recipe(begins=NOW - timedelta(hours=25)), "expired at 2027-03-01 11:00:00 UTC"),
    "not yet valid": (Recipe(begins=NOW + timedelta(minutes=1)), "not valid before 2027-03-01 12:01:00 UTC; compare the clocks"),
    "over-long lifetime": (Recipe(lifetime=timedelta(hours=24, seconds=1)), "is valid for 1 day, 0:00:01; at most 24 hours"),
    "no name": (Recipe(names=()), "names nobody"),
    "no URI": (Recipe(names=names()), "has 0 URIs; exactly one"),
    "two URIs": (Recipe(names=names(URI, "knexa://hospital-a/clinic-2")), "has 2 URIs; exactly one"),
    "the same URI twice": (Recipe(names=names(URI, URI)), "has 2 URIs; exactly one"),
    "a URI of something else beside it": (Recipe(names=names(URI, "https://hospital-a.example")), "has 2 URIs; exactly one"),
    "a URI that is no identity": (Recipe(names=names("knexa://hospital-a/clinic-1/../clinic-2")), "is no identity"),
    "another's host name": (Recipe(names=names(URI, dns="cpm.hospital-b.knexa")), "has other names besides"),
    "an address": (Recipe(names=(*names(URI), x509.RFC822Name("a@b"))), "has other names besides"),
    "a foreign organisation": (Recipe(names=names("knexa://hospital-c/clinic-1", dns="clinic-1.hospital-c.knexa")), "not trusted here"),
    "a CA certificate as a leaf": (Recipe(constraints=x509.BasicConstraints(ca=True, path_length=0)), "is an authority's"),
    "a key that signs certificates": (Recipe(key_usage=usage(key_cert_sign=True)), "is an authority's"),
    "a key that signs lists": (Recipe(key_usage=usage(crl_sign=True)), "is an authority's"),
    "a key that signs nothing": (Recipe(key_usage=usage(digital_signature=False)), "is not for a client"),
    "no basic constraints": (Recipe(constraints=None), "does not say what its key may be used for"),
    "no key usage": (Recipe(key_usage=None), "does not say what its key may be used for"),
    "no purpose": (Recipe(purposes=()), "does not say what its key may be used for"),
    "another purpose": (Recipe(purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), "is not for a client"),
    "any purpose": (Recipe(purposes=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), "is not for a client"),
    "a matchmaker that calls": (
        Recipe(names=names("knexa://hospital-a/cpm", dns="cpm.hospital-a.knexa")),
        "is not for a client",
    ),
    "an unknown critical extension": (
        Recipe(more=(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"),)),
        "critical extension that is unknown here",
    ),
    "another hash": (Recipe(hash=hashes.SHA512()), "is of another make"),
    "another curve": (Recipe(key=lambda: ec.generate_private_key(ec.SECP384R1())), "not an ECDSA key on P-256"),
    "another kind of key": (Recipe(key=lambda: rsa.generate_private_key(65537, 2048)), "not an ECDSA key on P-256"),
}


def test_the_recipe_itself_is_accepted(hospital: Authority) -> None:
    """Otherwise the refusals below would prove nothing."""
    assert hospital.trust.verify(Recipe().signed_by(hospital), NOW) == Identity("hospital-a", "clinic-1")


@pytest.mark.parametrize(("recipe", "sentence"), WRONG.values(), ids=WRONG)
def test_one_thing_wrong_is_refused_with_a_sentence_about_it(recipe: Recipe, sentence: str, hospital: Authority) -> None:
    """Signed by the right root, and refused all the same."""
    with pytest.raises(PeerError) as refused:
        hospital.trust.verify(recipe.signed_by(hospital), NOW)
    assert sentence in str(refused.value)


def test_a_root_vouches_for_its_own_organisation_alone(hospital: Authority, clinic: Authority) -> None:
    """hospital-b's root, though trusted, signs hospital-a's name in vain; and in hospital-a's own issuer name too."""
    hospital.trust.admit(pem(clinic.root), "hospital-b", NOW)
    with pytest.raises(PeerError, match="not signed by the root of that organisation"):
        hospital.trust.verify(Recipe().signed_by(clinic), NOW)
    key = load_key(clinic.folder / ROOT_KEY)
    stolen_name = member_certificate(key.public_key(), Identity("hospital-a", "clinic-1"), timedelta(hours=1), NOW, hospital.root, key)
    with pytest.raises(PeerError, match="not signed by the root of that organisation"):
        hospital.trust.verify(pem(stolen_name), NOW)


def test_a_root_of_the_same_name_made_by_somebody_else_is_another_root(hospital: Authority, tmp_path: Path) -> None:
    """The wrong CA: what an impostor's hospital-a has signed is refused, and its root is not admitted beside the true one."""
    impostor = Authority.create(tmp_path / "impostor", "hospital-a", NOW)
    with pytest.raises(PeerError, match="not signed by the root"):
        hospital.trust.verify(Recipe().signed_by(impostor), NOW)


def test_roots_are_no_members(hospital: Authority) -> None:
    """Whoever has a root's key has no identity by it."""
    with pytest.raises(PeerError, match="names nobody"):
        hospital.trust.verify(pem(hospital.root), NOW)


def test_nobody_is_valid_under_a_root_that_has_ended(tmp_path: Path) -> None:
    """Ten years later the root is refused, and with it what it signed."""
    store = TrustStore.create(tmp_path / "trust")
    key = ec.generate_private_key(ec.SECP256R1())
    root = root_certificate(key, "hospital-a", NOW)
    assert timedelta(days=3650) < root.not_valid_after_utc - NOW < timedelta(days=3654)
    store.admit(pem(root), "hospital-a", NOW)
    later = NOW + timedelta(days=3660)
    leaf = member_certificate(key.public_key(), Identity("hospital-a", "clinic-1"), timedelta(hours=24), later, root, key)
    with pytest.raises(PeerError, match="a root that is not valid now"):
        store.verify(pem(leaf), later)


def test_what_is_too_long_is_not_looked_at(hospital: Authority) -> None:
    """A right certificate, and a right list, behind megabytes of something else."""
    certificate, listed = Recipe().signed_by(hospital), hospital.trust.list_pem("hospital-a")
    assert listed is not None
    with pytest.raises(PeerError, match=r"a certificate of .* bytes is refused"):
        hospital.trust.verify(certificate + b" " * 16_384, NOW)
    with pytest.raises(PeerError, match=r"a list of revoked certificates of .* bytes is refused"):
        hospital.trust.admit_list(listed + b" " * 4 * 2**20)


def test_a_matchmaker_is_accepted_as_a_server_only(hospital: Authority, tmp_path: Path) -> None:
    """And an agent as both."""
    cpm, agent = (pem(member(hospital, tmp_path / name, name).certificate) for name in ("cpm", "clinic-1"))
    assert hospital.trust.verify(cpm, NOW, "server").name == "cpm"
    with pytest.raises(PeerError, match="is not for a client"):
        hospital.trust.verify(cpm, NOW, "client")
    assert hospital.trust.verify(agent, NOW, "server") == hospital.trust.verify(agent, NOW, "client")


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_bytes_are_an_identity_or_a_peer_error(issued: tuple[TrustStore, bytes], data: st.DataObject) -> None:
    """Random bytes and damaged certificates raise nothing but PeerError; damage to what is signed is never accepted."""
    store, der = issued
    damaged = bytearray(der)
    for place in data.draw(st.lists(st.integers(0, SIGNED - 1), min_size=1, max_size=4, unique=True)):
        damaged[place] ^= data.draw(st.integers(1, 255))
    for content in (bytes(damaged), data.draw(st.binary(max_size=200)), der[: data.draw(st.integers(0, len(der) - 1))]):
        with pytest.raises(PeerError):
            store.verify(content, NOW)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_bit_of_any_byte_counts(issued: tuple[TrustStore, bytes]) -> None:
    """Flipped alone: refused, unless it is one of those that say how many bits of the signature's last byte are padding."""
    store, der = issued
    assert store.verify(der, NOW)
    accepted = 0
    for place in range(len(der)):
        flipped = der[:place] + bytes([der[place] ^ (1 << place % 8)]) + der[place + 1 :]
        try:
            store.verify(flipped, NOW)
        except PeerError:
            continue
        accepted += 1
        assert place >= SIGNED
    assert accepted <= 1


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrustStore, bytes]:
    folder = tmp_path_factory.mktemp("issued")
    authority = Authority.create(folder / "ca", "hospital-a", NOW)
    certificate = member(authority, folder / "clinic-1", "clinic-1").certificate
    return authority.trust, certificate.public_bytes(serialization.Encoding.DER)
