"""The worlds of the published release say what its formulas say: computed here once more, pair by pair, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest

from knexa.matching import Profile
from knexa.matching.history import History
from knexa.study.methods import METHODS
from knexa.study.trajectory import simulate
from knexa.study.worlds.release_a import ReleaseWorldA, release_bandit
from knexa.study.worlds.release_b import ReleaseWorldB
from knexa.study.worlds.release_c import ReleaseWorldC
from knexa.study.worlds.world import Array, Heterogeneity, World

Kind = type[ReleaseWorldA] | type[ReleaseWorldB] | type[ReleaseWorldC]

WORLDS: tuple[Kind, ...] = (ReleaseWorldA, ReleaseWorldB, ReleaseWorldC)
CHANGING: tuple[type[ReleaseWorldA] | type[ReleaseWorldB], ...] = (ReleaseWorldA, ReleaseWorldB)
EXTREMES: tuple[Heterogeneity, Heterogeneity] = ("high", "low")
ROUNDS = (((0, 5), (3, 1), (2, 4)), ((4, 0), (1, 2)), ((2, 0),), ((0, 6), (5, 3)), ((7, 0), (1, 2)))


def root_js(p: Sequence[float], q: Sequence[float]) -> float:
    """Square root of the Jensen-Shannon divergence, in nats."""
    halves = [(a, (a + b) / 2) for a, b in zip(p, q, strict=True)] + [(b, (a + b) / 2) for a, b in zip(p, q, strict=True)]
    return math.sqrt(max(sum(a * math.log(a / m) for a, m in halves if a > 0) / 2, 0.0))


def clip(number: float, low: float, high: float) -> float:
    return min(max(number, low), high)


def contexts(world: World) -> Array:
    profiles = world.profiles(1)
    assert world.describe is not None
    return world.describe([profiles[name] for name in world.names], History(), 1, 50)


def formula_a(one: Profile, other: Profile, trust: float) -> tuple[float, bool]:
    """The worth of a pair, the lower index first, and whether it has the bonus."""
    p, q, d = one.metric("pass@1"), other.metric("pass@1"), root_js(one.histogram, other.histogram)
    c = math.exp(-((abs(p - q) - 0.35) ** 2) / 0.15)
    bonus = d > 0.6 and c > 0.7
    b = (0.4 * d + 0.3 * c + 0.2 * (0.7 if one.family == other.family else 1.0) + 0.1 * trust) * (1.5 if bonus else 1.0)
    e = 0.12 * b * (1 + 0.6 * d) + 0.13 * (1 - p) * max(0.0, q - p) + 0.08 * d
    return clip(1.5 * e - 0.02048, 0.0, 1.0), bonus


def formula_b(world: ReleaseWorldB, i: int, j: int, met: dict[int, list[int]]) -> tuple[float, float]:
    """Worth by distillation and by adapter of i < j, when the agents have met whom ``met`` says (the latest last)."""
    a, b, p, q = world.clients[i], world.clients[j], world.local[i], world.local[j]
    kin, local, overall = a.family == b.family, abs(p - q), abs(world.overall[i] - world.overall[j])
    dh = 0.7 * root_js(a.types.tolist(), b.types.tolist()) + 0.3 * root_js(a.difficulties.tolist(), b.difficulties.tolist())
    pc = 0.4 * math.exp(-((local - 0.3) ** 2) / 0.1) + 0.4 * math.exp(-((overall - 0.3) ** 2) / 0.1) + 0.2 * (0.5 if kin else 1)
    tc = 0.5 * min(a.trust, b.trust) + 0.3 * (a.trust + b.trust) / 2 + 0.2 * (a.collaboration + b.collaboration) / 2
    tc = max(0, tc - 0.3 * (j in met.get(i, [])[-3:]))
    ce = 0.6 * (a.bandwidth + b.bandwidth) / 2 + 0.4 * (a.efficiency + b.efficiency) / 2
    base = 0.5 * dh + 0.2 * pc + 0.2 * tc + 0.1 * ce

    def worth(te: float, kilobytes: float) -> float:
        gained = ((1 - q) * max(0, p - q) + (1 - p) * max(0, q - p)) * te * 1.01
        return clip(10 * clip(0.1 * base + 0.3 * gained, 0, 0.5) - 1e-5 * kilobytes * (2 - min(a.bandwidth, b.bandwidth)), 0, 1)

    return worth(0.6, 2048), worth(0.8 * (1 if kin else 0.3), 5120 * (1 + 0.5 * (a.size + b.size) / 2 / 1000))


def test_world_a_is_its_formula_for_every_pair() -> None:
    """In both orders of a pair, with and without the bonus; trust as the context tells it."""
    bonuses = set()
    for heterogeneity in EXTREMES:
        world = ReleaseWorldA(24, heterogeneity, 0)
        agents, worth, trust = list(world.profiles(1).values()), world.worth(), contexts(world)[:, :, 8]
        for i, j in combinations(range(24), 2):
            expected, bonus = formula_a(agents[i], agents[j], trust[i, j])
            bonuses.add(bonus)
            assert worth[i, j] == pytest.approx(expected, abs=1e-12)
            assert worth[j, i] == worth[i, j]
    assert bonuses == {True, False}


def test_world_a_context_is_the_sixteen_numbers_of_the_release() -> None:
    """Both agents' performance and trust with their gap and minimum, the distance of their data, and whether families differ."""
    world = ReleaseWorldA(8, "high", 3)
    agents, X = list(world.profiles(1).values()), contexts(world)
    assert X.shape == (8, 8, 16)
    for i, j in combinations(range(8), 2):
        p, q = agents[i].metric("pass@1"), agents[j].metric("pass@1")
        apart, unlike = root_js(agents[i].histogram, agents[j].histogram), float(agents[i].family != agents[j].family)
        t, u = world.trust[i], world.trust[j]
        assert X[i, j] == pytest.approx([p, q, abs(p - q), min(p, q), apart, unlike, t, u, min(t, u), *[0] * 7], abs=1e-12)
        assert X[j, i].tolist() == X[i, j].tolist()


