"""``knexa list``: every run below a folder is in the list, as far as it got."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import knexa
from synthetic_run import write_run

from knexa.errors import RunFolderError
from knexa.simulation.run_folder import RunFolder
from knexa.summary import summarise


def listed(root: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    capsys.readouterr()
    assert knexa("list", str(root), "--json") == 0
    return {run["folder"]: run for run in json.loads(capsys.readouterr().out)["runs"]}


def test_runs_are_finished_stopped_or_running_and_as_far_as_they_got(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for until in ("end", "rounds", "header"):
        write_run(tmp_path / until, rounds=4, until=until)
    folder = RunFolder.reopen(tmp_path / "header")
    found = listed(tmp_path, capsys)
    assert {name: (run["state"], run["closed"], run["rounds"]) for name, run in found.items()} == {
        "end": ("finished", 4, 4),
        "rounds": ("stopped", 4, 4),
        "header": ("running", 0, 4),
    }
    folder.close()
    assert listed(tmp_path, capsys)["header"]["state"] == "stopped"


def test_looking_keeps_no_run_from_beginning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "one", until="rounds")
    listed(tmp_path, capsys)
    RunFolder.reopen(tmp_path / "one").close()


def test_a_second_process_is_still_refused_where_one_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "one", until="rounds")
    folder = RunFolder.reopen(tmp_path / "one")
    listed(tmp_path, capsys)
    with pytest.raises(RunFolderError, match="another process is running this federation"):
        RunFolder.reopen(tmp_path / "one")
    folder.close()


def test_scores_are_those_of_the_summary_and_cells_of_comparisons_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (2, 10):
        write_run(tmp_path / "comparison" / "random" / f"seed-{seed}", strategy="random", seed=seed)
    found = listed(tmp_path, capsys)
    assert list(found) == ["comparison/random/seed-2", "comparison/random/seed-10"]
    for name, run in found.items():
        assert run["scores"] == summarise(tmp_path / name)["mean"]["end"]
        assert (run["strategy"], run["agents"]) == ("random", 6)


@pytest.mark.parametrize("width", ["60", "80", "200"])
def test_a_person_reads_a_line_for_each(
    width: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    write_run(tmp_path / "one")
    write_run(tmp_path / "two", until="rounds")
    assert knexa("list", str(tmp_path)) == 0
    said = capsys.readouterr().out
    score = summarise(tmp_path / "one")["mean"]["end"]["pass@1"]
    line = next(line for line in said.splitlines() if line.split()[:1] == ["one"])
    assert line.split()[1:4] == ["finished", "6/6", f"{100 * score:.1f}"]
    assert "knexa run --resume DIR" in said


def test_a_damaged_run_is_named_and_the_others_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "whole")
    write_run(tmp_path / "damaged")
    (tmp_path / "damaged" / "events.jsonl").write_text("{}\n")
    assert knexa("list", str(tmp_path)) == 0
    said = capsys.readouterr().out
    assert f"{tmp_path / 'damaged'}: events.jsonl has no header yet" in said
    assert any(line.split()[:2] == ["whole", "finished"] for line in said.splitlines())


def test_where_there_are_no_runs_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert knexa("list", str(tmp_path)) == 2
    assert "holds no run" in capsys.readouterr().err
    assert knexa("list", str(tmp_path / "nowhere")) == 2
    assert "is no folder" in capsys.readouterr().err
