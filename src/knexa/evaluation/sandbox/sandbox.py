"""The sandbox as the rest of KNEXA sees it: checks in, verdicts out."""

from __future__ import annotations

import select
import sys
import threading
from collections.abc import Iterator, Sequence
from itertools import count
from types import TracebackType
from typing import Literal

from knexa.errors import SandboxError
from knexa.evaluation.sandbox.backends import BACKENDS
from knexa.evaluation.sandbox.check import Check, Verdict
from knexa.evaluation.sandbox.inside import seccomp
from knexa.evaluation.sandbox.self_test import self_test
from knexa.evaluation.sandbox.worker import Reply, Worker

#: Checks that wait in a worker: enough that it never idles, few enough that a slow one holds up little.
_AHEAD = 8
_ADVICE = "install bubblewrap 0.8 or later (and allow user namespaces), or use Linux 5.13 or later with Landlock enabled"


class Sandbox:
    """Runs untrusted programs against trusted tests, in worker processes of its own. A context manager.

    ``timeout_s`` limits one check in seconds of its own running or sleeping, not of waiting for a busy processor.
    ``memory_mb`` limits its memory beyond the interpreter's, in MiB. ``workers``: fork servers that check side by side.
    ``backend``: see ``backends``; ``auto`` takes the first that passes its self-test.

    Safe to share between threads; not between processes: one forked while a sandbox is open must open its own.
    """

    def __init__(
        self,
        backend: Literal["auto", "bubblewrap", "landlock"] = "auto",
        timeout_s: float = 2.0,
        memory_mb: int = 256,
        workers: int = 2,
    ) -> None:
        """Start and self-test the workers. Raises SandboxError, and runs nothing, where no backend shuts programs in."""
        if workers < 1 or timeout_s <= 0 or memory_mb < 1:
            raise ValueError(f"workers, timeout_s and memory_mb must be positive, not {workers}, {timeout_s} and {memory_mb}")
        self._limits = (timeout_s, memory_mb)
        self._size = workers
        self._lock = threading.Lock()
        self._numbers = count()
        self.backend, self._workers = self._start(backend)

    def _start(self, wanted: str) -> tuple[str, list[Worker]]:
        if sys.platform != "linux" or not seccomp.supported():
            raise SandboxError("no sandbox on this platform: programs are run on Linux on x86-64 or AArch64 only")
        failures = []
        for backend in BACKENDS if wanted == "auto" else (wanted,):
            try:
                return backend, self._open_workers(backend)
            except SandboxError as error:
                failures.append(f"{backend}: {error}")
        raise SandboxError(f"no sandbox, so nothing was run ({'; '.join(failures)}); {_ADVICE}")

    def _open_workers(self, backend: str) -> list[Worker]:
        workers: list[Worker] = []
        try:
            for _ in range(self._size):
                workers.append(Worker(backend, *self._limits))
            for worker in workers:
                self._prove(worker)
        except SandboxError:
            _close(workers)
            raise
        return workers

    def _prove(self, worker: Worker) -> None:
        with self_test(self._limits[1]) as check:
            reply = self._ask(worker, check)
            if not reply.verdict.final:  # a busy machine is no breach
                reply = self._ask(worker, check)
        if not reply.verdict.passed:
            raise SandboxError(f"the self-test of its isolation did not pass ({reply.verdict.name.lower()}: {reply.detail})")

    def _ask(self, worker: Worker, check: Check) -> Reply:
        worker.submit(next(self._numbers), check)
        replies: list[Reply] = []
        while not replies:
            replies = worker.receive()
        return replies[0]

    def run(self, checks: Sequence[Check]) -> list[Verdict]:
        """Verdicts in the order of ``checks``. Raises SandboxError when the sandbox itself breaks; it is closed then."""
        return [reply.verdict for reply in self._replies(checks)]

    def explain(self, checks: Sequence[Check]) -> list[tuple[Verdict, str]]:
        """As :meth:`run`, each verdict with a line that says why, for people: it may quote the program's own words."""
        return [(reply.verdict, reply.detail) for reply in self._replies(checks)]

    def _replies(self, checks: Sequence[Check]) -> list[Reply]:
        with self._lock:
            if not self._workers:
                raise SandboxError("this sandbox is closed; open another one")
            try:
                return self._run(checks)
            except BaseException:
                # Whatever interrupted the batch, half-done checks must not answer the next one.
                _close(self._workers)
                self._workers = []
                raise

    def _run(self, checks: Sequence[Check]) -> list[Reply]:
        numbers = [next(self._numbers) for _ in checks]
        waiting = iter(zip(numbers, checks, strict=True))
        replies: dict[int, Reply] = {}
        for _ in range(_AHEAD):
            for worker in self._workers:
                _submit_next(worker, waiting)
        while len(replies) < len(numbers):
            for worker in select.select([worker for worker in self._workers if worker.outstanding], [], [])[0]:
                for reply in worker.receive():
                    replies[reply.number] = reply
                    _submit_next(worker, waiting)
        return [replies[number] for number in numbers]

    def close(self) -> None:
        """End the workers. Closing twice is fine."""
        with self._lock:
            _close(self._workers)
            self._workers = []

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _submit_next(worker: Worker, waiting: Iterator[tuple[int, Check]]) -> None:
    upcoming = next(waiting, None)
    if upcoming is not None:
        worker.submit(*upcoming)


def _close(workers: list[Worker]) -> None:
    for worker in workers:
        worker.close()
