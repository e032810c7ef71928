"""Run the trajectories behind the tables of docs/study.md that have not been run yet, into benchmarks/results/study/<table>.csv.

    python benchmarks/synthetic_study.py main
    python benchmarks/synthetic_study.py adversaries release-a release-b release-c

A trajectory takes between half a second (8 agents) and a quarter of a minute (64 agents, joint-kernel) on a core; each is written as
soon as it is done, so an interrupted run goes on where it stopped. To measure again, delete the file. `knexa study --rows FILE` draws it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from knexa.study.study_rows import StudyRow, read_study_rows, write_study_rows
from knexa.study.synthetic import Cell, grid, run_cell
from knexa.study.worlds.world import Heterogeneity

FOLDER = Path(__file__).parent / "results" / "study"

EIGHT = ("random", "hetero-greedy", "paper", "concat", "gap", "joint", "joint-kernel", "oracle")
THREE = ("additive", "compatibility", "transfer")
BOTH: tuple[Heterogeneity, ...] = ("high", "low")


SEEDS = range(10)


def _sized(worlds: Sequence[str], mixes: Sequence[Heterogeneity], sizes: Sequence[int], methods: Sequence[str], rounds: int) -> list[Cell]:
    """Small federations first: what an interrupted run has is complete for its sizes."""
    return [cell for size in sizes for cell in grid(worlds, mixes, [size], methods, SEEDS, rounds)]


def _main() -> list[Cell]:
    whole = _sized(THREE, BOTH, (8, 32, 64), EIGHT, 100)
    kernel = [Cell(world, "high", 32, "gap-kernel", seed, 100) for world, seed in product(THREE, range(10))]
    return whole + kernel + grid(["transfer-exact"], ["high"], [32], EIGHT, range(10), 100)


def _adversaries() -> list[Cell]:
    methods = ("gap", "joint", "gap-kernel", "joint-kernel")
    lying = grid(["liars-20", "poor-30"], ["high"], [32], methods, range(10), 100)
    return lying + grid(["liars-40"], ["high"], [32], methods, range(20), 100)


RELEASE = ("hetero-greedy", "release", "paper", "concat", "gap", "joint")

#: By table. The release's worlds keep their number of rounds.
TABLES = {
    "main": _main,
    "adversaries": _adversaries,
    "release-a": lambda: _sized(["release-a"], BOTH, (8, 32, 64), RELEASE, 50),
    "release-b": lambda: _sized(["release-b"], BOTH, (8, 32, 64), RELEASE, 50),
    "release-c": lambda: _sized(["release-c"], ["high"], (8, 16, 32, 64), ("release", "concat", "gap"), 100),
}


def measure(table: str, methods: frozenset[str], sizes: frozenset[int], seeds: int) -> None:
    path = FOLDER / f"{table}.csv"
    rows: list[StudyRow] = read_study_rows(path) if path.is_file() else []
    known = {(row.world, row.heterogeneity, row.agents, row.method, row.seed, row.rounds) for row in rows}
    for cell in TABLES[table]():
        key = (cell.world, cell.heterogeneity, cell.agents, cell.method, cell.seed, cell.rounds)
        left_out = (methods and cell.method not in methods) or (sizes and cell.agents not in sizes) or cell.seed >= seeds
        if key in known or left_out:
            continue
        rows.append(run_cell(cell))
        known.add(key)
        write_study_rows(rows, path)
        print(*key, f"{rows[-1].score:.4g}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", choices=sorted(TABLES))
    parser.add_argument("--methods", default="", help="only these, separated by commas")
    parser.add_argument("--agents", default="", help="only federations of these sizes")
    parser.add_argument("--seeds", type=int, default=20, help="at most so many seeds of each")
    arguments = parser.parse_args()
    chosen = frozenset(filter(None, arguments.methods.split(",")))
    sizes = frozenset(int(size) for size in arguments.agents.split(",") if size)
    for name in arguments.tables:
        measure(name, chosen, sizes, arguments.seeds)
