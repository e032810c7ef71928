"""A seccomp filter for one process that computes, and does nothing else.

An allow list: what is not named here (sockets, processes, threads, signals, ptrace, mounts, namespaces, bpf, io_uring,
keys, every change to a file) fails with EPERM, and so will system calls that are yet to be invented. Files may be opened
for reading only. Because no process can be created, none can outlive its check.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

#: name: (x86-64, AArch64); None where the architecture has no such call.
_ALLOWED: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "stat": (4, None), "fstat": (5, 80), "lstat": (6, None),
    "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "pread64": (17, 67),
    "readv": (19, 65), "writev": (20, 66), "access": (21, None), "select": (23, None), "sched_yield": (24, 124),
    "mremap": (25, 216), "madvise": (28, 233), "dup": (32, 23), "pause": (34, None), "nanosleep": (35, 101),
    "getpid": (39, 172), "exit": (60, 93), "uname": (63, 160), "getcwd": (79, 17), "readlink": (89, None),
    "gettimeofday": (96, 169), "getrusage": (98, 165), "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176),
    "geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173), "sigaltstack": (131, 132), "gettid": (186, 178),
    "time": (201, None), "futex": (202, 98), "sched_getaffinity": (204, 123), "getdents64": (217, 61),
    "restart_syscall": (219, 128), "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "exit_group": (231, 94), "newfstatat": (262, 79), "readlinkat": (267, 78), "faccessat": (269, 48), "pselect6": (270, 72),
    "ppoll": (271, 73), "set_robust_list": (273, 99), "getrandom": (318, 278), "statx": (332, 291), "rseq": (334, 293),
    "faccessat2": (439, 439),
}  # fmt: skip

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | (os.O_TMPFILE & ~os.O_DIRECTORY)
_JUMP_SET, _JUMP_GREATER = 0x45, 0x25
#: Calls allowed unless one argument fails a test: (x86-64, AArch64), argument, jump, operand. fcntl may read and set
#: descriptor flags (commands 0 to 3) but not, with F_SETOWN, have a signal sent to somebody else.
_CONDITIONAL: dict[str, tuple[tuple[int | None, int | None], int, int, int]] = {
    "open": ((2, None), 1, _JUMP_SET, _WRITING),
    "openat": ((257, 56), 2, _JUMP_SET, _WRITING),
    "fcntl": ((72, 25), 1, _JUMP_GREATER, 3),
}

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def supported() -> bool:
    """Whether the system-call numbers of this architecture are known here."""
    return platform.machine() in _ARCHITECTURES


def instructions(machine: str) -> bytes:
    """The filter as classic BPF, 8 bytes an instruction."""
    column, audit = _ARCHITECTURES[machine]
    program = [(_LOAD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    # x86-64 kernels also take x32 numbers, which would slip past a comparison with ours.
    program += [(_JUMP_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _REFUSE)]
    for numbers, argument, jump, operand in _CONDITIONAL.values():
        if (number := numbers[column]) is not None:
            program += [(_JUMP_EQUAL, 0, 4, number), (_LOAD, 0, 0, 16 + 8 * argument), (jump, 0, 1, operand)]
            program += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    for numbers in _ALLOWED.values():
        if (number := numbers[column]) is not None:
            program += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    program.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def restrict(libc: ctypes.CDLL, program: bytes) -> None:
    """Apply the filter to this process, for good. Raises OSError when the kernel refuses it."""
    header = _Program(len(program) // 8, program)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(header), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refused the seccomp filter")
