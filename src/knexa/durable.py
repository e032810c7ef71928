"""Files that have to be there after a power cut: on disk before anybody is told."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Wait until ``path``, a file or a folder, is on disk as it is now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Put ``content`` in place of ``path`` at once: a reader finds the old or the new bytes. One process at a time may do so.

    ``mode``: of the new file, less the process's umask.
    """
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    sync(draft)
    draft.replace(path)
    sync(path.parent)
