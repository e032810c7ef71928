"""``knexa study``: the options as a grid, its progress, and where the results are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast, get_args

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from knexa.cli.compare import seed_range
from knexa.errors import ConfigurationError, Interrupted
from knexa.field_rules import nearest
from knexa.report.tables import fitting_table
from knexa.study.figures import FIGURES
from knexa.study.gains import Gain, Place
from knexa.study.methods import METHODS
from knexa.study.study_report import HEADINGS, make_folder, study_cells, title, write_study
from knexa.study.study_rows import StudyRow, read_study_rows
from knexa.study.synthetic import CEILING, FLOOR, Cell, finished, grid, run_study
from knexa.study.worlds import WORLDS
from knexa.study.worlds.world import Heterogeneity

#: The columns of a table in the terminal.
IN_TERMINAL = ("method", "gain %", "share of headroom", "regret ~ t^p", "suspects teach", "rounds/s")


@dataclass(frozen=True, slots=True)
class Grid:
    """The options of ``knexa study`` as the user gave them: names and numbers separated by commas.

    ``rows``: files of earlier studies to draw in place of running one. ``figures``: empty for all.
    """

    worlds: str
    heterogeneity: str
    agents: str
    methods: str
    seeds: str
    rounds: int
    workers: int
    out: Path
    figures: str = ""
    rows: tuple[Path, ...] = ()


def show_study(wanted: Grid, *, as_json: bool) -> None:
    kinds = _known("--figures", wanted.figures, FIGURES) if wanted.figures else []
    earlier, cells = (_measured(wanted), []) if wanted.rows else ([], _cells(wanted))
    make_folder(wanted.out)
    rows = earlier or _run(cells, wanted)
    found = write_study(rows, wanted.out, kinds)
    if as_json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "folder": str(wanted.out)}))
        return
    console = Console()
    for place in dict.fromkeys(one.place for one in found):
        console.print(_table(found, place, console.width))
    console.print(
        f"Page: {wanted.out / 'study.html'}; rows: {wanted.out / 'rows.csv'}; figures: {wanted.out / 'figures'}",
        highlight=False,
        soft_wrap=True,
    )


def _cells(wanted: Grid) -> list[Cell]:
    return grid(
        _known("--worlds", wanted.worlds, WORLDS),
        [cast(Heterogeneity, name) for name in _known("--heterogeneity", wanted.heterogeneity, get_args(Heterogeneity))],
        _sizes(wanted.agents),
        _known("--methods", wanted.methods, METHODS),
        seed_range(wanted.seeds),
        wanted.rounds,
    )


def _measured(wanted: Grid) -> list[StudyRow]:
    """The rows of earlier studies, in their order. Raises ConfigurationError where they cannot be compared with each other."""
    rows = [row for path in wanted.rows for row in read_study_rows(path)]
    if len({row.rounds for row in rows}) != 1:
        raise ConfigurationError(f"--rows: found rows of {sorted({row.rounds for row in rows})} rounds; allowed: rows of one length")
    ends = {(row.world, row.heterogeneity, row.agents, row.seed, row.method) for row in rows if row.method in (FLOOR, CEILING)}
    for row in rows:
        missing = [end for end in (FLOOR, CEILING) if (row.world, row.heterogeneity, row.agents, row.seed, end) not in ends]
        if missing:
            where = f"{row.world}, {row.heterogeneity} heterogeneity, {row.agents} agents, seed {row.seed}"
            raise ConfigurationError(f"--rows: {where} has no row of {missing[0]}, which gains are measured from; run it, or leave it out")
    return rows


def _run(cells: Sequence[Cell], wanted: Grid) -> list[StudyRow]:
    """All rows; on Ctrl-C those of the seeds that every method has finished are written, and Interrupted says so."""
    done: list[StudyRow] = []
    with _progress(len(cells)) as show:

        def note(row: StudyRow) -> None:
            done.append(row)
            show(row)

        try:
            return run_study(cells, wanted.workers, note)
        except KeyboardInterrupt:
            kept = finished(done, cells)
            if kept:
                write_study(kept, wanted.out, _known("--figures", wanted.figures, FIGURES) if wanted.figures else [])
            what = (
                f"{wanted.out} has the seeds that all methods finished"
                if kept
                else "no seed was finished by all methods, nothing is written"
            )
            raise Interrupted(f"stopped after {len(done)} of {len(cells)} trajectories; {what}") from None


@contextmanager
def _progress(count: int) -> Iterator[Callable[[StudyRow], None]]:
    """A live bar in a terminal; elsewhere a line for every twentieth of the trajectories."""
    screen = Console(stderr=True)
    done = 0
    with Progress(*Progress.get_default_columns(), console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(f"{count} trajectories", total=count)

        def note(row: StudyRow) -> None:
            nonlocal done
            done += 1
            what = f"{row.world}, {row.agents} agents, {row.method}, seed {row.seed}"
            bar.update(task, completed=done, description=what)
            if not screen.is_terminal and done * 20 // count > (done - 1) * 20 // count:
                screen.print(f"{done} of {count} trajectories: {what}", highlight=False, soft_wrap=True)

        yield note


def _table(found: list[Gain], place: Place, width: int) -> Table:
    """Some columns, for a terminal of ``width`` characters; the page and ``study.md`` have all."""
    shown = [HEADINGS.index(heading) for heading in IN_TERMINAL]
    lines = [IN_TERMINAL, *([line[column] for column in shown] for line in study_cells(found, place))]
    return fitting_table(f"{title(place)}: ± half the 95 % interval", lines, width, first=3, elsewhere="study.md")


def _known(option: str, text: str, allowed: Collection[str]) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in allowed:
            raise ConfigurationError(f"{option}: found {name!r}; allowed: {', '.join(allowed)}{nearest(name, tuple(allowed))}")
    return list(dict.fromkeys(names))


def _sizes(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"\d{1,5}", part) and 2 <= int(part) <= 10_000 for part in parts):
        raise ConfigurationError(f"--agents: found {text!r}; allowed: whole numbers from 2 to 10000, such as 8,32,64")
    return sorted({int(part) for part in parts})
