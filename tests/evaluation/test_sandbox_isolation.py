# ruff: noqa: E501 - the programs under test are easier to compare on one line each
"""Programs that try to get out, each run outside as well, so that a probe that does nothing is noticed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from knexa.errors import SandboxError
from knexa.evaluation.sandbox import Check, Sandbox, Verdict

TIMEOUT_S = 0.5

#: Each defines ``probe(secret, folder, port, pid)`` and raises when it is refused. All of these work in a plain interpreter.
PROBES = {
    "connects to a local port": "import socket\ndef probe(s, f, port, pid): socket.create_connection(('127.0.0.1', port), 1).close()",
    "opens a UDP socket": "import socket\ndef probe(s, f, port, pid): socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "opens an abstract Unix socket": "import socket\ndef probe(s, f, port, pid): socket.socket(socket.AF_UNIX).bind('\\0knexa-probe')",
    "makes a socket pair": "import socket\ndef probe(s, f, port, pid): socket.socketpair()",
    "opens a raw netlink socket": "import socket\ndef probe(s, f, port, pid): socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "reads a secret": "def probe(secret, f, port, pid): open(secret).read()",
    "reads a secret by descriptor": "import os\ndef probe(secret, f, port, pid): os.open(secret, os.O_RDONLY)",
    "maps a secret": "import mmap, os\ndef probe(secret, f, port, pid): mmap.mmap(os.open(secret, 0), 1, prot=mmap.PROT_READ)",
    "lists the secret's folder": "import os\ndef probe(s, folder, port, pid): os.listdir(folder)",
    "reads /etc/passwd": "def probe(s, f, port, pid): open('/etc/passwd').read()",
    "reads another process's environment": "def probe(s, f, port, pid): open(f'/proc/{pid}/environ', 'rb').read()",
    "reads its own memory map": "def probe(s, f, port, pid): open('/proc/self/maps').read()",
    "writes a file": "def probe(s, folder, port, pid): open(folder + '/w', 'w').write('x')",
    "appends to a secret": "def probe(secret, f, port, pid): open(secret, 'a').write('x')",
    "makes a folder": "import os\ndef probe(s, folder, port, pid): os.mkdir(folder + '/d')",
    "removes a file": "import os\ndef probe(s, folder, port, pid): os.unlink(folder + '/victim')",
    "renames a file": "import os\ndef probe(s, folder, port, pid): os.rename(folder + '/movable', folder + '/moved')",
    "links to a secret": "import os\ndef probe(secret, folder, port, pid): os.symlink(secret, folder + '/link')",
    "changes a file's mode": "import os\ndef probe(secret, f, port, pid): os.chmod(secret, 0o600)",
    "changes a file's times": "import os\ndef probe(secret, f, port, pid): os.utime(secret)",
    "truncates a file": "import os\ndef probe(s, folder, port, pid): os.truncate(folder + '/stuff', 0)",
    "makes a named pipe": "import os\ndef probe(s, folder, port, pid): os.mkfifo(folder + '/pipe')",
    "writes to shared memory": "def probe(s, f, port, pid): open(f'/dev/shm/knexa-probe-{pid}', 'w').close()",
    "makes an in-memory file": "import os\ndef probe(s, f, port, pid): os.memfd_create('x')",
    "forks": "import os\ndef probe(s, f, port, pid):\n    if os.fork() == 0: os._exit(0)",
    "daemonises": "import os\ndef probe(s, f, port, pid):\n    if os.fork() == 0:\n        os.setsid()\n        os.fork()\n        os._exit(0)",
    "starts a session": "import os\ndef probe(s, f, port, pid): os.getsid(0) == os.getpid() or os.setsid()",
    "runs a program": "import subprocess\ndef probe(s, f, port, pid): subprocess.run(['/bin/true'], check=True)",
    "replaces itself by a program": "import os\ndef probe(s, f, port, pid): os.execv('/bin/true', ['true'])",
    "starts a thread": "import threading\ndef probe(s, f, port, pid): threading.Thread(target=print).start()",
    "signals its parent": "import os\ndef probe(s, f, port, pid): os.kill(os.getppid(), 0)",
    "signals the test's process": "import os\ndef probe(s, f, port, pid): os.kill(pid, 0)",
    "signals its process group": "import os\ndef probe(s, f, port, pid): os.killpg(os.getpgrp(), 0)",
    "limits its parent": "import os, resource\ndef probe(s, f, port, pid): resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
    "raises its own limits": "import resource\ndef probe(s, f, port, pid): resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
    "sends a signal through a descriptor": "import fcntl, os\ndef probe(s, f, port, pid): fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
    "makes a shared queue": "import multiprocessing\ndef probe(s, f, port, pid): multiprocessing.Queue()",
}  # fmt: skip

#: Calls of libc that no program needs: each must fail with EPERM, by the filter, whoever the user is.
SYSTEM_CALLS = [
    "unshare(0x10000000)", "setns(0, 0)", "ptrace(16, 1, 0, 0)", "mount(0, 0, 0, 0, 0)", "umount2(0, 0)", "chroot(0)", "pivot_root(0, 0)",
    "syscall(321, 0, 0, 0)", "syscall(323, 0)", "syscall(298, 0, 0, 0, 0, 0)", "syscall(250, 0, 0)", "syscall(425, 0, 0)", "syscall(435, 0, 0)",
    "syscall(434, 1, 0)", "process_vm_readv(1, 0, 0, 0, 0, 0)", "shmget(0, 4096, 0)", "msgget(0, 0)", "semget(0, 1, 0)", "prctl(1, 9)",
    "personality(0)", "sethostname(0, 0)", "init_module(0, 0, 0)", "setuid(0)", "iopl(3)", "kill(-1, 0)", "vfork()",
]  # fmt: skip


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    try:
        opened = Sandbox(request.param, timeout_s=TIMEOUT_S, memory_mb=64)
    except SandboxError as error:
        pytest.skip(str(error))
    with opened:
        yield opened


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Arguments of a probe: a secret, a folder full of things to spoil, a port that listens, a process."""
    folder = tmp_path_factory.mktemp("outside")
    for name in ("secret", "victim", "movable", "stuff"):
        (folder / name).write_text("outside")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"{str(folder / 'secret')!r}, {str(folder)!r}, {server.getsockname()[1]}, {os.getpid()}"


