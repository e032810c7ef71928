"""One cell of a comparison: a strategy and a seed, run in a folder; here, or in a process of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from knexa.config import FederationConfig
from knexa.simulation.child import parent_connection
from knexa.simulation.failures import Failure
from knexa.simulation.federation import Federation
from knexa.simulation.progress import OnProgress
from knexa.simulation.run_folder import CONFIG_FILE
from knexa.study.rows import origin_here, write_origin
from knexa.summary import write_summary


@dataclass(frozen=True, slots=True)
class Cell:
    """``workplace``: who does the work, ``module:object``. ``cache``: folder of results of jobs that cells share; None = none."""

    config: FederationConfig
    folder: Path
    workplace: str
    cache: Path | None

    def run(self, on_progress: OnProgress) -> None:
        """Begin it, or go on where it was stopped."""
        origin = origin_here()
        if (self.folder / CONFIG_FILE).is_file():
            Federation.resume(self.folder, workplace=self.workplace, cache=self.cache).run(on_progress=on_progress)
        else:
            Federation.from_config(self.config, workplace=self.workplace, cache=self.cache).run(self.folder, on_progress)
        write_origin(self.folder, origin)
        write_summary(self.folder)

    def __str__(self) -> str:
        return f"{self.config.strategy}, seed {self.config.seed}"


@dataclass(frozen=True, slots=True)
class Order:
    """The first and only message to a cell's process. ``path``: the module search path."""

    cell: Cell
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The last message of a cell's process. Before it come :class:`~knexa.simulation.progress.Progress` as they are told."""

    failure: Failure | None


def main(descriptor: int) -> None:
    """Run the cell that the socket ``descriptor`` brings."""
    connection = parent_connection(descriptor)
    order: Order = connection.recv()
    sys.path[:] = order.path
    try:
        order.cell.run(connection.send)
    except Exception as error:  # noqa: BLE001 - nothing is swallowed: the comparison raises it again
        connection.send(Done(Failure.of(error)))
    else:
        connection.send(Done(None))
