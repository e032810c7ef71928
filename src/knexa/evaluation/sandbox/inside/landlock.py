"""Landlock: an ordinary process gives up every file but those it names. Linux 5.13 and later, no privilege needed."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_PR_SET_NO_NEW_PRIVS = 38


def version(libc: ctypes.CDLL) -> int:
    """The kernel's Landlock version; 0 where there is none."""
    answer: int = libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1)
    return max(0, answer)


def restrict(libc: ctypes.CDLL, readable: Iterable[str]) -> None:
    """From here on, this process and its descendants can read below ``readable`` and touch no other file.

    TCP, signals and abstract sockets out of the process's own domain are refused too where the kernel knows how
    (versions 4 and 6); the seccomp filter refuses them everywhere. Raises OSError when the kernel refuses.
    """
    abi = version(libc)
    rights = (1 << (13 if abi < 2 else 14 if abi < 3 else 15 if abi < 5 else 16)) - 1
    attributes = struct.pack("<QQQ", rights, 0b11, 0b11)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    ruleset = _call(libc, _CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    for path in readable:
        _allow_reading(libc, ruleset, path)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs refused")
    _call(libc, _RESTRICT, ruleset, 0)
    os.close(ruleset)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, path: str) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rights = _READ_FILE | _READ_DIR if os.path.isdir(path) else _READ_FILE
    _call(libc, _ADD_RULE, ruleset, 1, struct.pack("<Qi", rights, handle), 0)
    os.close(handle)


def _call(libc: ctypes.CDLL, number: int, *arguments: object) -> int:
    result: int = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock refused (system call {number}): {os.strerror(ctypes.get_errno())}")
    return result
