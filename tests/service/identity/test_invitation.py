"""Joining by a one-time code, over real TLS: 5 tries, 10 minutes, one use, and nothing for whoever is in between."""

from __future__ import annotations

import base64
import errno
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from identities import NOW, answering, contents, member, pem

from knexa.errors import ConfigurationError, CredentialsError, PeerError
from knexa.service.identity import Authority, Credentials, Identity
from knexa.service.identity.authority import ROOT_KEY
from knexa.service.identity.certificates import root_certificate
from knexa.service.identity.grant import Address
from knexa.service.identity.invitation import ENTROPY, TRIES, Code, Invitation
from knexa.service.identity.issuing import Issuing
from knexa.service.identity.joining import join
from knexa.service.identity.keys import load_key, signing_request
from knexa.service.identity.trust import utc_now
from knexa.service.identity.wire import newcomer_context

#: For the tests of codes alone.
ROOT = root_certificate(ec.generate_private_key(ec.SECP256R1()), "hospital-a", NOW)

codes = st.binary(min_size=ENTROPY, max_size=ENTROPY)


class Clock:
    """Stands at :data:`NOW` until somebody moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def invited(
    authority: Authority, name: str = "clinic-1", entropy: bytes = bytes(range(ENTROPY)), now: datetime | None = None
) -> tuple[Code, Invitation]:
    code = Code.make(authority.root, entropy)
    return code, Invitation(name, code.secret, (now or utc_now()) + timedelta(minutes=10))


def wrong(code: Code, number: int = 0) -> Code:
    """A code of the same authority with another secret."""
    return replace(code, secret=f"{number:09d}")


@pytest.fixture
def organisation(tmp_path: Path) -> Authority:
    """Of now, since TLS looks at the clock of the machine."""
    return Authority.create(tmp_path / "ca", "hospital-a", utc_now() - timedelta(days=4))


def test_the_code_ends_in_a_certificate_that_peers_accept(organisation: Authority, tmp_path: Path) -> None:
    """Key made by the newcomer, name given by the authority, roots and addresses beside the certificate."""
    (organisation.folder / "addresses.toml").write_text('cpm = "cpm.example:7430"\nissuer = "ca.example:7432"\n')
    code, invitation = invited(organisation)
    with answering(organisation, invitation) as address:
        assert join(address, Code.parse(str(code)), tmp_path / "agent", utc_now()) == Identity("hospital-a", "clinic-1")
    credentials = Credentials(tmp_path / "agent")
    assert organisation.trust.verify(credentials.current()[1], utc_now()) == credentials.identity
    assert credentials.trust.roots_pem() == pem(organisation.root)
    assert str(credentials.addresses.cpm) == "cpm.example:7430"
    assert invitation.used


def test_after_five_wrong_codes_the_right_one_is_refused(organisation: Authority, tmp_path: Path) -> None:
    """The sixth try, right as it is, gets nothing; no certificate was issued."""
    code, invitation = invited(organisation)
    with answering(organisation, invitation) as address:
        for number in range(TRIES):
            with pytest.raises(PeerError, match=f"wrong code; tries left: {TRIES - 1 - number}"):
                join(address, wrong(code, number), tmp_path / "agent", utc_now())
        with pytest.raises(PeerError, match="this code was tried 5 times, so the invitation is void"):
            join(address, code, tmp_path / "agent", utc_now())
    assert [one.name for one in organisation.living(utc_now())] == ["issuer"]


def test_four_wrong_codes_do_no_harm(organisation: Authority, tmp_path: Path) -> None:
    """The fifth try may be the right one."""
    code, invitation = invited(organisation)
    with answering(organisation, invitation) as address:
        for number in range(TRIES - 1):
            with pytest.raises(PeerError, match="wrong code"):
                join(address, wrong(code, number), tmp_path / "agent", utc_now())
        assert join(address, code, tmp_path / "agent", utc_now()).name == "clinic-1"


def test_a_code_works_once(organisation: Authority, tmp_path: Path) -> None:
    """Whoever comes second is told that somebody was faster."""
    code, invitation = invited(organisation)
    with answering(organisation, invitation) as address:
        join(address, code, tmp_path / "first", utc_now())
        with pytest.raises(PeerError, match="this invitation was used already"):
            join(address, code, tmp_path / "second", utc_now())
    assert not (tmp_path / "second" / "identity.pem").exists()


def test_many_at_once_with_the_right_code_are_still_one(organisation: Authority, tmp_path: Path) -> None:
    """Eight newcomers race: one certificate, seven refusals."""
    code, invitation = invited(organisation)
    start = threading.Barrier(8)

    def race(number: int) -> str:
        start.wait()
        try:
            return join(address, code, tmp_path / str(number), utc_now()).name
        except PeerError as error:
            return str(error)

    with answering(organisation, invitation) as address, ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(race, range(8)))
    assert ends.count("clinic-1") == 1
    assert sum("used already" in end for end in ends) == 7


def test_a_code_ends_after_ten_minutes(organisation: Authority, tmp_path: Path) -> None:
    """By the clock that the authority is given: a second before it works, at the moment it does not."""
    now = utc_now()
    for passed, accepted in ((timedelta(minutes=10), False), (timedelta(minutes=9, seconds=59), True)):
        code, invitation = invited(organisation, f"clinic-{accepted}".lower(), now=now)
        with answering(organisation, invitation, lambda passed=passed: now + passed) as address:
            if accepted:
                assert join(address, code, tmp_path / "agent", now + passed).name == "clinic-true"
            else:
                with pytest.raises(PeerError, match="this invitation has expired"):
                    join(address, code, tmp_path / "agent", now + passed)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["wrong", "right", "fails", "later"]), max_size=12))
def test_at_most_one_in_at_most_five_tries_before_the_end(moves: list[str]) -> None:
    """Whatever order things happen in."""
    clock, invitation = Clock(), Invitation("clinic-1", "SECRET", NOW + timedelta(minutes=10))
    looked_at = joined = 0
    for move in moves:
        if move == "later":
            clock.now += timedelta(minutes=4)
            continue
        try:
            with invitation.redeemed("SECRET" if move != "wrong" else "OTHER", clock()) as name:
                assert name == "clinic-1"
                looked_at += 1
                assert clock() < invitation.expires
                if move == "fails":
                    raise PeerError("no certificate comes about")
                joined += 1
        except PeerError as refused:
            looked_at += "wrong code" in str(refused)
    assert joined <= 1
    assert looked_at <= TRIES
    assert invitation.over(clock()) == (bool(joined) or looked_at == TRIES or clock() >= invitation.expires)


def test_another_authority_never_sees_the_code(organisation: Authority, tmp_path: Path) -> None:
    """At the wrong address, an impostor of the same name listens: the newcomer leaves before it shows its secret."""
    impostor = Authority.create(tmp_path / "impostor", "hospital-a", utc_now())
    code, _ = invited(organisation)
    stolen, theirs = invited(impostor)
    assert stolen.secret == code.secret  # would be accepted there, if it were shown
    with answering(impostor, theirs) as address, pytest.raises(PeerError, match="not the authority that the code is from"):
        join(address, code, tmp_path / "agent", utc_now())
    assert theirs.tries == 0
    assert list((tmp_path / "agent").glob("identity.pem")) == []


@pytest.mark.parametrize(
    ("thief", "sentence"), [("hospital-a", "not the issuer of hospital-a. The code"), ("hospital-b", "of hospital-b beside")]
)
def test_somebody_in_between_with_the_true_root_never_sees_the_code(
    thief: str, sentence: str, organisation: Authority, tmp_path: Path
) -> None:
    """Relaying the true root is no use to whoever does not hold the issuer's key: TLS shows that, and the newcomer leaves."""
    code, invitation = invited(organisation)
    whose = organisation if thief == "hospital-a" else Authority.create(tmp_path / "theirs", thief, utc_now())
    agent = member(whose, tmp_path / "thief", "clinic-7", utc_now())
    refused = pytest.raises(PeerError, match=re.escape(sentence))
    with answering(organisation, invitation) as address, relayed(address, agent) as (between, heard), refused:
        join(between, code, tmp_path / "agent", utc_now())
    assert b'"ask":"root"' in bytes(heard)
    assert code.secret.encode() not in bytes(heard)
    assert invitation.tries == 0


