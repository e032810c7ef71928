"""The engine that works in N processes: started once, each given the longest job that waits as soon as it is free.

Ctrl-C reaches the run alone, which then ends its workers as whole process groups (:mod:`knexa.simulation.child`).
"""

from __future__ import annotations

import sys
from multiprocessing.connection import wait
from typing import Any

from knexa.config import FederationConfig
from knexa.errors import KnexaError
from knexa.machine import WORKER
from knexa.simulation.child import Child
from knexa.simulation.engine import Cost, Job, OnCost
from knexa.simulation.failures import Failure
from knexa.simulation.worker import Answer, Orders, peak_rss_mb

_STARTUP = Job("start", "start-up of a worker", "", 0, ())


class Processes:
    """Jobs are handed out, and answers taken in, whenever the run waits; no thread of its own.

    Longest first (by what the same job of the same agent took last): a long job begun last would leave the other workers idle.
    """

    def __init__(self, config: FederationConfig, workplace: str, on_cost: OnCost) -> None:
        self._on_cost = on_cost
        self._waiting: list[_Submitted] = []
        self._last_seconds: dict[tuple[str, str], float] = {}
        self._workers: list[_Worker] = []
        orders = Orders(config, workplace, tuple(sys.path))
        try:
            for number in range(config.engine.workers):
                self._workers.append(_Worker(number, orders, config.engine.threads))
        except BaseException:
            self.close()
            raise

    def submit(self, job: Job) -> _Submitted:
        submitted = _Submitted(job, self)
        self._waiting.append(submitted)
        return submitted

    def pump(self) -> None:
        """Give the free workers jobs, wait for an answer, and take in what has come."""
        self._hand_out()
        ready = set(wait([end for worker in self._workers for end in (worker.connection, worker.sentinel)]))
        for worker in self._workers:
            if worker.connection not in ready and worker.sentinel not in ready:
                continue
            submitted, answer = worker.take_answer()
            if isinstance(answer.value, Failure) and submitted.job is _STARTUP:
                raise answer.value.error(str(_STARTUP))
            submitted.answer = answer
            if submitted.job is not _STARTUP and not isinstance(answer.value, Failure):
                self._last_seconds[submitted.job.what, submitted.job.agent] = answer.seconds
                self._on_cost(Cost(submitted.job, answer.seconds, worker.number))
        self._hand_out()

    def _hand_out(self) -> None:
        free = [worker for worker in self._workers if worker.doing is None]
        if free and self._waiting:
            # A stable sort: jobs of unknown length come first, in the order of their submission.
            self._waiting.sort(key=lambda one: -self._last_seconds.get((one.job.what, one.job.agent), float("inf")))
        for worker in free[: len(self._waiting)]:
            worker.give(self._waiting.pop(0))

    def peak_rss_mb(self) -> float:
        return peak_rss_mb() + sum(worker.peak_rss_mb for worker in self._workers)

    def close(self) -> None:
        self._waiting.clear()
        for worker in self._workers:
            worker.kill()


class _Submitted:
    def __init__(self, job: Job, engine: Processes | None) -> None:
        self.job = job
        self.answer: Answer | None = None
        self._engine = engine

    def result(self) -> Any:
        while self.answer is None:
            if self._engine is None:
                raise ValueError("a worker's start-up has no result to wait for")
            self._engine.pump()
        if isinstance(self.answer.value, Failure):
            raise self.answer.value.error(str(self.job))
        return self.answer.value


class _Worker:
    """This side of one worker process."""

    def __init__(self, number: int, orders: Orders, threads: int) -> None:
        self.number = number
        self.peak_rss_mb = 0.0
        self.doing: _Submitted | None = _Submitted(_STARTUP, None)
        self._child = Child("knexa.simulation.worker", threads, {WORKER: str(number)})
        self.connection, self.sentinel = self._child.connection, self._child.sentinel
        self.connection.send(orders)

    def give(self, submitted: _Submitted) -> None:
        self.doing = submitted
        try:
            self.connection.send(submitted.job)
        except OSError as error:
            raise self._death() from error

    def take_answer(self) -> tuple[_Submitted, Answer]:
        """The job it was doing and what came of it. Raises KnexaError if the process is gone."""
        if not self.connection.poll():
            raise self._death()
        try:
            answer: Answer = self.connection.recv()
        except (EOFError, OSError) as error:
            raise self._death() from error
        if self.doing is None:
            raise ValueError(f"worker {self.number} answered without a job")
        self.peak_rss_mb = max(self.peak_rss_mb, answer.peak_rss_mb)
        submitted, self.doing = self.doing, None
        return submitted, answer

    def kill(self) -> None:
        """End the process and all that it started."""
        self._child.kill()

    def _death(self) -> KnexaError:
        how = self._child.death()
        doing = f" during {self.doing.job}" if self.doing is not None else ""
        return KnexaError(f"worker {self.number} {how}{doing}; resume the run, with --set engine.workers=1 if memory is short")
