"""Rounds of matchmaking without a federation: made-up profiles, matchmakers by name, outcomes that follow from the names."""

from collections.abc import Sequence

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching import CATEGORY_COUNT, FAMILIES, Match, Matchmaker, Outcome, Profile, build_matchmaker, family_block
from knexa.randomness import stream

ROUNDS = 8
NAMES = [f"agent-{number}" for number in range(6)]


def benefit(match: Match) -> float:
    """What a match is worth in these tests: some number of the names alone."""
    return stream(0, "benefit", match.teacher, match.student).normal()


def trial(matches: Sequence[Match]) -> list[float]:
    return [benefit(match) for match in matches]


def build(name: str, seed: int = 0, **options: object) -> Matchmaker:
    return build_matchmaker(MatchingConfig(matchmaker=name, **options), RewardConfig(), ROUNDS, seed, trial)  # type: ignore[arg-type]


def profiles(round: int, names: Sequence[str] = NAMES) -> dict[str, Profile]:
    return {name: profile(name, round) for name in names}


def profile(name: str, round: int) -> Profile:
    random = stream(round, "profile", name)
    return Profile(
        agent=name,
        round=round,
        family=family_block(FAMILIES[random.integers(4)]),
        metrics=tuple(random.uniform(0, 1, 12).tolist()),
        histogram=tuple(stream(0, "histogram", name).dirichlet([0.1] * CATEGORY_COUNT).tolist()),
        probe=tuple(random.random(CATEGORY_COUNT).tolist()),
        coverage=tuple(random.random(CATEGORY_COUNT).tolist()),
    )


def outcome(match: Match) -> Outcome:
    drop = benefit(match) / 10
    return Outcome(match.match_id, 2.0, 2.0 - drop, 2.0, 2.0 - drop, 0.1, 0.2, bytes=3000, texts=10, kept=6, accepted=True)
