"""What an agent shows: its own, of now, and nothing that peers would refuse without a word."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from identities import NOW, files, member, pem

from knexa.errors import CredentialsError, PeerError
from knexa.service.identity import Authority, Credentials, Identity
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.grant import Address, Addresses, Grant


def test_open_credentials_show_the_renewed_certificate(hospital: Authority, tmp_path: Path) -> None:
    """Renewed on disk by somebody else: the next call has it, with the same key, and tells the new expiry."""
    credentials = member(hospital, tmp_path / "clinic-1", "clinic-1")
    key, before = credentials.current()
    assert credentials.expires() == NOW + timedelta(hours=23, minutes=55)
    assert not credentials.due(NOW + timedelta(hours=11))
    later = NOW + timedelta(hours=12)
    assert credentials.due(later)
    AgentFolder(tmp_path / "clinic-1").install(hospital.grant(hospital.renew(credentials.certificate, later)), later)
    key_now, after = credentials.current()
    assert key_now == key
    assert after != before
    assert credentials.expires() == later + timedelta(hours=23, minutes=55)
    loaded = serialization.load_pem_private_key(key, None)
    assert loaded.public_key() == x509.load_pem_x509_certificate(after).public_key() == credentials.key.public_key()


def test_a_reader_never_sees_half_a_renewal(hospital: Authority, tmp_path: Path) -> None:
    """While certificates are written, as fast as it goes, every look finds a whole one that fits the key."""
    credentials = member(hospital, tmp_path / "clinic-1", "clinic-1")
    grants = [hospital.grant(hospital.renew(credentials.certificate, NOW)) for _ in range(2)]
    whole = {grant.certificate.encode() for grant in grants if grant.certificate} | {credentials.current()[1]}
    folder = AgentFolder(tmp_path / "clinic-1")
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: [folder.install(grants[turn % 2], NOW) for turn in range(12)])
        seen = set()
        while not writing.done():
            seen.add(credentials.current()[1])
            time.sleep(0.0001)
        assert len(writing.result()) == 12
    assert seen <= whole
    assert len(seen) >= 2


def test_key_and_certificate_have_to_belong_together(hospital: Authority, tmp_path: Path) -> None:
    """Also when the wrong certificate comes later, under the eyes of a running agent."""
    mine, other = (member(hospital, tmp_path / name, name) for name in ("clinic-1", "clinic-2"))
    (tmp_path / "clinic-1" / "identity.pem").write_bytes(pem(other.certificate))
    for use in (mine.current, lambda: Credentials(tmp_path / "clinic-1")):
        with pytest.raises(CredentialsError, match=r"identity.pem: does not belong to .*identity.key"):
            use()


def test_a_key_that_others_can_read_is_refused(hospital: Authority, tmp_path: Path) -> None:
    """World-readable: refused with the command that closes it."""
    member(hospital, tmp_path / "clinic-1", "clinic-1")
    (tmp_path / "clinic-1" / "identity.key").chmod(0o604)
    with pytest.raises(CredentialsError, match=r"identity.key: open to others \(mode 604\).*chmod 600"):
        Credentials(tmp_path / "clinic-1")


def test_what_is_missing_or_over_is_said_with_what_to_do(hospital: Authority, tmp_path: Path) -> None:
    """No key, no certificate yet, no valid certificate any more, a damaged certificate."""
    (tmp_path / "empty").mkdir(mode=0o700)
    with pytest.raises(CredentialsError, match=r"identity.key: cannot be read"):
        Credentials(tmp_path / "empty")
    AgentFolder.create(tmp_path / "waiting", Identity("hospital-a", "clinic-2"))
    with pytest.raises(CredentialsError, match="there is no certificate yet; `knexa provision show"):
        Credentials(tmp_path / "waiting")
    credentials = member(hospital, tmp_path / "clinic-1", "clinic-1")
    credentials.require_valid(NOW)
    for when in (NOW - timedelta(minutes=6), NOW + timedelta(hours=24)):
        with pytest.raises(CredentialsError, match="is valid from 2027-03-01 11:55 to 2027-03-02 11:55 UTC, not now; ask hospital-a"):
            credentials.require_valid(when)
    (tmp_path / "clinic-1" / "identity.pem").write_bytes(b"x")
    with pytest.raises(CredentialsError, match=r"identity.pem: the certificate cannot be read"):
        credentials.current()
    (tmp_path / "clinic-1" / "identity.pem").unlink()
    with pytest.raises(CredentialsError, match=r"identity\.pem: cannot be read"):
        credentials.current()


def test_a_grant_that_does_not_fit_changes_nothing(hospital: Authority, clinic: Authority, tmp_path: Path) -> None:
    """For another key, another name, by another root or none, or with a root under a false name: refused, not a byte written."""
    mine, other = (member(hospital, tmp_path / name, name) for name in ("clinic-1", "clinic-2"))
    folder = AgentFolder(tmp_path / "clinic-1")
    impostor = Authority.create(tmp_path / "impostor", "hospital-a", NOW)
    right = hospital.grant(hospital.renew(mine.certificate, NOW))
    roots, theirs = dict(right.roots), {"hospital-a": pem(clinic.root).decode()}
    wrong = {
        "is for another key than": hospital.grant(other.certificate),
        "the grant is for knexa://hospital-a/clinic-3, but": hospital.grant(hospital.issue(folder.request(), "clinic-3", NOW)),
        "has another root for hospital-a than the one that is known": impostor.grant(impostor.issue(folder.request(), "clinic-1", NOW)),
        "lacks the root of hospital-a": Grant(right.certificate, {}, {}, Addresses()),
        "has another root for hospital-a than": Grant(right.certificate, theirs, {}, Addresses()),
        "the root of hospital-a is offered as that of hospital-b": Grant(
            right.certificate, {**roots, "hospital-b": roots["hospital-a"]}, {}, Addresses()
        ),
        "the certificate cannot be read": Grant("nonsense", roots, {}, Addresses()),
        "the list of revoked certificates cannot be read": Grant(right.certificate, roots, {"hospital-a": "nonsense"}, Addresses()),
    }
    before = files(tmp_path / "clinic-1")
    for sentence, grant in wrong.items():
        with pytest.raises(PeerError) as refused:
            folder.install(grant, NOW)
        assert sentence in str(refused.value)
        assert files(tmp_path / "clinic-1") == before
    assert folder.install(right, NOW) == Identity("hospital-a", "clinic-1")


def test_a_grant_brings_whom_to_trust_and_whom_to_call(hospital: Authority, clinic: Authority, tmp_path: Path) -> None:
    """Admitted later: there after the next grant; dismissed: gone after the next; an address stays until there is another."""
    credentials = member(hospital, tmp_path / "clinic-1", "clinic-1")
    folder = AgentFolder(tmp_path / "clinic-1")
    Addresses(issuer=Address("ca.example", 7432)).write(hospital.folder / "addresses.toml")
    hospital.trust.admit(pem(clinic.root), "hospital-b", NOW)
    folder.install(hospital.grant(None), NOW)
    assert credentials.trust.organisations() == ("hospital-a", "hospital-b")
    assert credentials.addresses == Addresses(issuer=Address("ca.example", 7432))
    hospital.trust.dismiss("hospital-b")
    (hospital.folder / "addresses.toml").write_text('cpm = "[::1]:7430"\n')
    folder.install(hospital.grant(None), NOW)
    assert credentials.trust.organisations() == ("hospital-a",)
    assert credentials.addresses == Addresses(Address("ca.example", 7432), Address("::1", 7430))


@pytest.mark.parametrize("found", [None, [], {}, {"format": 2}, {"format": 1, "certificate": 1, "roots": {}, "lists": {}}])
def test_what_is_no_grant_is_a_peer_error(found: object) -> None:
    """Whatever JSON it is."""
    with pytest.raises(PeerError, match="the grant"):
        Grant.from_json(found)


def test_a_grant_survives_its_encoding(hospital: Authority, tmp_path: Path) -> None:
    """What the authority wrote is what the agent reads."""
    certificate = member(hospital, tmp_path / "clinic-1", "clinic-1").certificate
    Addresses(cpm=Address("cpm.example", 7430)).write(hospital.folder / "addresses.toml")
    for grant in (hospital.grant(certificate), hospital.grant(None)):
        assert Grant.from_json(grant.to_json()) == grant
