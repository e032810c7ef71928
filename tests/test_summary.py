"""Reading a run folder back, and its summary."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from synthetic_run import write_run

from knexa.errors import RunFolderError
from knexa.record import read_run
from knexa.summary import summarise, write_summary

SCORES = {"pass@1", "pass@5", "pass@10", "exact_match", "codebleu", "loss"}


def test_the_summary_has_the_published_shape(tmp_path: Path) -> None:
    """The keys are a public contract: scripts read them."""
    summary = write_summary(write_run(tmp_path / "run", rounds=4))
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == summary
    assert set(summary) == {"strategy", "seed", "rounds", "seconds", "peak_rss_mb", "mean", "honest", "agents", "exchanges"}
    assert set(summary["mean"]["start"]) == set(summary["mean"]["end"]) == SCORES
    assert [agent["agent"] for agent in summary["agents"]] == [f"agent-{n}" for n in range(1, 7)]
    assert all(set(agent["start"]) == set(agent["end"]) == SCORES for agent in summary["agents"])
    keys = {"round", "teacher", "student", "protocol", "reward", "loss_before", "loss_after", "bytes"}
    assert all(set(exchange) == keys for exchange in summary["exchanges"])
    assert (summary["strategy"], summary["seed"], summary["rounds"], summary["seconds"], summary["peak_rss_mb"]) == (
        "knexa",
        0,
        4,
        61.5,
        1234.5,
    )


def test_the_mean_is_the_mean_of_the_agents(tmp_path: Path) -> None:
    """Every agent counts once."""
    summary = summarise(write_run(tmp_path / "run"))
    for stage in ("start", "end"):
        values = [agent[stage]["pass@1"] for agent in summary["agents"]]
        assert summary["mean"][stage]["pass@1"] == pytest.approx(sum(values) / 6)


def test_codebleu_is_a_score_like_the_others(tmp_path: Path) -> None:
    """Measured at start and end; null in a record that has none, such as that of problems without solutions."""
    folder = write_run(tmp_path / "run")
    end = [agent["end"]["codebleu"] for agent in summarise(folder)["agents"]]
    assert summarise(folder)["mean"]["end"]["codebleu"] == pytest.approx(sum(end) / 6)
    log = folder / "events.jsonl"
    log.write_text(re.sub(r'"codebleu":[\d.]+,', "", log.read_text()))
    assert summarise(folder)["mean"]["end"]["codebleu"] is None
    assert summarise(folder)["mean"]["end"]["pass@10"] is not None


def test_a_failed_exchange_is_in_the_record_and_not_among_the_measured(tmp_path: Path) -> None:
    """An exchange that came to nothing is not lost from sight, and is never counted as zero."""
    folder = write_run(tmp_path / "run", rounds=3)
    run = read_run(folder)
    failed = [exchange for exchange in run.exchanges if exchange.accepted is None]
    assert [(exchange.round, exchange.reward) for exchange in failed] == [(2, None)]
    assert len(summarise(folder)["exchanges"]) == len(run.exchanges) - 1
    assert failed[0].match_id in run.faults[0]["what"]


@pytest.mark.parametrize("until", ["header", "rounds"])
def test_a_run_that_was_killed_reads_as_far_as_it_got(tmp_path: Path, until: str) -> None:
    """Unknown values are null; a mean never silently covers fewer agents."""
    folder = write_run(tmp_path / "run", until=until)
    with (folder / "events.jsonl").open("ab") as log:
        log.write(b'{"kind":"evalu')
    run, summary = read_run(folder), summarise(folder)
    assert not run.finished
    assert summary["seconds"] is None
    assert set(summary["mean"]["end"].values()) == {None}
    assert (summary["mean"]["start"]["pass@1"] is None) == (until == "header")


def test_what_is_no_run_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A wrong folder, a log without header and a damaged log each say what is wrong."""
    with pytest.raises(RunFolderError, match="no run folder"):
        summarise(tmp_path)
    (tmp_path / "events.jsonl").write_text("")
    with pytest.raises(RunFolderError, match="has no header"):
        summarise(tmp_path)
    (tmp_path / "events.jsonl").write_text('{"kind":"header","version":"0"}\n')
    with pytest.raises(RunFolderError, match="lacks 'config'"):
        summarise(tmp_path)
