"""What does the work of a simulation: the interfaces between the virtual world and the machine it runs on.

The event loop *submits* a job when an agent asks for work and *awaits* it when the virtual clock reaches its virtual end.
Between the two, an engine may run it when and where it likes. So a run's parallelism comes from the engine, its order
never does, and two engines write the same event log.

An agent's state (adapter, optimiser, memory) is opaque bytes that travel with each job. Workers keep nothing between jobs:
any worker can do any job, and a copy for an oracle, a checkpoint and a resumed run are the same bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from knexa.config import FederationConfig
from knexa.errors import ConfigurationError
from knexa.protocol.peer import Result, Work

Stage = Literal["start", "round", "end"]


class Workplace(Protocol):
    """Where agents' work is done: all of them, one job at a time, each from the bytes it is given.

    Named in code as ``module:object``, a factory that is called once in each worker with the configuration. Every answer
    is a function of the arguments and the configuration alone; threads are the workplace's to set
    (``config.engine.threads``). An exception ends the run: a bad exchange is an Outcome, not an exception.
    """

    def transfer_set(self) -> str:
        """SHA-256 of the transfer set that all agents hold."""

    def start(self, agent: str) -> bytes:
        """The state that ``agent`` starts from; the same for every strategy."""

    def perform(self, agent: str, work: Work, state: bytes, round: int) -> tuple[Result, bytes]:
        """Do ``work``, beginning in ``state``; its result, and the state afterwards."""

    def evaluate(self, agent: str, state: bytes, stage: Stage, round: int) -> dict[str, Any]:
        """JSON-able scores of ``state``: the fields of an ``evaluation`` event."""

    def save(self, agent: str, state: bytes, folder: Path) -> None:
        """Write the adapter in ``state`` to ``folder``, in PEFT's format."""

    def close(self) -> None:
        """End what it has started. Not called in a worker, which is ended with all that it started."""


@dataclass(frozen=True, slots=True)
class Job:
    """A call of the workplace's method ``call`` with ``arguments``. ``what`` names it for people: ``train``, ``evaluate``, …"""

    call: Literal["transfer_set", "start", "perform", "evaluate", "save"]
    what: str
    agent: str
    round: int
    arguments: tuple[Any, ...]

    def run(self, workplace: Workplace) -> Any:
        return getattr(workplace, self.call)(*self.arguments)

    def __str__(self) -> str:
        return f'agent "{self.agent}", {self.what} in round {self.round}' if self.agent else self.what


@dataclass(frozen=True, slots=True)
class Cost:
    """What a finished job took: wall seconds, and the number of the worker that did it."""

    job: Job
    seconds: float
    worker: int


#: Is told the cost of each job when it is done. Jobs are done in any order.
OnCost = Callable[[Cost], None]


class Pending(Protocol):
    """A submitted job."""

    def result(self) -> Any:
        """What the workplace returned. Waits if need be; raises what the job raised, with the agent's name in front."""


class Engine(Protocol):
    """Runs jobs. Nothing of a job is ever seen through it but its result."""

    def submit(self, job: Job) -> Pending:
        """Take a job. In which order jobs begin is the engine's own affair."""

    def peak_rss_mb(self) -> float:
        """Largest memory in use so far, in MB, over all processes that work."""

    def close(self) -> None:
        """Stop at once, whatever is running. May be called twice."""


def load_workplace(factory: str, config: FederationConfig) -> Workplace:
    """Call the factory ``module:object``. Raises ConfigurationError when there is no such thing."""
    module, _, name = factory.partition(":")
    try:
        create = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"workplace {factory!r} cannot be loaded ({error}); name it as module:object") from error
    return cast("Workplace", create(config))
