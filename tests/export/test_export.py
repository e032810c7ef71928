"""Exports: every point of the record, under one name, as the tool itself reads it back."""

from __future__ import annotations

import importlib.util
import json
import re
import struct
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from synthetic_run import write_run
from tensorboardX.proto.event_pb2 import Event
from typer.testing import CliRunner

from knexa.cli.app import app
from knexa.config import load_config
from knexa.errors import ConfigurationError
from knexa.export.curves import curves, names, settings
from knexa.export.mlflow import to_mlflow
from knexa.export.tensorboard import to_tensorboard
from knexa.record import read_run
from knexa.simulation.federation import Federation
from knexa.summary import summarise

with_mlflow = pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow is not installed (knexa[mlflow])")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of the simulator, with the arithmetic workplace."""
    config = load_config(strategy="knexa", seed=0, rounds=3, sets=["engine.kind=serial", "evaluation.curve_every=1"])
    out = tmp_path_factory.mktemp("runs") / "run"
    return Federation(config, workplace="scored_workplace:create").run(out).folder


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard's event files in ``folder`` hold: length, two checksums, and a protobuf each."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for path in folder.glob("events.out.tfevents.*"):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (size,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + size])
            at += 12 + size + 4
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found[value.tag].append((event.step, value.simple_value))
    return found


def test_every_measured_number_is_a_point(folder: Path):
    """Starts and ends of all agents as the summary has them, their means, curves between, profiles, and every exchange."""
    run, summary = read_run(folder), summarise(folder)
    points = {(point.curve, point.round): point.value for point in curves(run)}
    assert len(points) == len(curves(run)), "two points of one curve in one round"
    for row in summary["agents"]:
        for stage, round in (("start", 0), ("end", 3)):
            assert points[f"test/pass_at_1/{row['agent']}", round] == row[stage]["pass@1"]
            assert points[f"test/loss/{row['agent']}", round] == row[stage]["loss"]
    assert points["test/pass_at_10/_mean", 3] == pytest.approx(summary["mean"]["end"]["pass@10"])
    assert {round for curve, round in points if curve == "validation/pass_at_1/_mean"} == {1, 2, 3}
    assert {round for curve, round in points if curve == "private/train_loss/agent-1"} == {1, 2, 3}
    for one in summary["exchanges"]:
        assert points[f"exchange/reward/{one['student']}", one["round"]] == one["reward"]
    assert summary["exchanges"]
    curves_of = {curve for curve, _ in points}
    assert all(re.fullmatch(r"[\w./-]+", curve) for curve in curves_of)
    assert not any(other.startswith(f"{curve}/") for curve in curves_of for other in curves_of), "a file cannot be a folder too"


def test_settings_are_those_of_the_run(folder: Path):
    assert settings(read_run(folder))["rounds"] == "3"
    assert settings(read_run(folder))["agents.0.name"] == "agent-1"
    assert settings(read_run(folder))["central.method"] == "none"


def test_runs_are_named_by_where_they_lie(folder: Path, tmp_path: Path):
    run = read_run(folder)
    assert names([folder], [run]) == ["knexa-seed0"]
    cells = [tmp_path / strategy / f"seed-{seed}" for strategy in ("random", "knexa") for seed in (0, 1)]
    assert names(cells, [run] * 4) == ["random/seed-0", "random/seed-1", "knexa/seed-0", "knexa/seed-1"]


def test_tensorboard_reads_the_same_points(folder: Path, tmp_path: Path):
    """In single precision, which is what its files hold; and no run twice."""
    run = read_run(folder)
    to_tensorboard({"one": run, "deep/two": run}, tmp_path)
    expected: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for point in curves(run):
        expected[point.curve].append((point.round, pytest.approx(point.value, rel=1e-6)))
    assert scalars(tmp_path / "one") == expected == scalars(tmp_path / "deep" / "two")
    with pytest.raises(ConfigurationError, match="one holds an exported run already"):
        to_tensorboard({"new": run, "one": run}, tmp_path)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("out", ["taken", "taken/curves"])
def test_a_file_in_the_place_of_the_curves_is_named(out: str, folder: Path, tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigurationError, match=r"^--tensorboard: .*taken.* cannot be written \((Not a directory|File exists)\); choose"):
        to_tensorboard({"one": read_run(folder)}, tmp_path / out)


def test_a_run_that_was_killed_is_exported_as_far_as_it_got(tmp_path: Path):
    run = read_run(write_run(tmp_path / "run", until="rounds"))
    to_tensorboard({"run": run}, tmp_path / "out")
    assert max(step for step, _ in scalars(tmp_path / "out" / "run")["exchange/bytes/_mean"]) == 6


@with_mlflow
def test_mlflow_reads_the_same_points(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run, uri = read_run(folder), (tmp_path / "mlruns").as_uri()
    to_mlflow({"one": run}, uri)
    to_mlflow({"two": run}, uri)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("knexa")
    found = {one.info.run_name: one for one in client.search_runs([experiment.experiment_id])}
    assert set(found) == {"one", "two"}
    assert found["one"].data.params == settings(run)
    assert found["one"].info.status == "FINISHED"
    for curve in {point.curve for point in curves(run)}:
        history = sorted((one.step, one.value) for one in client.get_metric_history(found["one"].info.run_id, curve))
        assert history == [(point.round, point.value) for point in curves(run) if point.curve == curve]


@with_mlflow
def test_what_mlflow_refuses_is_one_sentence(folder: Path):
    with pytest.raises(ConfigurationError, match=r"^--mlflow: found 'nowhere://x'; mlflow cannot write there: [^\n]+$"):
        to_mlflow({"one": read_run(folder)}, "nowhere://x")


@pytest.mark.parametrize(
    ("module", "export", "sentence"),
    [
        ("tensorboardX", to_tensorboard, r"tensorboardX is not installed; `pip install 'knexa\[tensorboard\]'`"),
        ("mlflow", to_mlflow, r"mlflow is not installed; `pip install 'knexa\[mlflow\]'`"),
    ],
)
def test_a_missing_package_is_named(module: str, export, sentence: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=sentence):
        export({"one": read_run(folder)}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_exports_all_folders_and_needs_a_target(folder: Path, tmp_path: Path):
    done = CliRunner().invoke(app, ["export", str(folder), "--tensorboard", str(tmp_path / "out"), "--json"])
    assert json.loads(done.stdout)["runs"] == ["knexa-seed0"]
    assert scalars(tmp_path / "out" / "knexa-seed0")
    refused = CliRunner().invoke(app, ["export", str(folder)])
    assert isinstance(refused.exception, ConfigurationError)
    assert "found no target; allowed: --tensorboard DIR, --mlflow URI" in str(refused.exception)
