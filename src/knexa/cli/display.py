"""How far a run is, drawn on stderr: a live line in a terminal, one line a phase elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from knexa.report.tables import duration
from knexa.simulation.progress import OnProgress, Progress

#: Begins the display of one more run, under a title; it ends with the ``with`` block.
Begin = Callable[[str], AbstractContextManager[OnProgress]]


@contextmanager
def show_progress(console: Console) -> Iterator[OnProgress]:
    """Yields the callback that a run reports to; the drawing ends with the ``with`` block."""
    with show_runs(console) as begin, begin("") as on_progress:
        yield on_progress


@contextmanager
def show_runs(console: Console) -> Iterator[Begin]:
    """For several runs, one after the other or at once: a line for each that goes on."""
    if not console.is_terminal:
        yield lambda title: nullcontext(_PhaseLines(console, title))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[left]}"))
    with Bar(*columns, console=console, transient=True) as bar:
        yield lambda title: _line(bar, title)


@contextmanager
def _line(bar: Bar, title: str) -> Iterator[OnProgress]:
    task = bar.add_task(f"{title}starting: loading models", total=None, left="")

    def show(news: Progress) -> None:
        bar.update(task, description=title + _words(news), completed=news.done, total=news.jobs, left=_left(news))

    yield show
    bar.remove_task(task)


class _PhaseLines:
    """One line whenever a phase of a round begins: what a log file can hold."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._last: tuple[int, str] | None = None

    def __call__(self, news: Progress) -> None:
        if (news.round, news.phase) != self._last:
            self._last = (news.round, news.phase)
            self._console.print(f"{self._title}{_words(news)} {_left(news)}".rstrip(), highlight=False, soft_wrap=True)


def _words(news: Progress) -> str:
    return f"round {news.round} of {news.rounds}, {news.phase}: {news.what}" + (f" {news.agent}" if news.agent else "")


def _left(news: Progress) -> str:
    return "" if news.eta_s is None else f"about {duration(round(news.eta_s))} left"
