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
from rich.console import Console
from synthetic_run import write_run

from knexa.errors import ConfigurationError, RunFolderError
from knexa.record import read_run
from knexa.report import final_table, write_report
from knexa.report.charts import BOTTOM, LEFT, RIGHT, TOP
from knexa.report.svg import Series, colour, line_chart, nice_ticks, round_axis, value_axis
from knexa.study.rows import row_of
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
    with_curves, without = write_run(tmp_path / "with"), without_curves(write_run(tmp_path / "without"))
    assert excuse not in page(with_curves)
    assert "texts held by an agent" in page(with_curves)
    assert excuse in page(without)
    assert "texts held by an agent" not in page(without)
    other = write_run(tmp_path / "other", strategy="random")
    assert excuse not in page(without, other)
    assert excuse in page(without, without_curves(other))


def served_run(folder: Path) -> Path:
    """A run with a server, which was sent 12,345 bytes and sent 678."""
    events = (write_run(folder, strategy="local") / "events.jsonl").read_bytes().splitlines(True)
    sums = {"kind": "central", "method": "fedid", "round": 1, "bytes_up": 12_345, "bytes_down": 678}
    (folder / "events.jsonl").write_bytes(b"".join([*events[:-1], json.dumps(sums).encode() + b"\n", events[-1]]))
    return folder


def without_curves(folder: Path) -> Path:
    """The run of ``folder`` as if nobody had been evaluated between its rounds."""
    events = folder / "events.jsonl"
    events.write_bytes(b"".join(line for line in events.read_bytes().splitlines(True) if b'"stage":"round"' not in line))
    return folder


def test_only_what_a_run_had_stands_in_its_cards(tmp_path: Path) -> None:
    """Exchanges where agents teach, bytes to and from a server where there is one, neither where everybody learns alone."""

    def cards(folder: Path) -> set[str]:
        return set(re.findall(r'class="card"><span>([a-z]+)', page(folder))) & {"exchanges", "exchanged", "guardrails", "server"}

    alone, served = write_run(tmp_path / "alone", strategy="local"), served_run(tmp_path / "served")
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


def changed_end(folder: Path, **states: str) -> Path:
    """The run of ``folder`` without its faults, as a federation whose participants ended in ``states``; all others finished."""
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_bytes().splitlines()]
    for name, one in lines[-1]["participants"].items():
        one["state"] = states.get(name.replace("-", "_"), "finished")
    kept = [line for line in lines if line["kind"] != "fault"]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    return folder


def test_nothing_went_wrong_only_where_everybody_came_to_the_end(tmp_path: Path) -> None:
    """Whoever was lost after the last round has no fault, and is named all the same; an unfinished run does not say yet."""
    nothing = "no participant was lost, no exchange failed"
    assert nothing in page(changed_end(write_run(tmp_path / "whole")))
    lost = page(changed_end(write_run(tmp_path / "lost"), agent_2="lost", agent_5="never joined"))
    assert nothing not in lost
    assert [name in lost for name in ("agent-2: lost", "agent-5: never joined", "agent-1: finished")] == [True, True, False]
    assert nothing not in page(write_run(tmp_path / "going", rounds=1, until="rounds"))


def test_an_exchange_is_called_failed_only_when_its_round_is_over(tmp_path: Path) -> None:
    """In the round that goes on, a match without an outcome and an outcome without a reward are open; the card counts what is over."""
    log = write_run(tmp_path / "run", rounds=3, until="rounds") / "events.jsonl"
    lines = log.read_text().splitlines(True)
    last = max(number for number, line in enumerate(lines) if '"kind":"match"' in line)
    outcomes = [line for line in lines[last:] if '"kind":"outcome"' in line]
    log.write_text("".join([*lines[: last + 1], outcomes[0]]))
    html = page(tmp_path / "run")
    assert len(re.findall(r'class="arrow open', html)) == 3
    assert len(re.findall(r'class="arrow lost', html)) == 1
    assert html.count("failed</title>") == 1
    card = re.search(r"<span>exchanges</span><b>\d of (\d)</b><span>([^<]*)</span>", html)
    assert card is not None
    assert card.groups() == ("7", "kept by the student, 2 still open")
    assert "still open" not in page(write_run(tmp_path / "whole"))


def test_the_rounds_of_the_demo_are_seen_without_scrolling(tmp_path: Path) -> None:
    """Twenty rounds of six agents: every drawing is as narrow as the page."""
    html = page(write_run(tmp_path / "run", rounds=20))
    width, margin = map(int, re.findall(r"body{margin:0 auto;max-width:(\d+)px;padding:24px (\d+)px", html)[0])
    assert len(re.findall(r'class="arrow ', html)) == 60
    assert max(int(least) for least in re.findall(r'style="min-width:(\d+)px', html)) <= width - 2 * margin


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


