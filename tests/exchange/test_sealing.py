"""Offers and envelopes: what is bound to what."""

from __future__ import annotations

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from exchange_parties import MARKER, NOW, OTHER, PACKAGE, REQUEST, STUDENT, TEACHER, TICKET, accepted_flips, refuse
from hpke_by_the_book import XWING, decapsulate, key_pair, key_schedule, open_by_the_book, seal_by_the_book
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.errors import PeerError
from knexa.exchange.framing import join_parts, split_parts
from knexa.exchange.sealing import (
    PUBLIC_BYTES,
    SEAL_BYTES,
    FreshKey,
    Session,
    SwappedKeyError,
    open_offer,
    open_sealed,
    seal,
    sign_offer,
)
from knexa.exchange.signing import MOST_SIGNATURE_BYTES, SigningKey
from knexa.exchange.ticket import Ticket

RFC_9180, X_WING = (
    {name: bytes.fromhex(value) if name not in ("source", "kem_id", "kdf_id", "aead_id") else value for name, value in vector.items()}
    for vector in json.loads(Path(__file__).with_name("hpke_vectors.json").read_text())
)
TEXTS = PACKAGE.to_bytes()


def fresh_pair(ticket: Ticket = TICKET) -> tuple[Session, FreshKey, FreshKey]:
    """A session with the teacher's and the student's fresh key."""
    teacher, student = FreshKey(), FreshKey()
    return Session(ticket, teacher.public, student.public), teacher, student


def sealed_package(session: Session, plaintext: bytes = TEXTS, key: SigningKey = TEACHER) -> bytes:
    return seal(session, "package", plaintext, key)


def opened_package(session: Session, envelope: bytes, fresh: FreshKey, now: float = NOW) -> bytes:
    return open_sealed(session, "package", envelope, TEACHER.verifying_key, fresh, now)


# --- HPKE


@pytest.mark.parametrize("vector", [RFC_9180, X_WING], ids=["rfc9180", "x-wing"])
def test_our_reading_of_hpke_fits_the_published_vectors(vector: dict[str, Any]) -> None:
    """Key schedule and cipher by RFC 9180's own vector and by that of the suite in use; for the latter, the KEM too."""
    key, nonce = key_schedule(vector["kem_id"], vector["shared_secret"], vector["info"])
    assert (key, nonce) == (vector["key"], vector["base_nonce"])
    assert ChaCha20Poly1305(key).decrypt(nonce, vector["ct"], vector["aad"]) == vector["pt"]
    if vector["kem_id"] == XWING:
        assert key_pair(vector["skRm"])[2] == vector["pkRm"]
        assert decapsulate(vector["skRm"], vector["enc"]) == vector["shared_secret"]


def test_what_we_seal_is_hpke_to_the_published_key() -> None:
    """The private key of the vector opens, by the book, an envelope that was sealed to its public key; ``info`` is the header."""
    session = Session(TICKET, FreshKey().public, X_WING["pkRm"])
    ciphertext, _ = split_parts(sealed_package(session), b"knexa envelope 1", 9000, MOST_SIGNATURE_BYTES)
    assert len(ciphertext) == len(TEXTS) + SEAL_BYTES
    assert open_by_the_book(X_WING["skRm"], ciphertext, session.header("package")) == TEXTS


def test_what_hpke_seals_we_open() -> None:
    """The other way round, to a fresh key of ours."""
    fresh = FreshKey()
    assert len(fresh.public) == PUBLIC_BYTES
    assert fresh.open_once(seal_by_the_book(fresh.public, b"plain", b"info"), b"info") == b"plain"


# --- envelopes


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_what_was_sealed_is_opened(plaintext: bytes) -> None:
    """In both directions."""
    session, teacher, student = fresh_pair()
    assert opened_package(session, sealed_package(session, plaintext), student) == plaintext
    request = seal(session, "request", plaintext, STUDENT)
    assert open_sealed(session, "request", request, STUDENT.verifying_key, teacher, NOW) == plaintext


def test_an_envelope_opens_once() -> None:
    """The key is gone with the first message, and after ``forget`` there is not even one."""
    session, _, student = fresh_pair()
    envelope = sealed_package(session)
    opened_package(session, envelope, student)
    refuse(lambda: opened_package(session, envelope, student), "gone")
    refuse(lambda: opened_package(session, sealed_package(session, b"another"), student), "gone")
    session, _, student = fresh_pair()
    student.forget()
    refuse(lambda: opened_package(session, sealed_package(session), student), "gone")


