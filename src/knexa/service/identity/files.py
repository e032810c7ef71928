"""Files that hold keys and trust: private ones are private, every write is whole and on disk before it counts."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knexa.durable import sync
from knexa.errors import CredentialsError

PRIVATE = 0o600
PUBLIC = 0o644


def make_private_folder(path: Path) -> None:
    """Make ``path``, for its owner alone; one that exists must already be so. Raises CredentialsError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be made ({error.strerror}); choose another folder") from error
    require_private(path)


def require_private(path: Path) -> None:
    """Raise CredentialsError if anybody but its owner may read, write or enter ``path``, a file or a folder."""
    mode = _mode(path)
    if mode & 0o077:
        wanted = 0o700 if path.is_dir() else PRIVATE
        raise CredentialsError(f"{path}: open to others (mode {mode:o}); keys are for their owner alone: chmod {wanted:o} {path}")


def require_unwritable(path: Path) -> None:
    """Raise CredentialsError if anybody but its owner may write to ``path``: whoever can add a root decides who is trusted."""
    mode = _mode(path)
    if mode & 0o022:
        raise CredentialsError(f"{path}: others may write to it (mode {mode:o}), and so decide who is trusted: chmod go-w {path}")


def read_private(path: Path) -> bytes:
    """The bytes of a file that only its owner may read; raises CredentialsError if it is missing or open to others."""
    require_private(path.parent)
    require_private(path)
    return read(path)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be read ({error.strerror})") from error


def write(path: Path, content: bytes, mode: int = PUBLIC) -> None:
    """Replace ``path`` by ``content`` at once: a reader sees the old or the new bytes, also after a power cut."""
    with _draft(path, content, mode) as draft:
        os.rename(draft, path)


def write_new(path: Path, content: bytes, mode: int = PUBLIC) -> None:
    """Like :func:`write`, but raises CredentialsError, and leaves what is there, if ``path`` exists."""
    with _draft(path, content, mode) as draft:
        try:
            os.link(draft, path)
        except FileExistsError as error:
            raise CredentialsError(f"{path}: exists already and is not overwritten; choose another folder") from error


def write_if_other(path: Path, content: bytes) -> None:
    """:func:`write`, unless ``path`` holds these bytes already: then it stays untouched, time stamp included."""
    if not path.is_file() or path.read_bytes() != content:
        write(path, content)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time in ``folder``; the others wait."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _draft(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """A file beside ``path`` that holds ``content``, on disk; afterwards it is gone, and so is every trace of a failure."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)
        sync(path.parent)
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be written ({error.strerror}); check the folder and the free space") from error


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be read ({error.strerror})") from error
