"""What a shell (the simulator, an agent's process) needs of the place where agents' work is done."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from knexa.baselines.tasks import Task
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

    def assist(self, agent: str, task: Task[Any], state: bytes, round: int) -> tuple[Any, bytes]:
        """Carry out a central server's ``task`` as ``agent``, or as the server itself; its result, and the state afterwards."""

    def evaluate(self, agent: str, state: bytes, stage: Stage, round: int) -> dict[str, Any]:
        """JSON-able scores of ``state``: the fields of an ``evaluation`` event."""

    def save(self, agent: str, state: bytes, folder: Path) -> None:
        """Write the adapter in ``state`` to ``folder``, in PEFT's format."""

    def close(self) -> None:
        """End what it has started. Not called in a worker, which is ended with all that it started."""


def load_workplace(factory: str, config: FederationConfig) -> Workplace:
    """Call the factory ``module:object``. Raises ConfigurationError when there is no such thing."""
    module, _, name = factory.partition(":")
    try:
        create = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"workplace {factory!r} cannot be loaded ({error}); name it as module:object") from error
    return cast("Workplace", create(config))
