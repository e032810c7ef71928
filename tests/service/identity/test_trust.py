"""Whom this machine trusts: admitted one by one, revoked at once, and nobody by accident."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from identities import NOW, acquainted, files, member, pem

from knexa.errors import CredentialsError, KnexaError, PeerError
from knexa.service.identity import Authority, TrustStore, renew_reachable, trust
from knexa.service.identity.authority import ROOT_KEY
from knexa.service.identity.certificates import revocation_list
from knexa.service.identity.keys import load_key
from knexa.service.identity.trust import fingerprint


def test_adding_an_organisation_changes_nothing_for_the_others(hospital: Authority, clinic: Authority, tmp_path: Path) -> None:
    """hospital-c comes, and hospital-a admits it: every file that was there keeps its bytes and its time of change."""
    acquainted(hospital, clinic)
    agents = [member(hospital, tmp_path / "clinic-1", "clinic-1"), member(clinic, tmp_path / "clinic-9", "clinic-9")]
    renew_reachable(hospital, NOW)
    before = files(tmp_path)
    newcomer = Authority.create(tmp_path / "hospital-c-ca", "hospital-c", NOW)
    other = member(newcomer, tmp_path / "other", "clinic-1")
    assert {path: fact for path, fact in files(tmp_path).items() if path in before} == before

    hospital.trust.admit(pem(newcomer.root), "hospital-c", NOW)
    renew_reachable(hospital, NOW)
    after = files(tmp_path)
    assert {path: fact for path, fact in after.items() if path in before} == before
    new = {path.relative_to(tmp_path) for path in after.keys() - before.keys() if path.name == "hospital-c.pem"}
    assert new >= {Path("hospital-a-ca/trust/hospital-c.pem"), Path("clinic-1/trust/hospital-c.pem")}
    assert agents[0].trust.verify(pem(other.certificate), NOW) == other.identity
    with pytest.raises(PeerError, match="'hospital-c' is not trusted here"):
        agents[1].trust.verify(pem(other.certificate), NOW)


def test_an_open_store_sees_a_revocation_on_the_next_call(hospital: Authority, tmp_path: Path) -> None:
    """A list that another object has written counts without reopening, well within the 5 seconds that are promised."""
    store = TrustStore(hospital.folder / "trust")
    certificate = pem(member(hospital, tmp_path / "clinic-1", "clinic-1").certificate)
    assert store.verify(certificate, NOW).name == "clinic-1"
    Authority.open(hospital.folder).revoke("clinic-1", NOW)
    with pytest.raises(PeerError, match=r"knexa://hospital-a/clinic-1 was revoked \(serial [0-9a-f]+\)"):
        store.verify(certificate, NOW)


def test_the_newest_list_stays_whoever_brings_an_older_one(hospital: Authority, tmp_path: Path) -> None:
    """Replaying the list from before a revocation does not bring the certificate back."""
    certificate = pem(member(hospital, tmp_path / "clinic-1", "clinic-1").certificate)
    elsewhere = TrustStore.create(tmp_path / "elsewhere")
    elsewhere.admit(pem(hospital.root), "hospital-a", NOW)
    old = hospital.trust.list_pem("hospital-a")
    assert old is not None
    hospital.revoke("clinic-1", NOW)
    new = hospital.trust.list_pem("hospital-a")
    assert new is not None
    assert [elsewhere.admit_list(one) for one in (old, new, old, new)] == [True, True, False, False]
    with pytest.raises(PeerError, match="was revoked"):
        elsewhere.verify(certificate, NOW)


def test_nobody_else_can_revoke(hospital: Authority, clinic: Authority, tmp_path: Path) -> None:
    """A list in hospital-a's name that another key has signed is refused, and so is one of an organisation without trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = member(hospital, tmp_path / "clinic-1", "clinic-1").certificate.serial_number
    before = files(hospital.folder)
    with pytest.raises(PeerError, match="list of revoked certificates is not signed by the root"):
        hospital.trust.admit_list(pem(revocation_list([serial], 99, NOW, hospital.root, key)))
    theirs = clinic.trust.list_pem("hospital-b")
    assert theirs is not None
    with pytest.raises(PeerError, match="'hospital-b' is not trusted here"):
        hospital.trust.admit_list(theirs)
    for garbage in (b"", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", theirs[:200]):
        with pytest.raises(PeerError, match="cannot be read"):
            hospital.trust.admit_list(garbage)
    assert files(hospital.folder) == before


def test_a_root_is_admitted_for_the_organisation_that_it_names(hospital: Authority, clinic: Authority, tmp_path: Path) -> None:
    """Under another name, as a second root, or not being a root: refused, and nothing is written."""
    store = TrustStore.create(tmp_path / "store")
    assert store.admit(pem(hospital.root), "hospital-a", NOW) == fingerprint(hospital.root)
    before = files(store.folder)
    with pytest.raises(PeerError, match="the root is that of hospital-b, not of hospital-c"):
        store.admit(pem(clinic.root), "hospital-c", NOW)
    impostor = Authority.create(tmp_path / "impostor", "hospital-a", NOW)
    with pytest.raises(CredentialsError, match="another root of hospital-a is trusted already"):
        store.admit(pem(impostor.root), "hospital-a", NOW)
    with pytest.raises(PeerError, match="is no authority's own certificate"):
        store.admit(pem(member(clinic, tmp_path / "clinic-1", "clinic-1").certificate), "hospital-b", NOW)
    assert files(store.folder) == before
    assert store.organisations() == ("hospital-a",)
    assert store.roots_pem() == pem(hospital.root)


@dataclass(frozen=True)
class RootRecipe:
    """A self-signed root of hospital-c; a test changes one thing."""

    organisations: tuple[str, ...] = ("hospital-c",)
    ca: bool = True
    crl_sign: bool = True
    begins: timedelta = timedelta(hours=-1)
    ends: timedelta = timedelta(days=3652)

    def made(self) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, one) for one in self.organisations])
        usage = x509.KeyUsage(False, False, False, False, False, self.ca, self.crl_sign, False, False)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(1).not_valid_before(NOW + self.begins).not_valid_after(NOW + self.ends)
        builder = builder.add_extension(x509.BasicConstraints(self.ca, 0 if self.ca else None), critical=True)
        return pem(builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()))


