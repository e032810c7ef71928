"""The method itself: a bandit over pair contexts (LinUCB in the paper), then disjoint pairs of greatest total score (Alg. 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching.bandits import LinearBandit, LinUCB, ThompsonSampling
from knexa.matching.context import Describe, features, prior
from knexa.matching.match import Outcome
from knexa.matching.matchmakers.pairwise import PROPENSITY_DRAWS, Array, Decision, PairwiseMatchmaker, shares
from knexa.matching.profile import Profile
from knexa.matching.reward import Reward


class KnexaMatchmaker(PairwiseMatchmaker):
    """Scores every ordered pair by the bandit; learns from z-scored rewards.

    With the ``gap`` context the bandit starts from a stated prior ("what the student lacks and a trusted teacher has pays"), so
    that the first rounds are not wasted; rewards overrule it. With ``concat`` it starts from zero, as in the paper.
    """

    def __init__(
        self,
        config: MatchingConfig,
        reward: RewardConfig,
        rounds: int,
        seed: int,
        *,
        bandit: LinearBandit | None = None,
        describe: Describe | None = None,
    ) -> None:
        """``bandit`` and ``describe``, given together, replace those that ``config`` names."""
        self.bandit = bandit or _bandit(config, seed)
        super().__init__(config, reward, rounds, learner=_FromRewards(self.bandit), describe=describe)

    def choose(self, agents: Sequence[Profile], X: Array, round: int) -> Decision:
        """The propensities of a bandit that draws are shares of :data:`PROPENSITY_DRAWS` draws, the one that chose among them."""
        count = len(agents)
        self.bandit.forget()
        ways = self.bandit.samples(X.reshape(count * count, -1), round, PROPENSITY_DRAWS if self.config.log_candidates else 1)
        drawn = np.asarray(ways, dtype=np.float64).reshape(len(ways), count, count)
        choices = [self.pairs(agents, scores, round, self.config.pairing) for scores in drawn]
        return Decision(drawn[0], choices[0], shares(choices, count))


def _bandit(config: MatchingConfig, seed: int) -> LinearBandit:
    dim, believed = len(features(config.context)), prior(config.context, config.curriculum, config.probe)
    if config.bandit == "thompson":
        return ThompsonSampling(
            dim, config.ridge, config.exploration, seed=seed, prior=believed, discount=config.discount, schedule=config.schedule
        )
    return LinUCB(dim, config.ridge, config.exploration, prior=believed, discount=config.discount, schedule=config.schedule)


class _FromRewards:
    """Feeds the z-scored reward to the bandit."""

    def __init__(self, bandit: LinearBandit) -> None:
        self._bandit = bandit

    def absorb(self, context: Array, outcome: Outcome, reward: Reward) -> None:
        self._bandit.update(context, reward.z)

    def state(self) -> dict[str, Any]:
        return self._bandit.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._bandit.restore(state)
