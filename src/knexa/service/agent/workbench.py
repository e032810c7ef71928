"""Where an agent's model works: one piece of work at a time, in a thread, with what each took written down."""

from __future__ import annotations

import asyncio
import resource
import shutil
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from knexa.config import FederationConfig
from knexa.errors import RunFolderError
from knexa.events import TIMINGS_FILE, EventLog
from knexa.participant.contract import Workplace
from knexa.protocol.peer import Train, Work
from knexa.service.agent.inputs import Done, due

_T = TypeVar("_T")


class Workbench:
    """``folder``: where timings and, after every round, the adapter are kept. Close it when the agent's process ends."""

    def __init__(self, name: str, config: FederationConfig, place: Workplace, folder: Path) -> None:
        """Raises RunFolderError for a folder that cannot be made or written to."""
        self._name, self._config, self._place, self._folder = name, config, place, folder
        self.lease_s = config.transport.lease_s
        self._began = time.perf_counter()
        self._worked, self._clock_began = 0.0, 0.0
        self._clock: int | None = None
        path = folder / TIMINGS_FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # for its owner alone: see the store
            self._timings = EventLog(path, keep_bytes=path.stat().st_size if path.exists() else None)
        except OSError as error:
            raise RunFolderError(f"{folder}: cannot be used ({error.strerror}); choose another --dir") from error

    async def transfer_set(self) -> str:
        return await asyncio.to_thread(self._place.transfer_set)

    async def start(self) -> bytes:
        """The state to begin with."""
        return await self._timed("start", 0, self._place.start, self._name)

    async def do(self, work: Work | None, learner: bytes, evaluated: Collection[str]) -> Done:
        """Evaluations that are due, then ``work``; None is the end, when nothing is left but to evaluate and to save the adapter."""
        scores: dict[str, Mapping[str, Any]] = {}
        for one in due(work, self._config.evaluation.curve_every, self._config.rounds, evaluated):
            fields = await self._timed(
                f"evaluate-{one.stage}", one.round, self._place.evaluate, self._name, learner, one.stage, one.round
            )  # fmt: skip
            scores[one.name] = {**fields, "stage": one.stage, "round": one.round}
        if work is None or (isinstance(work, Train) and work.round > 1):
            await self._timed("save", self._config.rounds if work is None else work.round - 1, self._save, learner)
        if work is None:
            return Done(scores, None, learner)
        round = work.round if isinstance(work, Train) else work.match.round
        result, after = await self._timed(type(work).__name__.lower(), round, self._place.perform, self._name, work, learner, round)
        return Done(scores, result, after)

    def _save(self, learner: bytes) -> None:
        """The adapter so far; a kill meanwhile leaves the one before, or that under the name ``adapter.before``."""
        try:
            self._replace_adapter(learner)
        except OSError as error:
            raise RunFolderError(f"{self._folder}: the adapter cannot be written ({error.strerror}); make room and start again") from error

    def _replace_adapter(self, learner: bytes) -> None:
        adapter, new, before = (self._folder / name for name in ("adapter", "adapter.new", "adapter.before"))
        for left in (new, before):
            shutil.rmtree(left, ignore_errors=True)
        new.mkdir()
        self._place.save(self._name, learner, new)
        if adapter.exists():
            adapter.rename(before)
        new.rename(adapter)
        shutil.rmtree(before, ignore_errors=True)

    def close(self) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self._timings.append("process", agent=self._name, seconds=time.perf_counter() - self._began, peak_rss_mb=peak)
        self._timings.close()

    @property
    def worked_ms(self) -> int:
        """How long the model's thread has computed since this process began: it stands still when the model does."""
        return int(1000 * (self._worked + (0.0 if self._clock is None else time.clock_gettime(self._clock) - self._clock_began)))

    def _work(self, call: Callable[..., _T], *arguments: object) -> _T:
        clock = time.pthread_getcpuclockid(threading.get_ident())
        self._clock_began, self._clock = time.clock_gettime(clock), clock
        try:
            return call(*arguments)
        finally:
            self._worked += time.clock_gettime(clock) - self._clock_began
            self._clock = None

    async def _timed(self, what: str, round: int, call: Callable[..., _T], *arguments: object) -> _T:
        at, began = time.time(), time.perf_counter()
        done = await asyncio.to_thread(self._work, call, *arguments)
        self._timings.append("job", job=what, agent=self._name, round=round, at=at, seconds=time.perf_counter() - began, worker=0)
        return done
