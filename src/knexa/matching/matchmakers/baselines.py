"""The matchmakers that KNEXA is compared with. They keep the same books, so their runs can be compared and replayed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching.context import divergence
from knexa.matching.matchmakers.contract import Trial
from knexa.matching.matchmakers.pairwise import PROPENSITY_DRAWS, Decision, Options, PairwiseMatchmaker, certain, shares
from knexa.matching.terms import Terms
from knexa.randomness import stream


class LocalMatchmaker(PairwiseMatchmaker):
    """LocalOnly: nobody teaches anybody."""

    def choose(self, options: Options) -> Decision:
        shape = options.allowed.shape
        return Decision(np.full(shape, np.nan), [], certain([], shape))


class RandomMatchmaker(PairwiseMatchmaker):
    """Random-P2P: disjoint directed pairs, all sets of them equally likely; a round's draw depends on seed and round only."""

    def __init__(
        self, config: MatchingConfig, reward: RewardConfig, rounds: int, seed: int, *, terms: Mapping[str, Terms] | None = None
    ) -> None:
        super().__init__(config, reward, rounds, terms=terms)
        self._seed = seed

    def choose(self, options: Options) -> Decision:
        count = len(options.agents)
        if not self.unrestricted:
            return self._restricted(options)
        number = min(self.config.pairs or count, count // 2)
        order = stream(self._seed, "matchmaker", "random", options.round).permutation(count)
        arms = [(0, int(order[2 * place]), int(order[2 * place + 1])) for place in range(number)]
        # By symmetry each of the n(n-1) directed pairs is equally likely to be one of the chosen.
        even = np.full((1, count, count), number / (count * (count - 1)))
        return Decision(np.zeros_like(even), arms, even)

    def _restricted(self, options: Options) -> Decision:
        """Random scores, so that among equally fair and admissible pairs all are equally likely."""
        count = len(options.agents)
        drawn = stream(self._seed, "matchmaker", "random", options.round).random((PROPENSITY_DRAWS, count, count))
        choices = [self.arms(options, options.plain(scores), "greedy") for scores in drawn]
        return Decision(options.plain(np.zeros((count, count))), choices[0], shares(choices, options.allowed.shape))


class HeuristicMatchmaker(PairwiseMatchmaker):
    """Heuristic-P2P: greedily the pairs with the most different data; the one with the better local Pass@1 teaches."""

    def choose(self, options: Options) -> Decision:
        agents = options.agents
        scores = divergence(np.array([agent.histogram for agent in agents]))
        performance = [(agent.metric("pass@1"), -agent.metric("loss")) for agent in agents]
        for t, teacher in enumerate(performance):
            for s, student in enumerate(performance):
                if teacher < student:
                    scores[t, s] = np.nan
        valued = options.plain(scores)
        arms = self.arms(options, valued, "greedy")
        return Decision(valued, arms, certain(arms, valued.shape))


class OracleMatchmaker(PairwiseMatchmaker):
    """Myopic oracle: tries every admissible exchange and takes the disjoint pairs of greatest total reward.

    Only a simulation can do that. It bounds what one round can yield, not what a run can: it does not look ahead.
    """

    def __init__(
        self, config: MatchingConfig, reward: RewardConfig, rounds: int, trial: Trial, *, terms: Mapping[str, Terms] | None = None
    ) -> None:
        super().__init__(config, reward, rounds, terms=terms)
        self._trial = trial

    def choose(self, options: Options) -> Decision:
        agents = options.agents
        tried = [(k, t, s) for k, t, s in np.argwhere(options.allowed).tolist()]
        values = self._trial([self.proposal(agents[t], agents[s], options.round, options.protocols[k]) for k, t, s in tried])
        scores = np.full(options.allowed.shape, np.nan)
        for arm, value in zip(tried, values, strict=True):
            scores[arm] = value if np.isfinite(value) else np.nan
        arms = self.arms(options, scores, "optimal")
        return Decision(scores, arms, certain(arms, scores.shape))
