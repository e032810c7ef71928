"""``knexa list``: the runs below a folder, how far each is, and what it gave."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from knexa.errors import RunFolderError
from knexa.events import EVENTS_FILE
from knexa.record import SCORES, read_run, scores_present
from knexa.report.tables import duration, fitting_table, nats, share
from knexa.simulation.run_folder import in_use
from knexa.summary import summary_of

_GO_ON = "To go on with one that stopped: knexa run --resume DIR; with a comparison or a real federation, the command that began it."

RUNNING, STOPPED, FINISHED = "running", "stopped", "finished"


@dataclass(frozen=True, slots=True)
class Listed:
    """One run. ``state``: running, stopped (it can be resumed) or finished. Scores are means over agents at the end, None before that."""

    folder: str
    strategy: str
    seed: int
    closed: int
    rounds: int
    state: str
    agents: int
    scores: dict[str, float | None]
    seconds: float | None


def list_runs(root: Path, *, as_json: bool) -> None:
    """Every run below ``root``, one a line. Raises RunFolderError if there is none; runs that cannot be read are named at the end."""
    if not root.is_dir():
        raise RunFolderError(f"{root}: is no folder; pass one that holds run folders, or begin one with knexa run")
    runs, damaged = [], []
    for folder in run_folders(root):
        try:
            runs.append(listed(folder, root))
        except RunFolderError as error:
            damaged.append(str(error))
    if not runs and not damaged:
        raise RunFolderError(f"{root}: holds no run; pass a folder that does, or begin one with knexa run")
    if as_json:
        print(json.dumps({"runs": [asdict(run) for run in runs], "damaged": damaged}))
        return
    console = Console()
    if runs:
        console.print(fitting_table(f"Runs in {root}", rows(runs), console.width, first=4, elsewhere="--json"))
    for sentence in damaged:
        console.print(sentence, highlight=False, soft_wrap=True)
    if any(run.state == STOPPED for run in runs):
        console.print(_GO_ON, highlight=False, soft_wrap=True)


def run_folders(root: Path) -> list[Path]:
    """Folders below ``root``, or itself, that hold a record; numbers in names count as numbers, so that seed-2 comes before seed-10."""
    found = []
    for path, folders, files in os.walk(root):
        if EVENTS_FILE in files:
            found.append(Path(path))
            folders.clear()
    return sorted(found, key=lambda folder: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", str(folder))])


def listed(folder: Path, root: Path) -> Listed:
    """Raises RunFolderError if ``folder`` holds no run that can be read."""
    going = in_use(folder)
    run = read_run(folder)
    scores = summary_of(run)["mean"]["end"]
    state = FINISHED if run.finished else RUNNING if going else STOPPED
    name = str(folder.relative_to(root))
    return Listed(name, run.strategy, run.seed, run.closed, run.rounds, state, len(run.agents), scores, run.seconds)


def rows(runs: list[Listed]) -> list[list[str]]:
    """The head, and a line for each run; what a narrow terminal has no room for goes from the fifth column on."""
    names = scores_present(run.scores for run in runs)
    head = ["run", "state", "rounds", *(SCORES[name] for name in names), "strategy", "seed", "loss", "time"]
    return [head, *(_cells(run, names) for run in runs)]


def _cells(run: Listed, names: Sequence[str]) -> list[str]:
    time = "n/a" if run.seconds is None else duration(round(run.seconds))
    scores = [share(run.scores.get(name)) for name in names]
    return [run.folder, run.state, f"{run.closed}/{run.rounds}", *scores, run.strategy, str(run.seed), nats(run.scores["loss"]), time]
