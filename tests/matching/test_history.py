"""What the coordinator remembers of past exchanges."""

import json
from dataclasses import replace

import numpy as np

from knexa.matching import Match, Outcome
from knexa.matching.history import INITIAL_TRUST, History

MATCH = Match("r1-a-b", 1, "a", "b")
GOOD = Outcome("r1-a-b", 2.0, 1.5, 2.0, 1.5, 0.1, 0.2, bytes=100, texts=10, kept=10, accepted=True)
AGENTS = ["a", "b", "c"]


def test_before_any_exchange_everybody_is_alike() -> None:
    """Rates are 1/2, trust is its start, nobody has met."""
    history = History()
    assert list(history.teaching_success(AGENTS)) == list(history.learning_success(AGENTS)) == [0.5] * 3
    assert list(history.trust(AGENTS)) == [INITIAL_TRUST] * 3
    assert not history.recency(AGENTS, 5).any()


def test_success_counts_for_each_role_apart() -> None:
    """The teacher's rate as teacher and the student's as student rise, nothing else moves."""
    history = History()
    history.record(MATCH, GOOD, 0.4)
    assert list(history.teaching_success(AGENTS)) == [2 / 3, 0.5, 0.5]
    assert list(history.learning_success(AGENTS)) == [0.5, 2 / 3, 0.5]


def test_a_rolled_back_or_unrewarding_exchange_is_no_success() -> None:
    """Success needs an accepted update and a positive reward."""
    for outcome, reward in ((GOOD, -0.1), (GOOD, 0.0), (replace(GOOD, accepted=False), 0.4)):
        history = History()
        history.record(MATCH, outcome, reward)
        assert history.teaching_success(["a"])[0] < 0.5


def test_trust_follows_the_share_of_texts_that_students_keep() -> None:
    """Good texts raise it, bad, absent or rolled-back ones lower it, and it stays in [0, 1]."""
    changes = {}
    for name, outcome in {
        "good": GOOD,
        "half": replace(GOOD, kept=5),
        "bad": replace(GOOD, kept=0),
        "absent": replace(GOOD, texts=0, kept=0),
        "rolled back": replace(GOOD, accepted=False),
    }.items():
        history = History()
        for _ in range(50):
            history.record(MATCH, outcome, 0.1)
        changes[name] = float(history.trust(["a"])[0])
    assert 1.0 >= changes["good"] > 0.99
    assert np.isclose(changes["half"], 0.5)
    assert all(0.0 <= changes[name] < 0.01 for name in ("bad", "absent", "rolled back"))


def test_a_failed_exchange_costs_the_teacher_trust() -> None:
    """It is remembered although it has no reward."""
    history = History()
    history.record_failure(MATCH)
    assert history.trust(["a"])[0] < INITIAL_TRUST
    assert history.teaching_success(["a"])[0] < 0.5
    assert history.trust(["b"])[0] == INITIAL_TRUST


def test_a_meeting_fades_and_counts_in_both_directions() -> None:
    """Recency is 1 in the next round, falls from then on, and is symmetric."""
    history = History()
    history.meet(MATCH)
    values = [history.recency(AGENTS, round)[0, 1] for round in range(2, 9)]
    assert values[0] == 1.0
    assert values == sorted(values, reverse=True)
    recent = history.recency(AGENTS, 3)
    np.testing.assert_array_equal(recent, recent.T)
    assert recent[0, 2] == recent[1, 2] == 0.0


def test_state_goes_through_json_unchanged() -> None:
    """Restored, a history answers the same."""
    history, restored = History(), History()
    history.meet(MATCH)
    history.record(MATCH, replace(GOOD, kept=7), 0.3)
    history.record_failure(replace(MATCH, teacher="c"))
    restored.restore(json.loads(json.dumps(history.state())))
    assert restored.state() == history.state()
    np.testing.assert_array_equal(restored.trust(AGENTS), history.trust(AGENTS))
    np.testing.assert_array_equal(restored.recency(AGENTS, 4), history.recency(AGENTS, 4))
