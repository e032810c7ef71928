"""What an agent holds (private texts) and what all hold (transfer set, probe), resolved from the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from knexa.config import FederationConfig
from knexa.errors import ConfigurationError
from knexa.evaluation.canaries import Canary, draw_canaries
from knexa.evaluation.normal_form import identities
from knexa.evaluation.partition import dirichlet_partition
from knexa.evaluation.problem_sets import load_own, load_splits
from knexa.evaluation.problems import Problem
from knexa.evaluation.splits import Splits
from knexa.exchange.transfer_set import TransferSet
from knexa.randomness import stream

#: Share of an agent's private problems that it keeps out of training, to validate on.
HELD_OUT = 0.12


@dataclass(frozen=True, slots=True)
class PrivateData:
    """One agent's problems: ``train`` to learn from, ``validation`` held out. ``notes``: what was left out, for the user.

    ``canaries``: what was planted; they stand in ``train``, as often as they say.
    """

    train: tuple[Problem, ...]
    validation: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    canaries: tuple[Canary, ...] = ()


class OwnFiles(Mapping[str, PrivateData]):
    """Private data of agents that bring their own files. A file is read when its agent is asked for, since in a real federation
    nobody holds the others'.
    """

    def __init__(self, config: FederationConfig, splits: Splits) -> None:
        self._files = {agent.name: Path(agent.data) for agent in config.agents if agent.data is not None}
        self._config, self._splits = config, splits
        self._read: dict[str, PrivateData] = {}

    def __getitem__(self, agent: str) -> PrivateData:
        """Raises ConfigurationError for a file that is missing, malformed or too short."""
        if agent not in self._read:
            self._read[agent] = self._of(agent, self._files[agent])
        return self._read[agent]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def _of(self, agent: str, path: Path) -> PrivateData:
        problems, notes = load_own(path, self._splits)
        least = self._config.data.minimum
        if len(problems) < least:
            raise ConfigurationError(
                f'agent "{agent}": {path} has {len(problems)} usable rows; at least data.minimum = {least} are needed, add some or lower it'
            )
        held = _held_out(problems, stream(self._config.seed, "own file", agent))
        planted = _planted(held, agent, self._config)
        return replace(planted, notes=tuple(f'agent "{agent}": {note}' for note in notes))


#: Of a server.
NO_DATA = PrivateData((), ())


@dataclass(frozen=True, slots=True)
class FederationData:
    """``private`` by agent. ``curve``: validation problems of nobody, for curves. ``test`` is for final scores only.

    ``categories``: names of those in use, at most 12. ``notes``: what was left out of public data and why, in sentences for the user.
    """

    private: Mapping[str, PrivateData]
    transfer_set: TransferSet
    probe: tuple[Problem, ...]
    curve: tuple[Problem, ...]
    test: tuple[Problem, ...]
    categories: tuple[str, ...]
    notes: tuple[str, ...]


def federation_data(config: FederationConfig) -> FederationData:
    """Deal the data out; the same for every strategy of one seed. Raises ConfigurationError."""
    own_files = config.agents[0].data is not None
    splits = load_splits(config.data, config.seed, own_files=own_files)
    private = OwnFiles(config, splits) if own_files else _dealt(config, splits)
    return FederationData(
        private=_pooled(private) if config.data.pooled else private,
        transfer_set=TransferSet(splits.transfer, splits.categories),
        probe=splits.probe,
        curve=splits.validation,
        test=_spread(splits.test, config.evaluation.problems),
        categories=splits.categories,
        notes=splits.notes,
    )


def _dealt(config: FederationConfig, splits: Splits) -> dict[str, PrivateData]:
    names = [agent.name for agent in config.agents]
    rng = stream(config.seed, "partition")
    if config.data.private > len(splits.private):
        raise ConfigurationError(f"data.private = {config.data.private}: there are only {len(splits.private)} private problems; lower it")
    pool = [splits.private[index] for index in rng.permutation(len(splits.private))[: config.data.private]]
    dealt = dirichlet_partition(pool, len(names), config.data.alpha, config.data.minimum, rng)
    return {name: _planted(_held_out(problems, rng), name, config) for name, problems in zip(names, dealt, strict=True)}


def _planted(data: PrivateData, agent: str, config: FederationConfig) -> PrivateData:
    """``data`` of ``agent`` with canaries among what it learns from."""
    count, repeats = config.data.canaries, config.data.canary_repeats
    if not count:
        return data
    canaries = draw_canaries(count, repeats, data.train, stream(config.seed, "canaries", agent))
    copies = tuple(canary.problem for canary in canaries for _ in range(canary.repeats))
    return replace(data, train=data.train + copies, canaries=canaries)


def _spread(problems: tuple[Problem, ...], wanted: int | None) -> tuple[Problem, ...]:
    """``wanted`` problems at equal distances, so that every category keeps its share; all if None."""
    if wanted is None or wanted >= len(problems):
        return problems
    return tuple(problems[index * len(problems) // wanted] for index in range(wanted))


def _held_out(problems: Sequence[Problem], rng: np.random.Generator) -> PrivateData:
    shuffled = [problems[index] for index in rng.permutation(len(problems))]
    held = max(1, round(HELD_OUT * len(shuffled)))
    return PrivateData(tuple(shuffled[held:]), tuple(shuffled[:held]))


def _pooled(private: Mapping[str, PrivateData]) -> dict[str, PrivateData]:
    """Everybody has the training data of all; what is held out by anybody stays out, and its owner's."""
    held = {key for data in private.values() for problem in data.validation for key in identities(problem)}
    union = tuple(problem for data in private.values() for problem in data.train if not identities(problem) & held)
    return {name: replace(data, train=union) for name, data in private.items()}
