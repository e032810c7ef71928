"""Strategies × seeds from equal starting bytes, every cell a run folder ``OUT/STRATEGY/seed-N``.

Cells that are finished are read, those that were stopped are resumed, the others are run. So a comparison can be stopped
and called again, or be given more seeds later. Cells share the results of equal jobs (``OUT/cache``), and may run side by side; what
they record is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from knexa.config import FederationConfig
from knexa.errors import Interrupted, RunFolderError
from knexa.events import EVENTS_FILE
from knexa.record import RunRecord, read_run
from knexa.simulation.federation import WORKPLACE, with_workers_of
from knexa.simulation.job_key import changeable
from knexa.simulation.progress import OnProgress
from knexa.simulation.run_folder import CONFIG_FILE, read_config
from knexa.study.cell import Cell
from knexa.study.pace import Pace
from knexa.study.room import Room
from knexa.study.rows import Row, row_of, write_rows
from knexa.study.side_by_side import Begin, run_side_by_side
from knexa.study.tables import markdown

#: Folder of results of jobs, in that of the comparison.
CACHE = "cache"

#: Is told before a cell is run which one it is: number from 1, how many there are, the cell. Gives who hears its progress, until its end.
OnCell = Callable[[int, int, Cell], AbstractContextManager[OnProgress]]


def compare(
    configs: Sequence[FederationConfig],
    out: Path,
    baseline: str,
    on_cell: OnCell,
    *,
    workplace: str = WORKPLACE,
    jobs: int = 1,
    cache: bool = True,
    tell: Callable[[str], None] = print,
) -> list[Row]:
    """Run what is missing of ``configs`` and return the rows; write ``rows.csv``, ``rows.jsonl`` and ``comparison.md`` to ``out``.

    Seeds are the outer loop (:func:`_in_order`), so that what is done when it is stopped is paired. ``jobs``: most cells at once.
    ``cache``: whether they share results of jobs. ``tell``: hears what the user should know, in sentences. Raises RunFolderError for a
    folder that holds a run of another configuration, and for strategies of one seed that did not start from equal bytes.
    """
    ordered = _in_order(configs, jobs)
    folder = _cache_folder(ordered, out, tell) if cache else None
    cells = [Cell(config, out / config.strategy / f"seed-{config.seed}", workplace, folder) for config in ordered]
    for cell in cells:
        _require_same_configuration(cell)
    records = _Records()
    missing = [cell for cell in cells if not records.add(_finished(cell.folder))]
    numbers = {cell.folder: number for number, cell in enumerate(cells, start=1)}

    def begin(cell: Cell, until_its_end: ExitStack) -> OnProgress:
        return until_its_end.enter_context(on_cell(numbers[cell.folder], len(cells), cell))

    pace = Pace(len(missing))

    def end(cell: Cell) -> None:
        records.add(read_run(cell.folder))
        tell(pace.ended(cell))

    try:
        if jobs == 1:
            _run_in_turn(missing, begin, end)
        elif missing:
            _run_at_once(missing, jobs, records, begin, end, tell)
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted("stopped; what was done is kept, and the same command goes on") from None
    by_strategy = sorted(map(records.of, cells), key=lambda record: [config.strategy for config in configs].index(record.strategy))
    rows: list[Row] = [row_of(record) for record in by_strategy]
    write_rows(rows, out)
    (out / "comparison.md").write_text(markdown(rows, baseline), encoding="utf-8")
    return rows


class _Records:
    """What finished cells recorded; those of one seed started from equal bytes."""

    def __init__(self) -> None:
        self._first: dict[int, RunRecord] = {}
        self._by_folder: dict[Path, RunRecord] = {}

    def add(self, record: RunRecord | None) -> bool:
        """Whether there was one. Raises RunFolderError if it started from other bytes than another of its seed."""
        if record is None:
            return False
        _require_equal_start(self._first.setdefault(record.seed, record), record)
        self._by_folder[record.folder] = record
        return True

    def of(self, cell: Cell) -> RunRecord:
        return self._by_folder[cell.folder]

    @property
    def peak_rss_mb(self) -> float | None:
        """The most memory that one of them took, in MB."""
        return max((record.peak_rss_mb for record in self._by_folder.values() if record.peak_rss_mb is not None), default=None)


def _in_order(configs: Sequence[FederationConfig], jobs: int) -> list[FederationConfig]:
    """By seed, then by strategy. Of ``jobs`` cells at once each has another seed: those of one seed find each other's results."""
    seeds = sorted({config.seed for config in configs})
    strategies = list(dict.fromkeys(config.strategy for config in configs))
    return sorted(configs, key=lambda one: (seeds.index(one.seed) // jobs, strategies.index(one.strategy), one.seed))


def _run_in_turn(cells: Sequence[Cell], begin: Begin, end: Callable[[Cell], None]) -> None:
    for cell in cells:
        with ExitStack() as until_its_end:
            cell.run(begin(cell, until_its_end))
        end(cell)


def _run_at_once(
    cells: Sequence[Cell], jobs: int, records: _Records, begin: Begin, end: Callable[[Cell], None], tell: Callable[[str], None]
) -> None:
    room = Room(jobs, cells[0].config, tell)
    room.measured(records.peak_rss_mb)

    def end_and_measure(cell: Cell) -> None:
        end(cell)
        room.measured(records.peak_rss_mb)

    run_side_by_side(cells, room, begin, end_and_measure, tell)


def _cache_folder(configs: Sequence[FederationConfig], out: Path, tell: Callable[[str], None]) -> Path | None:
    may_change = sorted({name for config in configs for name in changeable(config)})
    if may_change:
        tell(f"results of jobs are not used again: {', '.join(may_change)} may change unseen; a local folder would not")
        return None
    return (out / CACHE).resolve()


def _finished(folder: Path) -> RunRecord | None:
    """The record of a run that has reached its end, else None."""
    events = folder / EVENTS_FILE
    if not events.is_file() or events.stat().st_size == 0:
        return None
    record = read_run(folder)
    return record if record.finished else None


def _require_same_configuration(cell: Cell) -> None:
    if not (cell.folder / CONFIG_FILE).is_file():
        return
    # Another number of workers is no other run; other threads or another device may round otherwise.
    before = with_workers_of(read_config(cell.folder), cell.config.engine)
    if before != cell.config:
        changed = [name for name in FederationConfig.model_fields if getattr(before, name) != getattr(cell.config, name)]
        raise RunFolderError(f"{cell.folder}: holds a run with other settings ({', '.join(changed)}); choose another --out")


def _require_equal_start(first: RunRecord, other: RunRecord) -> None:
    if first.start_hash != other.start_hash:
        raise RunFolderError(
            f"{other.folder}: started from other bytes than {first.folder} ({other.start_hash[:12]}, {first.start_hash[:12]}), so the two "
            "cannot be compared; remove the older of the two folders and run again"
        )
