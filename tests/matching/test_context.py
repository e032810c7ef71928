"""Contexts: what the bandit sees of a pair."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knexa.matching import CATEGORY_COUNT, FAMILIES, METRIC_BOUND, Match, Profile, family_block
from knexa.matching.context import CONCAT_FEATURES, GAP_FEATURES, concat, contexts, divergence, features, gap, prior
from knexa.matching.curriculum import teaching_value
from knexa.matching.gaps import TILE
from knexa.matching.history import History
from knexa.randomness import stream

ZEROS = (0.0,) * CATEGORY_COUNT


def profile(seed: int, name: str) -> Profile:
    random = stream(seed, "profile", name)
    return Profile(
        agent=name,
        round=1,
        family=family_block(FAMILIES[random.integers(4)]),
        metrics=tuple(random.uniform(0, 2, 12).tolist()),
        histogram=tuple(random.dirichlet([0.1] * CATEGORY_COUNT).tolist()),
        probe=tuple(random.random(CATEGORY_COUNT).tolist()),
        coverage=tuple(random.random(CATEGORY_COUNT).tolist()),
    )


def profiles(seed: int, count: int) -> list[Profile]:
    return [profile(seed, f"agent-{number}") for number in range(count)]


def column(agents: list[Profile], name: str, history: History | None = None, round: int = 2) -> np.ndarray:
    """The named gap feature of all pairs, [n, n]."""
    return gap(agents, history or History(), round, 10)[:, :, GAP_FEATURES.index(name)]


def pairing_totals(X: np.ndarray, theta: np.ndarray) -> list[float]:
    """Total exploited value θᵀx of each way to give teachers 0, 1, 2 the students 3, 4, 5."""
    return [float(sum(X[teacher, student] @ theta for teacher, student in enumerate(order))) for order in permutations((3, 4, 5))]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_with_concat_every_pairing_of_fixed_roles_has_the_same_value(seed: int) -> None:
    """The additivity argument: θᵀ[p_s, p_r] cannot tell who is good for whom."""
    X = concat(profiles(seed, 6))
    totals = pairing_totals(X, np.random.default_rng(seed).normal(size=X.shape[2]))
    assert totals == pytest.approx([totals[0]] * len(totals), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_with_gap_pairings_of_fixed_roles_differ_in_value(seed: int) -> None:
    """The gap features can: the same teachers and students pair better and worse."""
    X = gap(profiles(seed, 6), History(), 1, 10)
    totals = pairing_totals(X, np.random.default_rng(seed).normal(size=X.shape[2]))
    assert max(totals) - min(totals) > 1e-3


@pytest.mark.parametrize("kind", ["gap", "concat"])
def test_every_feature_has_a_name_and_a_prior_and_lies_within_one(kind: str) -> None:
    """Even for extreme profiles: names, θ₀ and X agree in length, and |x| <= 1."""
    wild = Profile("wild", 1, family_block("other"), (METRIC_BOUND,) * 6 + (-METRIC_BOUND,) * 6, (1.0, *ZEROS[1:]), (1.0,) * 12, ZEROS)
    X = contexts(kind, [*profiles(0, 4), wild], History(), 30, 20)  # type: ignore[arg-type]
    assert X.shape == (5, 5, len(features(kind)))  # type: ignore[arg-type]
    assert len(prior(kind, True, True)) == len(prior(kind, False, False)) == len(features(kind)) == len(set(features(kind)))  # type: ignore[arg-type]
    assert np.abs(X).max() <= 1.0
    assert np.isfinite(X).all()


def test_concat_is_the_teachers_numbers_then_the_students() -> None:
    """64 numbers; X[t, s] and X[s, t] swap halves."""
    X = concat(profiles(1, 3))
    assert X.shape[2] == len(CONCAT_FEATURES) == 64
    np.testing.assert_array_equal(X[0, 2, :32], X[2, 0, 32:])
    np.testing.assert_array_equal(X[0, 2, 32:], X[1, 2, 32:])
    assert X[0, 2, :8].tolist() == list(profiles(1, 3)[0].family)


@pytest.mark.parametrize("curriculum", [True, False])
def test_the_gap_is_directed(curriculum: bool) -> None:
    """Teaching a weaker agent is another context than learning from it, and worth more to the prior."""
    weak = Profile("weak", 1, family_block("gpt2"), ZEROS, (1.0, *ZEROS[1:]), ZEROS)
    strong = Profile("strong", 1, family_block("gpt2"), ZEROS, (1.0, *ZEROS[1:]), (0.5,) * 12)
    X = gap([strong, weak], History(), 1, 10)
    assert X[0, 1] @ np.array(prior("gap", curriculum, probe=True)) > X[1, 0] @ np.array(prior("gap", curriculum, probe=True))
    assert column([strong, weak], "lead")[0, 1] == column([strong, weak], "behind")[1, 0] == 1.0
    assert column([strong, weak], "lead")[1, 0] == 0.0


def test_what_a_student_already_holds_adds_no_value() -> None:
    """Value falls with coverage, and is zero when the student holds everything."""
    teacher, student = profiles(2, 2)
    values = []
    for held in (0.0, 0.5, 1.0):
        covered = Profile(student.agent, 1, student.family, student.metrics, student.histogram, student.probe, (held,) * 12)
        values.append((column([teacher, covered], "value")[0, 1], column([teacher, covered], "yield")[0, 1]))
    assert values[0] > values[1] > values[2] == (0.0, 0.0)
    assert values[0][1] > values[1][1]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 8))
def test_divergence_is_a_symmetric_number_of_bits(seed: int, count: int) -> None:
    """0 for equal histograms, 1 for disjoint ones, and the textbook value between."""
    histograms = np.random.default_rng(seed).dirichlet([0.1] * CATEGORY_COUNT, size=count)
    bits = divergence(histograms)
    np.testing.assert_allclose(bits, bits.T)
    np.testing.assert_allclose(np.diag(bits), 0.0, atol=1e-12)
    p, q = histograms[0] + 1e-300, histograms[1] + 1e-300
    textbook = 0.5 * sum(one @ np.log2(one / ((p + q) / 2)) for one in (p, q))
    assert bits[0, 1] == pytest.approx(textbook, abs=1e-9)
    assert divergence(np.eye(2))[0, 1] == pytest.approx(1.0)


def test_history_enters_the_context() -> None:
    """Meetings, failures and the round are visible to the bandit."""
    agents, history = profiles(3, 3), History()
    match = Match("m", 1, "agent-0", "agent-1")
    history.meet(match)
    history.record_failure(match)
    assert column(agents, "recency", history)[1, 0] == 1.0
    assert column(agents, "teacher_trust", history)[0, 2] < column(agents, "teacher_trust", history)[1, 2] == 0.0
    assert column(agents, "teacher_success", history)[0, 2] < 0.0
    assert column(agents, "student_success", history)[2, 1] < 0.0
    assert (column(agents, "round", round=5) == 0.5).all()


def test_who_has_only_taught_has_a_turn_to_learn() -> None:
    """The turn rises with teaching and falls with learning, as a student's feature only."""
    agents, history = profiles(4, 3), History()
    history.record_failure(Match("m", 1, "agent-0", "agent-1"))
    turn = column(agents, "student_turn", history)
    assert turn[1, 0] == turn[2, 0] > 0.0 == turn[0, 2] > turn[0, 1]


