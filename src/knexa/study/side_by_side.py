"""Several cells of a comparison at once, each in a process of its own."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from multiprocessing.connection import wait

from knexa.errors import KnexaError
from knexa.simulation.child import Child
from knexa.simulation.progress import OnProgress
from knexa.study.cell import Cell, Done, Order
from knexa.study.room import Room

#: Gives what hears the progress of a cell that begins, and what is to be closed when it ends.
Begin = Callable[[Cell, ExitStack], OnProgress]


def run_side_by_side(cells: Iterable[Cell], room: Room, begin: Begin, end: Callable[[Cell], None], tell: Callable[[str], None]) -> None:
    """Run ``cells`` in this order, as many at once as ``room`` has. ``end`` hears of each that is finished.

    After an error, also one of ``end``, nothing new begins, and what runs is finished; then the first error is raised, named by its
    cell. Any other way out, Ctrl-C above all, kills what runs: it can be resumed.
    """
    waiting, running = deque(cells), list[_Running]()
    errors: list[KnexaError] = []
    try:
        while running or (waiting and not errors):
            while waiting and not errors and len(running) < room.cells():
                running.append(_Running(waiting.popleft(), begin))
            wait([one for each in running for one in (each.child.connection, each.child.sentinel)])
            for each in [one for one in running if one.over()]:
                running.remove(each)
                each.close()
                try:
                    each.raise_error()
                    end(each.cell)
                except KnexaError as error:
                    errors.append(error)
                    tell(f"{each.cell} failed; {len(running)} running are finished, {len(waiting)} waiting are left: {error}")
    finally:
        for each in running:
            each.close()
    if errors:
        raise errors[0]


class _Running:
    """This side of one cell's process."""

    def __init__(self, cell: Cell, begin: Begin) -> None:
        self.cell = cell
        self.child = Child("knexa.study.cell", cell.config.engine.threads)
        self._open = ExitStack()
        self._open.callback(self.child.kill)
        self._on_progress = begin(cell, self._open)
        self._error: KnexaError | None = None
        self.child.connection.send(Order(cell, tuple(sys.path)))

    def over(self) -> bool:
        """Take in what has come. Whether that was all."""
        gone = bool(wait([self.child.sentinel], timeout=0))
        try:
            while self.child.connection.poll():
                message = self.child.connection.recv()
                if isinstance(message, Done):
                    self._error = message.failure.error(str(self.cell)) if message.failure else None
                    return True
                self._on_progress(message)
        except (EOFError, OSError):
            gone = True
        if gone:
            how = self.child.death()
            self._error = KnexaError(f"{self.cell}: its process {how}; call again to go on, with fewer --jobs if memory is short")
        return gone

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the process, if it has not ended, and its display."""
        self._open.close()