OTHER_TICKETS = [
    {"match_id": "r2-t-s"},
    {"round": 2},
    {"federation": "firms"},
    {"protocol": "adapter"},
    {"transfer_set": "cd" * 32},
    {"prompt_budget": 5},
    {"byte_budget": 3999},
    {"expires_at": TICKET.expires_at + 1},
    {"student": "u"},
    {"student_key": OTHER.fingerprint},
    {"student": "u", "student_key": OTHER.fingerprint},
]


@pytest.mark.parametrize("changes", OTHER_TICKETS, ids=lambda changes: "-".join(changes))
def test_offer_and_envelope_belong_to_one_ticket(changes: dict[str, Any]) -> None:
    """Another match, round, federation, budget, expiry or student: nothing carries over, even with the same fresh keys."""
    session, _, student = fresh_pair()
    offer = sign_offer(TICKET, "teacher", TEACHER, session.teacher_public)
    assert open_offer(TICKET, "teacher", TEACHER.verifying_key, offer, NOW) == session.teacher_public
    other = replace(TICKET, **changes)
    refuse(lambda: open_offer(other, "teacher", TEACHER.verifying_key, offer, NOW), "signature")
    refuse(lambda: opened_package(replace(session, ticket=other), sealed_package(session), student), "signature")
    assert opened_package(session, sealed_package(session), student) == TEXTS


def test_an_envelope_belongs_to_one_direction_and_to_both_fresh_keys() -> None:
    """A package is no request, an offer of one role none of the other; an envelope of other fresh keys is refused before decryption."""
    session, teacher, student = fresh_pair()
    package, request = sealed_package(session), seal(session, "request", b"ids", STUDENT)
    refuse(lambda: opened_package(session, request, student), "signature")
    refuse(lambda: open_sealed(session, "request", package, STUDENT.verifying_key, teacher, NOW), "signature")
    refuse(lambda: opened_package(replace(session, teacher_public=FreshKey().public), package, student), "signature")
    mirrored = replace(TICKET, teacher="s", student="t", teacher_key=STUDENT.fingerprint, student_key=TEACHER.fingerprint)
    offer = sign_offer(TICKET, "teacher", TEACHER, session.teacher_public)
    refuse(lambda: open_offer(mirrored, "student", TEACHER.verifying_key, offer, NOW), "signature")
    assert opened_package(session, package, student) == TEXTS
    assert open_sealed(session, "request", request, STUDENT.verifying_key, teacher, NOW) == b"ids"


def test_a_ciphertext_that_somebody_else_signs_does_not_open() -> None:
    """Stripping the teacher's signature and putting one's own in place fails, under the same ticket and under one's own."""
    session, _, student = fresh_pair()
    ciphertext, _ = split_parts(sealed_package(session), b"knexa envelope 1", 9000, MOST_SIGNATURE_BYTES)
    stolen = replace(session, ticket=replace(TICKET, teacher="u", teacher_key=OTHER.fingerprint))
    signed = join_parts(stolen.header("package"), hashlib.sha256(ciphertext).digest())
    envelope = join_parts(b"knexa envelope 1", ciphertext, OTHER.sign("package", signed))
    refuse(lambda: opened_package(session, envelope, student), "signature")
    refuse(lambda: open_sealed(stolen, "package", envelope, OTHER.verifying_key, student, NOW), "does not open")


def test_a_key_that_the_ticket_does_not_name_is_an_alarm() -> None:
    """Whatever was signed with it, and before any signature is looked at."""
    session, _, student = fresh_pair()
    envelope, offer = sealed_package(session), sign_offer(TICKET, "teacher", TEACHER, session.teacher_public)
    for attempt in (
        lambda: open_sealed(session, "package", envelope, OTHER.verifying_key, student, NOW),
        lambda: open_offer(TICKET, "teacher", OTHER.verifying_key, offer, NOW),
    ):
        with pytest.raises(SwappedKeyError, match="compare fingerprints"):
            attempt()
    for own_mistake in (lambda: sealed_package(session, key=OTHER), lambda: sign_offer(TICKET, "teacher", OTHER, session.teacher_public)):
        with pytest.raises(ValueError, match="does not name this key"):
            own_mistake()


def test_expired_and_oversized_envelopes_are_not_opened() -> None:
    """Nor is the key used up by them: the same envelope opens at a good time, and one within the budget after one above it."""
    session, _, student = fresh_pair()
    refuse(lambda: opened_package(session, sealed_package(session), student, NOW + 600), "expired")
    refuse(lambda: opened_package(session, sealed_package(session), student, float("nan")), "expired")
    generous = replace(session, ticket=replace(TICKET, byte_budget=4001))
    refuse(lambda: opened_package(session, sealed_package(generous, bytes(4001)), student), "longer than")
    assert opened_package(session, sealed_package(session, bytes(4000)), student) == bytes(4000)
    with pytest.raises(ValueError, match="over its budget"):
        sealed_package(session, bytes(4001))


