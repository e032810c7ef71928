"""A study's folder: rows as CSV, figures as SVG, tables as Markdown, and all of it on one page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryFile

from knexa.errors import RunFolderError
from knexa.report.page import render, style_sheet
from knexa.study.figures import study_figures
from knexa.study.gains import Gain, Place, gains
from knexa.study.statistics import Interval
from knexa.study.study_rows import StudyRow, write_study_rows

HEADINGS = ("method", "score", "gain %", "share of headroom", "√JS of pairs", "regret ~ t^p", "suspects teach", "rounds/s")


def make_folder(folder: Path) -> None:
    """Make the folder of a study, and see that it can be written to, before anything is computed for it. Raises RunFolderError."""
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as trial:
            trial.write(b"trial")
    except OSError as error:
        raise RunFolderError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error


def write_study(rows: Sequence[StudyRow], folder: Path, kinds: Sequence[str] = ()) -> list[Gain]:
    """Write ``rows.csv``, ``study.md``, ``study.html`` and ``figures/*.svg`` and ``.csv`` into ``folder``; the gains they show.

    ``kinds``: of :data:`~knexa.study.figures.FIGURES`; all where empty. Raises RunFolderError where that cannot be written.
    """
    found = gains(rows)
    try:
        _write(rows, found, folder, kinds)
    except OSError as error:
        raise RunFolderError(
            f"{error.filename or folder}: cannot be written ({error.strerror}); make room, or choose another --out"
        ) from error
    return found


def _write(rows: Sequence[StudyRow], found: Sequence[Gain], folder: Path, kinds: Sequence[str]) -> None:
    rounds, seeds = rows[0].rounds, sorted({row.seed for row in rows})
    write_study_rows(rows, folder / "rows.csv")
    figures = study_figures(found, rounds, kinds)
    (folder / "figures").mkdir(exist_ok=True)
    for name, figure in figures.items():
        (folder / "figures" / f"{name}.svg").write_text(_alone(figure.svg), encoding="utf-8")
        (folder / "figures" / f"{name}.csv").write_text(figure.as_csv(), encoding="utf-8")
    places = list(dict.fromkeys(one.place for one in found))
    page = render(
        "study.html",
        {name: figure.svg for name, figure in figures.items()},
        rounds=rounds,
        seeds=len(seeds),
        places=[{"title": title(place), "lines": study_cells(found, place)} for place in places],
        headings=HEADINGS,
        captions={name: f"{figure.title[0].upper()}{figure.title[1:]}." for name, figure in figures.items()},
    )
    (folder / "study.html").write_text(page, encoding="utf-8")
    origin = f"commit {_all(row.commit for row in rows)}, {_all(row.machine for row in rows)}"
    head = f"{rounds} rounds, seeds {seeds[0]} to {seeds[-1]} ({len(seeds)}), {origin}."
    (folder / "study.md").write_text("\n".join([head, *(_markdown(found, place) for place in places)]), encoding="utf-8")


def study_cells(found: Sequence[Gain], place: Place) -> list[list[str]]:
    """One line a method under :data:`HEADINGS`; a dash where there is nothing to tell."""
    return [
        [
            one.method,
            f"{one.score.mean:.4g}",
            _interval(one.gain, 100, 1),
            _interval(one.share, 1, 2),
            _number(one.difference, 3),
            _number(one.exponent, 2),
            _number(one.suspects_teaching, 2),
            f"{one.decisions_per_second:.0f}",
        ]
        for one in found
        if one.place == place
    ]


def _all(values: Iterable[str]) -> str:
    """Each once: rows of several runs can be drawn together."""
    return ", ".join(dict.fromkeys(values))


def title(place: Place) -> str:
    """A cell of the grid in words."""
    return f"{place[0]}, {place[1]} heterogeneity, {place[2]} agents"


def _markdown(found: Sequence[Gain], place: Place) -> str:
    head, *body = (f"| {' | '.join(line)} |" for line in [list(HEADINGS), *study_cells(found, place)])
    return "\n".join(["", f"## {title(place)}", "", head, "|" + "---|" * len(HEADINGS), *body, ""])


def _alone(drawing: str) -> str:
    """A drawing that carries its own colours, so that it can be opened without the page."""
    return drawing.replace(">", f"><style>{style_sheet()}</style>", 1)


def _interval(interval: Interval, scale: float, digits: int) -> str:
    if math.isnan(interval.mean):
        return "-"
    half = (interval.high - interval.low) / 2
    return f"{scale * interval.mean:.{digits}f} ± " + ("?" if math.isinf(half) else f"{scale * half:.{digits}f}")


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
