"""The display of runs: a line for each that goes on, and none for those that are over."""

from __future__ import annotations

import io
import time

from rich.console import Console

from knexa.cli.display import show_runs
from knexa.simulation.progress import Progress


def news(round: int, done: int) -> Progress:
    return Progress(round, 3, "training", "agent-1", "train", done, 10, 61.0)


def test_a_terminal_shows_every_run_that_goes_on():
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=160)
    with show_runs(console) as begin:
        with begin("random, seed 0: ") as first, begin("knexa, seed 0: ") as second:
            first(news(1, 4))
            second(news(2, 6))
            both = _drawn(console, "6/10")
        with begin("local, seed 0: "):
            one = _drawn(console, "local")
    assert "random, seed 0: round 1 of 3, training: train agent-1" in both
    assert "knexa, seed 0: round 2 of 3, training: train agent-1" in both
    assert "4/10" in both
    assert "local, seed 0: starting: loading models" in one
    assert "random" not in one
    assert "knexa" not in one


def test_a_log_file_gets_a_line_for_each_phase_of_each_run():
    written = io.StringIO()
    with show_runs(Console(file=written, width=160)) as begin, begin("a: ") as first, begin("b: ") as second:
        for done in range(3):
            first(news(1, done))
            second(news(1, done))
    assert [line[:17] for line in written.getvalue().splitlines()] == ["a: round 1 of 3, ", "b: round 1 of 3, "]


def _drawn(console: Console, awaited: str) -> str:
    """What stands below a line that is printed now, once ``awaited`` does: it is drawn anew ten times a second."""
    assert isinstance(console.file, io.StringIO)
    end, drawn = time.monotonic() + 10, ""
    while awaited not in drawn:
        assert time.monotonic() < end, drawn
        time.sleep(0.05)
        console.print("now:")
        drawn = console.file.getvalue().rpartition("now:")[2]
    return drawn