def _one(sandbox: Sandbox, program: str, test: str) -> Verdict:
    return sandbox.run([Check(program, test, "probe")])[0]


@pytest.mark.parametrize("name", PROBES)
def test_what_works_outside_is_refused_inside(sandbox: Sandbox, target: str, name: str) -> None:
    """The probe raises an error inside, and its target is as it was."""
    folder = Path(target.split(", ")[1].strip("'"))
    before = {path.name: path.read_text() for path in folder.iterdir()}
    assert _one(sandbox, PROBES[name], f"def check(candidate): candidate({target})") is Verdict.ERROR
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_every_probe_works_outside(tmp_path: Path) -> None:
    """In a plain interpreter each probe does what it says; otherwise its being refused inside would mean nothing."""
    broken = {}
    processes = {}
    with socket.create_server(("127.0.0.1", 0)) as server:
        for number, (name, program) in enumerate(PROBES.items()):
            folder = tmp_path / str(number)
            folder.mkdir()
            for file in ("secret", "victim", "movable", "stuff"):
                (folder / file).write_text("outside")
            call = f"probe({str(folder / 'secret')!r}, {str(folder)!r}, {server.getsockname()[1]}, {os.getpid()})"
            processes[name] = subprocess.Popen(
                [sys.executable, "-S", "-c", f"{program}\n{call}"], stderr=subprocess.PIPE, text=True, start_new_session=True
            )
            if number % 4 == 3:
                broken |= _failures(processes)
        broken |= _failures(processes)
    Path(f"/dev/shm/knexa-probe-{os.getpid()}").unlink()
    assert broken == {}


