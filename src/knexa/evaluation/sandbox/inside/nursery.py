"""Forks the untrusted processes, in a process that has never seen a test.

The server forks the nursery before it reads its first check, and hands it nothing but pipe ends. So no copy of a test,
of an expected value or of another candidate's program lies in the memory that a candidate inherits.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Callable

from . import candidate
from .confinement import Confinement

_SPAWN, _END = b"s", b"e"


class Nursery:
    """The server's handle on the nursery's process."""

    def __init__(self, confinement: Confinement, close: Callable[[], None]) -> None:
        """Fork the nursery; ``close`` closes, in it, what belongs to the server alone."""
        self._socket, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            close()
            self._socket.close()
            _serve(theirs, confinement)
            os._exit(0)
        theirs.close()

    def spawn(self, read: int, write: int) -> int:
        """Process id of a new candidate that talks over the pipe ends ``read`` and ``write``."""
        socket.send_fds(self._socket, [_SPAWN + bytes(4)], [read, write])
        return int.from_bytes(self._socket.recv(4), "little")

    def end(self, pid: int) -> int:
        """Make an end of candidate ``pid``; the wait status with which it had ended by itself, 0 when it had to be killed."""
        self._socket.sendall(_END + pid.to_bytes(4, "little"))
        return int.from_bytes(self._socket.recv(4), "little")

    def close(self) -> None:
        self._socket.close()
        os.waitpid(self._pid, 0)


def _serve(requests: socket.socket, confinement: Confinement) -> None:
    confinement.die_with_parent()
    gc.freeze()
    alive: set[int] = set()
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 5, 2)
        if not message:
            break
        if message[:1] == _SPAWN:
            answer = _fork(requests, descriptors, confinement)
            alive.add(answer)
        else:
            pid = int.from_bytes(message[1:], "little")
            alive.discard(pid)
            answer = _end(pid)
        requests.sendall(answer.to_bytes(4, "little"))
    for pid in alive:
        _end(pid)


def _fork(requests: socket.socket, descriptors: list[int], confinement: Confinement) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            gc.enable()
            candidate.run(confinement, *descriptors)
        finally:
            candidate.leave()
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def _end(pid: int) -> int:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        return status
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 0
