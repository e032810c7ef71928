"""Strategies × seeds from equal starting bytes, every cell a run folder ``OUT/STRATEGY/seed-N``.

Cells that are finished are read, those that were stopped are resumed, the others are run. So a comparison can be stopped
and called again, or be given more seeds later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from knexa.config import FederationConfig
from knexa.errors import RunFolderError
from knexa.events import EVENTS_FILE
from knexa.record import RunRecord, read_run
from knexa.simulation.federation import WORKPLACE, Federation
from knexa.simulation.progress import OnProgress
from knexa.simulation.run_folder import CONFIG_FILE, read_config
from knexa.study.rows import Row, row_of, write_origin, write_rows
from knexa.study.tables import markdown
from knexa.summary import write_summary


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a comparison."""

    config: FederationConfig
    folder: Path


#: Is told before a cell is run which one it is: number from 1, how many there are, the cell. Returns who hears its progress.
OnCell = Callable[[int, int, Cell], OnProgress | None]


def compare(configs: Sequence[FederationConfig], out: Path, baseline: str, on_cell: OnCell, *, workplace: str = WORKPLACE) -> list[Row]:
    """Run what is missing of ``configs`` and return the rows; write ``rows.csv``, ``rows.jsonl`` and ``comparison.md`` to ``out``.

    Seeds are the outer loop, so that what is done when it is stopped is paired. Raises RunFolderError for a folder that
    holds a run of another configuration, and for strategies of one seed that did not start from equal bytes.
    """
    ordered = sorted(configs, key=lambda config: config.seed)
    cells = [Cell(config, out / config.strategy / f"seed-{config.seed}") for config in ordered]
    for cell in cells:
        _require_same_configuration(cell)
    starts: dict[int, RunRecord] = {}
    records = []
    for number, cell in enumerate(cells, start=1):
        record = _complete(cell, number, len(cells), on_cell, workplace)
        _require_equal_start(starts.setdefault(cell.config.seed, record), record)
        records.append(record)
    by_strategy = sorted(records, key=lambda record: [config.strategy for config in configs].index(record.strategy))
    rows: list[Row] = [row_of(record) for record in by_strategy]
    write_rows(rows, out)
    (out / "comparison.md").write_text(markdown(rows, baseline), encoding="utf-8")
    return rows


def _complete(cell: Cell, number: int, count: int, on_cell: OnCell, workplace: str) -> RunRecord:
    record = _finished(cell.folder)
    if record is not None:
        return record
    on_progress = on_cell(number, count, cell)
    if (cell.folder / CONFIG_FILE).is_file():
        Federation.resume(cell.folder, workplace=workplace).run(on_progress=on_progress)
    else:
        Federation.from_config(cell.config, workplace=workplace).run(cell.folder, on_progress)
    write_origin(cell.folder)
    write_summary(cell.folder)
    return read_run(cell.folder)


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
    # The engine decides how fast, never what comes out: another number of workers is no other run.
    before = read_config(cell.folder).model_copy(update={"engine": cell.config.engine})
    if before != cell.config:
        changed = [name for name in FederationConfig.model_fields if getattr(before, name) != getattr(cell.config, name)]
        raise RunFolderError(f"{cell.folder}: holds a run with other settings ({', '.join(changed)}); choose another --out")


def _require_equal_start(first: RunRecord, other: RunRecord) -> None:
    if first.start_hash != other.start_hash:
        raise RunFolderError(
            f"{other.folder}: started from other bytes than {first.folder} ({other.start_hash[:12]}, {first.start_hash[:12]}), so the two "
            "cannot be compared; remove the older of the two folders and run again"
        )
