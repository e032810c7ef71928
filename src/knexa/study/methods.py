"""The methods that a study compares: every one is a matchmaker as `knexa run` has it, or one with another bandit or context."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching import LinUCB, Match, build_matchmaker
from knexa.matching.context import contexts
from knexa.matching.history import History
from knexa.matching.matchmakers.knexa import KnexaMatchmaker
from knexa.matching.matchmakers.pairwise import PairwiseMatchmaker
from knexa.study.worlds.release_a import release_bandit
from knexa.study.worlds.release_c import RELEASE_BANDIT, ReleaseWorldC
from knexa.study.worlds.world import World

#: Eq. 3 without the price of bytes, which a synthetic exchange does not have.
REWARD = RewardConfig(delta=0.0)

#: Builds a method's matchmaker for a world, a number of rounds and a seed.
Method = Callable[[World, int, int], PairwiseMatchmaker]


def _configured(**settings: object) -> Method:
    """The matchmaker of `knexa run` with these ``matching.*`` settings; without curriculum unless they say so: few worlds have prompts."""

    def build(world: World, rounds: int, seed: int) -> PairwiseMatchmaker:
        config = MatchingConfig.model_validate({"curriculum": False, "log_candidates": False, **settings, "pairs": world.limit})
        return build_matchmaker(config, REWARD, rounds, seed, _truth(world))

    return build


def _released(world: World, rounds: int, seed: int) -> PairwiseMatchmaker:
    """The published release's matchmaker, with its constants, on its own context where the world has one, else on the paper's."""
    beta, ridge = RELEASE_BANDIT if isinstance(world, ReleaseWorldC) else release_bandit(len(world.names))
    config = MatchingConfig(
        context="concat", pairing="greedy", trust=False, curriculum=False, log_candidates=False, pairs=world.limit, schedule="sqrt"
    )
    describe = world.describe or partial(contexts, "concat")
    profiles = world.profiles(1)
    width = describe([profiles[name] for name in world.names], History(), 1, rounds).shape[2]
    bandit = LinUCB(width, ridge, beta, schedule="sqrt")
    return KnexaMatchmaker(config, REWARD, rounds, seed, bandit=bandit, describe=describe)


def _truth(world: World) -> Callable[[Sequence[Match]], list[float]]:
    """What the oracle may ask: the noiseless worth of matches in the present state."""
    place = {name: position for position, name in enumerate(world.names)}

    def trial(matches: Sequence[Match]) -> list[float]:
        worth = world.worth()
        return [float(worth[place[match.teacher], place[match.student]]) for match in matches]

    return trial


#: By the name that tables and rows use.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "random": _configured(matchmaker="random"),
        "hetero-greedy": _configured(matchmaker="heuristic"),
        "paper": _configured(context="concat", pairing="greedy", exploration=1.0, trust=False),
        "concat": _configured(context="concat"),
        "gap": _configured(context="gap"),
        "joint": _configured(context="joint"),
        "gap-thompson": _configured(context="gap", bandit="thompson"),
        "gap-discounted": _configured(context="gap", discount=0.95),
        "gap-kernel": _configured(context="gap", bandit="kernel"),
        "joint-kernel": _configured(context="joint", bandit="kernel"),
        # For worlds in which prompts are chosen: the same two with the curriculum.
        "random-curriculum": _configured(matchmaker="random", curriculum=True),
        "gap-curriculum": _configured(context="gap", curriculum=True),
        "release": _released,
        "oracle": _configured(matchmaker="oracle"),
    }
)
