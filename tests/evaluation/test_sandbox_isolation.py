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
from process_tree import descendants

from knexa.errors import SandboxError
from knexa.evaluation.sandbox import Check, Sandbox, Verdict

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
    "signals its process group": "import os\ndef probe(s, f, port, pid): os.kill(0, 0)",
    "limits its parent": "import os, resource\ndef probe(s, f, port, pid): resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
    "raises its own limits": "import resource\ndef probe(s, f, port, pid): resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
    "sends a signal through a descriptor": "import fcntl, os\ndef probe(s, f, port, pid): fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
    "makes a shared queue": "import multiprocessing\ndef probe(s, f, port, pid): multiprocessing.Queue()",
    "opens an IPv6 socket": "import socket\ndef probe(s, f, port, pid): socket.socket(socket.AF_INET6, socket.SOCK_STREAM)",
    "looks up a name": "import socket\ndef probe(s, f, port, pid): socket.getaddrinfo('localhost', port)",
    "binds a Unix socket": "import socket\ndef probe(s, folder, port, pid): socket.socket(socket.AF_UNIX).bind(folder + '/socket')",
    "lists the network's interfaces": "import socket\ndef probe(s, f, port, pid): socket.if_nameindex()",
    "makes a hard link to a secret": "import os\ndef probe(secret, folder, port, pid): os.link(secret, folder + '/hard')",
    "reads a secret through a link": "def probe(s, folder, port, pid): open(folder + '/shortcut').read()",
    "reads a secret by a path with dots": "def probe(secret, f, port, pid): open('/usr/lib/../..' + secret).read()",
    "reads a secret through its root in /proc": "def probe(secret, f, port, pid): open('/proc/self/root' + secret).read()",
    "reads its own memory by /proc": "def probe(s, f, port, pid):\n    with open('/proc/self/mem', 'rb', 0) as memory:\n        memory.seek(id(s))\n        memory.read(1)",
    "reads its own environment by /proc": "def probe(s, f, port, pid): open('/proc/self/environ', 'rb').read()",
    "lists the processes": "import os\ndef probe(s, f, port, pid): os.listdir('/proc')",
    "reads what the kernel tells in /sys": "def probe(s, f, port, pid): open('/sys/kernel/mm/transparent_hugepage/enabled').read()",
    "reads a device": "def probe(s, f, port, pid): open('/dev/zero', 'rb').read(1)",
    "reads the resolver's configuration": "def probe(s, f, port, pid): open('/etc/hosts').read()",
    "moves to another folder": "import os\ndef probe(s, folder, port, pid): os.chdir(folder)",
    "makes a temporary file": "import tempfile\ndef probe(s, f, port, pid): tempfile.TemporaryFile()",
    "maps memory that processes share by name": "import mmap, os\ndef probe(s, folder, port, pid): mmap.mmap(os.open(folder + '/stuff', os.O_RDWR), 1)",
    "locks memory": "import ctypes\ndef probe(s, f, port, pid):\n    if ctypes.CDLL(None).mlock(ctypes.create_string_buffer(64), 64): raise PermissionError",
    "sets an alarm": "import signal\ndef probe(s, f, port, pid): signal.setitimer(signal.ITIMER_REAL, 60)",
    "has its traceback written later": "import faulthandler\ndef probe(s, f, port, pid): faulthandler.dump_traceback_later(60, file=2)",
    "signals itself": "import os\ndef probe(s, f, port, pid): os.kill(os.getpid(), 0)",
    "becomes nicer": "import os\ndef probe(s, f, port, pid): os.nice(1)",
    "double-forks a daemon": "import os, time\ndef probe(s, f, port, pid):\n    if os.fork() == 0:\n        os.setsid()\n        os.fork() or time.sleep(0.1)\n        os._exit(0)",
    "runs a shell": "import os\ndef probe(s, f, port, pid): os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 0'], {})",
    "runs a program from memory": "import os\ndef probe(s, f, port, pid):\n    code = os.memfd_create('x')\n    os.write(code, b'#!/bin/true\\n')\n    os.execve(f'/proc/self/fd/{code}', ['x'], {})",
    "runs another interpreter": "import subprocess, sys\ndef probe(s, f, port, pid): subprocess.run([sys.executable, '-S', '-c', ''], check=True)",
    "makes a pool of threads": "import concurrent.futures\ndef probe(s, f, port, pid): concurrent.futures.ThreadPoolExecutor(1).submit(int)",
    "imports a package of the machine's": "import sys\ndef probe(s, f, port, pid):\n    sys.path.insert(0, f)\n    import knexa_probe_module",
}  # fmt: skip

