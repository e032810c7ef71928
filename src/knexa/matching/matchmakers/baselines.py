"""The matchmakers that KNEXA is compared with. They keep the same books, so their runs can be compared and replayed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching.context import divergence
from knexa.matching.matchmakers.contract import Trial
from knexa.matching.matchmakers.pairwise import PROPENSITY_DRAWS, Array, Decision, PairwiseMatchmaker, certain, shares
from knexa.matching.profile import Profile
from knexa.randomness import stream


class LocalMatchmaker(PairwiseMatchmaker):
    """LocalOnly: nobody teaches anybody."""

    def choose(self, agents: Sequence[Profile], X: Array, round: int) -> Decision:
        count = len(agents)
        return Decision(np.full((count, count), np.nan), [], certain([], count))


class RandomMatchmaker(PairwiseMatchmaker):
    """Random-P2P: disjoint directed pairs, all sets of them equally likely; a round's draw depends on seed and round only."""

    def __init__(self, config: MatchingConfig, reward: RewardConfig, rounds: int, seed: int) -> None:
        super().__init__(config, reward, rounds)
        self._seed = seed

    def choose(self, agents: Sequence[Profile], X: Array, round: int) -> Decision:
        count = len(agents)
        if self.config.fairness is not None:
            return self._fair(agents, round)
        number = min(self.config.pairs or count, count // 2)
        order = stream(self._seed, "matchmaker", "random", round).permutation(count)
        pairs = [(int(order[2 * place]), int(order[2 * place + 1])) for place in range(number)]
        # By symmetry each of the n(n-1) directed pairs is equally likely to be one of the chosen.
        return Decision(np.zeros((count, count)), pairs, np.full((count, count), number / (count * (count - 1))))

    def _fair(self, agents: Sequence[Profile], round: int) -> Decision:
        """Random scores, so that among equally fair pairs all are equally likely."""
        count = len(agents)
        drawn = stream(self._seed, "matchmaker", "random", round).random((PROPENSITY_DRAWS, count, count))
        choices = [self.pairs(agents, scores, round, "greedy") for scores in drawn]
        return Decision(np.zeros((count, count)), choices[0], shares(choices, count))


class HeuristicMatchmaker(PairwiseMatchmaker):
    """Heuristic-P2P: greedily the pairs with the most different data; the one with the better local Pass@1 teaches."""

    def choose(self, agents: Sequence[Profile], X: Array, round: int) -> Decision:
        scores = divergence(np.array([agent.histogram for agent in agents]))
        performance = [(agent.metric("pass@1"), -agent.metric("loss")) for agent in agents]
        for t, teacher in enumerate(performance):
            for s, student in enumerate(performance):
                if teacher < student:
                    scores[t, s] = np.nan
        pairs = self.pairs(agents, scores, round, "greedy")
        return Decision(scores, pairs, certain(pairs, len(agents)))


class OracleMatchmaker(PairwiseMatchmaker):
    """Myopic oracle: tries every directed pair and takes the disjoint pairs of greatest total reward.

    Only a simulation can do that. It bounds what one round can yield, not what a run can: it does not look ahead.
    """

    def __init__(self, config: MatchingConfig, reward: RewardConfig, rounds: int, trial: Trial) -> None:
        super().__init__(config, reward, rounds)
        self._trial = trial

    def choose(self, agents: Sequence[Profile], X: Array, round: int) -> Decision:
        count = len(agents)
        ordered = [(t, s) for t in range(count) for s in range(count) if t != s]
        values = self._trial([self.proposal(agents[t], agents[s], round) for t, s in ordered])
        scores = np.full((count, count), np.nan)
        for pair, value in zip(ordered, values, strict=True):
            scores[pair] = value if np.isfinite(value) else np.nan
        pairs = self.pairs(agents, scores, round, "optimal")
        return Decision(scores, pairs, certain(pairs, count))
