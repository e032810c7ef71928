"""Renewal: at half of the lifetime, for who is still trusted, by the certificate that was shown and nothing else."""

from __future__ import annotations

import json
import socket
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from identities import NOW, acquainted, answering, files, member, pem

from knexa.errors import CredentialsError, PeerError
from knexa.service.identity import Authority, Credentials, renew_at_issuer, renew_reachable
from knexa.service.identity.grant import Address, Addresses
from knexa.service.identity.issuing import Issuing
from knexa.service.identity.trust import utc_now
from knexa.service.identity.wire import dialled, member_context

HOUR = timedelta(hours=1)


@pytest.fixture
def organisation(tmp_path: Path) -> Authority:
    """Some days old, by the machine's clock, since TLS looks at that."""
    return Authority.create(tmp_path / "ca", "hospital-a", utc_now() - timedelta(days=4))


def outcomes(authority: Authority, now: object) -> dict[str, str]:
    return {one.name: one.outcome for one in renew_reachable(authority, now)}  # type: ignore[arg-type]


def test_a_pass_renews_who_is_due_and_nobody_else(hospital: Authority, tmp_path: Path) -> None:
    """Half of each one's own lifetime; keys stay; an expired one on the authority's own machine is renewed too."""
    day = member(hospital, tmp_path / "day", "day")
    hour = member(hospital, tmp_path / "hour", "hour", lifetime=HOUR)
    elsewhere = member(hospital, tmp_path / "elsewhere", "elsewhere", near=False)
    keys = [one.current()[0] for one in (day, hour)]
    before = files(tmp_path / "day", tmp_path / "elsewhere")
    assert outcomes(hospital, NOW + HOUR / 2) == {"day": "not due", "hour": "renewed"}
    assert files(tmp_path / "day", tmp_path / "elsewhere") == before
    assert hour.expires() - NOW == timedelta(hours=1, minutes=25)
    assert outcomes(hospital, NOW + timedelta(days=3)) == {"day": "renewed", "hour": "renewed"}
    assert [one.current()[0] for one in (day, hour)] == keys
    for one in (day, hour):
        assert hospital.trust.verify(one.current()[1], NOW + timedelta(days=3)) == one.identity
    assert elsewhere.expires() < NOW + timedelta(days=1)


def test_a_week_of_passes_keep_every_agent_valid(hospital: Authority, tmp_path: Path) -> None:
    """A week of a pass every four hours: never a moment without a valid certificate, about two certificates a day."""
    credentials = member(hospital, tmp_path / "clinic-1", "clinic-1")
    serials = set()
    for step in range(7 * 6):
        now = NOW + step * timedelta(hours=4)
        renew_reachable(hospital, now)
        serials.add(credentials.certificate.serial_number)
        assert hospital.trust.verify(credentials.current()[1], now + timedelta(hours=4)).name == "clinic-1"
    assert 13 <= len(serials) <= 15


def test_a_revoked_agent_is_not_renewed_and_the_others_are(hospital: Authority, tmp_path: Path) -> None:
    """It is told whom to trust, though, and so that it is out."""
    lost, kept = (member(hospital, tmp_path / name, name) for name in ("clinic-1", "clinic-2"))
    hospital.revoke("clinic-1", NOW)
    assert outcomes(hospital, NOW + 12 * HOUR) == {"clinic-1": "revoked", "clinic-2": "renewed"}
    assert lost.expires() < NOW + 24 * HOUR < kept.expires()
    for store in (lost.trust, kept.trust):
        with pytest.raises(PeerError, match="was revoked"):
            store.verify(lost.current()[1], NOW)


def test_one_folder_that_is_gone_does_not_stop_the_pass(hospital: Authority, tmp_path: Path) -> None:
    """It is named, with what is wrong; the others are renewed."""
    for name in ("clinic-1", "clinic-2", "clinic-3"):
        member(hospital, tmp_path / name, name)
    (tmp_path / "clinic-1").rename(tmp_path / "moved")
    (tmp_path / "clinic-2" / "identity.key").chmod(0o644)
    done = {one.name: one for one in renew_reachable(hospital, NOW + 12 * HOUR)}
    assert [done[name].outcome for name in sorted(done)] == ["failed", "failed", "renewed"]
    assert "identity.key: cannot be read" in done["clinic-1"].problem or "clinic-1: cannot be read" in done["clinic-1"].problem
    assert "open to others" in done["clinic-2"].problem


