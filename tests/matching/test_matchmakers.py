"""Matchmakers: one contract, five ways to choose."""

import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from matching_rounds import NAMES, ROUNDS, benefit, build, outcome, profile, profiles

from knexa.config import MatchingConfig, RewardConfig
from knexa.errors import ConfigurationError, PeerError
from knexa.matching import Match, Matchmaker, build_matchmaker
from knexa.matching.context import contexts
from knexa.matching.curriculum import curriculum
from knexa.matching.matchmakers import MATCHMAKERS, KnexaMatchmaker
from knexa.matching.matchmakers.knexa import FEW
from knexa.matching.matchmakers.pairwise import PairwiseMatchmaker

TEACHING = [name for name in MATCHMAKERS if name != "local"]


def play(matchmaker: Matchmaker, first: int, last: int) -> list[Match]:
    """Rounds ``first`` to ``last`` with their outcomes; all matches."""
    played: list[Match] = []
    for round in range(first, last + 1):
        matches = matchmaker.match(profiles(round), round)
        for match in matches:
            matchmaker.learn(outcome(match))
        played += matches
    return played


@pytest.mark.parametrize("pairs", [None, 1, 2])
@pytest.mark.parametrize("name", MATCHMAKERS)
def test_a_student_is_never_also_a_teacher_in_the_same_round(name: str, pairs: int | None) -> None:
    """Pairs are disjoint, within the limit, as many as fit; match ids are unique."""
    matchmaker = build(name, pairs=pairs)
    ids = set()
    for round in range(1, ROUNDS + 1):
        matches = matchmaker.match(profiles(round), round)
        agents = [agent for match in matches for agent in (match.teacher, match.student)]
        assert len(agents) == len(set(agents))
        assert len(matches) == (0 if name == "local" else pairs or 3)
        ids |= {match.match_id for match in matches}
    assert len(ids) == (0 if name == "local" else ROUNDS * (pairs or 3))


@pytest.mark.parametrize("name", TEACHING)
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_any_number_of_agents_may_show_up(name: str, count: int) -> None:
    """An agent alone is left alone, an odd one sits out."""
    matchmaker = build(name)
    assert len(matchmaker.match(profiles(1, NAMES[:count]), 1)) == count // 2


@pytest.mark.parametrize("name", TEACHING)
def test_agents_that_are_apart_are_not_paired(name: str) -> None:
    """Only in the directions that are named, and only in the round for which they were."""
    matchmaker, away = build(name), NAMES[:3]
    apart = {(teacher, student) for teacher in away for student in NAMES if teacher != student}
    for round in range(1, ROUNDS + 1):
        matches = matchmaker.match(profiles(round), round, apart)
        assert matches
        assert not {(match.teacher, match.student) for match in matches} & apart
        assert {match.teacher for match in matches} <= set(NAMES[3:])
        assert not {(one.teacher, one.student) for one in matchmaker.candidates} & apart
    assert len(matchmaker.match(profiles(1), 1)) == 3


@pytest.mark.parametrize("name", MATCHMAKERS)
def test_the_same_seed_makes_the_same_choices(name: str) -> None:
    """Two matchmakers of one seed agree on matches and digests, whatever the order in which profiles arrived."""
    one, two = build(name, seed=5), build(name, seed=5)
    assert play(one, 1, 4) == play(two, 1, 4)
    backwards = dict(reversed(profiles(5).items()))
    assert one.match(profiles(5), 5) == two.match(backwards, 5)
    assert one.digest() == two.digest()


@pytest.mark.parametrize("name", MATCHMAKERS)
def test_a_restored_matchmaker_equals_one_that_never_stopped(name: str) -> None:
    """Saved with matches open, through JSON, and continued: same matches, same rewards, same digest."""
    whole, half = build(name), build(name)
    play(whole, 1, 3)
    play(half, 1, 3)
    open_matches = half.match(profiles(4), 4)
    assert whole.match(profiles(4), 4) == open_matches
    resumed = build(name)
    resumed.restore(json.loads(json.dumps(half.state())))
    assert resumed.digest() == half.digest()
    assert [resumed.learn(outcome(match)) for match in open_matches] == [whole.learn(outcome(match)) for match in open_matches]
    assert play(resumed, 5, ROUNDS) == play(whole, 5, ROUNDS)
    assert resumed.digest() == whole.digest()


