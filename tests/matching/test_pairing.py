"""Disjoint pairs."""

import math
from itertools import combinations

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from knexa.matching import disjoint_pairs
from knexa.matching.pairing import EXACT_AGENTS, sparse_pairs

numbers = st.floats(-100, 100, allow_subnormal=False)
squares = st.integers(0, 7).flatmap(lambda n: arrays(np.float64, (n, n), elements=numbers | st.just(math.nan)))
limits = st.none() | st.integers(0, 4)
methods = st.sampled_from(["greedy", "optimal"])


def total(scores: np.ndarray, pairs: list[tuple[int, int]]) -> float:
    return math.fsum(scores[pair] for pair in pairs)


def brute_force(scores: np.ndarray, limit: int | None) -> tuple[int, float]:
    """(number of pairs, total) of the best set of disjoint pairs, by trying all."""
    weights = np.fmax(scores, scores.T)
    edges = [(i, j) for i, j in combinations(range(len(scores)), 2) if not np.isnan(weights[i, j])]

    def best(rest: list[tuple[int, int]], room: int) -> tuple[int, float]:
        found = (0, 0.0)
        if room > 0:
            for at, (i, j) in enumerate(rest):
                count, value = best([edge for edge in rest[at + 1 :] if not {i, j} & set(edge)], room - 1)
                found = max(found, (count + 1, value + weights[i, j]))
        return found

    return best(edges, len(scores) // 2 if limit is None else limit)


@settings(max_examples=150, deadline=None)
@given(squares, limits, methods)
def test_pairs_are_disjoint_admissible_and_within_the_limit(scores: np.ndarray, limit: int | None, method: str) -> None:
    """An agent is in at most one pair, in one role, never with itself, and never in an inadmissible pair."""
    pairs = disjoint_pairs(scores, limit, method)  # type: ignore[arg-type]
    agents = [agent for pair in pairs for agent in pair]
    assert len(agents) == len(set(agents))
    assert all(not np.isnan(scores[pair]) for pair in pairs)
    assert limit is None or len(pairs) <= limit


@settings(max_examples=150, deadline=None)
@given(squares, limits)
def test_optimal_equals_brute_force(scores: np.ndarray, limit: int | None) -> None:
    """As many pairs as possible, and of those the greatest total."""
    pairs = disjoint_pairs(scores, limit, "optimal")
    count, value = brute_force(scores, limit)
    assert len(pairs) == count
    assert total(scores, pairs) == pytest.approx(value, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(squares, limits, methods)
def test_each_pair_takes_its_better_direction_and_the_best_come_first(scores: np.ndarray, limit: int | None, method: str) -> None:
    """Direction is part of the choice."""
    pairs = disjoint_pairs(scores, limit, method)  # type: ignore[arg-type]
    assert all(np.isnan(scores[s, t]) or scores[t, s] >= scores[s, t] for t, s in pairs)
    values = [scores[pair] for pair in pairs]
    assert values == sorted(values, reverse=True)


@settings(max_examples=50, deadline=None)
@given(squares)
def test_inputs_are_left_as_they_were(scores: np.ndarray) -> None:
    """The caller's matrix is not written to."""
    before = scores.copy()
    disjoint_pairs(scores, None, "optimal")
    np.testing.assert_array_equal(scores, before)


def test_an_exchange_is_not_skipped_because_its_score_is_negative() -> None:
    """Scores are relative: with all of them below zero everybody still gets a partner."""
    scores = -np.random.default_rng(0).random((6, 6)) - 1.0
    for method in ("greedy", "optimal"):
        assert len(disjoint_pairs(scores, None, method)) == 3  # type: ignore[arg-type]


def test_greedy_takes_the_highest_pair_first_where_optimal_gives_it_up() -> None:
    """The textbook case: 10 + 0 against 9 + 9."""
    scores = np.full((4, 4), np.nan)
    scores[0, 1], scores[2, 3], scores[0, 2], scores[1, 3] = 10.0, 0.0, 9.0, 9.0
    assert disjoint_pairs(scores, None, "greedy") == [(0, 1), (2, 3)]
    assert disjoint_pairs(scores, None, "optimal") == [(0, 2), (1, 3)]
    assert disjoint_pairs(scores, 1, "optimal") == [(0, 1)]


def test_odd_clusters_are_matched_across() -> None:
    """Two triangles far apart: fractional relaxations stay inside, a true matching has one pair across."""
    scores = np.full((6, 6), -10.0)
    scores[:3, :3] = scores[3:, 3:] = 1.0
    scores[2, 3] = -9.0
    pairs = disjoint_pairs(scores, None, "optimal")
    assert len(pairs) == 3
    assert total(scores, pairs) == pytest.approx(1.0 + 1.0 - 9.0)


def test_ties_are_broken_the_same_way_every_time() -> None:
    """Equal scores give equal choices, so a run can be repeated."""
    for method in ("greedy", "optimal"):
        first = disjoint_pairs(np.zeros((8, 8)), 3, method)  # type: ignore[arg-type]
        assert all(disjoint_pairs(np.zeros((8, 8)), 3, method) == first for _ in range(3))  # type: ignore[arg-type]
    assert disjoint_pairs(np.zeros((4, 4)), None, "greedy") == [(0, 1), (2, 3)]


@pytest.mark.parametrize("limit", [None, 25])
@pytest.mark.parametrize("density", [1.0, 0.2])
def test_many_agents_get_disjoint_pairs_worth_at_least_greedy(limit: int | None, density: float) -> None:
    """Beyond the exact size 'optimal' still covers as many agents as greedy, for no smaller total."""
    random = np.random.default_rng(1)
    scores = random.normal(size=(EXACT_AGENTS + 61,) * 2)
    scores[random.random(scores.shape) > density] = np.nan
    greedy, optimal = (disjoint_pairs(scores, limit, method) for method in ("greedy", "optimal"))  # type: ignore[arg-type]
    agents = [agent for pair in optimal for agent in pair]
    assert len(agents) == len(set(agents))
    assert all(not np.isnan(scores[pair]) for pair in optimal)
    assert (len(optimal), total(scores, optimal)) >= (len(greedy), total(scores, greedy))
    assert limit is None or len(optimal) == limit


@pytest.mark.parametrize(
    ("agents", "kind"), [(12, "normal"), (61, "normal"), (60, "additive"), (61, "products"), (EXACT_AGENTS + 1, "normal")]
)
def test_optimal_is_nearly_the_exact_optimum_at_any_size(agents: int, kind: str) -> None:
    """At least 99.5 % of the total that networkx's blossom algorithm finds, and never more."""
    random = np.random.default_rng(agents)
    scores = {
        "normal": random.normal(size=(agents, agents)),
        "additive": random.random((agents, 1)) + random.random((1, agents)) + 0.1 * random.random((agents, agents)),
        "products": random.normal(size=(agents, 4)) @ random.normal(size=(4, agents)),
    }[kind]
    weights = np.maximum(scores, scores.T)
    graph = networkx.Graph()
    graph.add_weighted_edges_from((i, j, weights[i, j]) for i in range(agents) for j in range(i))
    exact = total(weights, list(networkx.max_weight_matching(graph, maxcardinality=True)))
    assert 0.995 * exact <= total(scores, disjoint_pairs(scores, None, "optimal")) <= exact + 1e-6


def test_far_beyond_the_exact_size_pairs_stay_close_to_the_relaxations_bound() -> None:
    """No matching totals more than half the best assignment of the symmetric scores; ours is within 1 % of that."""
    from scipy.optimize import linear_sum_assignment

    scores = np.random.default_rng(2).random((EXACT_AGENTS + 300,) * 2)
    weights = np.maximum(scores, scores.T)
    np.fill_diagonal(weights, 0.0)
    bound = weights[linear_sum_assignment(weights, maximize=True)].sum() / 2
    assert 0.99 * bound <= total(scores, disjoint_pairs(scores, None, "optimal")) <= bound + 1e-9


@pytest.mark.timeout(60)
@pytest.mark.parametrize("common", [1e4, 1e6, -1e6, 1e9])
def test_what_is_common_to_all_scores_does_not_keep_partners_swapping(common: float) -> None:
    """Beside it the last digits of a gain are rounding, which must not count: swaps end, at about the same total."""
    random, agents = np.random.default_rng(6), EXACT_AGENTS + 1
    scores = random.integers(0, 11, (agents, 1)) / 10 + random.integers(0, 11, (1, agents)) / 10  # full of ties
    plain, shifted = disjoint_pairs(scores, None, "optimal"), disjoint_pairs(scores + common, None, "optimal")
    assert total(scores, shifted) == pytest.approx(total(scores, plain), rel=0.005)


@pytest.mark.parametrize(
    ("scores", "limit", "method", "message"),
    [
        (np.zeros((2, 3)), None, "greedy", r"\[n, n\], not \[2, 3\]"),
        (np.full((2, 2), np.inf), None, "greedy", "finite"),
        (np.zeros((2, 2)), -1, "greedy", "limit"),
        (np.zeros((2, 2)), None, "best", "method"),
    ],
)
def test_a_bad_argument_is_named(scores: np.ndarray, limit: int | None, method: str, message: str) -> None:
    """Shape, infinity, limit and method are checked."""
    with pytest.raises(ValueError, match=message):
        disjoint_pairs(scores, limit, method)  # type: ignore[arg-type]


def every_edge(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All ordered pairs in a shuffled order: teachers, students, scores."""
    order = np.random.default_rng(4).permutation(scores.size)
    teachers, students = np.divmod(order, max(len(scores), 1))
    return teachers, students, scores[teachers, students]


@settings(max_examples=100, deadline=None)
@given(squares, limits, st.sampled_from([np.float32, np.float64]))
def test_greedy_over_a_list_of_all_pairs_is_greedy_over_all_pairs(scores: np.ndarray, limit: int | None, dtype: type) -> None:
    """Pairs, directions, ties and order, whatever the order of the list."""
    given_scores = scores.astype(dtype)
    assert sparse_pairs(len(scores), *every_edge(given_scores), limit) == disjoint_pairs(given_scores, limit, "greedy")


@pytest.mark.parametrize("limit", [None, 40])
@pytest.mark.parametrize("kind", ["normal", "additive", "tied", "equal", "few"])
def test_greedy_is_the_same_however_little_is_sorted_at_a_time(kind: str, limit: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Partial sorting, waves and chunks give what sorting everything gives; an odd number of agents."""
    random = np.random.default_rng(5)
    scores = {
        "normal": random.normal(size=(301, 301)),
        "additive": random.random((301, 1)) + random.random((1, 301)),
        "tied": random.integers(-2, 3, (301, 301)).astype(float),
        "equal": np.zeros((301, 301)),
        "few": np.where(random.random((301, 301)) < 0.003, random.random((301, 301)), np.nan),
    }[kind]
    monkeypatch.setattr("knexa.matching.greedy._SAMPLE", 10**9)
    monkeypatch.setattr("knexa.matching.greedy._FEW", 10**9)
    whole = disjoint_pairs(scores, limit, "greedy")
    monkeypatch.setattr("knexa.matching.greedy._SAMPLE", 128)
    monkeypatch.setattr("knexa.matching.greedy._FEW", 16)
    monkeypatch.setattr("knexa.matching.greedy._GATHERED", 1000)
    assert disjoint_pairs(scores, limit, "greedy") == whole
    assert sparse_pairs(301, *every_edge(scores), limit) == whole


def test_a_list_without_admissible_edges_gives_no_pairs() -> None:
    """No edges, NaN, and agents paired with themselves."""
    assert sparse_pairs(0, [], [], []) == []
    assert sparse_pairs(3, [], [], []) == []
    assert sparse_pairs(3, [0, 1, 2], [1, 2, 2], [math.nan, math.nan, 5.0]) == []


@pytest.mark.parametrize(
    ("edges", "limit", "message"),
    [
        (([0, 1], [1], [1.0, 2.0]), None, "one length"),
        (([0], [3], [1.0]), None, "positions from 0 to 2"),
        (([-1], [2], [1.0]), None, "positions from 0 to 2"),
        (([0], [1], [math.inf]), None, "finite"),
        (([0], [1], [1.0]), -1, "limit"),
    ],
)
def test_a_bad_list_of_edges_is_named(edges: tuple[list[int], list[int], list[float]], limit: int | None, message: str) -> None:
    """Lengths, positions, infinity and the limit are checked."""
    with pytest.raises(ValueError, match=message):
        sparse_pairs(3, *edges, limit)
