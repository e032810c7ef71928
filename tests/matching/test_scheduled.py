"""Timetables: round-robin meets everybody, a ring its neighbours only, and both give everybody both roles."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matching_rounds import NAMES, build, profiles

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching.matchmakers import FedSkdMatchmaker, GossipMatchmaker
from knexa.matching.matchmakers.scheduled import ScheduledMatchmaker
from knexa.matching.terms import Terms

KINDS = (FedSkdMatchmaker, GossipMatchmaker)
COUNTS = st.integers(2, 17)


def timetable(kind: type[ScheduledMatchmaker], count: int, rounds: range) -> list[list[tuple[int, int]]]:
    matchmaker = kind(MatchingConfig(), RewardConfig(), len(rounds))
    return [matchmaker.timetable(count, round) for round in rounds]


@given(st.sampled_from(KINDS), COUNTS, st.integers(1, 500))
def test_a_timetable_seats_as_many_as_fit_and_nobody_twice(kind: type[ScheduledMatchmaker], count: int, round: int) -> None:
    """Whatever the number of agents and the round."""
    (pairs,) = timetable(kind, count, range(round, round + 1))
    seated = [agent for pair in pairs for agent in pair]
    assert len(seated) == len(set(seated)) == 2 * (count // 2)
    assert set(seated) <= set(range(count))


@given(COUNTS)
def test_in_one_cycle_everybody_meets_everybody_once_and_in_the_next_with_roles_swapped(count: int) -> None:
    """The circle method: n - 1 rounds for an even number of agents, n for an odd one."""
    length = count - 1 + count % 2
    first = [pair for pairs in timetable(FedSkdMatchmaker, count, range(1, length + 1)) for pair in pairs]
    second = [pair for pairs in timetable(FedSkdMatchmaker, count, range(length + 1, 2 * length + 1)) for pair in pairs]
    assert Counter(map(frozenset, first)) == dict.fromkeys((frozenset({i, j}) for i in range(count) for j in range(i)), 1)
    assert sorted(second) == sorted(pair[::-1] for pair in first)


@given(COUNTS)
def test_in_a_cycle_of_round_robin_everybody_teaches_half_of_the_time(count: int) -> None:
    """To within one exchange."""
    pairs = [pair for pairs in timetable(FedSkdMatchmaker, count, range(1, count + count % 2)) for pair in pairs]
    taught, studied = Counter(pair[0] for pair in pairs), Counter(pair[1] for pair in pairs)
    assert all(abs(taught[agent] - studied[agent]) <= 1 for agent in range(count))


@given(COUNTS)
def test_on_a_ring_only_neighbours_meet_each_in_both_roles(count: int) -> None:
    """Every edge of the ring is used, in both directions."""
    pairs = {pair for pairs in timetable(GossipMatchmaker, count, range(1, 4 * count + 1)) for pair in pairs}
    assert all((teacher - student) % count in (1, count - 1) for teacher, student in pairs)
    assert pairs == {(i, (i + step) % count) for i in range(count) for step in (1, -1)}


def test_an_even_ring_alternates_between_its_two_neighbours() -> None:
    """Who is met in one round is not met in the next."""
    rounds = timetable(GossipMatchmaker, 6, range(1, 9))
    for one, other in pairwise(rounds):
        assert not {frozenset(pair) for pair in one} & {frozenset(pair) for pair in other}


@pytest.mark.parametrize("name", ["fedskd", "gossip"])
def test_under_a_limit_of_pairs_everybody_takes_part_sooner_or_later(name: str) -> None:
    """One pair a round: it is not the same one for ever."""
    matchmaker = build(name, pairs=1)
    seen = {
        agent for round in range(1, 31) for match in matchmaker.match(profiles(round), round) for agent in (match.teacher, match.student)
    }
    assert seen == set(NAMES)


def test_a_pair_that_may_meet_in_one_direction_only_meets_in_that() -> None:
    """Whatever the timetable says of their roles; all others have the roles it gives them."""
    (pairs,) = timetable(FedSkdMatchmaker, 6, range(1, 2))
    names = [(NAMES[teacher], NAMES[student]) for teacher, student in pairs]
    matches = FedSkdMatchmaker(MatchingConfig(), RewardConfig(), 8).match(profiles(1), 1, apart={names[0]})
    assert {(match.teacher, match.student) for match in matches} == {names[0][::-1], *names[1:]}


def test_a_pair_of_the_timetable_that_refuses_stays_apart() -> None:
    """The others meet as planned, nobody takes its place."""
    (pairs,) = timetable(FedSkdMatchmaker, 6, range(1, 2))
    teacher, student = (NAMES[place] for place in pairs[0])
    terms = {name: Terms(refuses=frozenset({student}) if name == teacher else frozenset()) for name in NAMES}
    matches = FedSkdMatchmaker(MatchingConfig(), RewardConfig(), 8, terms=terms).match(profiles(1), 1)
    assert [(match.teacher, match.student) for match in matches] == [(NAMES[t], NAMES[s]) for t, s in pairs[1:]]
