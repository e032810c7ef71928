"""What an agent holds (private texts) and what all hold (transfer set, probe), resolved from the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from knexa.config import FederationConfig
from knexa.errors import ConfigurationError
from knexa.evaluation.bank.splits import Bank, load_bank
from knexa.evaluation.partition import dirichlet_partition
from knexa.evaluation.problem_files import load_jsonl
from knexa.evaluation.problems import CATEGORIES, Problem
from knexa.exchange.transfer_set import TransferSet
from knexa.randomness import stream

#: Share of an agent's private problems that it keeps out of training, to validate on.
HELD_OUT = 0.12
#: Shares of a problem file that become validation, transfer set, probe and test split; the rest is private.
FILE_SHARES = {"validation": 0.05, "transfer": 0.10, "probe": 0.05, "test": 0.25}
LARGEST_TRANSFER_SET = 128


@dataclass(frozen=True, slots=True)
class PrivateData:
    """One agent's problems: ``train`` to learn from, ``validation`` held out."""

    train: tuple[Problem, ...]
    validation: tuple[Problem, ...]


#: Of a server.
NO_DATA = PrivateData((), ())


@dataclass(frozen=True, slots=True)
class FederationData:
    """``private`` by agent. ``curve``: validation problems of nobody, for curves. ``test`` is for final scores only."""

    private: dict[str, PrivateData]
    transfer_set: TransferSet
    probe: tuple[Problem, ...]
    curve: tuple[Problem, ...]
    test: tuple[Problem, ...]


def federation_data(config: FederationConfig) -> FederationData:
    """Deal the data out; the same for every strategy of one seed."""
    bank = load_bank() if config.data.problems == "embedded" else _file_bank(Path(config.data.problems), config.seed)
    names = [agent.name for agent in config.agents]
    rng = stream(config.seed, "partition")
    if config.data.private > len(bank.private):
        raise ConfigurationError(f"data.private = {config.data.private}: there are only {len(bank.private)} private problems; lower it")
    pool = [bank.private[index] for index in rng.permutation(len(bank.private))[: config.data.private]]
    dealt = dirichlet_partition(pool, len(names), config.data.alpha, config.data.minimum, rng)
    private = {name: _held_out(problems, rng) for name, problems in zip(names, dealt, strict=True)}
    return FederationData(
        private=_pooled(private) if config.data.pooled else private,
        transfer_set=TransferSet(bank.transfer),
        probe=bank.probe,
        curve=bank.validation,
        test=_spread(bank.test, config.evaluation.problems),
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


def _pooled(private: Mapping[str, PrivateData]) -> dict[str, PrivateData]:
    """Everybody has the training data of all; what is held out stays out, and its owner's."""
    union = tuple(problem for data in private.values() for problem in data.train)
    return {name: PrivateData(union, data.validation) for name, data in private.items()}


def _file_bank(path: Path, seed: int) -> Bank:
    """Splits of a problem file, disjoint by prompt and by solution."""
    problems = list({(p.prompt, p.solution): p for p in load_jsonl(path)}.values())
    unknown = sorted({p.category for p in problems} - set(CATEGORIES))
    if unknown:
        raise ConfigurationError(f"{path}: category '{unknown[0]}' is unknown; allowed: {', '.join(CATEGORIES)}")
    if len({p.prompt for p in problems}) < len(problems) or len(problems) < 100:
        raise ConfigurationError(f"{path}: {len(problems)} problems; at least 100 with distinct prompts are needed to split them")
    order = stream(seed, "file").permutation(len(problems))
    shuffled = [problems[index] for index in order]
    splits: dict[str, tuple[Problem, ...]] = {}
    for name, share in FILE_SHARES.items():
        size = max(1, int(share * len(problems)))
        size = min(size, LARGEST_TRANSFER_SET) if name == "transfer" else size
        splits[name], shuffled = tuple(shuffled[:size]), shuffled[size:]
    return Bank(base=(), private=tuple(shuffled), **splits)