def cells_of(html: str) -> list[list[str]]:
    """The rows of the table of every run."""
    return [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr><td>.*?</tr>", html)]


def test_a_comparison_page_shows_the_numbers_of_the_comparison(tmp_path: Path) -> None:
    """Scores and exchanges as in ``rows.csv``: hostile agents stay out of the means, and the page says so; failed exchanges count not."""
    folders = [write_run(tmp_path / strategy, strategy=strategy) for strategy in ("random", "knexa")]
    assert "honest agents" not in page(*folders)
    log = folders[1] / "events.jsonl"
    header, *others = log.read_text().splitlines(True)
    faults = [{"kind": "poisoned", "agents": ["agent-6"]}]
    event = json.loads(header)
    event["config"]["faults"] = faults
    log.write_text("".join([json.dumps(event) + "\n", *others]))
    html, row = page(*folders), row_of(read_run(folders[1]))
    assert "honest agents" in html
    line = next(cells for cells in cells_of(html) if cells[0] == "knexa")
    assert line[2].endswith(f"→{100 * row['pass@1']:.1f}")
    assert line[-3] == str(row["exchanges"])
    assert f"{100 * row['pass@1']:.1f} %</text>" in html


def test_runs_of_one_strategy_and_seed_are_told_apart(tmp_path: Path) -> None:
    """Two runs with other settings are two bars and two lines, named with their folders; a folder given twice is one run."""
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b", rounds=3)
    other = write_run(tmp_path / "c", strategy="random")
    html = page(first, second, other)
    assert [(cells[0], cells[-1]) for cells in cells_of(html)] == [
        ("knexa (1)", str(first)),
        ("knexa (2)", str(second)),
        ("random", str(other)),
    ]
    assert "Several runs of one strategy and seed" in html
    assert len(re.findall('<rect class="bar"', html)) == 3
    assert "Several runs" not in page(first, other)
    assert write_report([first, tmp_path / "b" / ".." / "a"]) == first / "report.html"


def test_a_page_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No page in the root of the file system, and one sentence where its place is taken."""
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b", strategy="random")
    (tmp_path / "report.html").mkdir()
    with pytest.raises(RunFolderError, match=r"report\.html: cannot be written \(Is a directory\)"):
        write_report([first, second])
    monkeypatch.setattr("os.path.commonpath", lambda _: "/")
    with pytest.raises(RunFolderError, match="share no folder but /"):
        write_report([first, second])


def test_bytes_to_a_server_are_counted_like_those_between_agents(tmp_path: Path) -> None:
    """A comparison's table has both in one column."""
    html = page(served_run(tmp_path / "served"), write_run(tmp_path / "pairs"))
    sent = [row.split("<td>") for row in re.findall(r"<tr><td>.*?</tr>", html)]
    assert {row[1].removesuffix("</td>"): row[-2].removesuffix("</td>") != "0" for row in sent} == {"local": True, "knexa": True}
    assert any(row[-2] == "13</td>" for row in sent)  # 12,345 and 678 bytes


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
    table = final_table(summary, 80)
    assert list(table.columns[0].cells) == [*(f"agent-{n}" for n in range(1, 7)), "mean"]
    start, end = (summary["mean"][stage]["pass@1"] for stage in ("start", "end"))
    assert list(table.columns[1].cells)[-1] == f"{100 * start:.1f}→{100 * end:.1f}"


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_no_figure_of_the_terminal_is_cut_off(tmp_path: Path, width: int) -> None:
    """With names as organisations have them scores are left out, and named below; in a wide terminal none is."""
    text = json.dumps(summarise(write_run(tmp_path / "run"))).replace("agent-", "hospital-of-the-south-")
    console = Console(width=width, record=True)
    console.print(final_table(json.loads(text), width))
    shown = console.export_text(styles=False)
    assert "…" not in shown
    assert all(shown.count(f"hospital-of-the-south-{n} ") == 1 for n in range(1, 7))
    assert all(heading in shown for heading in ("Pass@1", "Pass@5", "Pass@10", "loss", "taught", "learned"))
    assert ("No room here" in shown) == (width < 120)


@given(st.lists(st.text("abcdefghij-", min_size=1, max_size=24), min_size=1, max_size=30))
def test_a_legend_of_any_length_covers_no_line(names: list[str]) -> None:
    """However many lines of names: the plot begins below the last, nothing is cut off, and each of two dozen series looks different."""
    x, y = round_axis("round", 1, 5, LEFT, RIGHT), value_axis("score", [0.0, 1.0], BOTTOM, TOP)
    drawn = line_chart("chart", [Series(name, [(1, 0.2), (5, 0.9)], colour(index)) for index, name in enumerate(names)], x, y, height=320)
    moved = re.search(r'<g transform="translate\(0 ([\d.]+)\)">', drawn)
    down = float(moved[1]) if moved else 0.0
    rows = [float(at) for at in re.findall(r'<text x="[\d.]+" y="([\d.]+)" text-anchor="start"', drawn)]
    assert len(rows) == len(names)
    assert max(rows) < TOP + down
    assert float(re.search(r'viewBox="0 0 560 (\d+)"', drawn)[1]) == pytest.approx(320 + down, abs=1)  # type: ignore[index]
    looks = [colour(index) for index in range(24)]
    assert len(set(looks)) == len(looks)


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