def test_world_a_performance_grows_by_the_worth_and_the_worth_stays() -> None:
    """Each of a pair gains 0.08 · worth of what it lacks, the others nothing; however often they meet, P stays below 1."""
    world = ReleaseWorldA(8, "high", 1)
    worth, profiles, before = world.worth().copy(), dict(world.profiles(1)), world.performance.copy()
    world.exchange([(5, 2), (0, 1)], 1)
    gain = (world.performance - before) / (1.0 - before)
    expected = [worth[0, 1]] * 2 + [worth[2, 5]] + [0, 0] + [worth[2, 5]] + [0, 0]
    np.testing.assert_allclose(gain, 0.08 * np.array(expected), atol=1e-12)
    welfare = []
    for round in range(2, 500):
        world.exchange([(5, 2), (0, 1)], round)
        welfare.append(world.welfare())
    assert (np.diff(welfare) > 0).all()
    assert world.performance.max() < 1.0
    np.testing.assert_array_equal(world.worth(), worth)
    assert world.profiles(500) == profiles


def test_world_b_is_its_formula_for_every_pair_as_agents_learn_and_remember() -> None:
    """Each round's worth is that of the better protocol; both agents then learn as stated, and remember their last 3 partners."""
    adapters = set()
    for seed in range(12):
        world = ReleaseWorldB(8, "low", seed)
        met: dict[int, list[int]] = {}
        for round, pairs in enumerate(ROUNDS, 1):
            both = {(i, j): formula_b(world, i, j, met) for i, j in combinations(range(8), 2)}
            worth, local, overall = world.worth(), world.local.copy(), world.overall.copy()
            for (i, j), protocols in both.items():
                assert worth[i, j] == pytest.approx(max(protocols), abs=1e-12)
                assert worth[j, i] == worth[i, j]
            for pair in pairs:
                distillation, adapter = both[min(pair), max(pair)]
                fast = adapter > distillation and world.clients[pair[0]].family == world.clients[pair[1]].family
                adapters.add(fast)
                for one, other in (pair, pair[::-1]):
                    change = 0.05 * max(distillation, adapter) * (1 - local[one]) * (1.2 if fast else 1.0)
                    local[one] += change
                    overall[one] += change / 2
                    met.setdefault(one, []).append(other)
            world.exchange(pairs, round)
            np.testing.assert_allclose(world.local, local, atol=1e-12)
            np.testing.assert_allclose(world.overall, overall, atol=1e-12)
    assert adapters == {True, False}


