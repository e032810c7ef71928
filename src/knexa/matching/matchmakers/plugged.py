"""A matchmaker of the user's own, named ``module:object`` in the configuration.

``object`` is called as ``object(config=..., reward=..., rounds=..., seed=...)`` and returns anything with

- ``match(profiles, round)`` -> pairs of names ``(teacher, student)``, or Match values, best first; of a Match its names, protocol and score
  are taken, and all else (id, round, curriculum, propensity) is filled in as for a pair of names;
- ``learn(outcome)``, called for every outcome of its matches;
- optionally ``state()`` and ``restore(state)`` with JSON-able values, without which it must depend on its arguments alone.

Curriculum, contexts, rewards, history and logging come with it, as for every other matchmaker. How likely it was to choose a pair nobody
knows: the propensities in its log are those of a matchmaker that draws nothing.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from knexa.config import MatchingConfig, RewardConfig
from knexa.errors import ConfigurationError
from knexa.matching.match import Match, Outcome
from knexa.matching.matchmakers.pairwise import Arm, Array, Decision, Options, PairwiseMatchmaker, certain
from knexa.matching.profile import Profile
from knexa.matching.reward import Reward
from knexa.matching.terms import Terms


class Plugin(Protocol):
    """The least that an own matchmaker must have."""

    def match(self, profiles: Mapping[str, Profile], round: int) -> Iterable[Match | tuple[str, str]]: ...

    def learn(self, outcome: Outcome) -> object: ...


class PluggedMatchmaker(PairwiseMatchmaker):
    """Wraps a plugin; ``name`` is what the user wrote in the configuration, for messages."""

    def __init__(
        self,
        config: MatchingConfig,
        reward: RewardConfig,
        rounds: int,
        plugin: Plugin,
        name: str,
        *,
        terms: Mapping[str, Terms] | None = None,
    ) -> None:
        super().__init__(config, reward, rounds, learner=_FromOutcomes(plugin), terms=terms)
        self._plugin, self._name = plugin, name

    def choose(self, options: Options) -> Decision:
        """Raises ConfigurationError if the plugin returns what are no pairs, an unknown agent, an agent twice, an inadmissible pair, more
        than allowed, or a score that is no finite number.
        """
        scores = options.plain(np.zeros(options.allowed.shape[1:]))
        arms: list[Arm] = []
        returned = self._plugin.match({agent.agent: agent for agent in options.agents}, options.round)
        if not isinstance(returned, Iterable):
            raise self._no_pairs(returned, options.round)
        for wanted in returned:
            if self._names(wanted, options.round) in self._apart:
                continue  # which agents can be called is nothing that a plugin could know
            arm = self._placed(wanted, options)
            scores[arm] = self._score(wanted, options.round)
            arms.append(arm)
        self._check(arms, options.round)
        return Decision(scores, arms, certain(arms, scores.shape))

    def _placed(self, wanted: Match | tuple[str, str], options: Options) -> Arm:
        """A pair of names takes the first protocol that it may use, a Match its own."""
        place = {agent.agent: position for position, agent in enumerate(options.agents)}
        teacher, student = self._names(wanted, options.round)
        for name in (teacher, student):
            if name not in place:
                raise ConfigurationError(
                    f"matchmaker {self._name!r} paired {name!r}, who is not in this round; choose among the given profiles"
                )
        if teacher == student:
            raise ConfigurationError(f"matchmaker {self._name!r} used an agent twice in round {options.round}; pairs must be disjoint")
        protocols = (wanted.protocol,) if isinstance(wanted, Match) else options.protocols
        for position, protocol in enumerate(options.protocols):
            if protocol in protocols and options.allowed[position, place[teacher], place[student]]:
                return position, place[teacher], place[student]
        raise ConfigurationError(
            f"matchmaker {self._name!r} wants {teacher!r} to teach {student!r} by {' or '.join(map(str, protocols))} "
            f"in round {options.round}, which is not allowed; "
            "see agents[].protocols, refuses, lessons and kilobytes, and matching.only_better"
        )

    def _check(self, arms: Sequence[Arm], round: int) -> None:
        taken = [agent for arm in arms for agent in arm[1:]]
        if len(set(taken)) < len(taken):
            raise ConfigurationError(f"matchmaker {self._name!r} used an agent twice in round {round}; pairs must be disjoint")
        if self.config.pairs is not None and len(arms) > self.config.pairs:
            raise ConfigurationError(
                f"matchmaker {self._name!r} chose {len(arms)} pairs in round {round}; matching.pairs allows {self.config.pairs}"
            )

    def _names(self, wanted: object, round: int) -> tuple[str, str]:
        """Teacher and student of whatever the plugin returned, if that names two."""
        named = (wanted.teacher, wanted.student) if isinstance(wanted, Match) else wanted
        if not isinstance(named, tuple | list) or len(named) != 2 or not all(isinstance(name, str) for name in named):
            raise self._no_pairs(wanted, round)
        return named[0], named[1]

    def _score(self, wanted: Match | tuple[str, str], round: int) -> float:
        if not isinstance(wanted, Match):
            return 0.0
        try:
            score = float(wanted.score)
        except (TypeError, ValueError, OverflowError):
            score = math.nan
        if not math.isfinite(score):
            raise ConfigurationError(
                f"matchmaker {self._name!r} returned a Match of {wanted.teacher!r} and {wanted.student!r} with score {wanted.score!r:.40} "
                f"in round {round}; a score must be a finite number"
            )
        return score

    def _no_pairs(self, returned: object, round: int) -> ConfigurationError:
        return ConfigurationError(
            f"matchmaker {self._name!r} returned {returned!r:.300} in round {round}; return a list of (teacher, student) names, or of Match"
        )


class _FromOutcomes:
    """Hands outcomes to the plugin, and its state through, if it has one."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin

    def absorb(self, context: Array, match: Match, outcome: Outcome, reward: Reward) -> None:
        self._plugin.learn(outcome)

    def state(self) -> dict[str, Any]:
        return {"plugin": self._plugin.state() if hasattr(self._plugin, "state") else None}

    def restore(self, state: Mapping[str, Any]) -> None:
        if hasattr(self._plugin, "restore"):
            self._plugin.restore(state["plugin"])


def load_plugin(
    config: MatchingConfig, reward: RewardConfig, rounds: int, seed: int, *, terms: Mapping[str, Terms] | None = None
) -> PluggedMatchmaker:
    """Import and build ``config.matchmaker``, which reads ``module:object``. Raises ConfigurationError saying what is missing."""
    name = config.matchmaker
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(
            f"matching.matchmaker = {name!r}: cannot import {module_name!r} ({error}); install it or put its folder on PYTHONPATH"
        ) from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise ConfigurationError(f"matching.matchmaker = {name!r}: {module_name!r} has no class or function called {attribute!r}")
    arguments = {"config": config, "reward": reward, "rounds": rounds, "seed": seed}
    try:
        inspect.signature(factory).bind(**arguments)
    except (TypeError, ValueError) as error:  # ValueError: some built-in types show no signature
        raise ConfigurationError(f"matching.matchmaker = {name!r}: it must accept {', '.join(arguments)} by name ({error})") from error
    plugin = factory(**arguments)
    lacking = [method for method in ("match", "learn") if not callable(getattr(plugin, method, None))]
    if lacking:
        raise ConfigurationError(f"matching.matchmaker = {name!r}: what it returns has no method {' or '.join(lacking)}")
    return PluggedMatchmaker(config, reward, rounds, plugin, name, terms=terms)
