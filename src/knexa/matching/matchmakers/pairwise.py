"""What all matchmakers share: contexts, open matches, rewards, history. A subclass only says which pairs it wants.

The context stored when a pair is chosen is the one that its reward is later credited to (Alg. 1); the profiles of the next
round, taken after the exchange, never are.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching.context import Describe, contexts
from knexa.matching.curriculum import curriculum
from knexa.matching.fairness import overruled
from knexa.matching.history import History
from knexa.matching.match import Match, Outcome
from knexa.matching.matchmakers.contract import Candidate
from knexa.matching.pairing import Pair, disjoint_pairs
from knexa.matching.profile import Profile
from knexa.matching.reward import Reward, raw_reward, reward_scale

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decision:
    """A round's choice, by positions in the sorted list of agents.

    ``scores`` [n, n]: value of t teaching s, NaN = no candidate. ``pairs``: the chosen, disjoint. ``propensity`` [n, n]:
    probability that the pair is chosen.
    """

    scores: Array
    pairs: Sequence[Pair]
    propensity: Array


@dataclass(frozen=True, slots=True)
class Choice:
    """One chosen pair: its context [d], score, and the probability with which it is chosen."""

    pair: Pair
    context: Array
    score: float
    propensity: float


#: Choices that a matchmaker draws at random are drawn so often, to tell how likely each pair was.
PROPENSITY_DRAWS = 64


class Learner(Protocol):
    """The part of a matchmaker that rewards change."""

    def absorb(self, context: Array, match: Match, outcome: Outcome, reward: Reward) -> None:
        """``context`` [d], as stored when ``match`` was chosen, earned ``reward``."""
        ...

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: Mapping[str, Any]) -> None: ...


class PairwiseMatchmaker(ABC):
    """A Matchmaker whose subclass implements :meth:`choose`, and gives a ``learner`` if it has one."""

    def __init__(
        self,
        config: MatchingConfig,
        reward: RewardConfig,
        rounds: int,
        learner: Learner | None = None,
        describe: Describe | None = None,
    ) -> None:
        """``describe``: contexts of another kind than ``config.context`` names."""
        self.config, self.reward, self.rounds = config, reward, rounds
        self.history = History()
        self._describe = describe or partial(contexts, config.context)
        self._learner = learner
        self._scale = reward_scale(reward.scale, reward.clip)
        self._open: dict[str, tuple[Match, Array]] = {}
        self._candidates: tuple[Candidate, ...] = ()

    @abstractmethod
    def choose(self, agents: Sequence[Profile], X: Array, round: int) -> Decision:
        """Decide over ``agents`` (at least two, sorted by name) with contexts ``X`` [n, n, d]."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self._candidates

    def match(self, profiles: Mapping[str, Profile], round: int) -> list[Match]:
        agents = [profiles[name] for name in sorted(profiles)]
        if len(agents) < 2:
            self._candidates = ()
            return []
        self.history.see([agent.agent for agent in agents], round)
        return [self._opened(agents, choice, round) for choice in self.choices(agents, round)]

    def choices(self, agents: Sequence[Profile], round: int) -> list[Choice]:
        """What :meth:`choose` decides over all pairs, best first. :attr:`candidates` are those that it looked at."""
        X, decision = self._decide(agents, round)
        return [Choice(pair, X[pair].copy(), float(decision.scores[pair]), float(decision.propensity[pair])) for pair in decision.pairs]

    def observe(self, profiles: Mapping[str, Profile], round: int, taken: Sequence[Match]) -> None:
        """Decide as :meth:`match` would, but go on with ``taken``, which another matchmaker chose: for replay of its log.

        What this one would have done stands in :attr:`candidates`; it learns from the outcomes of ``taken``.
        """
        agents = [profiles[name] for name in sorted(profiles)]
        self.history.see([agent.agent for agent in agents], round)
        X, _ = self._decide(agents, round)
        place = {agent.agent: position for position, agent in enumerate(agents)}
        for match in taken:
            self._open[match.match_id] = (match, X[place[match.teacher], place[match.student]].copy())
            self.history.meet(match)

    def learn(self, outcome: Outcome) -> Reward | None:
        if outcome.match_id not in self._open:
            return None
        raw = raw_reward(outcome, self.reward.gamma, self.reward.delta, self.reward.measure)
        match, context = self._open.pop(outcome.match_id)
        reward = Reward(outcome.match_id, raw, *self._scale.scale(raw))
        self.history.record(match, outcome, raw)
        if self._learner is not None:
            self._learner.absorb(context, match, outcome, reward)
        return reward

    def fail(self, match_id: str) -> None:
        if match_id in self._open:
            self.history.record_failure(self._open.pop(match_id)[0])

    def state(self) -> dict[str, Any]:
        return {
            "open": [{"match": asdict(match), "context": context.tolist()} for match, context in self._open.values()],
            "scale": self._scale.state(),
            "history": self.history.state(),
            "learner": None if self._learner is None else self._learner.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        matches = [_match(entry["match"]) for entry in state["open"]]
        stored = [np.array(entry["context"], dtype=np.float64) for entry in state["open"]]
        self._open = {match.match_id: (match, context) for match, context in zip(matches, stored, strict=True)}
        self._scale.restore(state["scale"])
        self.history.restore(state["history"])
        if self._learner is not None:
            self._learner.restore(state["learner"])

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.state(), sort_keys=True, allow_nan=False).encode()).hexdigest()

    def pairs(self, agents: Sequence[Profile], scores: Array, round: int, method: Literal["greedy", "optimal"]) -> list[Pair]:
        """Disjoint pairs by ``scores`` [n, n], within the limit, and no less fair than ``matching.fairness`` demands."""
        names = [agent.agent for agent in agents]
        waited, learned = self.history.waited(names, round), self.history.learned_in_a_row(names)
        capacity = 2 * min(self.config.pairs or len(agents), len(agents) // 2)
        return disjoint_pairs(overruled(scores, waited, learned, self.config.fairness, capacity), self.config.pairs, method)

    def proposal(self, teacher: Profile, student: Profile, round: int) -> Match:
        """The match that these two would have, curriculum included; score and propensity still at their defaults."""
        spread = curriculum(teacher, student) if self.config.curriculum else ()
        return Match(f"r{round}-{teacher.agent}-{student.agent}", round, teacher.agent, student.agent, curriculum=spread)

    def _decide(self, agents: Sequence[Profile], round: int) -> tuple[Array, Decision]:
        """Contexts [n, n, d] of at least two agents, and what is chosen by them."""
        X = self._describe(agents, self.history, round, self.rounds)
        decision = self.choose(agents, X, round)
        self._candidates = _candidates(agents, X, decision) if self.config.log_candidates else ()
        return X, decision

    def _opened(self, agents: Sequence[Profile], choice: Choice, round: int) -> Match:
        draft = self.proposal(agents[choice.pair[0]], agents[choice.pair[1]], round)
        match = replace(draft, match_id=self._unused(draft.match_id), score=choice.score, propensity=choice.propensity)
        self._open[match.match_id] = (match, choice.context)
        self.history.meet(match)
        return match

    def _unused(self, match_id: str) -> str:
        """``match_id``, made unique: names may contain dashes, so a-b -> c and a -> b-c would share one."""
        return match_id if match_id not in self._open else self._unused(f"{match_id}-again")


def certain(pairs: Sequence[Pair], count: int) -> Array:
    """Propensities [n, n] of a choice that drew nothing: 1 for the chosen, 0 for all others."""
    return shares([pairs], count)


def shares(choices: Sequence[Sequence[Pair]], count: int) -> Array:
    """Propensities [n, n] as shares of equally likely choices, the one that was made among them."""
    propensity = np.zeros((count, count))
    for pairs in choices:
        for pair in pairs:
            propensity[pair] += 1.0 / len(choices)
    return propensity


def _candidates(agents: Sequence[Profile], X: Array, decision: Decision) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(teacher.agent, student.agent, tuple(X[t, s].tolist()), float(decision.scores[t, s]), float(decision.propensity[t, s]))
        for t, teacher in enumerate(agents)
        for s, student in enumerate(agents)
        if t != s and not np.isnan(decision.scores[t, s])
    )


def _match(fields: Mapping[str, Any]) -> Match:
    return Match(**{**fields, "curriculum": tuple(fields["curriculum"])})
