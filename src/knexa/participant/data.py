"""What an agent holds (private texts) and what all hold (transfer set, probe), resolved from the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knexa.config import FederationConfig
from knexa.errors import ConfigurationError
from knexa.evaluation.partition import dirichlet_partition
from knexa.evaluation.problem_sets import load_splits
from knexa.evaluation.problems import Problem
from knexa.exchange.transfer_set import TransferSet
from knexa.randomness import stream

#: Share of an agent's private problems that it keeps out of training, to validate on.
HELD_OUT = 0.12


@dataclass(frozen=True, slots=True)
class PrivateData:
    """One agent's problems: ``train`` to learn from, ``validation`` held out."""

    train: tuple[Problem, ...]
    validation: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class FederationData:
    """``private`` by agent. ``curve``: validation problems of nobody, for curves. ``test`` is for final scores only.

    ``notes``: what was left out and why, in sentences for the user.
    """

    private: dict[str, PrivateData]
    transfer_set: TransferSet
    probe: tuple[Problem, ...]
    curve: tuple[Problem, ...]
    test: tuple[Problem, ...]
    notes: tuple[str, ...]


def federation_data(config: FederationConfig) -> FederationData:
    """Deal the data out; the same for every strategy of one seed."""
    splits = load_splits(config.data, config.seed)
    names = [agent.name for agent in config.agents]
    rng = stream(config.seed, "partition")
    if config.data.private > len(splits.private):
        raise ConfigurationError(f"data.private = {config.data.private}: there are only {len(splits.private)} private problems; lower it")
    pool = [splits.private[index] for index in rng.permutation(len(splits.private))[: config.data.private]]
    dealt = dirichlet_partition(pool, len(names), config.data.alpha, config.data.minimum, rng)
    return FederationData(
        private={name: _held_out(problems, rng) for name, problems in zip(names, dealt, strict=True)},
        transfer_set=TransferSet(splits.transfer),
        probe=splits.probe,
        curve=splits.validation,
        test=_spread(splits.test, config.evaluation.problems),
        notes=splits.notes,
    )


def _spread(problems: tuple[Problem, ...], wanted: int | None) -> tuple[Problem, ...]:
    """``wanted`` problems at equal distances, so that every category keeps its share; all if None."""
    if wanted is None or wanted >= len(problems):
        return problems
    return tuple(problems[index * len(problems) // wanted] for index in range(wanted))


def _held_out(problems: Sequence[Problem], rng: np.random.Generator) -> PrivateData:
    shuffled = [problems[index] for index in rng.permutation(len(problems))]
    held = max(1, round(HELD_OUT * len(shuffled)))
    return PrivateData(tuple(shuffled[held:]), tuple(shuffled[:held]))