WRONG_ROOTS = {
    "no authority": (RootRecipe(ca=False), "the root of hospital-c may not sign certificates and lists"),
    "cannot revoke": (RootRecipe(crl_sign=False), "the root of hospital-c may not sign certificates and lists"),
    "names nobody": (RootRecipe(organisations=()), "the issuer's name holds 0 organisations"),
    "names two": (RootRecipe(organisations=("hospital-c", "hospital-a")), "the issuer's name holds 2 organisations"),
    "no name of ours": (RootRecipe(organisations=("Hospital C",)), "is no identity"),
    "ended": (RootRecipe(begins=timedelta(days=-9), ends=timedelta(days=-1)), "is valid from 2027-02-20 to 2027-02-28, not now"),
    "of tomorrow": (RootRecipe(begins=timedelta(days=1)), "is valid from 2027-03-02 to"),
}


@pytest.mark.parametrize(("recipe", "sentence"), WRONG_ROOTS.values(), ids=WRONG_ROOTS)
def test_what_is_no_root_is_not_admitted(recipe: RootRecipe, sentence: str, tmp_path: Path) -> None:
    """The right one is, so that these are refused for what is wrong with them."""
    store = TrustStore.create(tmp_path / "store")
    with pytest.raises(PeerError) as refused:
        store.admit(recipe.made(), "hospital-c", NOW)
    assert sentence in str(refused.value)
    assert store.organisations() == ()
    store.admit(RootRecipe().made(), "hospital-c", NOW)
    assert store.organisations() == ("hospital-c",)


def test_a_list_without_a_number_is_refused(hospital: Authority) -> None:
    """Nobody could tell whether it is the newest."""
    key = load_key(hospital.folder / ROOT_KEY)
    builder = x509.CertificateRevocationListBuilder().issuer_name(hospital.root.subject).last_update(NOW).next_update(NOW)
    with pytest.raises(PeerError, match="has no number"):
        hospital.trust.admit_list(pem(builder.sign(key, hashes.SHA256())))


def test_who_is_dismissed_is_trusted_no_longer_and_may_come_back_with_a_new_root(
    hospital: Authority, clinic: Authority, tmp_path: Path
) -> None:
    """The way to replace a root."""
    agent = pem(member(clinic, tmp_path / "clinic-1", "clinic-1").certificate)
    hospital.trust.admit(pem(clinic.root), "hospital-b", NOW)
    assert hospital.trust.verify(agent, NOW).organisation == "hospital-b"
    hospital.trust.dismiss("hospital-b")
    with pytest.raises(PeerError, match=r"'hospital-b' is not trusted here \(trusted: hospital-a\)"):
        hospital.trust.verify(agent, NOW)
    anew = Authority.create(tmp_path / "anew", "hospital-b", NOW)
    hospital.trust.admit(pem(anew.root), "hospital-b", NOW)
    assert hospital.trust.verify(pem(member(anew, tmp_path / "clinic-2", "clinic-2").certificate), NOW).name == "clinic-2"


