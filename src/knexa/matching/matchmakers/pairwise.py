"""What all matchmakers share: terms, contexts, open matches, rewards, history. A subclass only says which exchanges it wants.

The context stored when a pair is chosen is the one that its reward is later credited to (Alg. 1); the profiles of the next
round, taken after the exchange, never are.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from knexa.config import MatchingConfig, RewardConfig
from knexa.matching.context import Describe, contexts
from knexa.matching.curriculum import ahead, curriculum
from knexa.matching.fairness import overruled
from knexa.matching.history import History
from knexa.matching.match import Match, Outcome
from knexa.matching.matchmakers.contract import MOST_LOGGED, Candidate
from knexa.matching.pairing import Pair, disjoint_pairs
from knexa.matching.profile import Profile
from knexa.matching.reward import Reward, raw_reward, reward_scale
from knexa.matching.terms import Admissibility, Terms

Array = NDArray[np.float64]


#: An exchange by positions: of its protocol among the round's, of teacher and student in the sorted list of agents.
Arm = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Options:
    """What a round has to choose from. ``agents``: at least two, sorted by name. ``round`` counts from 1.

    ``X`` [k, n, n, d]: context of each exchange by protocol, teacher and student. ``allowed`` [k, n, n]: whether it is admissible.
    """

    agents: Sequence[Profile]
    round: int
    protocols: tuple[str, ...]
    X: Array
    allowed: NDArray[np.bool_]

    def plain(self, scores: Array) -> Array:
        """``scores`` [n, n] of pairs as scores of exchanges [k, n, n]: each pair by the first protocol that it may use, the others NaN."""
        layered = np.full(self.allowed.shape, np.nan)
        taken = np.zeros(scores.shape, dtype=bool)
        for layer, allowed in zip(layered, self.allowed, strict=True):
            np.copyto(layer, scores, where=allowed & ~taken)
            taken |= allowed
        return layered


@dataclass(frozen=True, slots=True)
class Decision:
    """A round's choice. ``scores`` [k, n, n]: value of each exchange, NaN = no candidate. ``arms``: the chosen, disjoint in agents.

    ``propensity`` [k, n, n]: probability that the exchange is chosen; 1 for the chosen and 0 for all others where it is not worked out.
    """

    scores: Array
    arms: Sequence[Arm]
    propensity: Array


@dataclass(frozen=True, slots=True)
class Choice:
    """One chosen exchange: its pair, context [d], score, protocol, and the ``propensity`` of its :class:`~knexa.matching.match.Match`."""

    pair: Pair
    context: Array
    score: float
    propensity: float
    protocol: str = "text"


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
        terms: Mapping[str, Terms] | None = None,
    ) -> None:
        """``describe``: contexts of another kind than ``config.context`` names. ``terms``: of each agent, by names."""
        self.config, self.reward, self.rounds = config, reward, rounds
        self.admissibility = Admissibility(terms)
        self.history = History()
        self._describe = describe or partial(contexts, config.context)
        self._learner = learner
        self._scale = reward_scale(reward.scale, reward.clip)
        self._open: dict[str, tuple[Match, Array]] = {}
        self._apart: Collection[tuple[str, str]] = ()
        self._candidates: tuple[Candidate, ...] = ()

    @abstractmethod
    def choose(self, options: Options) -> Decision:
        """Decide which exchanges take place."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self._candidates

    @property
    def unrestricted(self) -> bool:
        """Whether any disjoint pairs will do in this round: nothing forbids one, be it fairness, terms, paths or who is better."""
        return self.config.fairness is None and not self.config.only_better and self.admissibility.open and not self._apart

    def match(self, profiles: Mapping[str, Profile], round: int, apart: Collection[tuple[str, str]] = ()) -> list[Match]:
        self._apart = apart
        agents = [profiles[name] for name in sorted(profiles)]
        if len(agents) < 2:
            self._candidates = ()
            return []
        self.history.see([agent.agent for agent in agents], round)
        return [self._opened(agents, choice, round) for choice in self.choices(agents, round)]

    def choices(self, agents: Sequence[Profile], round: int) -> list[Choice]:
        """What :meth:`choose` decides over all pairs, best first. :attr:`candidates` are those that it looked at."""
        options, decision = self._decide(agents, round)
        return [
            Choice(
                pair=arm[1:],
                context=options.X[arm].copy(),
                score=float(decision.scores[arm]),
                propensity=float(decision.propensity[arm]),
                protocol=options.protocols[arm[0]],
            )
            for arm in decision.arms
        ]

    def observe(self, profiles: Mapping[str, Profile], round: int, taken: Sequence[Match]) -> None:
        """Decide as :meth:`match` would, but go on with ``taken``, which another matchmaker chose: for replay of its log.

        What this one would have done stands in :attr:`candidates`; it learns from the outcomes of ``taken``.
        """
        agents = [profiles[name] for name in sorted(profiles)]
        self.history.see([agent.agent for agent in agents], round)
        options, _ = self._decide(agents, round)
        place = {agent.agent: position for position, agent in enumerate(agents)}
        for match in taken:
            arm = options.protocols.index(match.protocol), place[match.teacher], place[match.student]
            self._open[match.match_id] = (match, options.X[arm].copy())
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

    def drop(self, match_id: str) -> None:
        self._open.pop(match_id, None)

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

    def arms(self, options: Options, scores: Array, method: Literal["greedy", "optimal"]) -> list[Arm]:
        """Admissible exchanges by ``scores`` [k, n, n], best first: disjoint pairs, each by its best protocol.

        Within the limit, and no less fair than ``matching.fairness`` demands.
        """
        names = [agent.agent for agent in options.agents]
        valued = np.where(options.allowed & ~np.isnan(scores), scores, -np.inf)
        best = valued.max(axis=0)
        waited, learned = self.history.waited(names, options.round), self.history.learned_in_a_row(names)
        capacity = 2 * min(self.config.pairs or len(names), len(names) // 2)
        fair = overruled(np.where(np.isinf(best), np.nan, best), waited, learned, self.config.fairness, capacity)
        return [(int(valued[:, t, s].argmax()), t, s) for t, s in disjoint_pairs(fair, self.config.pairs, method)]

    def _logs(self, options: Options) -> bool:
        return self.config.log_candidates and len(options.agents) <= MOST_LOGGED

    def proposal(self, teacher: Profile, student: Profile, round: int, protocol: str = "text") -> Match:
        """The match that these two would have, curriculum included; score and propensity still at their defaults."""
        spread = curriculum(teacher, student, only_better=self.config.only_better) if self.config.curriculum else ()
        return Match(f"r{round}-{teacher.agent}-{student.agent}", round, teacher.agent, student.agent, protocol, spread)

    def _decide(self, agents: Sequence[Profile], round: int) -> tuple[Options, Decision]:
        """What at least two agents have to choose from, and what is chosen."""
        names, protocols = [agent.agent for agent in agents], self.admissibility.protocols
        X = by_protocol(self._describe(agents, self.history, round, self.rounds), len(protocols))
        allowed = self.admissibility.allowed(names, self.history, self._apart)
        if self.config.only_better:
            allowed &= ahead(agents, agents).any(axis=-1)
        options = Options(agents, round, protocols, X, allowed)
        decision = self.choose(options)
        self._candidates = _candidates(options, decision) if self._logs(options) else ()
        return options, decision

    def _opened(self, agents: Sequence[Profile], choice: Choice, round: int) -> Match:
        draft = self.proposal(agents[choice.pair[0]], agents[choice.pair[1]], round, choice.protocol)
        match = replace(draft, match_id=self._unused(draft.match_id), score=choice.score, propensity=choice.propensity)
        self._open[match.match_id] = (match, choice.context)
        self.history.meet(match)
        return match

    def _unused(self, match_id: str) -> str:
        """``match_id``, made unique: names may contain dashes, so a-b -> c and a -> b-c would share one."""
        return match_id if match_id not in self._open else self._unused(f"{match_id}-again")


def by_protocol(X: Array, count: int) -> Array:
    """Contexts [n, n, d] of pairs as contexts [count, n, n, d + count - 1] of exchanges.

    Every protocol but ``text`` has a number of its own, 1 where it is used: so the bandit learns what it earns beyond ``text``.
    """
    if count == 1:
        return X[None]
    told = np.zeros((count, *X.shape[:2], X.shape[2] + count - 1))
    told[..., : X.shape[2]] = X
    for used in range(1, count):
        told[used, ..., X.shape[2] + used - 1] = 1.0
    return told


def certain(arms: Sequence[Arm], shape: tuple[int, ...]) -> Array:
    """Propensities [k, n, n] = ``shape`` of a choice that drew nothing: 1 for the chosen, 0 for all others."""
    return shares([arms], shape)


def shares(choices: Sequence[Sequence[Arm]], shape: tuple[int, ...]) -> Array:
    """Propensities [k, n, n] = ``shape`` as shares of equally likely choices, the one that was made among them."""
    propensity = np.zeros(shape)
    for arms in choices:
        for arm in arms:
            propensity[arm] += 1.0 / len(choices)
    return propensity


def _candidates(options: Options, decision: Decision) -> tuple[Candidate, ...]:
    names = [agent.agent for agent in options.agents]
    looked_at = np.argwhere(np.moveaxis(options.allowed & ~np.isnan(decision.scores), 0, 2))  # by teacher, student, protocol
    return tuple(
        Candidate(
            teacher=names[t],
            student=names[s],
            context=tuple(options.X[k, t, s].tolist()),
            score=float(decision.scores[k, t, s]),
            propensity=float(decision.propensity[k, t, s]),
            protocol=options.protocols[k],
        )
        for t, s, k in looked_at.tolist()
    )


def _match(fields: Mapping[str, Any]) -> Match:
    return Match(**{**fields, "curriculum": tuple(fields["curriculum"])})
