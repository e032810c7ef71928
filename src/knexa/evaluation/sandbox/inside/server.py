"""The fork server of one sandbox worker: two forks a check, no interpreter start, no state carried from check to check.

Requests arrive as frames on standard input: (number, program, test, entry point, prelude); verdicts leave on standard
output: (number, letter, detail). Two checks of a worker run side by side, since judge and program take turns
and leave the processor idle in between; one that takes longer than :data:`PATIENCE` no longer holds up the next.

**Time.** A check is charged the processor time of its two processes, and the wall time of every tick in which neither
ran at all (it slept, or waited for something that never comes). A program that mixes naps with a little work, and so
escapes that rule, ends after :data:`WALL_FACTOR` times its limit. From in here, a process that sleeps and one that waits
for a busy processor look the same. So a check that ends with processor time to spare is not said to be over its limit but
to have *stalled*, and whoever asked may ask again; and a tick for which this server itself came late counts as one tick.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from collections import deque
from dataclasses import dataclass

from . import judge, landlock
from .confinement import Confinement
from .nursery import Nursery
from .wire import Frames, decode, encode, frame

#: Most checks that one worker runs at a time, slow ones included; most young ones; seconds for which a check is young.
WIDTH, YOUNG, PATIENCE = 4, 2, 0.05
WALL_FACTOR = 10
_TICK = 0.05
#: A process that runs for less than this share of a tick was not waiting for a processor.
_IDLE_SHARE = 0.02
_PRELOADED = ("bisect", "cmath", "collections", "copy", "datetime", "fractions", "functools", "hashlib", "heapq", "itertools",
              "math", "operator", "random", "re", "statistics", "string", "typing")  # fmt: skip


@dataclass(slots=True)
class _Running:
    """A check in flight. Times in seconds; ``used``: processor time up to the last tick; ``idle``: time of idle ticks."""

    number: int
    judge: int
    candidate: int
    result: int
    started: float
    ticked: float
    used: float = 0.0
    idle: float = 0.0


class Server:
    def __init__(self, requests: int, replies: int, timeout_s: float, confinement: Confinement) -> None:
        self._requests = requests
        self._replies = replies
        self._timeout = timeout_s
        self._confinement = confinement
        self._waiting: deque[tuple[int, tuple[str, str, str, str]]] = deque()
        self._running: list[_Running] = []
        self._nursery = Nursery(confinement, self._close_pipes)
        self._frames = Frames(limit=1 << 30)

    def _close_pipes(self) -> None:
        os.close(self._requests)
        os.close(self._replies)

    def serve(self) -> None:
        """Work until standard input ends; then end everything that still runs."""
        while self._step():
            pass
        for check in self._running:
            self._end(check)
        self._nursery.close()

    def _step(self) -> bool:
        now = time.monotonic()
        while self._waiting and len(self._running) < WIDTH and sum(now - check.started < PATIENCE for check in self._running) < YOUNG:
            self._start(*self._waiting.popleft())
        watched = [self._requests, *(check.result for check in self._running)]
        ready = set(select.select(watched, [], [], _TICK if self._running else None)[0])
        for check in [check for check in self._running if check.result in ready]:
            self._finish(check)
        for check in list(self._running):
            if (letter := self._is_over(check)) is not None:
                self._conclude(check, letter, f"over {self._timeout:g} s" + ("" if letter == judge.TIMEOUT else ", most of it idle"))
        return self._requests not in ready or self._read_requests()

    def _read_requests(self) -> bool:
        data = os.read(self._requests, 1 << 20)
        for payload in self._frames.feed(data):
            number, *check = decode(payload)
            self._waiting.append((number, tuple(check)))
        return bool(data)

    def _start(self, number: int, check: tuple[str, str, str, str]) -> None:
        candidate_reads, judge_writes = os.pipe()
        judge_reads, candidate_writes = os.pipe()
        result, judge_result = os.pipe()
        candidate = self._nursery.spawn(candidate_reads, candidate_writes)
        pid = os.fork()
        if pid == 0:
            try:
                gc.enable()
                judge.run(self._confinement, judge_reads, judge_writes, judge_result, check)
            finally:
                os._exit(0)
        for descriptor in (candidate_reads, candidate_writes, judge_reads, judge_writes, judge_result):
            os.close(descriptor)
        now = time.monotonic()
        self._running.append(_Running(number, pid, candidate, result, now, now))

    def _is_over(self, check: _Running) -> bytes | None:
        now = time.monotonic()
        if now - check.ticked >= _TICK:
            used = _processor_time(check.judge) + _processor_time(check.candidate)
            ran, passed = used - check.used, now - check.ticked
            check.idle += 0.0 if ran > _IDLE_SHARE * passed else min(passed, 2 * _TICK)
            check.ticked, check.used = now, used
        return ending(check.used, check.idle, now - check.started, self._timeout)

    def _finish(self, check: _Running) -> None:
        result = os.read(check.result, 1 << 12)
        self._conclude(check, result[:1] or judge.ERROR, result[1:].decode("utf-8", "ignore"))

    def _conclude(self, check: _Running, letter: bytes, detail: str) -> None:
        self._running.remove(check)
        status = self._end(check)
        if letter == judge.DIED:
            letter = {signal.SIGKILL: judge.MEMORY, signal.SIGXCPU: judge.TIMEOUT}.get(os.WTERMSIG(status), judge.ERROR)  # type: ignore[call-overload]
        os.write(self._replies, frame(encode((check.number, letter, detail))))

    def _end(self, check: _Running) -> int:
        """Kill both processes of a check; the wait status with which the candidate had ended by itself."""
        os.kill(check.judge, signal.SIGKILL)
        os.waitpid(check.judge, 0)
        os.close(check.result)
        return self._nursery.end(check.candidate)


def ending(used: float, idle: float, wall: float, timeout_s: float) -> bytes | None:
    """How a check ends now, if it does: over its limit on the processor alone, or stalled. All in seconds."""
    if used >= timeout_s:
        return judge.TIMEOUT
    return judge.STALLED if used + idle >= timeout_s or wall >= WALL_FACTOR * timeout_s else None


def _processor_time(pid: int) -> float:
    """Seconds of processor time of another process: its clock id is made from its process id (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


def main(arguments: list[str]) -> None:
    """Arguments: time limit in seconds, memory limit in MiB, then the readable paths when Landlock is to be applied."""
    timeout_s, memory_mb = float(arguments[0]), int(arguments[1])
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    confinement = Confinement.prepare(memory_mb, timeout_s)
    for module in _PRELOADED:
        __import__(module)
    if arguments[2:]:
        landlock.restrict(confinement.libc, arguments[2:])
    gc.disable()
    gc.freeze()
    Server(requests, replies, timeout_s, confinement).serve()