@pytest.mark.parametrize("damage", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
@pytest.mark.parametrize("file", ["hospital-a.pem", "hospital-a.crl"])
def test_a_damaged_file_is_named_and_nobody_is_trusted_meanwhile(file: str, damage: bytes, hospital: Authority, tmp_path: Path) -> None:
    """A lost list must not mean that everybody is welcome again."""
    certificate = pem(member(hospital, tmp_path / "clinic-1", "clinic-1").certificate)
    (hospital.folder / "trust" / file).write_bytes(damage)
    with pytest.raises(CredentialsError, match=r"hospital-a.pem or .crl: .*restore it") as refused:
        hospital.trust.verify(certificate, NOW)
    assert refused.value.exit_code == 2


def test_a_root_under_a_false_file_name_is_refused(hospital: Authority, clinic: Authority) -> None:
    """Whoever copies hospital-b's root to hospital-c.pem gives hospital-b no second name."""
    (hospital.folder / "trust" / "hospital-c.pem").write_bytes(pem(clinic.root))
    with pytest.raises(CredentialsError, match=r"hospital-c.pem or .crl: it is the root of hospital-b"):
        hospital.trust.organisations()


@pytest.mark.parametrize("what", ["folder", "root"])
def test_a_store_that_others_may_write_to_is_refused(what: str, hospital: Authority, tmp_path: Path) -> None:
    """Whoever can add a root decides who is trusted."""
    certificate = pem(member(hospital, tmp_path / "clinic-1", "clinic-1").certificate)
    path = hospital.folder / "trust" / ("" if what == "folder" else "hospital-a.pem")
    path.chmod(path.stat().st_mode | 0o020)
    with pytest.raises(CredentialsError, match=r"others may write to it \(mode \d+\).*chmod go-w"):
        TrustStore(hospital.folder / "trust").verify(certificate, NOW)


def test_a_folder_that_is_not_there_trusts_nobody(tmp_path: Path) -> None:
    """And says so, rather than "nobody is known"."""
    with pytest.raises(KnexaError, match="nowhere: cannot be read"):
        TrustStore(tmp_path / "nowhere").organisations()


def test_what_was_verified_once_is_verified_again_when_it_no_longer_holds(hospital: Authority, tmp_path: Path) -> None:
    """A certificate that is remembered still expires, is not yet valid before its time, and has its role checked for itself."""
    store = TrustStore(hospital.folder / "trust")
    certificate = pem(member(hospital, tmp_path / "clinic-1", "clinic-1").certificate)
    for _ in range(3):
        assert store.verify(certificate, NOW).name == "clinic-1"
    for moment in (NOW + timedelta(days=2), NOW - timedelta(days=2)):
        with pytest.raises(PeerError):
            store.verify(certificate, moment)
    coordinator = pem(member(hospital, tmp_path / "cpm", "cpm").certificate)
    assert store.verify(coordinator, NOW, "server").name == "cpm"
    with pytest.raises(PeerError):
        store.verify(coordinator, NOW, "client")


@pytest.mark.parametrize("pause", [0.0, 0.15])
def test_a_list_counts_at_once_however_quickly_it_follows(hospital: Authority, tmp_path: Path, pause: float) -> None:
    """Looked at just before, or long enough for the look to be remembered: the next call sees what another object has written."""
    store = TrustStore(hospital.folder / "trust")
    for number in range(20):
        certificate = pem(member(hospital, tmp_path / f"clinic-{number}", f"clinic-{number}").certificate)
        time.sleep(pause)
        for _ in range(3):
            store.verify(certificate, NOW)
        Authority.open(hospital.folder).revoke(f"clinic-{number}", NOW)
        with pytest.raises(PeerError, match="was revoked"):
            store.verify(certificate, NOW)


def test_a_file_that_is_edited_in_its_place_is_noticed(hospital: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder does not tell of it; a look at the files themselves, every so often, does."""
    monkeypatch.setattr(trust, "GLANCE_S", 0.2)
    store = TrustStore(hospital.folder / "trust")
    certificate = pem(member(hospital, tmp_path / "clinic-1", "clinic-1").certificate)
    time.sleep(0.15)
    assert store.verify(certificate, NOW).name == "clinic-1"
    (hospital.folder / "trust" / "hospital-a.pem").write_bytes(b"damaged")
    time.sleep(0.25)
    with pytest.raises(CredentialsError, match=r"hospital-a\.pem"):
        store.verify(certificate, NOW)
