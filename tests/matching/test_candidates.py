"""Rounds of thousands of agents: all pairs in tiles, and candidates only."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from knexa.matching import CATEGORY_COUNT, FAMILIES, LinUCB, Match, Profile, ThompsonSampling, disjoint_pairs, family_block
from knexa.matching.bandits import LinearBandit
from knexa.matching.candidates import best_pairs
from knexa.matching.context import contexts, prior, scaled
from knexa.matching.gaps import Grid
from knexa.matching.history import History
from knexa.matching.pair_scores import Kind, pair_scores
from knexa.matching.population import Population
from knexa.randomness import stream

KINDS: tuple[Kind, ...] = ("gap", "concat")


def profiles(seed: int, count: int) -> list[Profile]:
    """Agents of four families, specialists by their data, with random scores."""
    random = stream(seed, "profiles")
    return [
        Profile(
            agent=f"agent-{place}",
            round=1,
            family=family_block(FAMILIES[random.integers(4)]),
            metrics=tuple(random.uniform(0, 2, 12).tolist()),
            histogram=tuple(random.dirichlet([0.1] * CATEGORY_COUNT).tolist()),
            probe=tuple(random.random(CATEGORY_COUNT).tolist()),
            coverage=tuple(random.random(CATEGORY_COUNT).tolist()),
        )
        for place in range(count)
    ]


def past(agents: int) -> History:
    """Some agents met, some exchanges failed."""
    history, random = History(), stream(3, "past")
    for round in (1, 2, 3):
        for one, other in random.permutation(agents)[: agents // 4 * 2].reshape(-1, 2):
            match = Match(f"{round}-{one}", round, f"agent-{one}", f"agent-{other}")
            history.meet(match)
            if one % 2:
                history.record_failure(match)
    return history


def learned(kind: Kind, *, thompson: bool = False) -> LinearBandit:
    believed = prior(kind, True, True)
    bandit = ThompsonSampling(len(believed), seed=1, prior=believed) if thompson else LinUCB(len(believed), exploration=0.5, prior=believed)
    random = stream(1, "rewards", kind)
    for _ in range(40):
        bandit.update(random.uniform(-1, 1, len(believed)), float(random.normal()))
    return bandit


def dense_scores(kind: Kind, agents: list[Profile], bandit: LinearBandit) -> np.ndarray:
    X = contexts(kind, agents, past(len(agents)), 4, 10)
    return np.asarray(bandit.scores(X.reshape(-1, X.shape[2]), 4)).reshape(X.shape[:2])


@pytest.mark.parametrize("thompson", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_in_blocks_are_those_of_the_contexts(kind: Kind, thompson: bool) -> None:
    """Grids and lists of pairs, float32, both directions: within 1e-5 of the bandit's own scores of X."""
    agents, bandit = profiles(5, 30), learned(kind, thompson=thompson)
    expected = dense_scores(kind, agents, bandit)
    scores = pair_scores(Population.of(agents, past(30), 4, 10), kind, bandit, 4)
    forward, backward = scores.grid(Grid(slice(3, 9), slice(10, 30)))
    np.testing.assert_allclose(forward, expected[3:9, 10:30], atol=1e-5)
    np.testing.assert_allclose(backward, expected[10:30, 3:9].T, atol=1e-5)
    one, other = np.nonzero(~np.eye(30, dtype=bool))
    forward, backward = scores.listed(one, other)
    np.testing.assert_allclose(forward, expected[one, other], atol=1e-5)
    np.testing.assert_allclose(backward, expected[other, one], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("count", "limit"), [(131, None), (60, 7)])
