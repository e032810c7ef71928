"""What does the work of a simulation: the interfaces between the virtual world and the machine it runs on.

The event loop *submits* a job when an agent asks for work and *awaits* it when the virtual clock reaches its virtual end.
Between the two, an engine may run it when and where it likes. So a run's parallelism comes from the engine, its order
never does, and two engines write the same event log.

An agent's state (adapter, optimiser, memory) is opaque bytes that travel with each job. Workers keep nothing between jobs:
any worker can do any job, and a copy for an oracle, a checkpoint and a resumed run are the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from knexa.participant.contract import Workplace


@dataclass(frozen=True, slots=True)
class Job:
    """A call of the workplace's method ``call`` with ``arguments``. ``what`` names it for people: ``train``, ``evaluate``, …"""

    call: Literal["transfer_set", "start", "perform", "assist", "evaluate", "save"]
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
    """What a finished job took: wall seconds, and the number of the worker that did it; None if its result was known already."""

    job: Job
    seconds: float
    worker: int | None


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
