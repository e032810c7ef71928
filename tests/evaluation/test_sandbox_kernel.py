# ruff: noqa: E501 - a table is easier to check with its rows whole
"""The kernel's surface: system calls that no program needs, each made by number inside and outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from knexa.evaluation.sandbox import Check, Sandbox, Verdict

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of the system calls are those of x86-64")

#: Name: (number, arguments). The arguments are wrong or harmless on purpose, so that a kernel that listens changes nothing:
#: 1 is no address, -1 no descriptor. What counts is who answers: the filter says EPERM, the kernel itself something else.
CALLS: dict[str, tuple[int, ...]] = {
    # namespaces, mounts, roots
    "unshare": (272, 1), "setns": (308, -1, 0), "mount": (165, 1, 1, 1, 0, 0), "umount2": (166, 1, 0), "pivot_root": (155, 1, 1),
    "chroot": (161, 1), "move_mount": (429, -1, 1, -1, 1, 0), "fsopen": (430, 1, 0), "open_tree": (428, -1, 1, 0),
    # other processes
    "ptrace": (101, 16, -1, 0, 0), "process_vm_readv": (310, -1, 1, 1, 1, 1, 0), "process_vm_writev": (311, -1, 1, 1, 1, 1, 0),
    "pidfd_open": (434, -1, 0), "pidfd_getfd": (438, -1, 0, 0), "pidfd_send_signal": (424, -1, 0, 0, 0), "kill": (62, 0, 0),
    "tgkill": (234, -1, -1, 0), "tkill": (200, -1, 0), "rt_sigqueueinfo": (129, 0, 1, 1), "kcmp": (312, -1, -1, 0, 0, 0),
    "clone": (56, 0x10000, 0, 0, 0, 0), "clone3": (435, 1, 0), "execve": (59, 1, 1, 1), "execveat": (322, -1, 1, 1, 1, 0),
    "wait4": (61, -1, 0, 1, 0), "setpgid": (109, -1, -1),
    # rights, identity, limits, scheduling
    "setuid": (105, -1), "setgid": (106, -1), "setgroups": (116, 70000, 1), "capset": (126, 1, 1), "prctl": (157, 9999),
    "personality": (135, 0xFFFFFFFF), "seccomp": (317, 99, 0, 0), "arch_prctl": (158, 99, 0), "prlimit64": (302, 0, 99, 0, 0),
    "setrlimit": (160, 99, 1), "setpriority": (141, 9, 0, 0), "sched_setscheduler": (144, -1, 0, 1), "sched_setaffinity": (203, 0, 8, 1),
    "ioprio_set": (251, 9, 0, 0), "umask": (95, 0o22), "modify_ldt": (154, 99, 0, 0), "ioperm": (173, -1, 1, 0), "iopl": (172, 9),
    # big or rarely trodden parts of the kernel
    "bpf": (321, 999, 1, 0), "perf_event_open": (298, 1, 0, -1, -1, 0), "userfaultfd": (323, 9), "io_uring_setup": (425, 0, 1),
    "io_uring_enter": (426, -1, 0, 0, 0, 0, 0), "keyctl": (250, 9999, 0), "add_key": (248, 1, 1, 1, 1, 0), "request_key": (249, 1, 1, 1, 0),
    "fanotify_init": (300, -1, 0), "inotify_init1": (294, 1), "memfd_create": (319, 1, 0), "landlock_create_ruleset": (444, 1, 1, 99),
    "epoll_create1": (291, 1), "eventfd2": (290, 0, 1), "signalfd4": (289, -1, 1, 8, 0), "timerfd_create": (283, 99, 0),
    "splice": (275, -1, 0, -1, 0, 1, 0), "vmsplice": (278, -1, 1, 1, 0), "sendfile": (40, -1, -1, 0, 1), "mbind": (237, 1, 1, 99, 1, 1, 0),
    "open_by_handle_at": (304, -1, 1, 0), "name_to_handle_at": (303, -1, 1, 1, 1, 0), "openat2": (437, -1, 1, 1, 1),
    "ioctl TIOCSTI": (16, 0, 0x5412, 1), "fcntl F_SETOWN": (72, -1, 8, 1), "fcntl F_SETLEASE": (72, -1, 1024, 1),
    # the whole machine
    "reboot": (169, 0, 0, 0, 0), "kexec_load": (246, 0, 0, 0, 0xFFFF), "init_module": (175, 1, 0, 1), "finit_module": (313, -1, 1, 0),
    "delete_module": (176, 1, 0), "swapon": (167, 1, 0), "swapoff": (168, 1), "sethostname": (170, 1, 1), "setdomainname": (171, 1, 1),
    "settimeofday": (164, 1, 0), "clock_settime": (227, 99, 1), "adjtimex": (159, 1), "acct": (163, 1), "quotactl": (179, -1, 0, 0, 0),
    "syslog": (103, 99, 0, 0),
    # sockets and the memory of System V
    "socket": (41, 999, 1, 0), "socketpair": (53, 999, 1, 0, 1), "connect": (42, -1, 1, 1), "bind": (49, -1, 1, 1),
    "sendto": (44, -1, 1, 1, 0, 0, 0), "sendmsg": (46, -1, 1, 0), "recvmsg": (47, -1, 1, 0), "shmget": (29, 0, 0, 0), "shmat": (30, -1, 0, 0),
    "msgget": (68, 1, 0), "semget": (64, 1, -1, 0), "mq_open": (240, 1, 0, 0, 0), "mlock": (149, 1, 1), "mlockall": (151, 0),
    # changes to files
    "rename": (82, 1, 1), "link": (86, 1, 1), "symlink": (88, 1, 1), "unlink": (87, 1), "mkdir": (83, 1, 0), "mknod": (133, 1, 0, 0),
    "chmod": (90, 1, 0), "chown": (92, 1, 0, 0), "truncate": (76, 1, 0), "ftruncate": (77, -1, 0), "fallocate": (285, -1, 0, 0, 1),
    "setxattr": (188, 1, 1, 1, 1, 0), "utimensat": (280, -1, 1, 1, 0), "creat": (85, 1, 0), "copy_file_range": (326, -1, 0, -1, 0, 1, 0),
    "fchdir": (81, -1), "chdir": (80, 1), "flock": (73, -1, 1),
}  # fmt: skip

_CALL = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def probe(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return result, errno.errorcode.get(ctypes.get_errno())
"""


