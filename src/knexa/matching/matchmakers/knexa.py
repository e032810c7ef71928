"""The method itself: LinUCB over pair contexts, then disjoint pairs of greatest total score (Alg. 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching.bandit import LinUCB
from knexa.matching.context import features, prior
from knexa.matching.match import Outcome
from knexa.matching.matchmakers.pairwise import Array, Decision, PairwiseMatchmaker, certain
from knexa.matching.pairing import disjoint_pairs
from knexa.matching.profile import Profile
from knexa.matching.reward import Reward


class KnexaMatchmaker(PairwiseMatchmaker):
    """Scores every ordered pair by its upper confidence bound; learns from z-scored rewards.

    With the ``gap`` context the bandit starts from a stated prior ("what the student lacks and a trusted teacher has pays"), so
    that the first rounds are not wasted; rewards overrule it. With ``concat`` it starts from zero, as in the paper.
    """

    def __init__(self, config: MatchingConfig, reward: RewardConfig, rounds: int) -> None:
        believed = prior(config.context, config.curriculum, config.probe)
        self.bandit = LinUCB(len(features(config.context)), config.ridge, config.exploration, prior=believed)
        super().__init__(config, reward, rounds, learner=_FromRewards(self.bandit))

    def choose(self, agents: Sequence[Profile], X: Array, round: int) -> Decision:
        count = len(agents)
        scores = np.asarray(self.bandit.ucb(X.reshape(count * count, -1)), dtype=np.float64).reshape(count, count)
        pairs = disjoint_pairs(scores, self.config.pairs, self.config.pairing)
        return Decision(scores, pairs, certain(pairs, count))


class _FromRewards:
    """Feeds the z-scored reward to the bandit."""

    def __init__(self, bandit: LinUCB) -> None:
        self._bandit = bandit

    def absorb(self, context: Array, outcome: Outcome, reward: Reward) -> None:
        self._bandit.update(context, reward.z)

    def state(self) -> dict[str, Any]:
        return self._bandit.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._bandit.restore(state)
