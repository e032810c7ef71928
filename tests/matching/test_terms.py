"""Terms: what agents allow bounds what any matchmaker may choose, and the bandit chooses among the protocols that are left."""

from collections.abc import Mapping

import numpy as np
import pytest
from matching_rounds import NAMES, ROUNDS, build, outcome, profiles, trial

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching import Match, Matchmaker, Outcome, build_matchmaker
from knexa.matching.history import History
from knexa.matching.terms import Admissibility, Terms

EVERYTHING = ("text", "logits", "adapter")


def with_terms(name: str, terms: Mapping[str, Terms], **options: object) -> Matchmaker:
    config = MatchingConfig.model_validate({"matchmaker": name, **options})
    return build_matchmaker(config, RewardConfig(), ROUNDS, 0, trial, terms=terms)


def played(matchmaker: Matchmaker, rounds: int = ROUNDS) -> list[Match]:
    """All matches of some rounds, each with an outcome."""
    matches: list[Match] = []
    for round in range(1, rounds + 1):
        chosen = matchmaker.match(profiles(round), round)
        for match in chosen:
            matchmaker.learn(outcome(match))
        matches += chosen
    return matches


def test_without_terms_everybody_may_teach_everybody_by_text() -> None:
    """The default is open: one protocol, and only teaching oneself is out of the question."""
    open_ = Admissibility()
    assert (open_.open, open_.protocols) == (True, ("text",))
    assert np.array_equal(open_.allowed(NAMES, History())[0], ~np.eye(len(NAMES), dtype=bool))


def test_a_protocol_needs_the_consent_of_both_and_a_model_that_fits() -> None:
    """Logits want one tokenizer, adapters one backbone; what nobody named is shared with nobody."""
    terms = {
        "a": Terms(EVERYTHING, backbone="x", tokenizer="t"),
        "b": Terms(EVERYTHING, backbone="x", tokenizer="t"),
        "c": Terms(EVERYTHING, backbone="y", tokenizer="t"),
        "d": Terms(("text", "logits"), backbone="x", tokenizer="t"),
        "e": Terms(EVERYTHING),
        "f": Terms(EVERYTHING),
    }
    text, logits, adapter = Admissibility(terms).allowed(list(terms), History())
    pairs = {name: {"".join(sorted((list(terms)[t], list(terms)[s]))) for t, s in np.argwhere(allowed)} for name, allowed in
             {"logits": logits, "adapter": adapter}.items()}  # fmt: skip
    assert text.sum() == 30
    assert pairs == {"logits": {"ab", "ac", "ad", "bc", "bd", "cd"}, "adapter": {"ab"}}
    assert np.array_equal(logits, logits.T)


def test_a_refusal_counts_in_both_directions() -> None:
    """Whoever is refused neither teaches nor learns from the one who refuses."""
    allowed = Admissibility({"a": Terms(refuses=frozenset({"b"}))}).allowed(["a", "b", "c"], History())[0]
    assert allowed.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


@pytest.mark.parametrize("name", ["knexa", "random", "heuristic", "oracle"])
def test_no_matchmaker_crosses_the_terms(name: str) -> None:
    """Refusals, spent lessons and spent kilobytes hold in every round, for every matchmaker."""
    first, second, third = NAMES[:3]
    terms = {
        first: Terms(refuses=frozenset(NAMES[3:])),
        second: Terms(lessons=1),
        third: Terms(kilobytes=5.0),  # an outcome of these tests reports 3,000 bytes: two of them are more
    }
    matches = played(with_terms(name, terms))
    assert matches
    for match in matches:
        assert not (first in (match.teacher, match.student) and {match.teacher, match.student} & set(NAMES[3:]))
    assert sum(match.teacher == second for match in matches) <= 1
    assert sum(match.student == third for match in matches) <= 2


@pytest.mark.parametrize("name", ["knexa", "random", "heuristic", "oracle"])
def test_where_nothing_is_admissible_the_round_is_empty(name: str) -> None:
    """All agents refuse all others: no pair, no candidate, and the next round is asked for as ever."""
    matchmaker = with_terms(name, {one: Terms(refuses=frozenset(NAMES)) for one in NAMES})
    assert matchmaker.match(profiles(1), 1) == []
    assert matchmaker.candidates == ()
    assert matchmaker.match(profiles(2), 2) == []


@pytest.mark.parametrize("name", ["knexa", "random", "heuristic", "oracle"])
def test_open_terms_change_nothing(name: str) -> None:
    """Stating what is the default anyway leads to the same matches and the same state."""
    stated, silent = with_terms(name, {one: Terms(backbone="x", tokenizer="x") for one in NAMES}), build(name)
    assert played(stated) == played(silent)
    assert stated.digest() == silent.digest()


@pytest.mark.parametrize("bandit", ["linucb", "thompson", "kernel"])
@pytest.mark.parametrize(("paid", "expected"), [("adapter", 0.8), ("text", 0.8)])
def test_the_bandit_learns_which_protocol_pays(bandit: str, paid: str, expected: float) -> None:
    """Where one protocol earns much more than the other, it is soon the one that is chosen, whichever of the two it is."""
    terms = {one: Terms(("text", "adapter"), backbone="x", tokenizer="x") for one in NAMES}
    matchmaker = with_terms("knexa", terms, bandit=bandit)
    chosen: list[str] = []
    for round in range(1, 31):
        for match in matchmaker.match(profiles(round), round):
            after = 1.5 if match.protocol == paid else 1.9
            matchmaker.learn(Outcome(match.match_id, 2.0, after, 2.0, after, 0.1, 0.2, bytes=0, texts=10, kept=6, accepted=True))
            chosen.append(match.protocol)
    late = chosen[len(chosen) // 2 :]
    assert late.count(paid) >= expected * len(late)
    assert len(set(chosen)) == 2


def test_every_admissible_exchange_is_a_candidate_with_its_protocol() -> None:
    """Replay needs all tuples (s, r, K): their propensities add up to the number of pairs, and the chosen are among them."""
    terms = {one: Terms(("text", "adapter"), backbone="x", tokenizer="x") for one in NAMES[:3]}
    matchmaker = with_terms("knexa", terms, bandit="thompson")
    matches = matchmaker.match(profiles(1), 1)
    known = {(one.teacher, one.student, one.protocol): one.propensity for one in matchmaker.candidates}
    assert len(known) == 30 + 6
    assert sum(known.values()) == pytest.approx(3.0)
    assert all(known[match.teacher, match.student, match.protocol] == match.propensity for match in matches)


def test_the_protocol_is_part_of_the_state() -> None:
    """A matchmaker that is restored in mid-round credits rewards to the protocol that was chosen."""
    terms = {one: Terms(("text", "adapter"), backbone="x", tokenizer="x") for one in NAMES}
    one, other = with_terms("knexa", terms), with_terms("knexa", terms)
    matches = one.match(profiles(1), 1)
    other.restore(one.state())
    for match in matches:
        assert one.learn(outcome(match)) == other.learn(outcome(match))
    assert one.digest() == other.digest()
    assert one.match(profiles(2), 2) == other.match(profiles(2), 2)