@pytest.mark.parametrize("name", CALLS)
def test_a_system_call_that_no_program_needs_is_refused_by_the_filter(either_sandbox: Sandbox, name: str) -> None:
    """It fails with EPERM, whoever the user is and whatever the arguments."""
    reply = either_sandbox.explain(
        [Check(_CALL, f"def check(candidate): assert (r := candidate{CALLS[name]}) == (-1, 'EPERM'), r", "probe")]
    )
    assert reply == [(Verdict.PASSED, "")]


@pytest.mark.skipif(os.geteuid() != 0, reason="to an ordinary user the kernel itself says EPERM to some; needs root")
def test_outside_the_kernel_answers_those_calls_itself() -> None:
    """Root without the filter gets another answer than EPERM, so that inside it is the filter that says it."""
    script = f"{_CALL}\nimport json, sys\nprint(json.dumps({{n: probe(*c) for n, c in json.load(sys.stdin).items()}}))"
    ended = subprocess.run([sys.executable, "-S", "-c", script], input=json.dumps(CALLS), capture_output=True, text=True, check=True)
    answers = json.loads(ended.stdout)
    capabilities = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)
    if not capabilities >> 21 & 1:  # CAP_SYS_ADMIN
        pytest.skip("this root lacks CAP_SYS_ADMIN, as in a container")
    assert {name: answer for name, answer in answers.items() if answer[1] == "EPERM"} == {}


_MACHINE_CODE = """
import ctypes, mmap
def probe(code):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes(code))
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
#: mov eax, NUMBER; int 0x80; ret. Number 20 is getpid there; to the 64-bit table it would be writev.
_GETPID_32 = [0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]


def test_the_32_bit_system_calls_end_the_program(either_sandbox: Sandbox) -> None:
    """``int 0x80`` has numbers of its own, which a filter for 64 bit would misread: the process is killed."""
    assert _outside(f"probe({_GETPID_32}) > 0") or _outside(f"probe({[0xB8, 1, 0, 0, 0, 0xC3]}) == 1")  # machine code runs at all
    ran = either_sandbox.explain([Check(_MACHINE_CODE, f"def check(c): assert c({[0xB8, 1, 0, 0, 0, 0xC3]}) == 1", "probe")])
    assert ran == [(Verdict.PASSED, "")]
    (reply,) = either_sandbox.explain([Check(_MACHINE_CODE, f"def check(c): c({_GETPID_32})", "probe")])
    assert reply == (Verdict.ERROR, "the program ended its own process")


def test_the_x32_numbers_are_refused(either_sandbox: Sandbox) -> None:
    """getpid is allowed, the same call under its x32 number is not."""
    test = "def check(candidate): assert candidate(39)[0] > 0 and candidate(0x40000000 + 39) == (-1, 'EPERM')"
    assert either_sandbox.run([Check(_CALL, test, "probe")]) == [Verdict.PASSED]


def _outside(expression: str) -> bool:
    return (
        subprocess.run([sys.executable, "-S", "-c", f"{_MACHINE_CODE}\nassert {expression}"], capture_output=True, check=False).returncode
        == 0
    )
