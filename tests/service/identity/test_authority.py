"""An organisation's authority: its keys are kept, a name is one key, and nothing that it answered is lost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from identities import NOW, files, member, pem

from knexa.errors import ConfigurationError, CredentialsError, PeerError
from knexa.service.identity import Authority, Identity
from knexa.service.identity.agent_folder import AgentFolder
from knexa.service.identity.keys import signing_request


def request(key: ec.EllipticCurvePrivateKey | None = None, identity: Identity | None = None) -> bytes:
    return signing_request(key or ec.generate_private_key(ec.SECP256R1()), identity)


def test_keys_are_private_and_never_overwritten(hospital: Authority, tmp_path: Path) -> None:
    """Mode 600 in a folder of mode 700, from the first byte; a second `create` leaves everything as it was."""
    member(hospital, tmp_path / "clinic-1", "clinic-1")
    for folder, key in ((hospital.folder, "root.key"), (tmp_path / "clinic-1", "identity.key")):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / key).stat().st_mode & 0o777 == 0o600
        assert (folder / key).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    before = files(tmp_path)
    with pytest.raises(CredentialsError, match=r"root.key: exists already and is not overwritten"):
        Authority.create(hospital.folder, "hospital-z", NOW)
    with pytest.raises(CredentialsError, match="is knexa://hospital-a/clinic-1 already; choose another folder"):
        AgentFolder.create(tmp_path / "clinic-1", Identity("hospital-a", "clinic-2"))
    assert files(tmp_path) == before


@pytest.mark.parametrize(("path", "mode"), [("root.key", 0o644), ("root.key", 0o640), ("", 0o755)])
def test_a_key_that_others_can_reach_is_refused_with_the_remedy(path: str, mode: int, hospital: Authority) -> None:
    """The sentence says which file, and the command that closes it."""
    (hospital.folder / path).chmod(mode)
    with pytest.raises(
        CredentialsError, match=rf"open to others \(mode {mode:o}\).*: chmod [67]00 {re.escape(str(hospital.folder / path))}"
    ):
        Authority.open(hospital.folder)


def test_what_is_damaged_or_foreign_is_named(hospital: Authority, clinic: Authority, tmp_path: Path) -> None:
    """No authority, another's key, no key at all, a damaged log: one sentence each."""
    with pytest.raises(CredentialsError, match="is no authority; make one with `knexa provision init"):
        Authority.open(tmp_path)
    key = (hospital.folder / "root.key").read_bytes()
    (hospital.folder / "root.key").write_bytes((clinic.folder / "root.key").read_bytes())
    with pytest.raises(CredentialsError, match=r"root.key: does not belong to .*root.pem"):
        Authority.open(hospital.folder)
    (hospital.folder / "root.key").write_bytes(key[:80])
    with pytest.raises(CredentialsError, match="holds no usable private key"):
        Authority.open(hospital.folder)
    (hospital.folder / "root.key").write_bytes(key)
    root = (hospital.folder / "root.pem").read_bytes()
    (hospital.folder / "root.pem").write_bytes(root[:300])
    with pytest.raises(CredentialsError, match=r"root\.pem: the certificate cannot be read .*restore it from a backup"):
        Authority.open(hospital.folder)
    (hospital.folder / "root.pem").write_bytes(root)
    (hospital.folder / "issued.jsonl").write_bytes(b"{}\n")
    with pytest.raises(CredentialsError, match=r"issued.jsonl: a line is damaged"):
        Authority.open(hospital.folder).living(NOW)


def test_the_name_is_the_operators_word_not_the_requests(hospital: Authority) -> None:
    """A request that claims to be the matchmaker of another organisation becomes what the operator says."""
    certificate = hospital.issue(request(identity=Identity("hospital-b", "cpm")), "clinic-1", NOW)
    assert hospital.trust.verify(pem(certificate), NOW) == Identity("hospital-a", "clinic-1")


@pytest.mark.parametrize("lifetime", [timedelta(hours=24, seconds=1), timedelta(days=365), timedelta(0), timedelta(hours=-1)])
def test_no_certificate_is_issued_for_longer_than_a_day(lifetime: timedelta, hospital: Authority) -> None:
    """Nor for no time at all."""
    with pytest.raises(ConfigurationError, match=r"lifetime: found .* hours; allowed: 0.17 to 24"):
        hospital.issue(request(), "clinic-1", NOW, lifetime)
    assert hospital.living(NOW) == []


def test_a_name_belongs_to_one_key_at_a_time(hospital: Authority) -> None:
    """The same key may ask again; another one only when the certificate has expired or its key was revoked."""
    mine, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    hospital.issue(request(mine), "clinic-1", NOW)
    hospital.issue(request(mine), "clinic-1", NOW)
    with pytest.raises(PeerError, match="knexa://hospital-a/clinic-1 is in use by another key until 2027-03-02 11:55 UTC"):
        hospital.issue(request(other), "clinic-1", NOW)
    assert hospital.issue(request(other), "clinic-2", NOW)
    hospital.revoke("clinic-1", NOW)
    assert hospital.issue(request(other), "clinic-1", NOW)
    assert hospital.issue(request(ec.generate_private_key(ec.SECP256R1())), "clinic-2", NOW + timedelta(hours=25))


def test_a_short_certificate_does_not_free_a_name_that_a_longer_one_holds(hospital: Authority) -> None:
    """The one that lasts longest counts."""
    mine, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    hospital.issue(request(mine), "clinic-1", NOW)
    hospital.issue(request(mine), "clinic-1", NOW, timedelta(hours=1))
    with pytest.raises(PeerError, match="is in use by another key"):
        hospital.issue(request(other), "clinic-1", NOW + timedelta(hours=2))


