"""Whether a path that somebody wrote leads anywhere, whatever it holds: a name too long or nobody's home is an answer, and no crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

#: What a path raises that is none: too long a name or no permission, a null byte, the home of an unknown user.
UNUSABLE = (OSError, ValueError, RuntimeError)


def is_file(path: str | Path) -> bool:
    """Whether ``path`` is a file."""
    return _holds(lambda: Path(path).is_file())


def exists(path: str | Path) -> bool:
    """Whether ``path``, in which ``~`` may stand for a home, is a file or a folder."""
    return _holds(lambda: Path(path).expanduser().exists())


def _holds(asked: Callable[[], bool]) -> bool:
    try:
        return asked()
    except UNUSABLE:
        return False
