"""The first program that every worker runs: it tries to break out, and reports what it achieved."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from knexa.evaluation.sandbox.check import Check
from knexa.evaluation.sandbox.inside.confinement import INTERPRETER_BYTES

_PROGRAM = '''
import os
import socket


def connect():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.connect(("127.0.0.1", 9))


def signal_parent():
    os.kill(os.getppid(), 0)


def breaches(secrets, folders, size):
    """Names of the forbidden things that worked; the program is well shut in when there are none."""
    attempts = {
        "opened a socket": connect,
        "created a process": os.fork,
        "started a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "signalled another process": signal_parent,
        f"took {size >> 20} MiB of memory": lambda: bytearray(size),
    }
    for path in secrets:
        attempts[f"read {path}"] = lambda path=path: open(path, "rb").close()
    for folder in folders:
        attempts[f"wrote into {folder}"] = lambda path=os.path.join(folder, "knexa-breach"): open(path, "wb").close()
    worked = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except ConnectionRefusedError:
            pass  # the network answered
        except (OSError, MemoryError):
            continue
        worked.append(name)
    return worked
'''

_TEST = """
def check(candidate):
    worked = candidate({secrets!r}, {folders!r}, {size})
    assert worked == [], "it " + ", ".join(worked)
"""


@contextmanager
def self_test(memory_mb: int) -> Iterator[Check]:
    """A check that passes only if its program cannot get out, nor take more than ``memory_mb`` MiB and the interpreter's share.

    The files that it must not read exist while it is open.
    """
    with tempfile.TemporaryDirectory(prefix="knexa-self-test-") as folder:
        canary = Path(folder, "canary")
        canary.write_text("a program that reads this is not shut in")
        secrets = [str(canary), "/etc/passwd", *_files_at_home()]
        folders = [folder, tempfile.gettempdir(), str(Path.home()), str(Path.cwd()), str(Path(__file__).parent), "/dev/shm", "/"]
        yield Check(_PROGRAM, _TEST.format(secrets=secrets, folders=folders, size=(memory_mb << 20) + INTERPRETER_BYTES), "breaches")


def _files_at_home() -> list[str]:
    """Up to three files right in the user's home, where keys and configurations lie."""
    home = Path.home()
    try:
        return [str(path) for path in islice((path for path in home.iterdir() if path.is_file()), 3)]
    except OSError:  # a home that its own user cannot list has nothing to test with
        return []
