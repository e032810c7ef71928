"""The sandbox of an ordinary user, tried by root; who is no ordinary user runs the rest of these tests as one anyhow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--no-new-privs"]
_ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    "PYTHONDONTWRITEBYTECODE": "1",
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
}
_FILES = ("isolation", "kernel", "sights", "forgeries", "hogs", "self_test")


def _interpreter() -> str | None:
    """One of this version that such a user can read, with the packages of ours: either may lie in a folder that root alone opens, where no
    worker of theirs could start it.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (os.path.realpath(sys.executable), shutil.which(version, path="/usr/local/bin:/usr/bin")):
        read = ["-c", f"open({path!r}, 'rb'); import knexa, pytest"]
        if path and subprocess.run([*_NOBODY, path, *read], env=_ENVIRONMENT, capture_output=True, check=False, cwd="/").returncode == 0:
            return path
    return None


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user; to an ordinary user the other tests are this test")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed")
def test_probes_and_forgeries_fare_as_ill_under_an_ordinary_user() -> None:
    """User 65534 without a capability: all the sandbox's tests pass, and neither backend is left out."""
    interpreter = _interpreter()
    if interpreter is None:
        pytest.skip("no interpreter of this version, or none with our packages, that an ordinary user may read")
    here = Path(__file__).parent
    files = [str(here / f"test_sandbox_{name}.py") for name in _FILES]
    command = [
        *_NOBODY,
        interpreter,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-rs",
        "-c",
        str(here.parents[1] / "pyproject.toml"),
        *files,
    ]
    ended = subprocess.run(command, env=_ENVIRONMENT, cwd="/", capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-1000:]
    assert "no sandbox" not in ended.stdout