@contextmanager
def relayed(target: Address, shows: Credentials) -> Iterator[tuple[Address, bytearray]]:
    """Takes one TLS connection with a certificate of its own, passes all on to ``target``, and keeps what it heard."""
    heard = bytearray()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shows.folder / "identity.pem", shows.folder / "identity.key")
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:

        def relay() -> None:
            plain, _ = listening.accept()
            outside = socket.create_connection((target.host, target.port))
            with context.wrap_socket(plain, server_side=True) as near, newcomer_context().wrap_socket(outside) as far:
                while part := near.recv(65536):
                    heard.extend(part)
                    far.sendall(part)
                    near.sendall(far.recv(65536))

        running = pool.submit(relay)
        yield Address("127.0.0.1", listening.getsockname()[1]), heard
        running.result(10)


@settings(deadline=None)
@given(codes, st.integers(0, 40), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_code_is_read_however_it_is_written_and_typing_errors_are_found(entropy: bytes, place: int, letter: str) -> None:
    """Case, hyphens, spaces, O for 0, I and L for 1; one changed character is noticed 1,023 times out of 1,024 at least."""
    code = Code.make(ROOT, entropy)
    text = str(code)
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{6}-){5}[0-9A-HJKMNP-TV-Z]{6}", text)
    for written in (text.lower(), text.replace("-", ""), text.replace("-", " "), text.replace("0", "o").replace("1", "l")):
        assert Code.parse(written) == code
    if text[place] not in ("-", letter):
        mistyped = text[:place] + letter + text[place + 1 :]
        try:
            assert Code.parse(mistyped) != code
        except ConfigurationError:
            assert mistyped != text


