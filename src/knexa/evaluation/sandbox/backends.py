"""How a worker process is shut in: the two ways we know, as command lines.

Either way, each process of a check runs under the same seccomp allow list and resource limits (``inside/``), reads the
standard library and system libraries and writes nothing. There is deliberately no scratch directory: whatever one
candidate could leave there, the next one would find.

``bubblewrap`` adds namespaces: there is no network, no other process and no other file to be refused in the first place.
``landlock`` needs no program and no user namespaces; other files exist but the kernel refuses to open them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

BACKENDS = ("bubblewrap", "landlock")
_INSIDE = Path(__file__).parent / "inside"
_START = "import sys; sys.path.insert(0, {folder!r}); from inside.server import main; del sys.path[0]; main(sys.argv[1:])"
_SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache")


def command(backend: str, timeout_s: float, memory_mb: int) -> list[str]:
    """Command line of one worker, to be started with an empty environment but :func:`environment`."""
    limits = [str(timeout_s), str(memory_mb)]
    if backend == "landlock":
        return [*_python(str(_INSIDE.parent)), *limits, *_readable()]
    return [*_bubblewrap(), *_python("/sandbox"), *limits]


def environment() -> dict[str, str]:
    """All that a worker inherits. A fixed hash seed: the order of a set is part of what a program does."""
    return {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": str(Path(sys.base_prefix) / "lib")}


def _python(folder: str) -> list[str]:
    return [os.path.realpath(sys.executable), "-s", "-S", "-P", "-B", "-c", _START.format(folder=folder)]


def _readable() -> list[str]:
    """Existing paths that a program may read: standard library and system libraries, links resolved, sorted."""
    libraries = [*_SYSTEM_LIBRARIES, *map(str, Path(sys.base_prefix, "lib").glob("libpython*"))]
    paths = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *libraries]
    return sorted({os.path.realpath(path) for path in paths if os.path.exists(path)})


def _bubblewrap() -> list[str]:
    program = shutil.which("bwrap") or "bwrap"
    arguments = [program, "--unshare-all", "--new-session", "--cap-drop", "ALL"]
    if "--disable-userns" in _bubblewrap_options(program):
        arguments += ["--unshare-user", "--disable-userns"]
    arguments += list(_mounts())
    return [*arguments, "--dev-bind", "/dev/null", "/dev/null", "--ro-bind", str(_INSIDE), "/sandbox/inside", "--remount-ro", "/", "--"]


@cache
def _bubblewrap_options(program: str) -> str:
    try:
        return subprocess.run([program, "--help"], capture_output=True, text=True, timeout=10, check=False).stdout
    except OSError:
        return ""


def _mounts() -> Iterator[str]:
    executable = os.path.realpath(sys.executable)
    for path in [executable, *_readable()]:
        yield from ("--ro-bind", path, path)
    for path in _SYSTEM_LIBRARIES:
        if os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
    for name in ("stdlib", "platstdlib"):
        packages = Path(sysconfig.get_path(name)) / "site-packages"
        if packages.is_dir():
            yield from ("--tmpfs", str(packages))