def test_world_b_repeats_pay_less_until_the_lower_agent_has_met_three_others() -> None:
    """Where nothing is learned, meeting again is worth 10 · 0.1 · 0.2 · 0.3 less; whom the higher agent has met is no matter."""
    world = ReleaseWorldB(8, "low", 4)
    local, overall, worths = world.local.copy(), world.overall.copy(), [world.worth()[0, 1]]
    for round, pair in enumerate([(1, 0), (0, 2), (3, 0), (0, 4), (0, 1), (1, 5), (1, 6), (1, 7)], 1):
        world.exchange([pair], round)
        world.local, world.overall = local.copy(), overall.copy()
        worths.append(world.worth()[0, 1])
    np.testing.assert_allclose(worths[0] - np.array(worths), [0, 0.06, 0.06, 0.06, 0, 0.06, 0.06, 0.06, 0.06], atol=1e-12)


def test_world_c_is_additive() -> None:
    """What a lower agent gains by another partner, every other lower agent gains by it too."""
    worth = ReleaseWorldC(16, "high", 0).worth()
    lower, higher = worth[:8, 8:], worth[:8, 8:].mean(axis=0)
    effects = lower.mean(axis=1)[:, None] + higher[None, :] - lower.mean()
    np.testing.assert_allclose(lower, effects, atol=1e-12)
    assert lower.mean(axis=1).std() > 0.1
    assert higher.std() > 0.1


def test_world_c_is_linear_in_its_context_with_weights_of_length_one() -> None:
    """Least squares over all pairs leaves nothing; [c_i, c_j] has c_i of mean 0 and deviation 1, the lower agent's first."""
    world = ReleaseWorldC(40, "high", 2)
    i, j = np.triu_indices(40, 1)
    X, worth = contexts(world), world.worth()
    weights, *_ = np.linalg.lstsq(X[i, j], worth[i, j], rcond=None)
    np.testing.assert_allclose(X[i, j] @ weights, worth[i, j], atol=1e-10)
    # Two directions, the sum of either half, are the same for all agents: there least squares finds 0.
    assert 0.7 < np.linalg.norm(weights) <= 1.0 + 1e-10
    np.testing.assert_array_equal(X, X.transpose(1, 0, 2))
    np.testing.assert_array_equal(X[0, 1:, :16], X[0, :-1, :16])
    halves = X[i, j].reshape(-1, 2, 16)
    np.testing.assert_allclose(halves.mean(axis=2), 0.0, atol=1e-12)
    np.testing.assert_allclose(halves.std(axis=2), 1.0, atol=1e-12)


def test_world_c_knows_no_low_heterogeneity() -> None:
    """It is refused in a sentence, not taken for another world."""
    with pytest.raises(ValueError, match="ask for 'high'"):
        ReleaseWorldC(16, "low", 0)


@pytest.mark.parametrize("kind", WORLDS)
def test_one_seed_is_one_world_and_a_small_one_begins_the_large(kind: Kind) -> None:
    """Clients are drawn one after the other: equal seeds agree whatever the size, another seed does not."""
    small, large, other = kind(8, "high", 5), kind(20, "high", 5), kind(8, "high", 6)
    np.testing.assert_allclose(small.worth(), large.worth()[:8, :8], atol=1e-12)
    assert all(profile == large.profiles(1)[name] for name, profile in small.profiles(1).items())
    np.testing.assert_array_equal(small.worth(), kind(8, "high", 5).worth())
    assert np.abs(small.worth() - other.worth()).max() > 0.01


@pytest.mark.parametrize("kind", WORLDS)
def test_who_is_paired_first_in_a_round_makes_no_difference(kind: Kind) -> None:
    """Nor who teaches whom: the release's pairs have no order."""
    one, other = kind(8, "high", 5), kind(8, "high", 5)
    one.exchange([(0, 5), (3, 1), (2, 4)], 1)
    other.exchange([(4, 2), (1, 3), (5, 0)], 1)
    np.testing.assert_array_equal(one.worth(), other.worth())
    assert one.welfare() == other.welfare()


