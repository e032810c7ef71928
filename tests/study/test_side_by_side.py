"""Cells at once: the same results as one after the other, errors with their cell's name, and nothing left running."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from knexa.config import FederationConfig, load_config
from knexa.errors import KnexaError
from knexa.report.tables import duration
from knexa.simulation.progress import OnProgress, Progress
from knexa.study import room
from knexa.study.cell import Cell
from knexa.study.compare import compare
from knexa.study.pace import Pace
from knexa.study.room import Room

WORKPLACE = "scored_workplace:create"
EQUIPMENT = Path(__file__).parents[1] / "equipment"


def configs(*strategies: str, seeds: tuple[int, ...] = (0, 1), rounds: int = 2) -> list[FederationConfig]:
    return [load_config(strategy=name, seed=seed, rounds=rounds, sets=["engine.kind=serial"]) for name in strategies for seed in seeds]


class Watched:
    """Remembers which cells ran at the same time, what was said, and the progress of each."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.at_once: list[set[str]] = []
        self.said: list[str] = []
        self.news: dict[str, list[Progress]] = {}

    def __call__(self, number: int, count: int, cell: Cell) -> AbstractContextManager[OnProgress]:
        return self._watch(str(cell))

    @contextmanager
    def _watch(self, cell: str):
        self.open.add(cell)
        self.at_once.append(set(self.open))
        yield self.news.setdefault(cell, []).append
        self.open.remove(cell)


def run(configs, out: Path, watched: Watched, workplace: str = WORKPLACE, jobs: int = 2, cache: bool = True) -> list:
    return compare(configs, out, "random", watched, workplace=workplace, jobs=jobs, cache=cache, tell=watched.said.append)


def test_cells_at_once_leave_the_same_as_one_after_the_other(tmp_path: Path):
    """Rows, tables, events, settings and adapters, with the cache and without; only durations, memory and reuse may differ."""
    watched, wanted = Watched(), configs("local", "random", "knexa")
    many = run(wanted, tmp_path / "many", watched, jobs=3)
    single = run(wanted, tmp_path / "single", Watched(), jobs=1, cache=False)
    drop = ("seconds", "reused")
    assert [{key: row[key] for key in row if key not in drop} for row in many] == [
        {key: row[key] for key in row if key not in drop} for row in single
    ]
    assert max(map(len, watched.at_once)) == 3
    assert watched.open == set()
    assert all(news[-1].phase == "saving" for news in watched.news.values())
    assert len(watched.news) == 6
    for one in wanted:
        cell = Path(one.strategy) / f"seed-{one.seed}"
        names = {str(path.relative_to(tmp_path / "single" / cell)) for path in (tmp_path / "single" / cell).rglob("*") if path.is_file()}
        assert names == {
            str(path.relative_to(tmp_path / "many" / cell)) for path in (tmp_path / "many" / cell).rglob("*") if path.is_file()
        }
        for name in names - {"timings.jsonl", "summary.json"}:
            assert (tmp_path / "many" / cell / name).read_bytes() == (tmp_path / "single" / cell / name).read_bytes(), name


def test_an_error_names_its_cell_and_what_runs_is_finished(tmp_path: Path):
    """Nothing new begins; called again when it is mended, the comparison goes on."""
    watched, wanted = Watched(), configs("local", "random", "knexa", seeds=(0,), rounds=2)
    with pytest.raises(KnexaError, match=r"^random, seed 0: agent \"agent-2\", train in round 2"):
        run(wanted, tmp_path, watched, "failing_cells:create")
    assert any("random, seed 0 failed; " in sentence for sentence in watched.said)
    assert (tmp_path / "local" / "seed-0" / "summary.json").is_file()
    assert not (tmp_path / "knexa" / "seed-0").exists()
    assert watched.open == set()
    again = Watched()
    run(wanted, tmp_path, again)
    assert set(again.news) == {"random, seed 0", "knexa, seed 0"}


def test_a_cell_whose_process_dies_is_named(tmp_path: Path):
    with pytest.raises(KnexaError, match=r"^random, seed 0: its process was killed by signal 9 .*call again to go on"):
        run(configs("random", seeds=(0,)), tmp_path, Watched(), "failing_cells:create_killed")


