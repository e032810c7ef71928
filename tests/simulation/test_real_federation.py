"""A whole federation of real tiny models: the promises of the simulator where everything is real."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from peft import PeftModel

from knexa.config import FederationConfig, load_config
from knexa.events import read_events
from knexa.learning.backbone import load_backbone
from knexa.simulation.federation import Federation

pytestmark = pytest.mark.slow

SETS = (
    'agents=[{name="a",backbone="embedded:gpt-neox"},{name="b",backbone="embedded:bloom"}]',
    "data.minimum=100",
    "local.first_steps=6",
    "local.steps=1",
    "distillation.steps=2",
    "distillation.prompts=6",
    "evaluation.problems=12",
    "evaluation.samples=2",
    "evaluation.k=[1,2]",
    "evaluation.curve_every=0",
)


def _config(engine: str, strategy: str | None = None) -> FederationConfig:
    return load_config(None, rounds=2, seed=5, strategy=strategy, sets=(*SETS, f"engine.kind={engine}"))


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Federation.from_config(_config("serial")).run(tmp_path_factory.mktemp("serial")).folder


def test_serial_and_processes_write_the_same_bytes(serial: Path, tmp_path: Path) -> None:
    """The engine decides how fast a federation of language models runs, never what happens in it."""
    other = Federation.from_config(_config("processes")).run(tmp_path / "processes").folder
    assert (serial / "events.jsonl").read_bytes() == (other / "events.jsonl").read_bytes()


def test_what_other_strategies_computed_changes_nothing(serial: Path, tmp_path: Path) -> None:
    """A cache that other strategies have filled: the same events, and the first evaluations and local updates are not done again."""
    cache = tmp_path / "cache"
    for strategy in ("random", "random-shipped"):
        Federation.from_config(_config("serial", strategy), cache=cache).run(tmp_path / strategy)
    other = Federation.from_config(_config("processes"), cache=cache).run(tmp_path / "knexa").folder
    assert (serial / "events.jsonl").read_bytes() == (other / "events.jsonl").read_bytes()
    known = Counter(row["job"] for row in read_events(other, "timings.jsonl") if row["kind"] == "job" and row["worker"] is None)
    assert known["evaluate-start"] == 2
    assert known["train"] >= 2


def test_kill_9_loses_nothing(serial: Path, tmp_path: Path) -> None:
    """Killed within the second round and resumed by the command line: the record of a run that was never killed."""
    folder, knexa = tmp_path / "killed", [sys.executable, "-m", "knexa", "run"]
    settings = [word for pair in SETS for word in ("--set", pair)]
    run = subprocess.Popen([*knexa, "--rounds", "2", "--seed", "5", *settings, "--out", str(folder)], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 120
        while not (folder / "checkpoint-00001").is_dir():
            assert run.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < end, "the first round took more than two minutes"
            time.sleep(0.02)
    finally:
        run.kill()
        run.wait()
    assert b'"kind":"end"' not in (folder / "events.jsonl").read_bytes()
    subprocess.run([*knexa, "--resume", str(folder)], check=True, capture_output=True)
    assert (folder / "events.jsonl").read_bytes() == (serial / "events.jsonl").read_bytes()


def test_the_oracle_takes_the_pair_that_pays_most_when_tried(tmp_path: Path) -> None:
    """It tries both directions on copies; what the chosen match then earns is what its trial had earned."""
    folder = Federation.from_config(_config("serial", "oracle")).run(tmp_path / "oracle").folder
    events = list(read_events(folder))
    rewards = {event["match_id"]: event["raw"] for event in events if event["kind"] == "reward"}
    rounds = [event for event in events if event["kind"] == "match"]
    assert len(rounds) == len(rewards) == 2
    for event in rounds:
        (match,), tried = event["matches"], [candidate["score"] for candidate in event["candidates"]]
        assert len(tried) == 2
        assert match["score"] == max(tried)
        assert rewards[match["match_id"]] == pytest.approx(match["score"], abs=1e-12)


def test_a_finished_run_leaves_no_process_behind(serial: Path) -> None:
    """The serial engine works in this process, whose sandboxes it must end."""
    left = subprocess.run(["ps", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False).stdout
    assert "bwrap" not in left
    assert "sandbox" not in left


def test_a_run_holds_everything_that_is_promised(serial: Path) -> None:
    """Two rounds of one exchange each, profiles of both agents, rewards, evaluations and a final state for everybody."""
    kinds = Counter(event["kind"] for event in read_events(serial))
    assert kinds == {
        "header": 1, "profile": 4, "match": 2, "package": 2, "outcome": 2, "reward": 2, "update": 2, "evaluation": 4, "end": 1,
    }  # fmt: skip


def test_no_text_and_no_code_is_in_the_record(serial: Path) -> None:
    """Events hold numbers, names and hashes: no line of any solution."""
    record = (serial / "events.jsonl").read_text()
    assert "return " not in record
    assert "def " not in record


def test_peft_loads_every_saved_adapter(serial: Path) -> None:
    """agents/<id>/adapter is a folder that PeftModel.from_pretrained takes."""
    for agent, backbone in (("a", "gpt-neox"), ("b", "bloom")):
        model = PeftModel.from_pretrained(load_backbone(f"embedded:{backbone}").model, str(serial / "agents" / agent / "adapter"))
        assert any("lora_A" in name for name, _ in model.named_parameters())