def _failures(processes: dict[str, subprocess.Popen[str]]) -> dict[str, str]:
    ended = {name: process.communicate()[1] for name, process in processes.items()}
    failures = {name: errors for name, errors in ended.items() if processes[name].returncode != 0}
    processes.clear()
    return failures


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of the unnamed system calls are those of x86-64")
def test_system_calls_that_no_program_needs_are_refused_by_the_filter(sandbox: Sandbox) -> None:
    """Namespaces, ptrace, mounts, bpf, userfaultfd, perf, keyctl, io_uring, ... all fail with EPERM."""
    program = (
        "import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def probe(call):\n    ctypes.set_errno(0)\n    result = eval('libc.' + call)\n    return result, errno.errorcode.get(ctypes.get_errno())\n"
    )
    checks = [Check(program, f"def check(candidate): assert candidate({call!r}) == (-1, 'EPERM')", "probe") for call in SYSTEM_CALLS]
    replies = sandbox.explain(checks)
    assert {call: reply for call, reply in zip(SYSTEM_CALLS, replies, strict=True) if not reply[0].passed} == {}


def test_nothing_of_the_home_or_root_can_be_read(sandbox: Sandbox) -> None:
    """Walking down from / opens no file but those of the standard library and the system's libraries."""
    program = (
        "import os\n"
        "def probe(places, allowed):\n    found = []\n    for place in places:\n"
        "        for folder, _, names in os.walk(place):\n            for path in [os.path.join(folder, name) for name in names]:\n"
        "                if path.startswith(tuple(allowed)): continue\n"
        "                try: open(path, 'rb').close()\n                except OSError: continue\n"
        "                found.append(path)\n    return found\n"
    )
    allowed = [os.path.join(sys.base_prefix, "lib"), os.path.realpath(sys.executable)]
    places = [str(Path.home()), "/root", "/home", "/etc/ssh", "/tmp", "/var", "/proc", "/sys", "/run"]
    assert _one(sandbox, program, f"def check(candidate): assert candidate({places!r}, {allowed!r}) == []") is Verdict.PASSED


HOGS = {
    "memory": ("def probe():\n    return len([0] * 10**9)", Verdict.MEMORY),
    "memory in small pieces": ("def probe():\n    kept = []\n    while True: kept.append(bytearray(1 << 16))", Verdict.MEMORY),
    "one huge string": ("def probe():\n    return 'x' * (1 << 40)", Verdict.MEMORY),
    "endless loop": ("def probe():\n    while True: pass", Verdict.TIMEOUT),
    "endless loop on import": ("while True: pass", Verdict.TIMEOUT),
    "endless sleep": ("import time\ndef probe(): time.sleep(1000)", Verdict.TIMEOUT),
    "deadlock": ("import _thread\ndef probe():\n    lock = _thread.allocate_lock()\n    lock.acquire()\n    lock.acquire()", Verdict.TIMEOUT),
    "ignores every signal": (
        "import signal\nfor number in range(1, 32):\n    if number not in (9, 19): signal.signal(number, signal.SIG_IGN)\nwhile True: pass",
        Verdict.TIMEOUT,
    ),
    "uncatchable loop": ("def probe():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass", Verdict.TIMEOUT),
    "arithmetic that never returns to the interpreter": ("def probe(): return 7 ** (10 ** 8)", Verdict.TIMEOUT),
    "regular expression that backtracks": ("import re\ndef probe(): return re.match('(a+)+$', 'a' * 60 + 'b')", Verdict.TIMEOUT),
    "endless output": ("def probe():\n    while True: print('x' * 10**6)", Verdict.TIMEOUT),
    "endless iterator": ("import itertools\ndef probe(): return itertools.count()", Verdict.ERROR),
    "fork bomb": ("import os\ndef probe():\n    while True: os.fork()", Verdict.ERROR),
    "thread bomb": ("import threading, time\ndef probe():\n    while True: threading.Thread(target=time.sleep, args=(9,)).start()", Verdict.ERROR),
    "recursion": ("def probe(): return probe()", Verdict.ERROR),
    "stack overflow": ("import sys\nsys.setrecursionlimit(10**9)\nprobe = lambda: eval('probe()')", Verdict.ERROR),
    "null pointer": ("import ctypes\ndef probe(): ctypes.string_at(0)", Verdict.ERROR),
    "a reply of gigabytes": ("def probe(): return [b'x' * (1 << 24)] * 64", Verdict.MEMORY),
    "a reply over the limit": ("def probe(): return [b'x' * (1 << 20)] * 40", Verdict.MEMORY),
    "bottomless nesting": ("def probe():\n    value = []\n    for _ in range(10**5): value = [value]\n    return value", Verdict.ERROR),
    "closes every descriptor": ("import os\nos.closerange(0, 100)\ndef probe(): return 1", Verdict.ERROR),
}  # fmt: skip