def test_an_organisation_whose_root_has_ended_stops_nobody_elses_renewal(hospital: Authority, tmp_path: Path) -> None:
    """Its members are refused; that is all."""
    old = Authority.create(tmp_path / "old", "hospital-z", NOW - timedelta(days=3650))
    hospital.trust.admit(pem(old.root), "hospital-z", NOW)
    member(hospital, tmp_path / "clinic-1", "clinic-1", NOW + timedelta(days=5))
    assert outcomes(hospital, NOW + timedelta(days=5, hours=12)) == {"clinic-1": "renewed"}


def test_an_agent_elsewhere_renews_with_the_certificate_that_it_has(organisation: Authority, tmp_path: Path) -> None:
    """Over mutual TLS; before it is due, only whom to trust is brought up to date."""
    half = utc_now() - timedelta(hours=12)
    due = member(organisation, tmp_path / "due", "clinic-1", half, near=False)
    fresh = member(organisation, tmp_path / "fresh", "clinic-2", utc_now(), near=False)
    other = Authority.create(tmp_path / "other", "hospital-b", utc_now())
    organisation.trust.admit(pem(other.root), "hospital-b", utc_now())
    with answering(organisation) as address:
        Addresses(issuer=Address("localhost", address.port)).write(tmp_path / "due" / "addresses.toml")
        assert renew_at_issuer(tmp_path / "due", utc_now()).outcome == "renewed"
        assert renew_at_issuer(tmp_path / "fresh", utc_now(), address).outcome == "not due"
        assert renew_at_issuer(tmp_path / "due", utc_now()).outcome == "not due"
    assert due.expires() > utc_now() + timedelta(hours=23)
    for one in (due, fresh):
        assert one.trust.organisations() == ("hospital-a", "hospital-b")


def test_a_renewal_is_for_who_shows_the_certificate_whatever_it_says(organisation: Authority, tmp_path: Path) -> None:
    """Fields that ask for another name, key, role or lifetime change nothing."""
    mine = member(organisation, tmp_path / "clinic-1", "clinic-1", utc_now() - timedelta(hours=12), near=False)
    member(organisation, tmp_path / "clinic-2", "clinic-2", utc_now(), near=False)
    wishes = {"ask": "renew", "name": "clinic-2", "identity": "knexa://hospital-a/cpm", "code": "x", "lifetime": 10**9, "ca": True}
    with answering(organisation) as address:
        answer = asked(address, member_context(mine), wishes)
    granted = x509.load_pem_x509_certificate(answer["certificate"].encode())
    assert organisation.trust.verify(pem(granted), utc_now()) == mine.identity
    assert granted.public_key() == mine.key.public_key()
    assert granted.not_valid_after_utc < utc_now() + timedelta(hours=24)


