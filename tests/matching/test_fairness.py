"""Nobody waits, or is only ever a student, for longer than agreed."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_rounds import NAMES, build, outcome, profiles

from knexa.matching import Match, disjoint_pairs
from knexa.matching.fairness import overruled
from knexa.matching.history import History

DECIDING = ["knexa", "random", "heuristic", "oracle"]


def play(name: str, rounds: int, **options: object) -> list[list[Match]]:
    matchmaker, played = build(name, **options), []
    for round in range(1, rounds + 1):
        played.append(matchmaker.match(profiles(1), round))  # profiles that never change keep tempting it to the same pairs
        for match in played[-1]:
            matchmaker.learn(outcome(match))
    return played


def longest(marks: list[bool]) -> int:
    return max(len(run) for run in "".join("x" if mark else " " for mark in marks).split(" "))


@pytest.mark.parametrize("name", DECIDING)
def test_nobody_waits_longer_than_agreed(name: str) -> None:
    """One pair a round among six agents: everybody's turn comes every third round, and no wait is longer than two."""
    played = play(name, 24, pairs=1, fairness=2)
    for agent in NAMES:
        assert longest([all(agent not in (match.teacher, match.student) for match in matches) for matches in played]) <= 2


@given(st.integers(2, 12), st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_bound_is_kept_wherever_some_schedule_keeps_it(agents: int, pairs: int, within: int, seed: int) -> None:
    """Whatever the scores: with room for everybody in within + 1 rounds nobody waits longer; else nobody longer than a full turn."""
    random, waited = np.random.default_rng(seed), np.zeros(agents, dtype=np.int64)
    capacity = 2 * min(pairs, agents // 2)
    turn = math.ceil(agents / capacity)
    for _ in range(30):
        scores = random.normal(size=(agents, agents)) * 10.0 ** random.integers(-3, 4)
        raised = overruled(scores, waited, np.zeros(agents, dtype=np.int64), within, capacity)
        paired = [agent for pair in disjoint_pairs(raised, pairs, "optimal") for agent in pair]
        waited += 1
        waited[paired] = 0
        assert waited.max() <= max(within, turn - 1)


@pytest.mark.parametrize("name", [name for name in DECIDING if name != "heuristic"])  # there the better performer alone may teach
def test_nobody_learns_more_often_in_a_row_than_agreed(name: str) -> None:
    """With everybody paired, whoever was the student twice in a row teaches next, if its partner has not waited for that too."""
    played = play(name, 24, fairness=2)
    in_a_row: Counter[str] = Counter()
    for matches in played:
        for match in matches:
            assert in_a_row[match.student] < 2 or in_a_row[match.teacher] >= 2
            in_a_row[match.student] += 1
            in_a_row[match.teacher] = 0


@pytest.mark.parametrize("method", ["greedy", "optimal"])
@given(st.integers(2, 12), st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_nobody_only_learns_whichever_way_pairs_are_chosen(method: Any, agents: int, pairs: int, within: int, seed: int) -> None:
    """Where every pair is admissible, nobody is the student more often in a row than agreed, whatever the scores."""
    random = np.random.default_rng(seed)
    waited, learned = np.zeros(agents, dtype=np.int64), np.zeros(agents, dtype=np.int64)
    scores = random.normal(size=(agents, agents)) * 10.0 ** random.integers(-3, 4)  # the same in every round: always the same favourites
    for _ in range(30):
        raised = overruled(scores, waited, learned, within, 2 * min(pairs, agents // 2))
        waited += 1
        for teacher, student in disjoint_pairs(raised, pairs, method):
            waited[[teacher, student]] = 0
            learned[teacher], learned[student] = 0, learned[student] + 1
        assert learned.max() <= within


def test_without_the_bound_a_favourite_pair_goes_on_for_ever() -> None:
    """The test above would fail: there is something to be fair about."""
    played = play("heuristic", 8, pairs=1)
    assert len({(match.teacher, match.student) for matches in played for match in matches}) == 1


def test_among_equally_fair_pairs_scores_decide() -> None:
    """Scores of pairs without an overdue agent stay as they are; two directions differ by as much as before."""
    scores = np.random.default_rng(0).normal(size=(5, 5))
    scores[1, 3] = np.nan
    waited = np.array([0, 0, 3, 0, 0])
    raised = overruled(scores, waited, np.zeros(5, dtype=np.int64), 2, 4)
    np.testing.assert_array_equal(np.delete(np.delete(raised, 2, 0), 2, 1), np.delete(np.delete(scores, 2, 0), 2, 1))
    others = [0, 1, 3]
    np.testing.assert_allclose(raised[2, others] - raised[2, 4], scores[2, others] - scores[2, 4])
    assert np.nanmin(raised[2]) > np.nansum(np.abs(scores))
    assert overruled(scores, waited, waited, None, 4) is scores


def test_an_agent_that_joins_late_has_not_waited_before() -> None:
    """Waiting begins with the first round in which it takes part."""
    history = History()
    history.see(["a", "b"], 1)
    history.see(["a", "b", "c"], 5)
    assert list(history.waited(["a", "b", "c"], 6)) == [5, 5, 1]
    history.meet(Match("m", 6, "a", "c"))
    assert list(history.waited(["a", "b", "c"], 7)) == [0, 6, 0]
    assert list(history.learned_in_a_row(["a", "b", "c"])) == [0, 0, 1]
