"""The engine that works in this process, one job after the other: for debugging, and as the yardstick of the other engines."""

from __future__ import annotations

import resource
import time
from typing import Any

from knexa.config import FederationConfig
from knexa.participant.contract import Workplace, load_workplace
from knexa.simulation.engine import Cost, Job, OnCost, Pending
from knexa.simulation.failures import Failure


class Serial:
    """Runs a job when its result is asked for."""

    def __init__(self, config: FederationConfig, workplace: str, on_cost: OnCost) -> None:
        self._workplace = load_workplace(workplace, config)
        self._on_cost = on_cost

    def submit(self, job: Job) -> Pending:
        return _Deferred(job, self._workplace, self._on_cost)

    def peak_rss_mb(self) -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def close(self) -> None:
        self._workplace.close()


class _Deferred:
    def __init__(self, job: Job, workplace: Workplace, on_cost: OnCost) -> None:
        self._job = job
        self._workplace = workplace
        self._on_cost = on_cost

    def result(self) -> Any:
        value, seconds = timed(self._job, self._workplace)
        if isinstance(value, Failure):
            raise value.error(str(self._job))
        self._on_cost(Cost(self._job, seconds, 0))
        return value


def timed(job: Job, workplace: Workplace) -> tuple[Any, float]:
    """What ``job`` returns, or a Failure, and the seconds it took."""
    began = time.perf_counter()
    try:
        value = job.run(workplace)
    except Exception as error:  # noqa: BLE001 - nothing is swallowed: a Failure is raised again where it is awaited
        value = Failure.of(error)
    return value, time.perf_counter() - began