def test_nearly_every_typing_error_costs_no_try() -> None:
    """Of all codes with one wrong character, fewer than one in two hundred would be shown to the authority."""
    text = str(Code.make(ROOT, bytes(ENTROPY)))
    found = tried = 0
    for place, right in enumerate(text):
        for letter in "0123456789ABCDEFGHJKMNPQRSTVWXYZ":
            if right not in ("-", letter):
                tried += 1
                try:
                    Code.parse(text[:place] + letter + text[place + 1 :])
                except ConfigurationError:
                    found += 1
    assert tried == 36 * 31
    assert found > tried * 0.995


@pytest.mark.parametrize("text", ["", "-", "ABC", "U" * 36, "0" * 36, "ä" * 36, "0" * 10_000])
def test_what_is_no_code_is_said_at_once(text: str) -> None:
    """Without a connection."""
    with pytest.raises(ConfigurationError, match="code: mistyped or cut short"):
        Code.parse(text)


def test_the_key_of_a_failed_try_is_kept_and_one_with_a_certificate_is_not_touched(organisation: Authority, tmp_path: Path) -> None:
    """Join again after a typing error: same key. Join again as somebody else: refused before anybody is called."""
    code, invitation = invited(organisation)
    with answering(organisation, invitation) as address:
        with pytest.raises(PeerError):
            join(address, wrong(code), tmp_path / "agent", utc_now())
        key = (tmp_path / "agent" / "identity.key").read_bytes()
        join(address, code, tmp_path / "agent", utc_now())
        assert (tmp_path / "agent" / "identity.key").read_bytes() == key
        with pytest.raises(CredentialsError, match="is knexa://hospital-a/clinic-1 already"):
            join(address, code, tmp_path / "agent", utc_now())
    assert invitation.tries == 2


def test_after_its_certificate_has_expired_an_agent_joins_again_with_its_key(organisation: Authority, tmp_path: Path) -> None:
    """A machine that was off for days: a new invitation, the old folder."""
    past = utc_now() - timedelta(days=3)
    old = member(organisation, tmp_path / "agent", "clinic-1", past, near=False)
    code, invitation = invited(organisation)
    with answering(organisation, invitation) as address:
        join(address, code, tmp_path / "agent", utc_now())
    assert old.expires() > utc_now()


