"""Every strategy spends what ``random`` spends, counted in what a run has recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from knexa.config import FederationConfig, load_config
from knexa.events import TIMINGS_FILE, read_events
from knexa.simulation.federation import Federation
from knexa.strategies import STRATEGIES, UNDISTILLED

#: Half of the agents are students in a round of pairs, so nothing has to be rounded.
SETS = ("engine.kind=serial", "distillation.prompts=4", "evaluation.curve_every=0", "transport.loss=0")


def run(name: str, folder: Path) -> tuple[FederationConfig, list[dict[str, Any]], list[dict[str, Any]]]:
    config = load_config(strategy=name, rounds=4, seed=1, sets=SETS)
    Federation(config, workplace="arithmetic_workplace:create").run(folder)
    return config, list(read_events(folder)), list(read_events(folder, TIMINGS_FILE))


def texts_learned(config: FederationConfig, events: list[dict[str, Any]], timings: list[dict[str, Any]]) -> int:
    """Texts that all agents together took gradients on: from trainings done, outcomes reported, and the server's steps."""
    local, distillation = config.local, config.distillation
    trained = sum(local.first_steps if job["round"] == 1 else local.steps for job in _jobs(timings, "train")) * local.batch_size
    distilled = sum(event["kind"] == "outcome" for event in events) * distillation.steps
    distilled += sum(event["students"] * event["steps"] for event in _central(events))
    return local.accumulate * (trained + distilled * (distillation.batch_size + distillation.own_batch_size))


def texts_written(events: list[dict[str, Any]]) -> int:
    """Answers that agents wrote for others."""
    return sum(event["texts"] for event in events if event["kind"] in ("package", "central"))


def _jobs(timings: list[dict[str, Any]], what: str) -> Iterator[Mapping[str, Any]]:
    return (row for row in timings if row.get("job") == what)


def _central(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == "central"]


@pytest.fixture(scope="module")
def yardstick(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int, str]:
    """``random``: texts learned from, texts written, hash of the starting bytes."""
    config, events, timings = run("random", tmp_path_factory.mktemp("random") / "run")
    return texts_learned(config, events, timings), texts_written(events), events[0]["start_hash"]


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "random"])
def test_a_strategy_learns_from_as_many_texts_as_random_and_has_as_many_written(
    name: str, yardstick: tuple[int, int, str], tmp_path: Path
) -> None:
    """From equal bytes; where nothing is distilled nothing is written either. A server's own work is on top, and stands in its events."""
    config, events, timings = run(name, tmp_path / "run")
    learned, written, start = yardstick
    assert events[0]["start_hash"] == start
    assert texts_learned(config, events, timings) == learned
    assert texts_written(events) == (0 if name in UNDISTILLED else written)
    on_top = {(event["server_steps"] > 0, event["server_texts"] > 0, event["scored"] > 0) for event in _central(events)}
    assert on_top == {"fedid": {(True, True, False)}, "central-kd": {(False, False, True)}, "fedavg": {(False, False, False)}}.get(
        name, set()
    )


def test_a_server_is_there_in_every_round_and_says_what_travelled(tmp_path: Path) -> None:
    """One event a round with everybody in it; FedAvg one more, before the first round."""
    for name, rounds in (("central-kd", [1, 2, 3, 4]), ("fedid", [1, 2, 3, 4]), ("fedavg", [0, 1, 2, 3, 4])):
        _, events, _ = run(name, tmp_path / name)
        central = _central(events)
        assert [event["round"] for event in central] == rounds
        assert all(event["bytes_up"] > 0 and event["bytes_down"] > 0 for event in central)
        assert {event["students"] for event in central} == {4 if name == "fedavg" else 6}
