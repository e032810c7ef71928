"""A whole federation of real tiny models: the promises of the simulator where everything is real."""

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


def _config(engine: str) -> FederationConfig:
    return load_config(None, rounds=2, seed=5, sets=(*SETS, f"engine.kind={engine}"))


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Federation.from_config(_config("serial")).run(tmp_path_factory.mktemp("serial")).folder


def test_serial_and_processes_write_the_same_bytes(serial: Path, tmp_path: Path) -> None:
    """The engine decides how fast a federation of language models runs, never what happens in it."""
    other = Federation.from_config(_config("processes")).run(tmp_path / "processes").folder
    assert (serial / "events.jsonl").read_bytes() == (other / "events.jsonl").read_bytes()


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