def test_ctrl_c_stops_all_and_keeps_what_is_done(tmp_path: Path):
    """The comparison ends with 130 at once, no process of its cells is left, and the same command goes on."""
    script = (
        "import signal, sys; from contextlib import nullcontext; from pathlib import Path; from knexa.errors import Interrupted\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # whoever is started in the background ignores it
        "from test_side_by_side import configs; from knexa.study.compare import compare\n"
        "def on_cell(number, count, cell):\n    print(cell, flush=True)\n    return nullcontext(lambda news: print('news', flush=True))\n"
        f"try:\n    compare(configs('random', 'knexa', seeds=(0,)), Path({str(tmp_path)!r}), 'random', on_cell,\n"
        "            workplace='failing_cells:create_stuck', jobs=2)\n"
        "except Interrupted as error:\n    print(error, flush=True)\n    sys.exit(error.exit_code)\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), str(EQUIPMENT), str(EQUIPMENT.parent / "simulation"), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}, start_new_session=True
    )
    assert process.stdout is not None
    began = time.monotonic()
    pids: set[int] = set()
    while len(pids) < 2:
        assert time.monotonic() < began + 120
        assert process.poll() is None
        pids = {int(one.read_text()) for one in tmp_path.glob("*/seed-0/working") if one.read_text()}
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.strip().endswith("stopped; what was done is kept, and the same command goes on")
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    rows = run(configs("random", "knexa", seeds=(0,)), tmp_path, Watched())
    assert [row["strategy"] for row in rows] == ["random", "knexa"]


@pytest.mark.parametrize(
    ("free", "peak", "fit"), [(10_000.0, None, 4), (2_000.0, None, 1), (100.0, None, 1), (10_000.0, 4_000.0, 2), (10_000.0, 9_500.0, 1)]
)
def test_no_more_cells_run_than_memory_has_room_for(free: float, peak: float | None, fit: int, monkeypatch: pytest.MonkeyPatch):
    """From a guess at first, then from the largest measured; each time there are fewer than wanted, one sentence says why."""
    monkeypatch.setattr(room, "free_mb", lambda: free)
    said: list[str] = []
    one = Room(4, load_config(sets=["engine.workers=2"]), said.append)
    one.measured(peak)
    assert [one.cells(), one.cells()] == [fit, fit]
    assert len(said) == (fit < 4)
    assert all(f"--jobs 4 is lowered to {fit}: a cell takes about " in sentence for sentence in said)


def test_models_of_unknown_size_run_alone_until_one_is_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "free_mb", lambda: 10_000.0)
    said: list[str] = []
    one = Room(2, load_config(sets=["agents.0.backbone=somebody/model"]), said.append)
    assert one.cells() == 1
    assert "alone first" in said[0]
    one.measured(1_000.0)
    assert one.cells() == 2


def test_cells_at_once_are_of_different_seeds(tmp_path: Path):
    """So those of one seed come after each other, and find each other's results; what is done when it is stopped stays paired."""
    watched = Watched()
    run(configs("random", "fedskd", seeds=(0, 1, 2)), tmp_path, watched, jobs=2)
    order = [("random", 0), ("random", 1), ("fedskd", 0), ("fedskd", 1), ("random", 2), ("fedskd", 2)]
    assert list(watched.news) == [f"{strategy}, seed {seed}" for strategy, seed in order]


def test_equal_jobs_are_done_once_and_counted(tmp_path: Path):
    """A row says how many of its run's jobs were known already, since its duration leaves them out."""
    rows = run(configs("random", "fedskd", seeds=(0,)), tmp_path / "with", Watched(), jobs=1)
    assert rows[0]["reused"] == 0
    assert rows[1]["reused"] >= 6 + 4  # first local updates, and the start of each backbone
    assert [row["reused"] for row in run(configs("random", "fedskd", seeds=(0,)), tmp_path / "no", Watched(), jobs=1, cache=False)] == [
        0,
        0,
    ]
    assert not (tmp_path / "no" / "cache").exists()
    assert json.loads((tmp_path / "with" / "rows.jsonl").read_text().splitlines()[1])["reused"] == rows[1]["reused"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_after_every_cell_it_says_how_many_are_left_and_how_long_they_take(tmp_path: Path, jobs: int) -> None:
    """Those that were finished before are not counted again."""
    run(configs("local"), tmp_path, Watched())
    watched = Watched()
    run(configs("local", "random"), tmp_path, watched, jobs=jobs)
    first, second = (sentence for sentence in watched.said if "done" in sentence)
    assert re.fullmatch(r"random, seed [01] is done; cells left: 1, about [\d.]+ s", first)
    assert re.fullmatch(r"random, seed [01] is done, the last cell", second)


@pytest.mark.parametrize("at_once", [1, 3])
def test_where_cells_take_as_long_as_each_other_the_time_left_is_right(at_once: int) -> None:
    now = 100.0
    pace = Pace(12, lambda: now)
    cell = Cell(configs("local")[0], Path(), WORKPLACE, None)
    for ended in range(1, 12):
        if ended % at_once == 0:
            now += 240.0
            said = pace.ended(cell)
            assert said == f"local, seed 0 is done; cells left: {12 - ended}, about {duration((12 - ended) / at_once * 240)}"
        else:
            pace.ended(cell)
