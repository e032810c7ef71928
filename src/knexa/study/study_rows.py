"""What came of the trajectories of a study, a row each, and the CSV files that keep them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from knexa.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class StudyRow:
    """What came of a cell. ``score``: see :attr:`~knexa.study.trajectory.Trajectory.score`.

    ``regret``: at the end, against a noiseless oracle in the same states. ``exponent``: p of regret ~ t^p over the second half.
    ``difference``: mean √JS of the chosen pairs. ``suspects_teaching``: how often the world's poor teachers or liars taught, over
    their share of the agents; NaN where there are none. ``decisions_per_second``: rounds of matching and learning.
    ``curve``: cumulative regret at 20 rounds spread evenly; ``pace``: the score so far at the same rounds,
    empty in rows of transfer and release-a that were measured before there was one.
    ``commit`` and ``machine``: what was run, and where.
    """

    world: str
    heterogeneity: str
    agents: int
    method: str
    seed: int
    rounds: int
    score: float
    regret: float
    exponent: float
    difference: float
    suspects_teaching: float
    decisions_per_second: float
    curve: tuple[float, ...]
    pace: tuple[float, ...]
    commit: str
    machine: str


_CURVES = ("curve", "pace")
_WHOLE = ("agents", "seed", "rounds")
_WORDS = ("world", "heterogeneity", "method", "commit", "machine")


def write_study_rows(rows: Sequence[StudyRow], path: Path) -> None:
    """One line a row, a curve as numbers with blanks between. Whoever is stopped while writing leaves the earlier file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.part")
    with draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=[one.name for one in fields(StudyRow)])
        writer.writeheader()
        for row in rows:
            writer.writerow({**asdict(row), **{name: " ".join(f"{value:.6g}" for value in getattr(row, name)) for name in _CURVES}})
    draft.replace(path)


def read_study_rows(path: Path) -> list[StudyRow]:
    """What :func:`write_study_rows` wrote. Raises ConfigurationError for another kind of file, or none."""
    if not path.is_file():
        raise ConfigurationError(f"{path}: not a file; give the rows.csv of a study (`knexa study`)")
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames is None or set(reader.fieldnames) != {one.name for one in fields(StudyRow)}:
            raise ConfigurationError(f"{path}: its columns are not those of a study's rows; give the rows.csv that `knexa study` wrote")
        try:
            return [_row(line) for line in reader]
        except (ValueError, TypeError, AttributeError, csv.Error) as error:
            raise ConfigurationError(
                f"{path}, line {reader.line_num}: no row of a study; give the rows.csv as `knexa study` wrote it"
            ) from error


def _row(line: Mapping[str, str]) -> StudyRow:
    values: dict[str, Any] = {
        name: text if name in _WORDS else int(text) if name in _WHOLE else _curve(text) if name in _CURVES else float(text)
        for name, text in line.items()
    }
    return StudyRow(**values)


def _curve(text: str) -> tuple[float, ...]:
    return tuple(float(value) for value in text.split())
