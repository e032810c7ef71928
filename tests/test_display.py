"""The display of runs: a line for each that goes on, and none for those that are over."""

from __future__ import annotations

import io
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from knexa.cli.display import show_runs
from knexa.report.tables import duration
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


@given(st.floats(1, 1e6))
def test_a_duration_has_less_than_sixty_of_its_smaller_unit_and_is_as_long_as_it_says(seconds: float) -> None:
    """Also where rounding makes a minute or an hour full: 119.6 s are 2 min 0 s, not 1 min 60 s."""
    parts = re.findall(r"([\d.]+) (h|min|s)", duration(seconds))
    unit = {"h": 3600, "min": 60, "s": 1}
    assert [name for _, name in parts] in (["s"], ["min", "s"], ["h", "min"])
    assert all(float(number) < 60 for number, name in parts if name != "h")
    within = {"h": 30.01, "min": 0.51, "s": 0.051}[parts[0][1]]
    assert sum(float(number) * unit[name] for number, name in parts) == pytest.approx(seconds, abs=within)
    assert duration(119.6) == "2 min 0 s"
    assert duration(3599.8) == "1 h 0 min"
    assert duration(59.97) == "1 min 0 s"
