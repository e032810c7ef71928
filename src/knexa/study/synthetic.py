"""The study: methods × worlds × sizes × seeds, the same dynamics for all methods of a cell; rows out of their trajectories."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cache
from itertools import product

import numpy as np

from knexa.errors import ConfigurationError
from knexa.machine import machine_name
from knexa.study.methods import METHODS
from knexa.study.rows import source_commit
from knexa.study.study_rows import StudyRow
from knexa.study.trajectory import Trajectory, simulate
from knexa.study.worlds import WORLDS
from knexa.study.worlds.adversaries import Altered
from knexa.study.worlds.world import Heterogeneity

#: What every gain and share is measured between; always part of a study.
FLOOR, CEILING = "random", "oracle"


@dataclass(frozen=True, slots=True)
class Cell:
    """One trajectory to run."""

    world: str
    heterogeneity: Heterogeneity
    agents: int
    method: str
    seed: int
    rounds: int


def grid(
    worlds: Sequence[str],
    heterogeneities: Sequence[Heterogeneity],
    agents: Sequence[int],
    methods: Sequence[str],
    seeds: Sequence[int],
    rounds: int,
) -> list[Cell]:
    """All cells; random and oracle always among the methods. A world without low heterogeneity is left out there.

    Raises ConfigurationError if nothing is left, or for fewer than 2 agents.
    """
    if min(agents) < 2:
        raise ConfigurationError(f"--agents: found {min(agents)}; allowed: at least 2, since nobody can be taught by nobody")
    everyone = list(dict.fromkeys([FLOOR, *methods, CEILING]))
    places = [place for place in product(worlds, heterogeneities, agents) if place[1] == "high" or not WORLDS[place[0]].only_high]
    if not places:
        raise ConfigurationError(f"--heterogeneity: {', '.join(worlds)} has high heterogeneity only; add 'high' or another world")
    return [Cell(*place, method, seed, rounds) for place in places for seed in seeds for method in everyone]


def run_cell(cell: Cell) -> StudyRow:
    world = WORLDS[cell.world].build(cell.agents, cell.heterogeneity, cell.seed)
    matchmaker = METHODS[cell.method](world, cell.rounds, cell.seed)
    trajectory = simulate(world, matchmaker, cell.rounds, cell.seed)
    suspects = world.chosen if isinstance(world, Altered) else np.zeros(cell.agents, dtype=bool)
    return _row(cell, trajectory, suspects)


def run_study(cells: Sequence[Cell], workers: int, on_row: Callable[[StudyRow], None]) -> list[StudyRow]:
    """All cells, in the order of ``cells``; ``on_row`` hears of each as it is done. Rows do not depend on ``workers`` but for speed."""
    if workers == 1:
        return list(_one_by_one(cells, on_row))
    # Forking a process that has threads can hang it; a fresh interpreter costs a second.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        with _interrupts_ignored():  # the workers start here, and go on ignoring them
            waiting = {pool.submit(run_cell, cell): index for index, cell in enumerate(cells)}
        rows: dict[int, StudyRow] = {}
        try:
            for done in as_completed(waiting):
                rows[waiting[done]] = done.result()
                on_row(done.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [rows[index] for index in range(len(cells))]


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal: a worker is to end its trajectory, and the parent gives it no other."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def finished(rows: Sequence[StudyRow], cells: Sequence[Cell]) -> list[StudyRow]:
    """Of ``rows`` those whose world, size and seed all methods of ``cells`` have run: what can be compared, in the order of ``cells``."""
    known = {_cell_of(row): row for row in rows}
    missing = {(cell.world, cell.heterogeneity, cell.agents, cell.seed) for cell in cells if cell not in known}
    return [known[cell] for cell in cells if (cell.world, cell.heterogeneity, cell.agents, cell.seed) not in missing]


def _one_by_one(cells: Sequence[Cell], on_row: Callable[[StudyRow], None]) -> Iterator[StudyRow]:
    for cell in cells:
        row = run_cell(cell)
        on_row(row)
        yield row


def _cell_of(row: StudyRow) -> Cell:
    return Cell(**{one.name: getattr(row, one.name) for one in fields(Cell)})


def _row(cell: Cell, trajectory: Trajectory, suspects: np.ndarray) -> StudyRow:
    taught = trajectory.taught
    share = float(taught[suspects].sum() / max(taught.sum(), 1) / suspects.mean()) if suspects.any() else float("nan")
    commit, machine = _origin()
    met = trajectory.difference[~np.isnan(trajectory.difference)]
    return StudyRow(
        **asdict(cell),
        score=trajectory.score,
        regret=float(trajectory.regret[-1]),
        exponent=trajectory.regret_exponent(),
        difference=float(met.mean()) if len(met) else float("nan"),
        suspects_teaching=share,
        decisions_per_second=cell.rounds / trajectory.seconds,
        curve=_spread(trajectory.regret),
        pace=_spread(trajectory.running_score),
        commit=commit,
        machine=machine,
    )


def _spread(values: np.ndarray) -> tuple[float, ...]:
    """One value a round, read at 20 rounds spread evenly, to the six digits that a file of rows has."""
    rounds = len(values)
    read = np.interp(np.linspace(0, rounds, 21)[1:], np.arange(1, rounds + 1), values)
    return tuple(float(f"{value:.6g}") for value in read)


@cache
def _origin() -> tuple[str, str]:
    """Commit and machine; asked once a process, since git takes longer than a small trajectory."""
    return source_commit(), machine_name()
