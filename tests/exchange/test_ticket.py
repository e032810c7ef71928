"""The CPM's permission for one exchange."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest
from exchange_parties import CPM, NOW, OTHER, TICKET, accepted_flips, parses_or_peer_error, refuse
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.exchange.framing import join_parts
from knexa.exchange.limits import LONGEST_LIFE, MOST_TOKEN_BYTES
from knexa.exchange.ticket import Ticket, open_ticket, sign_ticket

TOKEN = sign_ticket(TICKET, CPM)
NAMES = [one.name for one in fields(Ticket)]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=70)
    | st.sampled_from(["\ud800", "ab" * 32, 10**400, -0.0, 1.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def test_a_token_gives_back_the_ticket() -> None:
    """What the CPM signed is what the peers read; the name of a ticket does not depend on the signature that it came with."""
    again = sign_ticket(TICKET, CPM)
    assert again != TOKEN
    for token in (TOKEN, again):
        assert open_ticket(token, CPM.verifying_key, NOW) == TICKET
        assert open_ticket(token, CPM.verifying_key, NOW).digest == TICKET.digest


def test_only_the_cpm_signs_tickets() -> None:
    """Another key's ticket, and the CPM's signature for another purpose, open nothing."""
    refuse(lambda: open_ticket(sign_ticket(TICKET, OTHER), CPM.verifying_key, NOW), "signature")
    content = TICKET.to_bytes()
    refuse(lambda: open_ticket(join_parts(b"knexa ticket 1", content, CPM.sign("offer", content)), CPM.verifying_key, NOW), "signature")


@pytest.mark.parametrize("now", [NOW + 600, NOW + 601, math.inf, math.nan])
def test_an_expired_ticket_opens_nothing(now: float) -> None:
    """From its last second on, and under a clock that gives no number."""
    refuse(lambda: open_ticket(TOKEN, CPM.verifying_key, now), "expired")


def test_a_ticket_is_good_for_a_day_at_most() -> None:
    """One that a ledger would have to remember for years is refused; a day is taken."""
    long = replace(TICKET, expires_at=int(NOW) + LONGEST_LIFE)
    assert open_ticket(sign_ticket(long, CPM), CPM.verifying_key, NOW) == long
    refuse(lambda: open_ticket(sign_ticket(long, CPM), CPM.verifying_key, NOW - 1), "24 hours")


@pytest.mark.parametrize(
    "changes",
    [
        {"federation": ""},
        {"federation": "Clinics"},
        {"match_id": ""},
        {"match_id": "x" * 201},
        {"match_id": "r1\nforged line"},
        {"round": 0},
        {"round": 2**31 + 1},
        {"teacher": "s"},
        {"teacher": "t" * 32},
        {"student": "s\n"},
        {"protocol": "text "},
        {"transfer_set": "AB" * 32},
        {"teacher_key": "ab" * 31},
        {"student_key": TICKET.teacher_key},
        {"prompt_budget": 0},
        {"prompt_budget": 4097},
        {"byte_budget": -1},
        {"byte_budget": 2**20 + 1},
        {"expires_at": 2**60},
    ],
)
def test_a_ticket_out_of_bounds_is_neither_signed_nor_opened(changes: dict[str, Any]) -> None:
    """The CPM cannot issue it by mistake, and peers do not take it from a CPM that does."""
    bad = replace(TICKET, **changes)
    with pytest.raises(ValueError, match=next(iter(changes)) if "teacher" not in changes and "student_key" not in changes else None):
        sign_ticket(bad, CPM)
    content = bad.to_bytes()
    refuse(lambda: open_ticket(join_parts(b"knexa ticket 1", content, CPM.sign("ticket", content)), CPM.verifying_key, NOW), "not valid")


@pytest.mark.parametrize(
    "text",
    [
        TICKET.to_bytes() + b" ",
        b" " + TICKET.to_bytes(),
        TICKET.to_bytes().replace(b":1,", b":1.0,"),
        TICKET.to_bytes().replace(b":1,", b":true,"),
        TICKET.to_bytes().replace(b":1,", b":NaN,"),
        TICKET.to_bytes().replace(b":1,", b":Infinity,"),
        TICKET.to_bytes().replace(b":1,", b":1e300,"),
        TICKET.to_bytes().replace(b":1,", b":01,"),
        TICKET.to_bytes().replace(b":1,", b":" + b"1" * 3000 + b","),
        TICKET.to_bytes().replace(b":1,", b':"1",'),
        TICKET.to_bytes().replace(b'"t"', b'"\\u0074"'),
        TICKET.to_bytes().replace(b"}", b',"more":1}'),
        TICKET.to_bytes().replace(b"}", b',"round":1}'),
        TICKET.to_bytes().replace(b'"round":1,', b""),
        b"[" * 4000,
        b"\xff",
        b"",
        TICKET.to_bytes().replace(b"r1-t-s", b"x" * MOST_TOKEN_BYTES),
    ],
)
def test_a_ticket_has_one_encoding(text: bytes) -> None:
    """Other spellings, fields too many or too few, numbers that are none, other types and sizes: PeerError."""
    assert text != TICKET.to_bytes()
    refuse(lambda: Ticket.from_bytes(text))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_ticket_or_a_peer_error(data: bytes) -> None:
    """Neither as a token nor as a ticket do random bytes do anything else."""
    refuse(lambda: open_ticket(data, CPM.verifying_key, NOW))
    parses_or_peer_error(Ticket.from_bytes, data)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), anything, st.booleans())
def test_any_value_in_a_field_is_taken_or_a_peer_error(name: str, value: object, ascii: bool) -> None:
    """JSON of the right form with anything in one of its fields: what parses encodes to the same bytes."""
    text = json.dumps(json.loads(TICKET.to_bytes()) | {name: value}, separators=(",", ":"), ensure_ascii=ascii)
    parses_or_peer_error(Ticket.from_bytes, text.encode(errors="surrogatepass"))


def test_no_flipped_bit_of_a_token_is_accepted() -> None:
    """2,000 random flips of one bit: 0 tickets."""
    assert accepted_flips(TOKEN, 2000, lambda data: open_ticket(data, CPM.verifying_key, NOW)) == 0