def test_a_revoked_key_joins_by_no_code(organisation: Authority, tmp_path: Path) -> None:
    """The try counts, and the code stays good for whoever has a new key."""
    past = utc_now() - timedelta(days=3)
    member(organisation, tmp_path / "stolen", "clinic-1", past, near=False)
    organisation.revoke("clinic-1", utc_now())
    code, invitation = invited(organisation)
    with answering(organisation, invitation) as address:
        with pytest.raises(PeerError, match="this key was revoked"):
            join(address, code, tmp_path / "stolen", utc_now())
        assert join(address, code, tmp_path / "new", utc_now()).name == "clinic-1"


def test_an_authority_that_answers_without_a_certificate_is_at_fault(organisation: Authority, tmp_path: Path) -> None:
    """Said so, and nothing is installed."""

    class Stingy(Issuing):
        def answer(self, message: Mapping[str, Any], shown: bytes | None, now: datetime) -> tuple[dict[str, Any], str]:
            return super().answer(message, shown, now) if message["ask"] == "root" else (self.authority.grant(None).to_json(), "")

    code, _ = invited(organisation)
    with answering(organisation, issuing=Stingy(organisation)) as address, pytest.raises(PeerError, match="answered without a certificate"):
        join(address, code, tmp_path / "agent", utc_now())
    assert not (tmp_path / "agent" / "trust").exists()


def test_nobody_joins_where_nobody_is_invited(organisation: Authority, tmp_path: Path) -> None:
    """The port that renews takes no codes."""
    code, _ = invited(organisation)
    with answering(organisation) as address, pytest.raises(PeerError, match="nobody is invited here"):
        join(address, code, tmp_path / "agent", utc_now())


def test_where_nobody_answers_the_sentence_says_so(organisation: Authority, tmp_path: Path) -> None:
    """Address and remedy."""
    code, _ = invited(organisation)
    with pytest.raises(PeerError, match=r"127.0.0.1:1: nobody answers there; is the command still running .*\(Connection refused\)"):
        join(Address("127.0.0.1", 1), code, tmp_path / "agent", utc_now())


def test_nothing_that_leaves_holds_a_private_key(organisation: Authority, tmp_path: Path) -> None:
    """Every byte that the authority sends to a newcomer, and every file that an agent gets, in every spelling of the root key."""
    code, invitation = invited(organisation)
    key = ec.generate_private_key(ec.SECP256R1())
    asked = [
        b'{"ask":"root"}',
        b'{"ask":"join","code":"%s","request":"%s"}' % (code.secret.encode(), signing_request(key, None).replace(b"\n", b"\\n")),
    ]
    with answering(organisation, invitation) as address:
        sent = spoken(address, asked)
    assert b"BEGIN CERTIFICATE" in sent
    assert b"BEGIN X509 CRL" in sent
    member(organisation, tmp_path / "agent", "clinic-2", utc_now())
    agents = [path for path in (tmp_path / "agent").rglob("*") if path.is_file() and path.name != "identity.key"]
    assert len(agents) >= 5
    given_away = [organisation.folder / "root.pem", *organisation.folder.glob("trust/*")]
    everything = sent + contents(agents) + contents(given_away)
    for spelling in spellings(organisation.folder / ROOT_KEY):
        assert spelling not in everything
    assert b"PRIVATE" not in everything
    # The search finds what is there: the same spellings of a key that did leave.
    assert any(spelling in contents([organisation.folder / ROOT_KEY]) for spelling in spellings(organisation.folder / ROOT_KEY))


def spellings(path: Path) -> list[bytes]:
    """The secret number of a key, raw, hexadecimal, decimal and in base 64, and pieces of its encodings."""
    key = load_key(path)
    secret = key.private_numbers().private_value
    raw = secret.to_bytes(32, "big")
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    middle = der[der.index(raw) : der.index(raw) + 24]
    base64s = [base64.b64encode(der[skip:])[:40] for skip in range(der.index(raw), der.index(raw) + 3)]
    lines = [line for line in path.read_bytes().splitlines() if not line.startswith(b"-")]
    return [
        raw,
        raw[::-1],
        raw.hex().encode(),
        raw.hex().upper().encode(),
        str(secret).encode(),
        middle,
        *base64s,
        lines[0][-40:],
        *lines[1:],
    ]


