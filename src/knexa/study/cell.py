"""One cell of a comparison: a strategy and a seed, run in a folder; here, or in a process of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from knexa.config import FederationConfig
from knexa.simulation.child import parent_connection
from knexa.simulation.failures import Failure
from knexa.simulation.federation import Federation
from knexa.simulation.progress import OnProgress, Progress
from knexa.simulation.run_folder import CONFIG_FILE
from knexa.study.rows import add_origin, origin_here
from knexa.summary import write_summary


@dataclass(frozen=True, slots=True)
class Cell:
    """``workplace``: who does the work, ``module:object``. ``cache``: folder of results of jobs that cells share; None = none."""

    config: FederationConfig
    folder: Path
    workplace: str
    cache: Path | None

    def run(self, on_progress: OnProgress) -> None:
        """Begin it, or go on where it was stopped, with the workers of ``config``."""
        noting = _Noting(self.folder, on_progress)
        if (self.folder / CONFIG_FILE).is_file():
            federation = Federation.resume(self.folder, workplace=self.workplace, cache=self.cache, engine=self.config.engine)
            federation.run(on_progress=noting)
        else:
            Federation.from_config(self.config, workplace=self.workplace, cache=self.cache).run(self.folder, noting)
        write_summary(self.folder)

    def __str__(self) -> str:
        return f"{self.config.strategy}, seed {self.config.seed}"


class _Noting:
    """Passes news on. With the first, when there is a folder, it notes which source runs the cell and where."""

    def __init__(self, folder: Path, on_progress: OnProgress) -> None:
        self._folder, self._on_progress = folder, on_progress
        self._origin: dict[str, str] | None = origin_here()

    def __call__(self, news: Progress) -> None:
        if self._origin is not None:
            add_origin(self._folder, self._origin)
            self._origin = None
        self._on_progress(news)


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
