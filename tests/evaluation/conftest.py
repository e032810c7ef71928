from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from knexa.errors import SandboxError
from knexa.evaluation.sandbox import Sandbox

#: Stands in the environment of whoever opens a sandbox; no program may find it.
ENVIRONMENT_SECRET = "KNEXA_PROBE_SECRET"


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def either_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """One after the other, a sandbox of each backend (0.5 s, 64 MiB), opened by a process whose environment holds a secret."""
    os.environ[ENVIRONMENT_SECRET] = "hunter2"
    try:
        opened = Sandbox(request.param, timeout_s=0.5, memory_mb=64)
    except SandboxError as error:
        pytest.skip(str(error))
    finally:
        del os.environ[ENVIRONMENT_SECRET]
    with opened:
        yield opened
