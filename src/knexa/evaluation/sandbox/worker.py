"""One worker process of the sandbox, seen from outside."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO

from knexa.errors import SandboxError
from knexa.evaluation.sandbox import backends
from knexa.evaluation.sandbox.check import Check, Verdict
from knexa.evaluation.sandbox.inside.wire import Frames, decode, encode, frame


@dataclass(frozen=True, slots=True)
class Reply:
    """Verdict on the check sent under ``number``; ``detail`` is one line for people, and partly the program's own words."""

    number: int
    verdict: Verdict
    detail: str


class Worker:
    """Starts on construction, ends when closed or when its owner is gone.

    A worker notices the end of its owner by the end of its standard input. (The kernel's parent-death signal, which
    bubblewrap offers, is sent when the *thread* that started it ends, and would kill workers in a live process.)
    """

    def __init__(self, backend: str, timeout_s: float, memory_mb: int) -> None:
        """Raises SandboxError when the program cannot be started at all."""
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        try:
            self._process = subprocess.Popen(
                backends.command(backend, timeout_s, memory_mb),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=backends.environment(),
                cwd="/",
                bufsize=0,
            )
        except OSError as error:
            self._errors.close()
            raise SandboxError(f"{backend}: {error}") from error
        self._frames = Frames()
        self.outstanding: dict[int, Check] = {}

    def fileno(self) -> int:
        """Descriptor to wait on for replies."""
        return self._replies.fileno()

    @property
    def _replies(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def submit(self, number: int, check: Check) -> None:
        """Hand over a check; its reply comes later, under ``number``. Raises SandboxError when the worker is gone."""
        assert self._process.stdin is not None
        request = memoryview(frame(encode((number, check.program, check.test, check.entry_point, check.prelude))))
        try:
            while request:
                request = request[self._process.stdin.write(request) :]
        except OSError:
            raise self._gone() from None
        self.outstanding[number] = check

    def receive(self) -> list[Reply]:
        """Wait for at least one reply (or a part of one). Raises SandboxError when the worker is gone."""
        data = self._replies.read(1 << 16)
        if not data:
            raise self._gone()
        replies = []
        for payload in self._frames.feed(data):
            number, letter, detail = decode(payload)
            del self.outstanding[number]
            replies.append(Reply(number, Verdict(letter.decode()), detail))
        return replies

    def _gone(self) -> SandboxError:
        status = self.close()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        self._errors.close()
        return SandboxError(f"a worker ended with status {status}" + (f": {lines[-1]}" if lines else ""))

    def close(self) -> int:
        """End the worker and everything in it; its exit status."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            return self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
