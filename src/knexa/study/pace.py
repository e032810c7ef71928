"""How long a comparison will still take, by the cells that it has run so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from knexa.report.tables import duration
from knexa.study.cell import Cell


class Pace:
    """Cells that run at once are counted together: what matters is how often one ends."""

    def __init__(self, cells: int, clock: Callable[[], float] = time.monotonic) -> None:
        """The clock starts now, with ``cells`` to run."""
        self._left, self._done = cells, 0
        self._clock, self._began = clock, clock()

    def ended(self, cell: Cell) -> str:
        """One more has ended: what is left, in a sentence."""
        self._left -= 1
        self._done += 1
        done = f"{cell} is done"
        if not self._left:
            return f"{done}, the last cell"
        seconds = (self._clock() - self._began) / self._done * self._left
        return f"{done}; cells left: {self._left}, about {duration(round(seconds))}"