def test_a_fresh_key_that_is_no_key_is_its_owners_fault() -> None:
    """Wrong size: refused in the offer. A point of low order or numbers out of range: refused when something is to be sealed to it."""
    for bad in (b"", bytes(PUBLIC_BYTES - 1)):
        offer = join_parts(b"knexa offer 1", bad, STUDENT.sign("offer", _offered(bad)))
        refuse(lambda: open_offer(TICKET, "student", STUDENT.verifying_key, offer, NOW), "bytes, not")  # noqa: B023
    refuse(
        lambda: open_offer(TICKET, "student", STUDENT.verifying_key, sign_offer(TICKET, "student", STUDENT, bytes(PUBLIC_BYTES + 1)), NOW)
    )
    good = FreshKey().public
    for bad in (good[:-32] + bytes(32), b"\xff" * 1184 + good[-32:]):
        assert open_offer(TICKET, "student", STUDENT.verifying_key, sign_offer(TICKET, "student", STUDENT, bad), NOW) == bad
        refuse(lambda: sealed_package(Session(TICKET, FreshKey().public, bad)), "nothing can be sealed")  # noqa: B023


def _offered(public: bytes) -> bytes:
    """What an offer of the student signs, spelled out."""
    names = (TICKET.digest, TICKET.match_id, "1", "s", "t", "student", "offer")
    return join_parts(join_parts(b"knexa exchange 1", *(name.encode() for name in names)), public)


# --- attacks by chance


def test_no_flipped_bit_is_accepted() -> None:
    """8,000 random flips of one bit in offers and envelopes (2,000 more in tokens: test_ticket): 0 accepted, and no key used up."""
    session, teacher, student = fresh_pair()
    offer = sign_offer(TICKET, "student", STUDENT, session.student_public)
    request, package = seal(session, "request", REQUEST.to_bytes(), STUDENT), sealed_package(session)
    assert accepted_flips(offer, 2000, lambda data: open_offer(TICKET, "student", STUDENT.verifying_key, data, NOW)) == 0
    assert accepted_flips(request, 3000, lambda data: open_sealed(session, "request", data, STUDENT.verifying_key, teacher, NOW)) == 0
    assert accepted_flips(package, 3000, lambda data: opened_package(session, data, student)) == 0
    assert open_sealed(session, "request", request, STUDENT.verifying_key, teacher, NOW) == REQUEST.to_bytes()
    assert opened_package(session, package, student) == TEXTS


SESSION, _, STUDENTS_KEY = fresh_pair()


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.lists(st.binary(max_size=90), max_size=3).map(lambda parts: join_parts(b"knexa envelope 1", *parts))
    )
)
def test_any_bytes_are_refused_as_offer_and_as_envelope(data: bytes) -> None:
    """PeerError and nothing else, also for what is framed like one."""
    refuse(lambda: open_offer(TICKET, "teacher", TEACHER.verifying_key, data, NOW))
    refuse(lambda: opened_package(SESSION, data, STUDENTS_KEY))


def test_nothing_of_a_text_shows_in_an_envelope() -> None:
    """A marker in every text and prompt id: not there as it is, nor as hex or base64; and equal texts do not look alike."""
    session, _, _ = fresh_pair()
    assert TEXTS.count(MARKER.encode()) >= 8
    envelopes = [sealed_package(session), seal(session, "request", REQUEST.to_bytes(), STUDENT)]
    for envelope in envelopes:
        for form in (MARKER.encode(), MARKER.encode().hex().encode(), base64.b64encode(MARKER.encode())[:-4]):
            assert form not in envelope
    blocks = [envelopes[0][place : place + 16] for place in range(0, len(envelopes[0]), 16)]
    assert not set(blocks) & {sealed_package(session)[place : place + 16] for place in range(32, len(envelopes[0]) - 100, 16)}


def test_a_key_that_a_thread_has_taken_is_gone_for_the_others() -> None:
    """The first to open an envelope gets the plaintext, all others a PeerError."""

    def attempt(_: int) -> int:
        try:
            return len(opened_package(session, envelope, student))
        except PeerError:
            return 0

    session, _, student = fresh_pair()
    envelope = sealed_package(session)
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(32))) == [0] * 31 + [len(TEXTS)]
