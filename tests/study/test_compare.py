"""Comparisons: cells are run once, resumed, and refused where they could not be compared."""

from __future__ import annotations

import csv
import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from knexa.config import FederationConfig, load_config
from knexa.errors import Interrupted, RunFolderError
from knexa.simulation.federation import Federation
from knexa.simulation.progress import OnProgress, Progress
from knexa.study.cell import Cell
from knexa.study.compare import compare

WORKPLACE = "scored_workplace:create"


def configs(strategies: tuple[str, ...] = ("random", "knexa"), seeds: tuple[int, ...] = (0, 1), rounds: int = 2) -> list[FederationConfig]:
    serial = ["engine.kind=serial"]
    return [load_config(strategy=name, seed=seed, rounds=rounds, sets=serial) for name in strategies for seed in seeds]


class Announced:
    """Remembers which cells were run."""

    def __init__(self) -> None:
        self.cells: list[str] = []

    def __call__(self, number: int, count: int, cell: Cell) -> AbstractContextManager[OnProgress]:
        self.cells.append(f"{cell.config.strategy}/seed-{cell.config.seed}")
        return nullcontext(lambda news: None)


def test_every_cell_is_a_run_folder_and_a_row(tmp_path: Path) -> None:
    """Strategies in the order given, seeds ascending; CSV and JSON lines hold the same rows, and a table is written."""
    rows = compare(configs(), tmp_path, "random", Announced(), workplace=WORKPLACE)
    assert [(row["strategy"], row["seed"]) for row in rows] == [("random", 0), ("random", 1), ("knexa", 0), ("knexa", 1)]
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == rows
    with (tmp_path / "rows.csv").open() as file:
        assert [row["pass@1"] for row in csv.DictReader(file)] == [str(row["pass@1"]) for row in rows]
    assert all(row["commit"] != "unknown" and "cores" in row["machine"] for row in rows)
    assert all((tmp_path / row["strategy"] / f"seed-{row['seed']}" / "summary.json").is_file() for row in rows)
    table = (tmp_path / "comparison.md").read_text()
    assert "| random | 2 |" in table
    assert "Difference to `random`" in table


def test_a_finished_comparison_is_read_not_run(tmp_path: Path) -> None:
    """Calling again runs nothing and gives the same rows; one more seed runs only that seed."""
    first, again, more = Announced(), Announced(), Announced()
    rows = compare(configs(), tmp_path, "random", first, workplace=WORKPLACE)
    assert first.cells == ["random/seed-0", "knexa/seed-0", "random/seed-1", "knexa/seed-1"]
    assert compare(configs(), tmp_path, "random", again, workplace=WORKPLACE) == rows
    assert again.cells == []
    compare(configs(seeds=(0, 1, 2)), tmp_path, "random", more, workplace=WORKPLACE)
    assert more.cells == ["random/seed-2", "knexa/seed-2"]


class StopError(Exception):
    """Ends a run from outside."""


def test_a_stopped_cell_is_resumed_to_the_same_events(tmp_path: Path) -> None:
    """A comparison that was stopped within a run ends as if it had not been."""

    def stop(news: Progress) -> None:
        if news.round == 2:
            raise StopError

    with pytest.raises(StopError):
        compare(configs(("random",), (0,), 3), tmp_path / "a", "random", lambda number, count, cell: nullcontext(stop), workplace=WORKPLACE)
    compare(configs(("random",), (0,), 3), tmp_path / "a", "random", Announced(), workplace=WORKPLACE)
    compare(configs(("random",), (0,), 3), tmp_path / "b", "random", Announced(), workplace=WORKPLACE)
    events = [(tmp_path / side / "random" / "seed-0" / "events.jsonl").read_bytes() for side in "ab"]
    assert events[0] == events[1]


def test_strategies_of_unequal_start_are_refused(tmp_path: Path) -> None:
    """Equal seeds must mean equal starting bytes; otherwise there is no table."""
    with pytest.raises(RunFolderError, match="started from other bytes than"):
        compare(configs(), tmp_path, "random", Announced(), workplace="scored_workplace:create_other_start")
    assert not (tmp_path / "rows.csv").exists()


def test_a_folder_of_other_settings_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """Old cells are never mixed with new settings; the changed table is named."""
    compare(configs(("random",), (0,)), tmp_path, "random", Announced(), workplace=WORKPLACE)
    announced = Announced()
    with pytest.raises(RunFolderError, match=r"random/seed-0: holds a run with other settings \(rounds\)"):
        compare(configs(("knexa", "random"), (0,), rounds=3), tmp_path, "random", announced, workplace=WORKPLACE)
    assert announced.cells == []


def test_other_workers_are_the_same_run_and_other_threads_another(tmp_path: Path) -> None:
    """Workers decide how fast a stopped cell goes on; threads may change how sums are rounded."""

    def stop(news: Progress) -> None:
        if news.round == 2:
            raise KeyboardInterrupt

    one = configs(("random",), (0,), 3)
    with pytest.raises(Interrupted, match="the same command goes on"):
        compare(one, tmp_path, "random", lambda number, count, cell: nullcontext(stop), workplace=WORKPLACE)
    sets = ["engine.kind=processes", "engine.workers=3"]
    threads = [load_config(strategy="random", seed=0, rounds=3, sets=[*sets, "engine.threads=2"])]
    with pytest.raises(RunFolderError, match=r"holds a run with other settings \(engine\)"):
        compare(threads, tmp_path, "random", Announced(), workplace=WORKPLACE)
    other = load_config(strategy="random", seed=0, rounds=3, sets=sets)
    resumed = Federation.resume(tmp_path / "random" / "seed-0", workplace=WORKPLACE, engine=other.engine)
    assert resumed.config == other
    compare([other], tmp_path, "random", Announced(), workplace=WORKPLACE)
    compare(one, tmp_path / "serial", "random", Announced(), workplace=WORKPLACE)
    events = [(folder / "random" / "seed-0" / "events.jsonl").read_bytes() for folder in (tmp_path, tmp_path / "serial")]
    assert events[0] == events[1]