def asked(address: Address, context: ssl.SSLContext, message: dict[str, object]) -> dict[str, str]:
    content = json.dumps(message).encode()
    with (
        socket.create_connection((address.host, address.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="issuer.hospital-a.knexa") as line,
    ):
        line.sendall(len(content).to_bytes(4, "big") + content)
        received = b""
        while part := line.recv(65536):
            received += part
    answer: dict[str, str] = json.loads(received[4:])
    return answer


def test_who_is_not_trusted_is_not_renewed(organisation: Authority, tmp_path: Path) -> None:
    """No certificate, a revoked one, an expired one, one of an impostor of the same name: refused, and nothing was issued."""
    now = utc_now()
    revoked = member(organisation, tmp_path / "revoked", "clinic-1", now - 12 * HOUR, near=False)
    expired = member(organisation, tmp_path / "expired", "clinic-2", now - 25 * HOUR, near=False)
    impostor = Authority.create(tmp_path / "impostor", "hospital-a", now - 24 * HOUR)
    false = member(impostor, tmp_path / "false", "clinic-3", now - 12 * HOUR, near=False)
    organisation.revoke("clinic-1", now)
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.load_verify_locations(cadata=pem(organisation.root).decode())
    false_but_knowing = member_context(false)
    false_but_knowing.load_verify_locations(cadata=pem(organisation.root).decode())
    with answering(organisation) as address:
        assert "has to show a certificate" in asked(address, nobody, {"ask": "renew"})["refused"]
        assert "was revoked" in asked(address, member_context(revoked), {"ask": "renew"})["refused"]
        for context in (member_context(expired), false_but_knowing):
            refused = pytest.raises(PeerError, match="the other side refused the certificate that was shown")
            with refused, dialled(address, context, "hospital-a") as line:
                line.ask({"ask": "renew"})
        with pytest.raises(CredentialsError, match="not now; ask hospital-a"):
            renew_at_issuer(tmp_path / "expired", now, address)
        with pytest.raises(PeerError, match="was revoked"):
            renew_at_issuer(tmp_path / "revoked", now, address)
    assert {one.name for one in organisation.living(now)} == {"issuer"}


def test_an_agent_takes_nothing_from_another_issuer(organisation: Authority, tmp_path: Path) -> None:
    """An impostor of the same name, an agent that poses as the issuer, and nobody at all: refused, and the folder stays."""
    now = utc_now()
    member(organisation, tmp_path / "clinic-1", "clinic-1", now - 12 * HOUR, near=False)
    impostor = Authority.create(tmp_path / "impostor", "hospital-a", now)
    before = files(tmp_path / "clinic-1")
    with answering(impostor) as address, pytest.raises(PeerError, match=r"no TLS connection comes about \(.*certificate"):
        renew_at_issuer(tmp_path / "clinic-1", now, address)
    with pytest.raises(PeerError, match="nobody answers there"):
        renew_at_issuer(tmp_path / "clinic-1", now, Address("127.0.0.1", 1))
    with pytest.raises(CredentialsError, match="does not know where hospital-a renews; pass --issuer"):
        renew_at_issuer(tmp_path / "clinic-1", now)
    assert files(tmp_path / "clinic-1") == before


def test_the_issuers_own_certificate_is_renewed_while_it_answers(organisation: Authority, tmp_path: Path) -> None:
    """After half of its lifetime it shows a new one; nobody restarts the listener."""
    start = utc_now() - 12 * HOUR
    member(organisation, tmp_path / "clinic-1", "clinic-1", start, near=False)
    time = [start]
    with answering(organisation, clock=lambda: time[0]) as address:
        shown = []
        for time[0] in (start, utc_now(), utc_now()):
            renew_at_issuer(tmp_path / "clinic-1", utc_now(), address)
            shown.append(Credentials(organisation.folder / "issuer").certificate.serial_number)
    assert shown[0] != shown[1] == shown[2]


def test_each_authority_renews_its_own(hospital: Authority, clinic: Authority, tmp_path: Path) -> None:
    """An agent of another organisation, though trusted, is sent home; TLS would not even let it in."""
    acquainted(hospital, clinic)
    theirs = pem(member(clinic, tmp_path / "clinic-1", "clinic-1").certificate)
    with pytest.raises(PeerError, match="knexa://hospital-b/clinic-1 renews at hospital-b, not here"):
        Issuing(hospital).answer({"ask": "renew"}, theirs, NOW)


def test_an_issuer_whose_key_was_revoked_gets_a_new_one(organisation: Authority, tmp_path: Path) -> None:
    """Agents renew with the new one; the old key opens nothing any more, and is kept."""
    member(organisation, tmp_path / "clinic-1", "clinic-1", utc_now(), near=False)
    with answering(organisation) as address:
        old = Credentials(organisation.folder / "issuer").current()
        organisation.revoke("issuer", utc_now())
        assert renew_at_issuer(tmp_path / "clinic-1", utc_now(), address).outcome == "not due"
    assert Credentials(organisation.folder / "issuer").current()[0] != old[0]
    with pytest.raises(PeerError, match="was revoked"):
        Credentials(tmp_path / "clinic-1").trust.verify(old[1], utc_now(), "server")
    assert len(list(organisation.folder.glob("issuer-revoked-*/identity.key"))) == 1


def test_two_organisations_look_after_their_own(hospital: Authority, clinic: Authority, tmp_path: Path) -> None:
    """A pass of one touches no file of the other."""
    acquainted(hospital, clinic)
    member(hospital, tmp_path / "a", "clinic-1")
    member(clinic, tmp_path / "b", "clinic-1")
    before = files(clinic.folder, tmp_path / "b")
    assert outcomes(hospital, NOW + 12 * HOUR) == {"clinic-1": "renewed"}
    assert files(clinic.folder, tmp_path / "b") == before