#: How the kernel, or the interpreter in its name, says no. Any other error would show a probe that is broken, not one that is shut in.
REFUSALS = ("PermissionError", "Operation not permitted", "No such file or directory", "can't start new thread", "unable to start watchdog thread",
            "not allowed to raise maximum limit", "Temporary failure in name resolution", "No usable temporary directory", "No module named 'knexa_probe_module'")  # fmt: skip


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Arguments of a probe: a secret, a folder full of things to spoil, a port that listens, a process."""
    folder = tmp_path_factory.mktemp("outside")
    _furnish(folder)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"{str(folder / 'secret')!r}, {str(folder)!r}, {server.getsockname()[1]}, {os.getpid()}"


def _furnish(folder: Path) -> None:
    for name in ("secret", "victim", "movable", "stuff"):
        (folder / name).write_text("outside")
    (folder / "knexa_probe_module.py").write_text("seen = True\n")
    (folder / "shortcut").symlink_to(folder / "secret")


def _one(sandbox: Sandbox, program: str, test: str) -> Verdict:
    return sandbox.run([Check(program, test, "probe")])[0]


@pytest.mark.parametrize("name", PROBES)
def test_what_works_outside_is_refused_inside(either_sandbox: Sandbox, target: str, name: str) -> None:
    """The probe meets a refusal inside, no other error, and its target is as it was."""
    folder = Path(target.split(", ")[1].strip("'"))
    before = {path.name: path.read_text() for path in folder.iterdir()}
    ((verdict, detail),) = either_sandbox.explain([Check(PROBES[name], f"def check(candidate): candidate({target})", "probe")])
    assert verdict is Verdict.ERROR
    assert any(refusal in detail for refusal in REFUSALS), detail
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_every_probe_works_outside(tmp_path: Path) -> None:
    """In a plain interpreter each probe does what it says; otherwise its being refused inside would mean nothing."""
    broken = {}
    processes = {}
    with socket.create_server(("127.0.0.1", 0)) as server:
        for number, (name, program) in enumerate(PROBES.items()):
            folder = tmp_path / str(number)
            folder.mkdir()
            _furnish(folder)
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


def test_nothing_of_the_home_or_root_can_be_read(either_sandbox: Sandbox) -> None:
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
    assert _one(either_sandbox, program, f"def check(candidate): assert candidate({places!r}, {allowed!r}) == []") is Verdict.PASSED


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock"])
def test_no_process_outlives_its_check_nor_the_sandbox(backend: str) -> None:
    """After timeouts and self-inflicted deaths the workers stand alone; after closing, nobody does."""
    before = descendants(os.getpid())
    try:
        sandbox = Sandbox(backend, timeout_s=0.3, workers=1)  # type: ignore[arg-type]
    except SandboxError as error:
        pytest.skip(str(error))
    with sandbox:
        idle = descendants(os.getpid())
        programs = ["while True: pass", "import os\nos._exit(0)", "import os\nos.setsid()", "def probe(): return 1"]
        sandbox.run([Check(program, "def check(candidate): candidate()", "probe") for program in programs])
        assert descendants(os.getpid()) == idle
    assert descendants(os.getpid()) == before


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
        idle, deadline = len(descendants(owner.pid)), time.monotonic() + 5
        while len(descendants(owner.pid)) < idle + 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        family = descendants(owner.pid)
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
