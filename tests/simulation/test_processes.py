"""The engine of several processes: who gets which job, and when."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from knexa.protocol.peer import Train
from knexa.simulation.engine import Cost
from knexa.simulation.loop import perform_job
from knexa.simulation.processes import Processes

AGENTS = [f"agent-{number}" for number in range(1, 5)]


class Engine:
    """Processes, and the costs that they reported in the order in which jobs were done."""

    def __init__(self, config, workers: int) -> None:
        self.costs: list[Cost] = []
        settings = config(kind="processes", engine={"kind": "processes", "workers": workers})
        self.processes = Processes(settings, "arithmetic_workplace:create_paced", self.costs.append)

    def train_everybody(self) -> None:
        submitted = [self.processes.submit(perform_job(agent, Train(1), b"[" + b"0.1," * 11 + b"0.1]")) for agent in AGENTS]
        for one in submitted:
            one.result()


@pytest.fixture
def started(config) -> Iterator:
    engines: list[Engine] = []

    def start(workers: int) -> Engine:
        engines.append(Engine(config, workers))
        return engines[-1]

    yield start
    for engine in engines:
        engine.processes.close()


def test_the_longest_job_begins_first_once_its_length_is_known(started):
    """A single worker shows the order: as submitted at first, then longest first."""
    engine = started(1)
    engine.train_everybody()
    assert [cost.job.agent for cost in engine.costs] == AGENTS
    engine.costs.clear()
    engine.train_everybody()
    assert [cost.job.agent for cost in engine.costs] == AGENTS[::-1]


def test_all_workers_get_work(started):
    """As soon as both have started."""
    engine, end = started(2), time.monotonic() + 60
    while {cost.worker for cost in engine.costs} != {0, 1}:
        assert time.monotonic() < end, "one worker did everything for a minute"
        engine.train_everybody()
