"""What every process of a check gives up before it runs a line that we did not write."""

from __future__ import annotations

import ctypes
import os
import platform
import random
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from . import seccomp

#: Address space of the interpreter itself, granted on top of the program's memory.
INTERPRETER_BYTES = 64 << 20
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


@dataclass(frozen=True, slots=True)
class Confinement:
    """Limits of one process: ``memory`` in bytes beyond the interpreter, ``seconds`` of processor time (a backstop)."""

    memory: int
    seconds: int
    program: bytes
    libc: ctypes.CDLL

    @classmethod
    def prepare(cls, memory_mb: int, timeout_s: float) -> Confinement:
        program = seccomp.instructions(platform.machine())
        return cls(memory_mb << 20, int(timeout_s) + 2, program, ctypes.CDLL(None, use_errno=True))

    def enter(self, channels: Mapping[int, int]) -> None:
        """Keep only the descriptors ``{number now: number wanted}`` (wanted: 3 and up), then drop every right, for good."""
        self.die_with_parent()
        self.libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        _keep_only(channels)
        space = self.memory + INTERPRETER_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
        resource.setrlimit(resource.RLIMIT_CPU, (self.seconds, self.seconds + 1))
        for limit, value in (
            (resource.RLIMIT_NPROC, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NOFILE, 64),
        ):
            resource.setrlimit(limit, (value, value))
        seccomp.restrict(self.libc, self.program)
        # Every fork seeds ``random`` afresh. From a fixed seed instead, a program that draws gets the same verdict each time.
        random.seed(0)

    def die_with_parent(self) -> None:
        """Have the kernel kill this process when the one that forked it ends (safe here: that one has a single thread)."""
        self.libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _keep_only(channels: Mapping[int, int]) -> None:
    # Through high numbers first, so that no duplicate overwrites a descriptor that is still to be moved.
    parked = {os.dup2(now, 100 + wanted): wanted for now, wanted in channels.items()}
    os.dup2(0, 1)
    os.dup2(0, 2)
    for high, wanted in parked.items():
        os.dup2(high, wanted)
    os.closerange(3 + len(parked), 1 << 16)


def forget_modules(prefix: str) -> None:
    """Take our own modules out of ``sys.modules``, so that a program finds a plain interpreter."""
    for name in [name for name in sys.modules if name.startswith(prefix)]:
        del sys.modules[name]