@pytest.mark.parametrize("kind", CHANGING)
def test_high_heterogeneity_is_more_different_data(kind: Kind) -> None:
    """The mean distance of two agents' data is clearly larger, in nats under the root, as computed pair by pair."""
    high, low = (kind(24, heterogeneity, 0) for heterogeneity in EXTREMES)
    pairs = np.triu_indices(24, 1)
    assert high.difference()[pairs].mean() > 1.3 * low.difference()[pairs].mean()
    agents = list(high.profiles(1).values())
    expected = [root_js(agents[i].histogram, agents[j].histogram) for i, j in zip(*pairs, strict=True)]
    np.testing.assert_allclose(high.difference()[pairs], expected, atol=1e-7)


@pytest.mark.parametrize("kind", CHANGING)
@pytest.mark.parametrize("heterogeneity", EXTREMES)
def test_worth_and_performance_stay_shares(kind: type[ReleaseWorldA] | type[ReleaseWorldB], heterogeneity: Heterogeneity) -> None:
    """Worth in [0, 1], welfare growing but below 1, through 50 rounds in which everybody meets somebody."""
    world, rng = kind(16, heterogeneity, 7), np.random.default_rng(0)
    welfare = [world.welfare()]
    for round in range(1, 51):
        order = rng.permutation(16).tolist()
        world.exchange(list(zip(order[::2], order[1::2], strict=True)), round)
        welfare.append(world.welfare())
        assert world.worth().min() >= 0.0
        assert world.worth().max() <= 1.0
    assert (np.diff(welfare) > 0).all()
    assert welfare[-1] < 1.0


@pytest.mark.parametrize("kind", WORLDS)
def test_profiles_pass_the_schema_that_strangers_have_to_pass(kind: Kind) -> None:
    """What a world's agents report could as well have come over the network, at the start and later."""
    world = kind(16, "high", 8)
    world.exchange([(0, 1), (2, 3)], 1)
    for profile in world.profiles(2).values():
        assert Profile.from_dict(profile.to_dict()) == profile


@pytest.mark.parametrize("kind", [ReleaseWorldA, ReleaseWorldC])
def test_contexts_follow_the_agents_that_are_there(kind: Kind) -> None:
    """Where some are absent, the others' contexts are the same."""
    world = kind(8, "high", 9)
    there = [1, 4, 6]
    assert world.describe is not None
    part = world.describe([world.profiles(1)[world.names[place]] for place in there], History(), 1, 50)
    np.testing.assert_array_equal(part, contexts(world)[np.ix_(there, there)])


def test_pairs_a_round_are_those_of_the_release() -> None:
    """At most 5 in A, 10 in B, as many as fit in C."""
    limits = {kind: [kind(agents, "high", 0).limit for agents in (6, 16, 32)] for kind in WORLDS}
    assert limits == {ReleaseWorldA: [3, 5, 5], ReleaseWorldB: [3, 8, 10], ReleaseWorldC: [3, 8, 16]}


def test_bandit_settings_come_from_the_nearest_size() -> None:
    """The four sizes of the table have their own; of two equally near the smaller is taken."""
    assert [release_bandit(agents) for agents in (8, 16, 32, 64)] == [(3.0, 0.25), (2.0, 0.5), (1.5, 0.75), (1.0, 1.0)]
    assert [release_bandit(agents) for agents in (2, 12, 13, 60, 1000)] == [(3.0, 0.25), (3.0, 0.25), (2.0, 0.5), (1.0, 1.0), (1.0, 1.0)]


@pytest.mark.parametrize("kind", WORLDS)
def test_an_oracle_earns_the_best_and_chance_does_not(kind: Kind) -> None:
    """The real matchmakers run in these worlds: one that is told the worth has no regret, a blind one has."""
    regret = {
        name: simulate(world, METHODS[name](world, 10, 0), 10, 0).regret[-1]
        for name in ("oracle", "random")
        for world in [kind(10, "high", 0)]
    }
    assert regret["oracle"] == pytest.approx(0.0, abs=1e-6)
    assert regret["random"] > 0.1
