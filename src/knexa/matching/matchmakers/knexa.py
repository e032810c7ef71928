"""The method itself: a bandit over pair contexts (LinUCB in the paper), then disjoint pairs of greatest total score (Alg. 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching.bandits import KernelUCB, LinearBandit, LinUCB, Schedule, ThompsonSampling
from knexa.matching.candidates import best_pairs, contexts_of
from knexa.matching.context import GAP_FEATURES, Describe, features, pair_columns, prior
from knexa.matching.match import Match, Outcome
from knexa.matching.matchmakers.pairwise import PROPENSITY_DRAWS, Array, Choice, Decision, Options, PairwiseMatchmaker, shares
from knexa.matching.population import Population
from knexa.matching.profile import Profile
from knexa.matching.reward import Reward
from knexa.matching.terms import Admissibility, Terms
from knexa.matching.trust import Credibility
from knexa.randomness import stream

#: Up to so many agents every pair is described and can be logged; 18 numbers for each pair of 400 agents are 23 MB.
FEW = 400


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
        organisations: Mapping[str, str] | None = None,
        bandit: LinearBandit | None = None,
        describe: Describe | None = None,
        terms: Mapping[str, Terms] | None = None,
    ) -> None:
        """``organisations``: of each agent, by names. ``bandit`` and ``describe``, given together, replace those that ``config`` names."""
        self.bandit = bandit or _bandit(config, seed, protocols=len(Admissibility(terms).protocols))
        self._seed, self._own_contexts = seed, describe is not None
        credibility = Credibility(organisations) if config.trust else None
        self._rewards = _FromRewards(self.bandit, credibility, None if self._own_contexts else _judge(config))
        super().__init__(
            config,
            reward,
            rounds,
            learner=self._rewards,
            describe=describe,
            terms=terms,
        )

    def choices(self, agents: Sequence[Profile], round: int) -> list[Choice]:
        """Among more than :data:`FEW` agents by :func:`~knexa.matching.candidates.best_pairs`, greedily, and without candidates for replay.

        Where that cannot be had (fairness, terms, agents that are apart, the ``joint`` context, contexts of another kind), all pairs are
        described at once. The propensities of what the blocks give are 1, whatever was drawn: nobody has worked them out.
        """
        kind = self.config.context
        if len(agents) <= FEW or kind == "joint" or self._own_contexts or not self.unrestricted:
            return super().choices(agents, round)
        self._rewards.forget()
        self._candidates = ()
        population = Population.of(agents, self.history, round, self.rounds)
        dealt = stream(self._seed, "matchmaker", "shards", round)
        pairs = best_pairs(population, kind, self.bandit, round, self.config.pairs, random=dealt)
        X = contexts_of(population, kind, pairs)
        return [Choice(*chosen, 1.0) for chosen in zip(pairs, X, self.bandit.scores(X, round).tolist(), strict=True)]

    def choose(self, options: Options) -> Decision:
        """The propensities of a bandit that draws are shares of :data:`PROPENSITY_DRAWS` draws, the one that chose among them.

        Where no candidates are logged nobody asks for them: the one draw that chooses is all, and its choices have 1.
        """
        shape = options.allowed.shape
        self._rewards.forget()
        contexts = options.X.reshape(-1, options.X.shape[-1])
        ways = self.bandit.samples(contexts, options.round, PROPENSITY_DRAWS if self.config.log_candidates else 1)
        drawn = np.asarray(ways, dtype=np.float64).reshape(len(ways), *shape)
        choices = [self.arms(options, scores, self.config.pairing) for scores in drawn]
        return Decision(drawn[0], choices[0], shares(choices, shape))


def _bandit(config: MatchingConfig, seed: int, protocols: int) -> LinearBandit:
    """``protocols``: how many there are; those beyond ``text`` have a number each, of which nothing is believed beforehand."""
    dim = len(features(config.context)) + protocols - 1
    believed = (*prior(config.context, config.curriculum, config.probe), *(0.0,) * (protocols - 1))
    shared: _Shared = {"prior": believed, "discount": config.discount, "schedule": config.schedule}
    match config.bandit:
        case "thompson":
            return ThompsonSampling(dim, config.ridge, config.exploration, seed=seed, **shared)
        case "kernel":
            columns = (*pair_columns(config.context), *range(dim - protocols + 1, dim))
            return KernelUCB(dim, config.ridge, config.exploration, seed=seed, columns=columns, **shared)
        case "linucb":
            return LinUCB(dim, config.ridge, config.exploration, **shared)


def _judge(config: MatchingConfig) -> LinearBandit | None:
    """Where the bandit sees whole profiles or bends its features: one that does neither. None where reports are not weighed."""
    if not config.trust or config.context == "concat" or (config.context == "gap" and config.bandit != "kernel"):
        return None
    return LinUCB(
        len(GAP_FEATURES), config.ridge, config.exploration, prior=prior("gap", config.curriculum, config.probe), discount=config.discount
    )


class _Shared(TypedDict):
    """What every bandit is built with."""

    prior: tuple[float, ...]
    discount: float
    schedule: Schedule


class _FromRewards:
    """Feeds z-scored rewards to the bandit, each with the weight that its reporter's :class:`Credibility` gives it (if there is one).

    What a report is compared with is what a ``judge`` expected: a linear bandit on what lies between two agents, which cannot learn who
    somebody is. A bandit that could, from whole profiles, would learn to expect a liar's lies, and then believe them.
    """

    def __init__(self, bandit: LinearBandit, credibility: Credibility | None, judge: LinearBandit | None) -> None:
        """``judge``: None where the bandit is such a one itself."""
        self._bandit, self._credibility, self._judge = bandit, credibility, judge

    def forget(self) -> None:
        """A round has passed."""
        self._bandit.forget()
        if self._judge is not None:
            self._judge.forget()

    def absorb(self, context: Array, match: Match, outcome: Outcome, reward: Reward) -> None:
        if self._credibility is None:
            self._bandit.update(context, reward.z)
            return
        judge, seen = (self._bandit, context) if self._judge is None else (self._judge, context[: len(GAP_FEATURES)])
        self._credibility.note(match.student, reward.z - float(judge.mean(seen[None])[0]))
        weight = self._credibility.weight(match.student)
        if self._judge is not None:
            self._judge.update(seen, reward.z, weight)
        self._bandit.update(context, reward.z, weight)

    def state(self) -> dict[str, Any]:
        return {
            "bandit": self._bandit.state(),
            "credibility": None if self._credibility is None else self._credibility.state(),
            "judge": None if self._judge is None else self._judge.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._bandit.restore(state["bandit"])
        if self._credibility is not None:
            self._credibility.restore(state["credibility"])
        if self._judge is not None:
            self._judge.restore(state["judge"])
