"""The self-test: whichever layer is missing, no sandbox opens."""

from __future__ import annotations

import pytest

from knexa.errors import SandboxError
from knexa.evaluation.sandbox import Check, Sandbox, Verdict, backends

#: A line of the worker's start that takes one layer away: (backend, line, what the self-test has to notice).
MISSING = {
    "no filter": ("landlock", "from inside import seccomp; seccomp.restrict = lambda *a: None", "signalled another process"),
    "no filter in bubblewrap": (
        "bubblewrap",
        "from inside import seccomp; seccomp.restrict = lambda *a: None",
        "signalled another process",
    ),
    "no memory limit": ("landlock", "import resource; resource.setrlimit = lambda *a: None", "MiB of memory"),
    "no memory limit in bubblewrap": ("bubblewrap", "import resource; resource.setrlimit = lambda *a: None", "MiB of memory"),
    "no Landlock": ("landlock", "from inside import landlock; landlock.restrict = lambda *a: None", "read /"),
    "Landlock that allows too much": (
        "landlock",
        "from inside import landlock; strict = landlock.restrict; landlock.restrict = lambda libc, paths: strict(libc, [*paths, '/etc'])",
        "read /etc/passwd",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_where_a_layer_is_missing_nothing_runs(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Workers that start well but shut nobody in are found out by the program that tries to break out."""
    backend, line, noticed = MISSING[name]
    try:
        Sandbox(backend, workers=1).close()  # type: ignore[arg-type]
    except SandboxError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(backends, "_START", backends._START.replace("from inside.server", f"{line}\nfrom inside.server"))
    with pytest.raises(SandboxError, match=rf"nothing was run .*self-test .*{noticed}"):
        Sandbox(backend, workers=1)  # type: ignore[arg-type]


def test_each_sandbox_proves_itself_anew(either_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one sandbox has shown says nothing of the next: a machine may change, so nothing is remembered."""
    assert either_sandbox.run([Check("def f(): pass", "def check(candidate): candidate()", "f")]) == [Verdict.PASSED]
    line = "from inside import seccomp; seccomp.restrict = lambda *a: None"
    monkeypatch.setattr(backends, "_START", backends._START.replace("from inside.server", f"{line}\nfrom inside.server"))
    with pytest.raises(SandboxError, match="self-test"):
        Sandbox(either_sandbox.backend, workers=1)  # type: ignore[arg-type]