@pytest.mark.parametrize("by", ["name", "serial"])
def test_a_revoked_key_is_revoked_with_all_its_certificates_and_for_good(by: str, hospital: Authority) -> None:
    """Also the ones issued before, also under another name; and it never gets another."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificates = [hospital.issue(request(key), name, NOW) for name in ("clinic-1", "clinic-1", "clinic-7")]
    untouched = hospital.issue(request(), "clinic-2", NOW)
    who = "clinic-1" if by == "name" else f"{certificates[2].serial_number:x}"
    assert len(hospital.revoke(who, NOW)) == 3
    for certificate in certificates:
        with pytest.raises(PeerError, match="was revoked"):
            hospital.trust.verify(pem(certificate), NOW)
        with pytest.raises(PeerError, match="this key was revoked"):
            hospital.renew(certificate, NOW)
    with pytest.raises(PeerError, match="this key was revoked"):
        hospital.issue(request(key), "clinic-3", NOW + timedelta(days=400))
    assert hospital.trust.verify(pem(untouched), NOW).name == "clinic-2"
    assert hospital.revoke(who, NOW) == []
    with pytest.raises(ConfigurationError, match="'clinic-99': no certificate has this name or serial"):
        hospital.revoke("clinic-99", NOW)


def test_a_revocation_that_was_cut_off_is_completed_by_asking_again(hospital: Authority, tmp_path: Path) -> None:
    """Killed between the log and the list: the list lacks the entry, and `revoke` once more brings it."""
    certificate = pem(member(hospital, tmp_path / "clinic-1", "clinic-1").certificate)
    listed = hospital.folder / "trust" / "hospital-a.crl"
    before = listed.read_bytes()
    hospital.revoke("clinic-1", NOW)
    listed.write_bytes(before)
    assert hospital.trust.verify(certificate, NOW)
    Authority.open(hospital.folder).revoke("clinic-1", NOW)
    with pytest.raises(PeerError, match="was revoked"):
        hospital.trust.verify(certificate, NOW)


def test_lists_do_not_grow_for_ever(hospital: Authority, tmp_path: Path) -> None:
    """What expired more than a day ago is left out: it is refused by its date."""
    for week in range(4):
        now = NOW + timedelta(weeks=week)
        member(hospital, tmp_path / f"clinic-{week}", f"clinic-{week}", now)
        hospital.revoke(f"clinic-{week}", now)
    assert len(hospital.trust.vouched("hospital-a").revoked) == 1


def test_a_line_that_was_cut_off_is_dropped_and_the_next_one_is_whole(hospital: Authority) -> None:
    """A power cut in the middle of a write: that certificate never left, and the log goes on."""
    hospital.issue(request(), "clinic-1", NOW)
    log = hospital.folder / "issued.jsonl"
    log.write_bytes(log.read_bytes() + b'{"kind":"issued","at":1,"na')
    again = Authority.open(hospital.folder)
    again.issue(request(), "clinic-2", NOW)
    assert [json.loads(line)["name"] for line in log.read_text().splitlines()] == ["clinic-1", "clinic-2"]
    assert [entry.name for entry in hospital.living(NOW)] == ["clinic-1", "clinic-2"]


ISSUE_MANY = """
import sys
from datetime import datetime
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric import ec
from knexa.service.identity import Authority
from knexa.service.identity.keys import signing_request
authority = Authority.open(Path(sys.argv[1]))
for number in range(20):
    request = signing_request(ec.generate_private_key(ec.SECP256R1()), None)
    authority.issue(request, f"{sys.argv[2]}-{number}", datetime.fromisoformat(sys.argv[3]))
"""


def test_processes_that_issue_at_once_lose_nothing(hospital: Authority) -> None:
    """`serve` and `invite` beside each other: every certificate is in the log, on a line of its own."""
    commands = [[sys.executable, "-c", ISSUE_MANY, str(hospital.folder), name, NOW.isoformat()] for name in ("left", "right")]
    running = [subprocess.Popen(command) for command in commands]
    assert [one.wait(60) for one in running] == [0, 0]
    assert {entry.name for entry in hospital.living(NOW)} == {f"{name}-{number}" for name in ("left", "right") for number in range(20)}


def test_nothing_is_issued_beyond_the_end_of_the_root(hospital: Authority) -> None:
    """The sentence says when it ends; peers would refuse the certificate anyway."""
    with pytest.raises(CredentialsError, match=r"root\.pem: ends at 2037-02-28; begin a new authority"):
        hospital.issue(request(), "clinic-1", hospital.root.not_valid_after_utc - timedelta(hours=1))
    assert hospital.living(NOW) == []


def test_the_authoritys_own_name_is_not_given_away(hospital: Authority) -> None:
    """Whoever had it could answer agents in the authority's place."""
    with pytest.raises(ConfigurationError, match="'issuer'; allowed: any other"):
        hospital.issue(request(), "issuer", NOW)


@pytest.mark.parametrize("garbage", [b"", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", b"\xff" * 100])
def test_what_is_no_request_gets_no_certificate(garbage: bytes, hospital: Authority) -> None:
    """Nor does a request for a key of another curve."""
    with pytest.raises(PeerError, match="the request cannot be read"):
        hospital.issue(garbage, "clinic-1", NOW)
    with pytest.raises(PeerError, match="no PKCS 10 request for an ECDSA key on P-256"):
        hospital.issue(request(ec.generate_private_key(ec.SECP384R1())), "clinic-1", NOW)


def test_a_certificate_of_another_authority_is_not_renewed(hospital: Authority, clinic: Authority) -> None:
    """By its serial, the log knows."""
    foreign = clinic.issue(request(), "clinic-1", NOW)
    with pytest.raises(PeerError, match="has issued no certificate with the serial"):
        hospital.renew(foreign, NOW)
