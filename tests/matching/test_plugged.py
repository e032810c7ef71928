"""A matchmaker of the user's own."""

import math
import sys
import types
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from knexa.config import MatchingConfig, RewardConfig
from knexa.errors import ConfigurationError
from knexa.matching import Match, Matchmaker, Outcome, Profile, build_matchmaker, family_block

ZEROS = (0.0,) * 12
PROFILES = {name: Profile(name, 1, family_block("llama"), ZEROS, (1.0, *ZEROS[1:])) for name in ("a", "b", "c", "d")}


class Neighbours:
    """The smallest plugin: names in order, two by two, and a count that it wants kept."""

    def __init__(self, config: MatchingConfig, reward: RewardConfig, rounds: int, seed: int) -> None:
        self.learned: list[str] = []

    def match(self, profiles: Mapping[str, Profile], round: int) -> list[tuple[str, str]]:
        names = sorted(profiles)
        return list(zip(names[::2], names[1::2], strict=False))

    def learn(self, outcome: Outcome) -> None:
        self.learned.append(outcome.match_id)

    def state(self) -> dict[str, Any]:
        return {"learned": self.learned}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.learned = list(state["learned"])


def plugged(monkeypatch: pytest.MonkeyPatch, factory: object, **options: Any) -> Matchmaker:
    """Build ``factory`` through the configuration, as the object ``mine`` of a module ``own``."""
    module = types.ModuleType("own")
    module.mine = factory  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own", module)
    return build_matchmaker(MatchingConfig(matchmaker="own:mine", **options), RewardConfig(), 5, 0)


def always(*pairs: object) -> type:
    """A plugin that wants ``pairs`` every round."""
    return returning(list(pairs))


def returning(answer: object) -> type:
    """A plugin that returns ``answer`` every round."""

    class Returning(Neighbours):
        def match(self, profiles: Mapping[str, Profile], round: int) -> Any:
            return answer

    return Returning


def outcome(match: Match) -> Outcome:
    return Outcome(match.match_id, 2.0, 1.5, 2.0, 1.5, 0.1, 0.2, bytes=100, texts=10, kept=10, accepted=True)


def test_a_plugin_of_pairs_becomes_a_whole_matchmaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, curriculum, candidates, rewards and state come with it."""
    matchmaker = plugged(monkeypatch, Neighbours)
    matches = matchmaker.match(PROFILES, 1)
    assert [(match.teacher, match.student) for match in matches] == [("a", "b"), ("c", "d")]
    assert [match.match_id for match in matches] == ["r1-a-b", "r1-c-d"]
    assert all(len(match.curriculum) == 12 for match in matches)
    assert len(matchmaker.candidates) == 12
    reward = matchmaker.learn(outcome(matches[0]))
    assert reward is not None
    assert reward.raw > 0


def test_a_plugin_hears_of_outcomes_and_keeps_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """learn is called, and state and restore go through."""
    matchmaker = plugged(monkeypatch, Neighbours)
    matchmaker.learn(outcome(matchmaker.match(PROFILES, 1)[0]))
    assert matchmaker.state()["learner"] == {"plugin": {"learned": ["r1-a-b"]}}
    resumed = plugged(monkeypatch, Neighbours)
    resumed.restore(matchmaker.state())
    assert resumed.digest() == matchmaker.digest()


def test_a_plugins_pair_without_a_path_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot know; the other pairs take place."""
    matchmaker = plugged(monkeypatch, Neighbours)
    assert [match.match_id for match in matchmaker.match(PROFILES, 1, {("a", "b")})] == ["r1-c-d"]


def test_a_plugin_may_return_matches_with_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its scores are logged."""
    matchmaker = plugged(monkeypatch, always(Match("x", 1, "d", "a", score=0.75)))
    assert [(match.match_id, match.score) for match in matchmaker.match(PROFILES, 1)] == [("r1-d-a", 0.75)]


def test_of_a_plugins_match_only_names_protocol_and_score_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Id, round, curriculum and propensity are as if it had named the pair."""
    everything = Match("x", 9, "d", "a", "text", (1.0, *ZEROS[1:]), 0.5, 0.25)
    named, filled = (plugged(monkeypatch, always(wanted)).match(PROFILES, 1) for wanted in (("d", "a"), everything))
    assert filled == [replace(named[0], score=0.5)]


def test_a_plugin_may_return_lists_of_names_and_any_kind_of_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As come out of JSON and arrays; also where some pairs have no path."""
    wanted = (["a", "b"], ["c", "d"], Match("x", 1, "c", "d", score=np.float32(2.0)))  # type: ignore[arg-type]
    matches = plugged(monkeypatch, always(*wanted[:2])).match(PROFILES, 1, {("a", "b")})
    assert [match.match_id for match in matches] == ["r1-c-d"]
    assert [match.score for match in plugged(monkeypatch, always(wanted[2])).match(PROFILES, 1)] == [2.0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "returned None in round 1; return a list"),
        (5, "returned 5 in round 1"),
        ("ab", "returned 'a' in round 1"),
        (["ab"], "returned 'ab' in round 1"),
        ([5], "returned 5 in round 1"),
        ([("a", "b", 1.0)], r"returned \('a', 'b', 1\.0\) in round 1"),
        ([("a", 1)], r"returned \('a', 1\) in round 1"),
        ([{"a", "b"}], r"returned \{'[ab]', '[ab]'\} in round 1"),
        ([Match("x", 1, "a", None)], "student=None, .* in round 1; return a list"),  # type: ignore[arg-type]
        ([Match("x", 1, "a", "b", score=math.nan)], "with score nan in round 1; a score must be a finite number"),
        ([Match("x", 1, "a", "b", score=-math.inf)], "with score -inf"),
        ([Match("x", 1, "a", "b", score="high")], "with score 'high'"),  # type: ignore[arg-type]
        ([Match("x", 1, "a", "b", score=10**400)], "with score 1000"),
        ([Match("x", 1, "a", "b", protocol=7)], "by 7 in round 1, which is not allowed"),  # type: ignore[arg-type]
    ],
)
def test_a_plugin_that_returns_no_pairs_is_named(monkeypatch: pytest.MonkeyPatch, answer: object, message: str) -> None:
    """With what it returned: no traceback, and nothing that the event log cannot hold."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        plugged(monkeypatch, returning(answer)).match(PROFILES, 1)
    assert "own:mine" in str(caught.value)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", "z")], "'z', who is not in this round"),
        ([("a", "b"), ("b", "c")], "an agent twice in round 1"),
        ([("a", "a")], "an agent twice in round 1"),
        ([("a", "b"), ("c", "d")], "matching.pairs allows 1"),
    ],
)
def test_a_plugin_that_breaks_the_rules_is_named(monkeypatch: pytest.MonkeyPatch, pairs: list[tuple[str, str]], message: str) -> None:
    """Its author wrote the mistake, so the message says which matchmaker and what."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        plugged(monkeypatch, always(*pairs), pairs=1).match(PROFILES, 1)
    assert "own:mine" in str(caught.value)
