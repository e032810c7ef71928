"""How an exchange travels: by who of the two can be called, the most direct way first, and one of the two begins."""

from __future__ import annotations

from itertools import product

import pytest

from knexa.errors import ConfigurationError, PeerError
from knexa.matching.match import Match
from knexa.protocol.messages import Matched
from knexa.service.wire import codec
from knexa.service.wire.route import Reach, RelayAt, Route, Way, path, route

LISTENS, RELAYED, HIDDEN = Reach("clinic.example:7440"), Reach("", "bank@relay.example:7450"), Reach()


@pytest.mark.parametrize(
    ("teacher", "student", "taken"),
    [
        (LISTENS, HIDDEN, Way.DIRECT),
        (LISTENS, LISTENS, Way.DIRECT),
        (HIDDEN, LISTENS, Way.REVERSE),
        (RELAYED, LISTENS, Way.REVERSE),
        (RELAYED, HIDDEN, Way.RELAY),
        (RELAYED, RELAYED, Way.RELAY),
        (HIDDEN, RELAYED, Way.NONE),
        (HIDDEN, HIDDEN, Way.NONE),
    ],
)
def test_the_most_direct_way_is_taken(teacher: Reach, student: Reach, taken: Way) -> None:
    assert path(teacher, student) is taken


def test_one_of_the_two_calls_unless_there_is_no_way() -> None:
    """Both told the same path; exactly one of them an address, that of the other or of the relay."""
    for teacher, student in product((LISTENS, RELAYED, HIDDEN), repeat=2):
        routes = [route(teacher, student, as_student=as_student) for as_student in (True, False)]
        assert {one.path for one in routes} == {path(teacher, student)}
        assert sum(bool(one.address) for one in routes) == (routes[0].path is not Way.NONE)
    assert route(RELAYED, HIDDEN, as_student=True) == Route(Way.RELAY, "relay.example:7450", "bank")


def test_a_route_travels_with_its_match_and_what_is_none_is_refused() -> None:
    """Whatever a coordinator sends either is a route or is refused before anybody is called."""
    matched = Matched(Match("r1-a-b", 1, "a", "b", "text", (), 0.0, 1.0))
    for way in (Route(Way.DIRECT, "a.example:1"), Route(Way.REVERSE), Route(Way.RELAY, "r.example:2", "bank"), Route(Way.NONE)):
        sent = codec.directive(matched, b"ticket", way)
        assert codec.from_route(sent.matched) == way
    for field, value in (
        ("path", 0),
        ("path", 9),
        ("address", "file:///etc/passwd"),
        ("relay", "no such\nname"),
        ("relay", ""),
        ("relay", "A.B"),
    ):
        sent = codec.directive(matched, b"ticket", Route(Way.RELAY, "r.example:2", "bank"))
        setattr(sent.matched, field, value)
        with pytest.raises(PeerError, match="route that is none"):
            codec.from_route(sent.matched)


def test_an_address_is_no_place_to_put_a_file() -> None:
    assert not Reach("a" * 400 + ".example:1").valid
    assert not Reach("", "bank@" + "a" * 400 + ".example:1").valid


@pytest.mark.parametrize("text", ["relay.example:7450", "@relay.example:7450", "bank@", "bank@relay.example", "Bank!@relay.example:1"])
def test_a_relay_is_an_organisation_and_an_address(text: str) -> None:
    with pytest.raises(ConfigurationError):
        RelayAt.parse(text)
    assert not Reach("", text).valid