def test_over_all_pairs_the_choice_is_that_of_greedy(kind: Kind, count: int, limit: int | None) -> None:
    """Pairs, directions and order of ``disjoint_pairs`` on the dense scores, for an odd number of agents and a limit too."""
    agents, bandit = profiles(6, count), learned(kind)
    population = Population.of(agents, past(count), 4, 10)
    pairs = best_pairs(population, kind, bandit, 4, limit, random=stream(0, "shards"))
    expected = disjoint_pairs(dense_scores(kind, agents, bandit), limit, "greedy")
    assert pairs == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_choice_does_not_depend_on_tiles_or_threads(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are a matter of speed and memory."""
    population, bandit = Population.of(profiles(7, 90), past(90), 4, 10), learned(kind)
    whole = best_pairs(population, kind, bandit, 4, random=stream(0, "shards"))
    searched = best_pairs(population, kind, bandit, 4, random=stream(0, "shards"), exact=10, shard=20)
    monkeypatch.setattr("knexa.matching.pair_scores._GapScores.side", 7)
    monkeypatch.setattr("knexa.matching.pair_scores.FactoredScores.side", 7)
    monkeypatch.setattr("knexa.matching.candidates._BLOCK", 50)
    assert best_pairs(population, kind, bandit, 4, random=stream(0, "shards"), workers=2) == whole
    assert best_pairs(population, kind, bandit, 4, random=stream(0, "shards"), exact=10, shard=20, workers=2) == searched


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", [None, 30])
def test_the_search_loses_little(kind: Kind, limit: int | None) -> None:
    """As many pairs as asked for, best first, for 85 % of what greedy over all pairs gains beyond chance, from thirds."""
    population, bandit = Population.of(profiles(8, 601), past(601), 4, 10), learned(kind)
    scores = pair_scores(population, kind, bandit, 4)

    def worth(most: int) -> list[float]:
        pairs = np.array(best_pairs(population, kind, bandit, 4, limit, random=stream(0, "shards"), exact=most, shard=200))
        assert len(np.unique(pairs)) == 2 * (limit or 300)
        return scores.listed(*pairs.T)[0].tolist()

    exact, searched = worth(601), worth(60)
    chance = len(exact) * float(scores.listed(np.arange(0, 600, 2), np.arange(1, 600, 2))[0].mean())
    assert sum(searched) - chance >= 0.85 * (sum(exact) - chance)
    assert all(first >= second for first, second in pairwise(searched))


@pytest.mark.parametrize("thompson", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_agents_are_paired_all_the_same(kind: Kind, thompson: bool) -> None:
    """Where all scores are equal the search neither fails nor keeps everybody as everybody's candidate."""
    twins = [replace(profiles(1, 1)[0], agent=f"agent-{place}") for place in range(120)]
    population = Population.of(twins, History(), 1, 10)
    pairs = best_pairs(population, kind, learned(kind, thompson=thompson), 1, random=stream(0, "shards"), exact=10, shard=40)
    assert len({agent for pair in pairs for agent in pair}) == 120


@pytest.mark.parametrize("exact", [0, 100])
@pytest.mark.parametrize(("count", "pairs"), [(0, 0), (1, 0), (2, 1), (3, 1), (5, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_few_agents(kind: Kind, count: int, pairs: int, exact: int) -> None:
    """Nobody, one agent, and an odd one out."""
    population = Population.of(profiles(2, count), History(), 1, 10)
    assert len(best_pairs(population, kind, learned(kind), 1, random=stream(0, "shards"), exact=exact)) == pairs
    assert best_pairs(population, kind, learned(kind), 1, 0, random=stream(0, "shards"), exact=exact) == []


@pytest.mark.parametrize("field", ["family", "metrics", "histogram", "probe", "coverage", "trust", "strength"])
def test_a_population_with_a_number_that_is_not_finite_is_refused(field: str) -> None:
    """The error names the column and the agent."""
    population = Population.of(profiles(2, 4), History(), 1, 10)
    column = getattr(population, field).copy()
    column[2] = np.nan
    with pytest.raises(ValueError, match=f"{field} of agent 2"):
        replace(population, **{field: column})


def test_columns_of_unequal_lengths_are_refused() -> None:
    """The error names the column, the shape that it should have and the one that it has."""
    population = Population.of(profiles(2, 4), History(), 1, 10)
    with pytest.raises(ValueError, match=r"probe of a population of 4 must have shape \[4, 12\], not \[3, 12\]"):
        replace(population, probe=population.probe[:3])


def test_bad_sizes_are_refused() -> None:
    """A negative limit, and shards or partners that leave no pair."""
    population = Population.of(profiles(2, 4), History(), 1, 10)
    for bad in ({"limit": -1}, {"shard": 1}, {"partners": 1}, {"workers": 0}):
        with pytest.raises(ValueError, match="must"):
            best_pairs(population, "gap", learned("gap"), 1, random=stream(0, "shards"), **bad)  # type: ignore[arg-type]


def test_the_numbers_of_a_population_are_the_papers() -> None:
    """The 32 scaled numbers, as from the profiles one by one."""
    agents = profiles(4, 9)
    numbers = Population.of(agents, History(), 1, 10, np.float64).numbers()
    np.testing.assert_allclose(numbers, [scaled(agent) for agent in agents], atol=1e-12)


def test_a_part_of_a_population_has_the_scores_that_it_has_in_the_whole() -> None:
    """Who met whom, and what is said of all agents, stay as they were."""
    population, bandit, members = Population.of(profiles(5, 40), past(40), 4, 10), learned("gap"), stream(0, "members").permutation(40)[:20]
    inside = pair_scores(population.part(members), "gap", bandit, 4)
    one, other = np.nonzero(~np.eye(20, dtype=bool))
    expected = pair_scores(population, "gap", bandit, 4).listed(members[one], members[other])
    np.testing.assert_allclose(inside.listed(one, other), expected, atol=1e-6)
    assert population.recency(members[one], members[other]).any()
