"""Values that the protocol's scripts are written with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching.match import Outcome
from knexa.matching.matchmakers import Matchmaker, build_matchmaker
from knexa.matching.profile import CATEGORY_COUNT, METRICS, Profile, family_block

MakeProfile = Callable[..., Profile]
MakeOutcome = Callable[..., Outcome]
MakeMatchmaker = Callable[..., Matchmaker]


@pytest.fixture(scope="session")
def profile() -> MakeProfile:
    """``profile(agent, round)``: a valid profile that differs from agent to agent."""

    def make(agent: str, round: int, **changes: object) -> Profile:
        place = sum(map(ord, agent)) % CATEGORY_COUNT
        histogram = tuple(float(c == place) for c in range(CATEGORY_COUNT))
        probe = tuple(0.1 + 0.5 * share for share in histogram)
        fields: dict[str, object] = {"probe": probe, **changes}
        return Profile(agent, round, family_block("gpt2"), (0.1,) * len(METRICS), histogram, **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def outcome() -> MakeOutcome:
    """``outcome(match_id)``: a student's report of a small gain."""

    def make(match_id: str, **changes: object) -> Outcome:
        fields: dict[str, object] = {
            "match_id": match_id,
            **{"loss_before": 2.0, "loss_after": 1.9, "probe_loss_before": 2.0, "probe_loss_after": 1.8},
            **{"score_before": 0.1, "score_after": 0.2, "bytes": 900, "texts": 8, "kept": 5, "accepted": True},
        }
        return Outcome(**{**fields, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def matchmaker() -> MakeMatchmaker:
    """``matchmaker(name)``: a matchmaker of the package, for three rounds."""

    def make(name: str = "knexa", seed: int = 1) -> Matchmaker:
        return build_matchmaker(MatchingConfig(matchmaker=name), RewardConfig(), 3, seed)

    return make
