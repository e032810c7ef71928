"""The report: self-contained, complete, and honest about what is missing."""

from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_run import write_run

from knexa.errors import ConfigurationError, RunFolderError
from knexa.report import final_table, write_report
from knexa.report.svg import nice_ticks
from knexa.summary import summarise


class Balance(HTMLParser):
    """Fails on a closing tag that closes something else."""

    VOID = frozenset({"meta", "br", "line", "rect", "circle", "path", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A mark that closes itself needs no partner."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(*folders: Path) -> str:
    html = write_report(folders).read_text(encoding="utf-8")
    balance = Balance()
    balance.feed(html)
    assert balance.open == []
    return html


@pytest.mark.parametrize(("strategy", "until"), [("knexa", "end"), ("local", "end"), ("knexa", "rounds"), ("knexa", "header")])
def test_a_page_needs_nothing_but_itself(tmp_path: Path, strategy: str, until: str) -> None:
    """No script, no link, no address to fetch; well-formed for finished, killed and exchange-free runs."""
    html = page(write_run(tmp_path / "run", strategy=strategy, until=until))
    assert "<script" not in html
    assert not re.search(r'(src|href)="', html)
    assert set(re.findall(r"https?://[^\"' ]+", html)) <= {"http://www.w3.org/2000/svg"}
    assert ("has not finished" in html) == (until != "end")
    assert "NaN" not in html
    assert "nan" not in re.sub(r"<style>.*</style>", "", html, flags=re.S)


def test_a_run_without_curves_says_so_instead_of_drawing_empty_axes(tmp_path: Path) -> None:
    """Short runs are not evaluated between rounds; those that are get both drawings and no excuse."""
    excuse = "have not been evaluated between rounds"
    with_curves, without = write_run(tmp_path / "with"), write_run(tmp_path / "without")
    events = without / "events.jsonl"
    events.write_bytes(b"".join(line for line in events.read_bytes().splitlines(True) if b'"stage":"round"' not in line))
    assert excuse not in page(with_curves)
    assert "texts held by an agent" in page(with_curves)
    assert excuse in page(without)
    assert "texts held by an agent" not in page(without)


def test_only_what_a_run_had_stands_in_its_cards(tmp_path: Path) -> None:
    """Exchanges where agents teach, bytes to and from a server where there is one, neither where everybody learns alone."""

    def cards(folder: Path) -> set[str]:
        return set(re.findall(r'class="card"><span>([a-z]+)', page(folder))) & {"exchanges", "exchanged", "guardrails", "server"}

    alone, served = write_run(tmp_path / "alone", strategy="local"), write_run(tmp_path / "served", strategy="local")
    events = (served / "events.jsonl").read_bytes().splitlines(True)
    sums = {"kind": "central", "method": "fedid", "round": 1, "bytes_up": 12_345, "bytes_down": 678}
    (served / "events.jsonl").write_bytes(b"".join([*events[:-1], json.dumps(sums).encode() + b"\n", events[-1]]))
    assert cards(write_run(tmp_path / "pairs")) == {"exchanges", "exchanged", "guardrails"}
    assert cards(alone) == set()
    assert cards(served) == {"server"}
    assert "12.3 kB to it" in page(served)


def test_every_exchange_is_an_arrow_and_every_failure_is_told(tmp_path: Path) -> None:
    """Nothing that happened in a run is missing from its report."""
    html = page(write_run(tmp_path / "run", rounds=5))
    assert len(re.findall(r'class="arrow ', html)) == 15
    assert len(re.findall(r'class="arrow lost', html)) == 1
    assert "teacher did not answer in time" in html
    assert all(f"agent-{n}" in html for n in range(1, 7))


def test_a_crowd_is_drawn_within_its_picture(tmp_path: Path) -> None:
    """Twenty-four agents: no mark lies outside the drawing."""
    html = page(write_run(tmp_path / "run", preset="crowd"))
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.S):
        found = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
        assert found is not None
        width, height = map(int, found.groups())
        assert all(0 <= float(x) <= width for x in re.findall(r' c?x[12]?="(-?[\d.]+)"', svg))
        assert all(0 <= float(y) <= height for y in re.findall(r' c?y[12]?="(-?[\d.]+)"', svg))


def test_several_runs_share_a_page_that_warns_of_unequal_starts(tmp_path: Path) -> None:
    """A comparison from different starting bytes says so on the page."""
    folders = [write_run(tmp_path / strategy / "seed-1", strategy=strategy, seed=1) for strategy in ("random", "knexa")]
    assert write_report(folders) == tmp_path.resolve() / "report.html"
    assert "not comparable" not in page(*folders)
    log = folders[0] / "events.jsonl"
    log.write_text(log.read_text().replace(f'"start_hash":"{1:064x}"', f'"start_hash":"{7:064x}"'))
    assert "not comparable" in page(*folders)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    """No folder, or a folder without a record: one sentence, no page."""
    with pytest.raises(ConfigurationError, match="no run folder"):
        write_report([])
    with pytest.raises(RunFolderError, match="no run folder"):
        write_report([tmp_path])
    assert not (tmp_path / "report.html").exists()


def test_the_terminal_shows_the_same_figures_as_the_summary(tmp_path: Path) -> None:
    """Every agent has a row, the mean comes last, scores are percentages."""
    summary = summarise(write_run(tmp_path / "run"))
    table = final_table(summary)
    assert list(table.columns[0].cells) == [*(f"agent-{n}" for n in range(1, 7)), "mean"]
    start, end = (summary["mean"][stage]["pass@1"] for stage in ("start", "end"))
    assert list(table.columns[1].cells)[-1] == f"{100 * start:.1f}→{100 * end:.1f}"


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-6, 1e6))
def test_ticks_cover_the_values_evenly(low: float, span: float) -> None:
    """The first and last tick enclose the values; ticks are evenly spaced and few."""
    high = low + span
    ticks = nice_ticks(low, high)
    tolerance = 1e-9 * max(1.0, abs(low), abs(high)) + 1e-6 * span
    assert ticks[0] <= low + tolerance
    assert ticks[-1] >= high - tolerance
    assert 2 <= len(ticks) <= 9
    steps = [b - a for a, b in itertools.pairwise(ticks)]
    assert max(steps) - min(steps) <= 1e-6 * span + tolerance