@pytest.mark.parametrize("name", ["knexa", "random"])
def test_over_many_rounds_everybody_teaches_and_learns(name: str) -> None:
    """Where everybody is ahead of somebody now and then, and that is what pays, nobody keeps one role for good."""
    matchmaker, played = build(name), []
    for round in range(1, 41):
        given = profiles(round)
        for match in matchmaker.match(given, round):
            ahead = float(np.maximum(np.subtract(given[match.teacher].probe, given[match.student].probe), 0.0).mean())
            matchmaker.learn(replace(outcome(match), probe_loss_after=2.0 - ahead))
            played.append(match)
    assert {match.teacher for match in played} == {match.student for match in played} == set(NAMES)


@pytest.mark.parametrize("name", ["knexa", "heuristic"])
def test_roles_do_not_depend_on_names_or_places(name: str) -> None:
    """Agents renamed in reverse order get the same partners and the same roles."""
    renamed = dict(zip(NAMES, reversed(NAMES), strict=True))
    one, other = build(name), build(name)
    for round in range(1, 4):
        given = profiles(round)
        matches = one.match(given, round)
        mirrored = other.match({renamed[agent]: replace(profile, agent=renamed[agent]) for agent, profile in given.items()}, round)
        assert {(renamed[match.teacher], renamed[match.student]) for match in matches} == {(m.teacher, m.student) for m in mirrored}
        for match in matches:
            one.learn(outcome(match))
        for match in matches:
            there = next(m.match_id for m in mirrored if m.teacher == renamed[match.teacher])
            other.learn(replace(outcome(match), match_id=there))


@pytest.mark.parametrize("name", TEACHING)
def test_every_matchmaker_can_say_what_is_taught(name: str) -> None:
    """The curriculum is an option for all of them, so that who and what can be compared apart."""
    given = profiles(1)
    for match in build(name).match(given, 1):
        assert match.curriculum == curriculum(given[match.teacher], given[match.student])
    assert all(match.curriculum == () for match in build(name, curriculum=False).match(given, 1))


@pytest.mark.parametrize("name", TEACHING)
def test_with_only_better_nobody_teaches_who_is_nowhere_worse(name: str) -> None:
    """Whoever chooses. Where nobody is better than anybody, nobody meets; what is taught is what the teacher is better at."""
    given = profiles(1)
    best = replace(given[NAMES[0]], probe=(1.0,) * 12)
    equal = {agent: replace(profile, probe=best.probe) for agent, profile in given.items()}
    assert build(name, only_better=True).match(equal, 1) == []
    given |= {NAMES[0]: best}
    matches = build(name, only_better=True).match(given, 1)
    assert matches
    assert NAMES[0] not in {match.student for match in matches}
    for match in matches:
        assert match.curriculum == curriculum(given[match.teacher], given[match.student], only_better=True)


@pytest.mark.parametrize("context", ["gap", "concat"])
def test_the_bandit_learns_from_the_context_that_chose_the_pair(context: str) -> None:
    """Alg. 1: profiles that changed since the choice must not enter the update."""
    matchmaker = KnexaMatchmaker(MatchingConfig(context=context), RewardConfig(), ROUNDS, 0)  # type: ignore[arg-type]
    late, *others = matchmaker.match(profiles(1), 1)
    chosen = {(one.teacher, one.student): np.array(one.context) for one in matchmaker.candidates}
    for match in others:
        matchmaker.learn(outcome(match))
    matchmaker.match(profiles(2), 2)
    before = matchmaker.bandit.design
    matchmaker.learn(outcome(late))
    x = chosen[late.teacher, late.student]
    np.testing.assert_allclose(matchmaker.bandit.design - before, np.outer(x, x), atol=1e-12)