def spoken(address: Address, messages: list[bytes]) -> bytes:
    """All that comes back, decrypted, for ``messages`` sent by hand; until the other side ends it."""
    answers = b""
    with socket.create_connection((address.host, address.port), timeout=10) as plain, newcomer_context().wrap_socket(plain) as line:
        for message in messages:
            line.sendall(len(message).to_bytes(4, "big") + message)
        while part := line.recv(65536):
            answers += part
    return answers


GARBAGE = [
    b"", b"{", b"[]", b"null", b'{"ask":1}', b'{"ask":"everything"}', b'{"ask":"join"}', b'{"ask":"join","code":1,"request":2}',
    b'{"ask":"join","code":"\\ud800","request":"x"}', b'{"ask":"join","code":"x","request":"x"}', b'{"ask":"renew","name":"clinic-1"}',
    b"[" * 60_000, b"\xff\xfe\x00", b'{"ask":"root"',
]  # fmt: skip


def test_no_message_breaks_the_listener_or_costs_a_try(organisation: Authority, tmp_path: Path) -> None:
    """Malformed, unknown, nested, cut off, too long, not TLS at all, TLS of yesterday: refused, and the next caller is served."""
    code, invitation = invited(organisation)
    notes: list[str] = []
    with answering(organisation, invitation, notes=notes) as address:
        for message in GARBAGE:
            assert b"CERTIFICATE" not in spoken(address, [message])
        for raw in (b"", b"GET / HTTP/1.0\r\n\r\n", bytes(200)):
            with socket.create_connection((address.host, address.port), timeout=10) as plain:
                plain.sendall(raw)
        with socket.create_connection((address.host, address.port), timeout=10) as plain, newcomer_context().wrap_socket(plain) as line:
            line.sendall((2**31).to_bytes(4, "big"))
            assert line.recv(100) == b""
        old = newcomer_context()
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection((address.host, address.port), timeout=10) as plain,
            pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
        ):
            old.wrap_socket(plain)
        assert invitation.tries == 0
        assert join(address, code, tmp_path / "agent", utc_now()).name == "clinic-1"
    assert any("a message of 2147483648 bytes is refused" in note for note in notes)


def test_connections_that_are_reset_do_not_end_the_listener(organisation: Authority, tmp_path: Path) -> None:
    """Gone before TLS begins, as port scanners go: each is a line, and the next caller is served."""
    code, invitation = invited(organisation)
    notes: list[str] = []
    with answering(organisation, invitation, notes=notes) as address:
        for _ in range(8):
            with socket.create_connection((address.host, address.port), timeout=10) as plain:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert join(address, code, tmp_path / "agent", utc_now()).name == "clinic-1"
    assert sum("no TLS connection comes about" in note for note in notes) == 8


@pytest.mark.parametrize("trouble", [OSError(errno.ENOSPC, "No space left on device"), CredentialsError("ca: cannot be written")])
def test_trouble_of_the_authoritys_own_ends_one_conversation_alone(trouble: Exception, organisation: Authority, tmp_path: Path) -> None:
    """A full disk: the newcomer is told that nothing is issued now, the operator why, and the next one is served."""

    class Full(Issuing):
        def answer(self, message: Mapping[str, Any], shown: bytes | None, now: datetime) -> tuple[dict[str, Any], str]:
            if message["ask"] == "join" and not notes:
                raise trouble
            return super().answer(message, shown, now)

    code, invitation = invited(organisation)
    notes: list[str] = []
    with answering(organisation, notes=notes, issuing=Full(organisation, invitation)) as address:
        with pytest.raises(PeerError, match="cannot issue now"):
            join(address, code, tmp_path / "agent", utc_now())
        assert join(address, code, tmp_path / "agent", utc_now()).name == "clinic-1"
    assert str(trouble) in notes[0]
