"""Whom something that an agent knew can have reached."""

from __future__ import annotations

from knexa.record import Exchange
from knexa.study.leak.hops import reaches


def taught(round: int, teacher: str, student: str, accepted: bool = True) -> Exchange:
    return Exchange(f"r{round}-{teacher}-{student}", round, teacher, student, "text", accepted=accepted)


def test_students_are_one_hop_away_and_their_later_students_two() -> None:
    """What b taught before it learned from a carries nothing of a; nor does what was undone, or failed."""
    exchanges = [
        taught(1, "b", "d"),
        taught(2, "a", "b"),
        taught(2, "b", "e"),
        taught(3, "b", "c"),
        taught(3, "a", "f", accepted=False),
        Exchange("r4", 4, "a", "g", "text"),
    ]
    found = reaches("abcdefg", exchanges)
    assert (found["a"].students, found["a"].further) == ({"b"}, {"c"})
    assert (found["b"].students, found["b"].further) == ({"d", "e", "c"}, frozenset())
    assert found["a"].relayed == {"b": 3}


def test_nobody_reaches_itself() -> None:
    """What comes back was its own."""
    found = reaches("ab", [taught(1, "a", "b"), taught(2, "b", "a")])
    assert found["a"].further == frozenset()