def test_trust_qualifies_what_a_teacher_claims() -> None:
    """Of two equal claims the one from the teacher whose texts came to nothing is worth less."""
    agents, history = profiles(5, 3), History()
    agents[1] = replace(agents[0], agent="agent-1")
    history.record_failure(Match("m", 1, "agent-0", "agent-2"))
    assert column(agents, "yield", history)[0, 2] == column(agents, "yield", history)[1, 2]
    assert column(agents, "trusted_yield", history)[0, 2] < column(agents, "trusted_yield", history)[1, 2]


def test_without_probes_strength_is_the_local_pass_rate() -> None:
    """With the extension off the context still tells strong from weak."""
    agents = [Profile(name, 1, family_block("bloom"), (rate, *ZEROS[1:]), (1.0, *ZEROS[1:])) for name, rate in (("a", 0.2), ("b", 0.7))]
    assert column(agents, "teacher_strength")[:, 0].tolist() == [0.2, 0.7]
    assert column(agents, "student_strength")[0].tolist() == [0.2, 0.7]
    assert len(set(column(agents, "value").ravel().tolist())) == 1


def by_hand(teacher: Profile, student: Profile) -> dict[str, float]:
    """The pair's features over categories, one category at a time."""
    value = teaching_value(np.array(teacher.probe), np.array(student.probe), np.array(student.coverage))
    ahead = [t - s for t, s in zip(teacher.probe, student.probe, strict=True)]
    p, q = np.array(teacher.histogram), np.array(student.histogram)
    return {
        "value": min(float(value.sum()) / 3.0, 1.0),
        "yield": float((value**2).sum() / value.sum()),
        "lead": min(sum(max(gap, 0.0) for gap in ahead) / 3.0, 1.0),
        "behind": min(sum(max(-gap, 0.0) for gap in ahead) / 3.0, 1.0),
        "overlap": float(np.minimum(p, q).sum()),
        "divergence": float(divergence(np.stack([p, q]))[0, 1]),
        "same_family": float(teacher.family == student.family),
    }


def test_every_pair_is_described_as_one_by_hand() -> None:
    """Across the borders of tiles, to 1e-9: value, yield, lead, behind, overlap, divergence, family, and who met."""
    agents, history = profiles(6, 2 * TILE + 3), History()
    history.meet(Match("m", 1, "agent-100", "agent-5"))
    X = gap(agents, history, 3, 10)
    for t, s in ((0, 1), (1, 0), (TILE - 1, TILE), (2 * TILE + 2, 3), (3, 2 * TILE + 2), (TILE, 2 * TILE)):
        for name, expected in by_hand(agents[t], agents[s]).items():
            assert X[t, s, GAP_FEATURES.index(name)] == pytest.approx(expected, abs=1e-9), name
    np.testing.assert_allclose(X[..., GAP_FEATURES.index("recency")], history.recency([a.agent for a in agents], 3), atol=1e-9)