def test_the_reward_reaches_the_bandit_z_scored() -> None:
    """b grows by z·x, and Reward holds raw, clipped and z."""
    matchmaker = KnexaMatchmaker(MatchingConfig(), RewardConfig(clip=0.05), ROUNDS, 0)
    matches = matchmaker.match(profiles(1), 1)
    chosen = {(one.teacher, one.student): np.array(one.context) for one in matchmaker.candidates}
    matchmaker.learn(replace(outcome(matches[0]), probe_loss_after=2.0))
    before = np.array(matchmaker.state()["learner"]["bandit"]["b"])
    reward = matchmaker.learn(replace(outcome(matches[1]), probe_loss_after=1.0))
    assert reward is not None
    assert reward.raw == pytest.approx(1.0 - 0.001 * 3000 / 1024)
    assert reward.clipped == 0.05
    assert reward.z > 0
    change = np.array(matchmaker.state()["learner"]["bandit"]["b"]) - before
    np.testing.assert_allclose(change, reward.z * chosen[matches[1].teacher, matches[1].student], atol=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", TEACHING)
def test_an_outcome_that_is_not_finite_changes_nothing(name: str, bad: float) -> None:
    """It is the student's error; the match stays open for a proper report."""
    matchmaker = build(name)
    play(matchmaker, 1, 2)
    match = matchmaker.match(profiles(3), 3)[0]
    before = matchmaker.digest()
    with pytest.raises(PeerError, match="finite"):
        matchmaker.learn(replace(outcome(match), probe_loss_after=bad))
    assert matchmaker.digest() == before
    assert matchmaker.learn(outcome(match)) is not None


@pytest.mark.parametrize("name", TEACHING)
def test_an_outcome_counts_once_and_only_for_an_open_match(name: str) -> None:
    """A duplicate, a made-up id and a failed match earn nothing and change nothing."""
    matchmaker = build(name)
    first, second, *_ = matchmaker.match(profiles(1), 1)
    assert matchmaker.learn(outcome(first)) is not None
    matchmaker.fail(second.match_id)
    before = matchmaker.digest()
    for match_id in (first.match_id, second.match_id, "r9-nobody-noone"):
        assert matchmaker.learn(replace(outcome(first), match_id=match_id)) is None
        matchmaker.fail(match_id)
    assert matchmaker.digest() == before


def test_a_failed_exchange_makes_its_teacher_less_attractive() -> None:
    """There is no reward to learn from, but trust falls, and with it the score of every pair it would teach."""
    one, two = build("knexa"), build("knexa")
    match = one.match(profiles(1), 1)[0]
    two.match(profiles(1), 1)
    one.fail(match.match_id)
    for matchmaker in (one, two):
        matchmaker.match(profiles(2), 2)
    scores = [[pair.score for pair in maker.candidates if pair.teacher == match.teacher] for maker in (one, two)]
    assert all(failed < fine for failed, fine in zip(*scores, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_a_teacher_that_claims_everything_and_teaches_nothing_is_found_out(seed: int) -> None:
    """A liar with a perfect probe is the favourite of the first round, and hardly teaches once its texts have failed."""
    matchmaker, taught = build("knexa", seed), []
    for round in range(1, 21):
        given = profiles(100 * seed + round)
        given["agent-2"] = replace(given["agent-2"], probe=(1.0,) * 12, coverage=(0.0,) * 12)
        matches = matchmaker.match(given, round)
        taught.append("agent-2" in {match.teacher for match in matches})
        for match in matches:
            lied = match.teacher == "agent-2"
            matchmaker.learn(replace(outcome(match), probe_loss_after=2.05 if lied else 1.9, kept=0 if lied else 6))
    assert taught[0]
    assert sum(taught[10:]) <= 2


def test_without_a_probe_the_stronger_agents_teach_first() -> None:
    """With the extension off the prior falls back on local Pass@1."""
    given = {name: replace(one, probe=(0.0,) * 12, coverage=(0.0,) * 12) for name, one in profiles(1).items()}
    matches = build("knexa", probe=False, exploration=0.0).match(given, 1)
    by_strength = sorted(NAMES, key=lambda name: given[name].metric("pass@1"), reverse=True)
    assert {match.teacher for match in matches} == set(by_strength[:3])


def test_the_random_matchmaker_states_its_exact_propensity() -> None:
    """Over many rounds each directed pair is chosen as often as the propensity says."""
    matchmaker, counts, rounds = build("random", pairs=2), Counter[tuple[str, str]](), 1500
    given = profiles(1, NAMES[:5])
    for round in range(1, rounds + 1):
        matches = matchmaker.match(given, round)
        counts.update((match.teacher, match.student) for match in matches)
        for match in matches:
            matchmaker.fail(match.match_id)
    propensity = matches[0].propensity
    assert propensity == pytest.approx(2 / 20)
    assert sum(one.propensity for one in matchmaker.candidates) == pytest.approx(2.0)
    deviation = math.sqrt(propensity * (1 - propensity) / rounds)
    assert all(abs(counts[one.teacher, one.student] / rounds - propensity) < 5 * deviation for one in matchmaker.candidates)


@pytest.mark.parametrize("name", ["knexa", "heuristic", "oracle"])
def test_a_choice_that_draws_nothing_has_propensity_one(name: str) -> None:
    """And every other candidate zero."""
    matchmaker = build(name)
    chosen = {(match.teacher, match.student): match.score for match in matchmaker.match(profiles(1), 1)}
    assert {(one.teacher, one.student): one.score for one in matchmaker.candidates if one.propensity == 1.0} == chosen
    assert all(one.propensity in (0.0, 1.0) for one in matchmaker.candidates)


def test_in_the_heuristic_the_better_performer_teaches() -> None:
    """And the first pair is the one with the most different data."""
    given = profiles(1)
    matchmaker = build("heuristic")
    matches = matchmaker.match(given, 1)
    assert all(given[match.teacher].metric("pass@1") >= given[match.student].metric("pass@1") for match in matches)
    assert matches[0].score == max(one.score for one in matchmaker.candidates)


def test_the_oracle_takes_the_pairs_that_pay_most() -> None:
    """No other matchmaker's pairs pay more in the round; a pair that cannot be tried is not taken."""
    totals = {name: sum(map(benefit, build(name).match(profiles(1), 1))) for name in TEACHING}
    assert max(totals, key=lambda name: totals[name]) == "oracle"
    blocked = build_matchmaker(MatchingConfig(matchmaker="oracle"), RewardConfig(), ROUNDS, 0, lambda matches: [math.nan] * len(matches))
    assert blocked.match(profiles(1), 1) == []


def test_names_that_would_share_a_match_id_do_not() -> None:
    """a-b teaching c and a teaching b-c are two matches."""
    names = ["a", "a-b", "b-c", "c"]
    for seed in range(40):
        matches = build("random", seed=seed).match(profiles(1, names), 1)
        assert len({match.match_id for match in matches}) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("knexxa", "unknown; choose knexa, random"),
        ("no_such_module:Thing", "cannot import 'no_such_module'"),
        ("knexa.randomness:Thing", "no class or function called 'Thing'"),
        ("knexa.matching.profile:METRICS", "no class or function called 'METRICS'"),
        ("knexa.randomness:derive_seed", "must accept config, reward, rounds, seed by name"),
        ("collections:Counter", "has no method match or learn"),
    ],
)
def test_a_matchmaker_that_cannot_be_built_says_why(name: str, message: str) -> None:
    """The name the user typed, what is wrong with it, and what would do."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        build(name)
    assert name in str(caught.value)


def test_an_oracle_needs_a_trial() -> None:
    """Outside a simulation nobody can try an exchange."""
    with pytest.raises(ConfigurationError, match="simulation"):
        build_matchmaker(MatchingConfig(matchmaker="oracle"), RewardConfig(), ROUNDS, 0)


def test_a_bandit_that_draws_says_how_likely_each_pair_was() -> None:
    """Shares of draws: each agent is in at most one pair a draw, what was chosen has a positive share, and they repeat."""
    matchmaker = build("knexa", bandit="thompson", exploration=2.0)
    matches = matchmaker.match(profiles(1), 1)
    propensity = {(one.teacher, one.student): one.propensity for one in matchmaker.candidates}
    assert all(match.propensity == propensity[match.teacher, match.student] > 0 for match in matches)
    assert any(0 < share < 1 for share in propensity.values())
    assert sum(propensity.values()) == pytest.approx(len(NAMES) // 2)
    for name in NAMES:
        assert sum(share for pair, share in propensity.items() if name in pair) == pytest.approx(1.0)
    again = build("knexa", bandit="thompson", exploration=2.0)
    assert again.match(profiles(1), 1) == matches


def test_where_no_candidates_are_logged_propensities_are_not_worked_out() -> None:
    """The same pairs are drawn, and 1 stands for each; the event log then has no candidates that could be replayed."""
    logged, bare = (build("knexa", bandit="thompson", exploration=2.0, log_candidates=kept) for kept in (True, False))
    pairs = {(match.teacher, match.student): match.propensity for match in bare.match(profiles(1), 1)}
    assert pairs == {(match.teacher, match.student): 1.0 for match in logged.match(profiles(1), 1)}
    assert bare.candidates == ()


def test_the_bandit_forgets_once_a_round() -> None:
    """However many rewards a round brought."""
    matchmaker = KnexaMatchmaker(MatchingConfig(discount=0.5), RewardConfig(), ROUNDS, 0)
    play(matchmaker, 1, 1)
    learned = matchmaker.bandit.design - np.eye(matchmaker.bandit.dim)
    matchmaker.match(profiles(2), 2)
    np.testing.assert_allclose(matchmaker.bandit.design - np.eye(matchmaker.bandit.dim), learned / 2, atol=1e-12)


@pytest.mark.parametrize("context", ["gap", "concat"])
def test_a_large_federation_is_matched_by_blocks_as_a_small_one_is(context: str) -> None:
    """Just above FEW agents: the greedy pairs of the dense path, each opened with the context that the dense path gives it."""
    names = [f"agent-{number}" for number in range(FEW + 1)]
    matchmaker = KnexaMatchmaker(MatchingConfig(context=context, pairing="greedy"), RewardConfig(), ROUNDS, 0)  # type: ignore[arg-type]
    dense = KnexaMatchmaker(MatchingConfig(context=context, pairing="greedy"), RewardConfig(), ROUNDS, 0)  # type: ignore[arg-type]
    agents = [profile(name, 1) for name in sorted(names)]
    matches = matchmaker.match({agent.agent: agent for agent in agents}, 1)
    expected = PairwiseMatchmaker.choices(dense, agents, 1)
    assert len(matches) == FEW // 2
    assert sum(match.score for match in matches) == pytest.approx(sum(choice.score for choice in expected), rel=1e-4)
    place = {agent.agent: position for position, agent in enumerate(agents)}
    X = contexts(context, agents, dense.history, 1, ROUNDS)  # type: ignore[arg-type]
    for match in matches[:20]:
        opened = next(entry for entry in matchmaker.state()["open"] if entry["match"]["match_id"] == match.match_id)
        np.testing.assert_allclose(opened["context"], X[place[match.teacher], place[match.student]], atol=1e-5)
    assert matchmaker.candidates == ()
    assert matchmaker.learn(outcome(matches[0])) is not None
    assert matchmaker.bandit.updates == 1
