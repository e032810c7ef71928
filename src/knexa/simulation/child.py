"""A process that works for this one: both of its ends.

It is a fresh interpreter (spawned, not forked: torch and threads do not survive a fork) that imports this package only: a user's script
is not run a second time, as multiprocessing's own spawn would, and needs no guard. It has a session of its own: Ctrl-C reaches the parent
alone. Its standard input is its lifeline: when the parent ends, however it ends, the pipe breaks, and the child ends with it, whatever it
is doing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection, Pipe

#: Libraries read these once, when they are loaded: they must be set before the child begins.
_THREAD_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Child:
    """The parent's end. ``connection``: to the child; ``sentinel``: ready when the child is gone."""

    def __init__(self, module: str, threads: int, variables: Mapping[str, str] | None = None) -> None:
        """``module``: its ``main`` is called in the child, with the descriptor that :func:`parent_connection` takes.

        ``variables``: of its environment, beside those of this process.
        """
        self.connection, theirs = Pipe()
        environment = {**os.environ, **dict.fromkeys(_THREAD_LIMITS, str(threads)), **(variables or {})}
        environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {module} import main; main({theirs.fileno()})"],
            stdin=subprocess.PIPE,
            pass_fds=(theirs.fileno(),),
            env=environment,
            start_new_session=True,
        )
        theirs.close()
        # Ready when the process is gone, even if something that it started still holds the connection open.
        self.sentinel = os.pidfd_open(self._process.pid)

    def kill(self) -> None:
        """End the process and all that it started. May be called twice."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not self.connection.closed:
            self.connection.close()
            os.close(self.sentinel)

    def death(self) -> str:
        """How it ended, in words: "was killed by signal 9 …". Waits for its end."""
        code = self._process.wait()
        if code < 0:
            return f"was killed by signal {-code} (9 often means that memory ran out)"
        return f"ended with exit code {code}"


def parent_connection(descriptor: int) -> Connection:
    """The child's end: its connection to the parent. Ties its life to the parent's."""
    # The lifeline moves away from descriptor 0, and the socket is closed in all that this process starts.
    lifeline = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.set_inheritable(descriptor, False)
    threading.Thread(target=_end_with_the_parent, args=(lifeline,), daemon=True).start()
    return Connection(descriptor)


def _end_with_the_parent(lifeline: int) -> None:
    while os.read(lifeline, 4096):
        pass
    os._exit(1)