@pytest.mark.parametrize("name", HOGS)
def test_a_program_that_takes_all_it_can_harms_only_itself(sandbox: Sandbox, name: str) -> None:
    """It gets its verdict within the limit plus a second, and the next check is served as ever."""
    program, expected = HOGS[name]
    assert _one(sandbox, "def probe(): return 1", "def check(candidate): assert candidate() == 1") is Verdict.PASSED  # it has started
    began = time.monotonic()
    verdict = _one(sandbox, program, "def check(candidate): candidate()")
    assert time.monotonic() - began < TIMEOUT_S + 1
    # Which limit a program meets first may depend on the machine; that it meets one does not.
    assert verdict is expected or (verdict in (Verdict.ERROR, Verdict.MEMORY) and expected in (Verdict.ERROR, Verdict.MEMORY))
    assert _one(sandbox, "def probe(): return 1", "def check(candidate): assert candidate() == 1") is Verdict.PASSED


def test_a_hundred_megabytes_of_output_cost_nothing(sandbox: Sandbox) -> None:
    """What a program prints goes nowhere, and does not reach the test's own output or the verdict's channel."""
    program = "import os, sys\ndef probe():\n    for _ in range(100):\n        sys.stdout.write('P' * (1 << 20))\n        os.write(2, b'P' * 1024)\n    return 1"
    assert _one(sandbox, program, "def check(candidate): assert candidate() == 1") is Verdict.PASSED


def test_one_check_leaves_nothing_for_the_next(sandbox: Sandbox) -> None:
    """Patched modules, the random state and files are as new in the next check."""
    spoil = "import math, random\nmath.pi = 3\nrandom.seed(9)\ndef probe(): return math.pi"
    look = "import math, random\ndef probe(): return math.pi > 3, random.random()"
    first = "import random\nrandom.seed(0)\ndef check(candidate): assert candidate() == (True, random.random())"
    verdicts = sandbox.run([Check(spoil, "def check(candidate): assert candidate() == 3", "probe"), Check(look, first, "probe")] * 4)
    assert set(verdicts) == {Verdict.PASSED}


# --- processes


def _descendants(root: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found: set[int] = set()
    level = {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level} - found
        found |= level
    return found


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock"])
def test_no_process_outlives_its_check_nor_the_sandbox(backend: str) -> None:
    """After timeouts and self-inflicted deaths the workers stand alone; after closing, nobody does."""
    before = _descendants(os.getpid())
    try:
        sandbox = Sandbox(backend, timeout_s=0.3, workers=1)  # type: ignore[arg-type]
    except SandboxError as error:
        pytest.skip(str(error))
    with sandbox:
        idle = _descendants(os.getpid())
        programs = ["while True: pass", "import os\nos._exit(0)", "import os\nos.setsid()", "def probe(): return 1"]
        sandbox.run([Check(program, "def check(candidate): candidate()", "probe") for program in programs])
        assert _descendants(os.getpid()) == idle
    assert _descendants(os.getpid()) == before


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock"])
def test_workers_end_when_their_owner_is_killed(backend: str) -> None:
    """An owner that gets SIGKILL in the middle of an endless check leaves no process behind."""
    owner_program = (
        "from knexa.evaluation.sandbox import Check, Sandbox\n"
        f"with Sandbox({backend!r}, timeout_s=60, workers=1) as sandbox:\n    print('open', flush=True)\n"
        "    sandbox.run([Check('while True: pass', '', 'probe')])\n"
    )
    with subprocess.Popen([sys.executable, "-c", owner_program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        assert owner.stdout is not None
        if owner.stdout.readline() != b"open\n":
            pytest.skip(f"{backend} does not work here")
        idle, deadline = len(_descendants(owner.pid)), time.monotonic() + 5
        while len(_descendants(owner.pid)) < idle + 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        family = _descendants(owner.pid)
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
