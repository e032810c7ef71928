"""Whole exchanges: what honest sides get, and what everybody else does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from exchange_parties import (
    CPM,
    NOW,
    OTHER,
    PACKAGE,
    PINNED,
    REQUEST,
    STUDENT,
    TEACHER,
    TICKET,
    begin,
    ledger,
    new_key,
    party,
    refuse,
)

from knexa.exchange.handshake import Party, StudentSide, TeacherSide
from knexa.exchange.sealing import FreshKey, Session, SwappedKeyError, seal, sign_offer
from knexa.exchange.seen_tickets import SeenTickets
from knexa.exchange.ticket import sign_ticket

TOKEN = sign_ticket(TICKET, CPM)


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[SeenTickets]:
    with ledger(tmp_path) as open_ledger:
        yield open_ledger


def test_a_package_goes_from_the_teacher_to_the_student(seen: SeenTickets) -> None:
    """The teacher hears what was asked, the student gets what was answered, and the ticket is used up."""
    one = begin(seen)
    assert one.teacher.hear(one.student.offer, one.ask(), NOW) == REQUEST
    assert one.student.receive(one.teacher.answer(PACKAGE, NOW), NOW) == PACKAGE
    refuse(lambda: begin(seen), "served already")


def test_candidates_travel_sealed_as_they_are(seen: SeenTickets) -> None:
    """Three texts for one prompt and one for another use up a budget of four."""
    one = begin(seen)
    one.teacher.hear(one.student.offer, one.ask(), NOW)
    first, second = REQUEST.prompt_ids[:2]
    package = replace(PACKAGE, texts={first: "a", second: "b"}, others={first: ("c", "d")})
    assert one.student.receive(one.teacher.answer(package, NOW), NOW) == package


def test_steps_out_of_turn_are_our_own_mistake(seen: SeenTickets) -> None:
    """ValueError, and the exchange goes on as if nothing had been asked."""
    one = begin(seen)
    for early in (lambda: one.teacher.answer(PACKAGE, NOW), lambda: one.student.receive(b"", NOW)):
        with pytest.raises(ValueError, match=r"heard no request|not asked"):
            early()
    envelope = one.ask()
    with pytest.raises(ValueError, match="asked already"):
        one.ask()
    one.teacher.hear(one.student.offer, envelope, NOW)
    sealed = one.teacher.answer(PACKAGE, NOW)
    with pytest.raises(ValueError, match="has answered"):
        one.teacher.answer(PACKAGE, NOW)
    assert one.student.receive(sealed, NOW) == PACKAGE


def test_own_values_of_another_match_or_over_budget_are_not_sealed(seen: SeenTickets) -> None:
    """ValueError before anything leaves, and the exchange can go on with better ones; a package that is too long can be cut."""
    one = begin(seen, byte_budget=400)
    for request in (replace(REQUEST, match_id="r2-t-s"), replace(REQUEST, budget=5)):
        with pytest.raises(ValueError, match="over the ticket's budget"):
            one.student.ask(one.teacher.offer, request, NOW)
    one.teacher.hear(one.student.offer, one.ask(), NOW)
    five, one_more = {f"p{number}": "" for number in range(5)}, replace(PACKAGE, others={next(iter(PACKAGE.texts)): ("",)})
    bad = (replace(PACKAGE, match_id="r2"), replace(PACKAGE, transfer_set="cd" * 32), replace(PACKAGE, texts=five), one_more, PACKAGE)
    for package in bad:
        with pytest.raises(ValueError, match=r"match|answers|budget"):
            one.teacher.answer(package, NOW)
    cut = PACKAGE.within(400)
    assert 0 < len(cut.texts) < len(PACKAGE.texts)
    assert one.student.receive(one.teacher.answer(cut, NOW), NOW) == cut


def test_a_replayed_message_is_refused(seen: SeenTickets, tmp_path: Path) -> None:
    """Request and package a second time, to the same side, to a new side, and to one after a restart."""
    one = begin(seen)
    envelope = one.ask()
    one.teacher.hear(one.student.offer, envelope, NOW)
    package = one.teacher.answer(PACKAGE, NOW)
    one.student.receive(package, NOW)
    refuse(lambda: one.teacher.hear(one.student.offer, envelope, NOW), "gone")
    refuse(lambda: one.student.receive(package, NOW), "gone")
    again = StudentSide(party("s", STUDENT), TOKEN, NOW)
    with SeenTickets(tmp_path / "another", NOW) as empty:
        new = TeacherSide(party("t", TEACHER), TOKEN, empty, NOW)
        refuse(lambda: new.hear(one.student.offer, envelope, NOW), "signature")
        again.ask(new.offer, REQUEST, NOW)
    refuse(lambda: again.receive(package, NOW), "signature")
    seen.close()
    with ledger(tmp_path) as reopened:
        refuse(lambda: begin(reopened), "served already")


def test_two_sides_for_one_ticket_serve_one_package(seen: SeenTickets) -> None:
    """Both may make an offer, but only the first request that is heard uses the ticket; the second is not even told."""
    first, second = begin(seen), begin(seen)
    first.teacher.hear(first.student.offer, first.ask(), NOW)
    refuse(lambda: second.teacher.hear(second.student.offer, second.ask(), NOW), "served already")
    with pytest.raises(ValueError, match="heard no request"):
        second.teacher.answer(PACKAGE, NOW)


def test_messages_of_another_round_or_match_are_refused(seen: SeenTickets) -> None:
    """The same peers in the next round, everything crossed: offers, requests and packages."""
    one, two = begin(seen), begin(seen, round=2, match_id="r2-t-s")
    refuse(lambda: one.student.ask(two.teacher.offer, REQUEST, NOW), "signature")
    envelope = one.ask()
    refuse(lambda: two.teacher.hear(two.student.offer, envelope, NOW), "signature")
    refuse(lambda: two.teacher.hear(one.student.offer, envelope, NOW), "signature")
    second = replace(REQUEST, match_id="r2-t-s")
    two.teacher.hear(two.student.offer, two.student.ask(two.teacher.offer, second, NOW), NOW)
    later = two.teacher.answer(replace(PACKAGE, match_id="r2-t-s"), NOW)
    refuse(lambda: one.student.receive(later, NOW), "signature")
    one.teacher.hear(one.student.offer, envelope, NOW)
    assert one.student.receive(one.teacher.answer(PACKAGE, NOW), NOW) == PACKAGE


def test_a_package_cannot_be_redirected(seen: SeenTickets) -> None:
    """Another student, with a ticket of its own from the same teacher and in the same round, cannot open it."""
    one = begin(seen)
    changes = {"match_id": "r1-t-u", "student": "u", "student_key": OTHER.fingerprint}
    other = StudentSide(party("u", OTHER), sign_ticket(replace(TICKET, **changes), CPM), NOW)
    refuse(lambda: other.ask(one.teacher.offer, replace(REQUEST, match_id="r1-t-u"), NOW), "signature")
    offer = TeacherSide(party("t", TEACHER), sign_ticket(replace(TICKET, **changes), CPM), seen, NOW).offer
    other.ask(offer, replace(REQUEST, match_id="r1-t-u"), NOW)
    refuse(lambda: other.receive(one.answer(), NOW), "signature")


@pytest.mark.parametrize("role", ["teacher_key", "student_key"])
def test_a_cpm_that_swaps_a_key_is_an_alarm_on_both_sides(seen: SeenTickets, role: str) -> None:
    """Its ticket names a key of its own; whoever sees that it is not the pinned one stops before a fresh key is made."""
    token = sign_ticket(replace(TICKET, **{role: new_key().fingerprint}), CPM)
    for start in (lambda: StudentSide(party("s", STUDENT), token, NOW), lambda: TeacherSide(party("t", TEACHER), token, seen, NOW)):
        with pytest.raises(SwappedKeyError, match="compare fingerprints"):
            start()
    assert len(seen) == 0


def test_a_cpm_that_shows_each_side_another_ticket_gets_nothing(seen: SeenTickets) -> None:
    """Each ticket is right by itself, but they are not the same: the offers do not fit."""
    token = sign_ticket(replace(TICKET, byte_budget=5000), CPM)
    student = StudentSide(party("s", STUDENT), token, NOW)
    refuse(lambda: student.ask(begin(seen).teacher.offer, REQUEST, NOW), "signature")


STRANGERS = {
    "another federation": replace(party("s", STUDENT), federation="firms"),
    "another agent": party("u", STUDENT),
    "another transfer set": replace(party("s", STUDENT), transfer_set="cd" * 32),
    "another CPM": replace(party("s", STUDENT), cpm=OTHER.verifying_key),
    "an unknown teacher": replace(party("s", STUDENT), peers={"s": STUDENT.verifying_key}),
    "another key": party("s", OTHER),
    "the teacher under another key": replace(party("s", STUDENT), peers=PINNED | {"t": OTHER.verifying_key}),
}


@pytest.mark.parametrize("me", STRANGERS.values(), ids=STRANGERS)
def test_a_ticket_that_is_not_ours_is_refused(me: Party) -> None:
    """Whichever of the things that a participant knows by itself it does not fit; and in the other role too."""
    refuse(lambda: StudentSide(me, TOKEN, NOW))
    refuse(lambda: StudentSide(party("t", TEACHER), TOKEN, NOW), "is for student 's'")


@pytest.mark.parametrize("late", [NOW + 600, float("nan")])
def test_after_its_expiry_no_step_is_taken(seen: SeenTickets, late: float) -> None:
    """Neither an offer, nor a request, nor an answer."""
    one = begin(seen)
    refuse(lambda: StudentSide(party("s", STUDENT), TOKEN, late), "expired")
    refuse(lambda: TeacherSide(party("t", TEACHER), TOKEN, seen, late), "expired")
    refuse(lambda: one.student.ask(one.teacher.offer, REQUEST, late), "expired")
    envelope = one.ask()
    refuse(lambda: one.teacher.hear(one.student.offer, envelope, late), "expired")
    one.teacher.hear(one.student.offer, envelope, NOW)
    refuse(lambda: one.teacher.answer(PACKAGE, late), "expired")
    package = one.teacher.answer(PACKAGE, NOW)
    refuse(lambda: one.student.receive(package, late), "expired")
    assert one.student.receive(package, NOW) == PACKAGE


def test_nobody_but_the_student_uses_a_ticket_up(seen: SeenTickets) -> None:
    """A peer who holds token and offer cannot burn the exchange with requests of its own."""
    one = begin(seen)
    envelope = one.ask()
    forged = replace(TICKET, student="u", student_key=OTHER.fingerprint)
    own_offer = sign_offer(forged, "student", OTHER, FreshKey().public)
    for offer, request in ((own_offer, envelope), (one.student.offer, b"x" * 2000), (one.student.offer, begin(seen).ask()), (b"", b"")):
        refuse(lambda: one.teacher.hear(offer, request, NOW))  # noqa: B023
    assert len(seen) == 0
    assert one.teacher.hear(one.student.offer, envelope, NOW) == REQUEST


BAD_REQUESTS = [b"{}", b"\xff", replace(REQUEST, match_id="r2-t-s").to_bytes(), replace(REQUEST, budget=5).to_bytes()]
BAD_PACKAGES = [
    b"{}",
    REQUEST.to_bytes(),
    replace(PACKAGE, match_id="r2-t-s").to_bytes(),
    replace(PACKAGE, transfer_set="cd" * 32).to_bytes(),
    replace(PACKAGE, texts={f"p{number}": "" for number in range(5)}).to_bytes(),
    replace(PACKAGE, others={next(iter(PACKAGE.texts)): ("",)}).to_bytes(),
]


@pytest.mark.parametrize("plaintext", BAD_REQUESTS)
def test_a_student_that_seals_nonsense_has_used_its_ticket(seen: SeenTickets, plaintext: bytes) -> None:
    """Signed and sealed well, but no request under this ticket: PeerError, no answer, and no second try."""
    one = begin(seen)
    session = Session(TICKET, _public(one.teacher.offer), _public(one.student.offer))
    envelope = seal(session, "request", plaintext, STUDENT)
    refuse(lambda: one.teacher.hear(one.student.offer, envelope, NOW))
    with pytest.raises(ValueError, match="heard no request"):
        one.teacher.answer(PACKAGE, NOW)
    refuse(lambda: begin(seen), "served already")


@pytest.mark.parametrize("plaintext", BAD_PACKAGES)
def test_a_teacher_that_seals_nonsense_is_at_fault(seen: SeenTickets, plaintext: bytes) -> None:
    """Signed and sealed well, but no package under this ticket: PeerError, and the exchange is over."""
    one = begin(seen)
    one.answer()
    session = Session(TICKET, _public(one.teacher.offer), _public(one.student.offer))
    refuse(lambda: one.student.receive(seal(session, "package", plaintext, TEACHER), NOW))
    refuse(lambda: one.student.receive(seal(session, "package", PACKAGE.to_bytes(), TEACHER), NOW), "gone")


def test_a_forgotten_exchange_opens_nothing(seen: SeenTickets) -> None:
    """On either side."""
    one = begin(seen)
    envelope = one.ask()
    one.teacher.forget()
    refuse(lambda: one.teacher.hear(one.student.offer, envelope, NOW), "gone")
    two = begin(seen, match_id="r1-again")
    second = replace(REQUEST, match_id="r1-again")
    two.teacher.hear(two.student.offer, two.student.ask(two.teacher.offer, second, NOW), NOW)
    two.student.forget()
    refuse(lambda: two.student.receive(two.teacher.answer(replace(PACKAGE, match_id="r1-again"), NOW), NOW), "gone")


def _public(offer: bytes) -> bytes:
    """The fresh key in an offer: behind its kind (4 + 13 bytes) and its own length (4)."""
    return offer[21 : 21 + 1216]
