"""A run's folder on disk: refuses what cannot work before anything is computed, and belongs to one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import tomllib
from pathlib import Path

from pydantic import ValidationError

from knexa.config import FederationConfig, to_toml
from knexa.errors import RunFolderError
from knexa.events import EVENTS_FILE, TIMINGS_FILE, EventLog

CONFIG_FILE = "config.toml"
ERROR_FILE = "error.txt"

#: Free space without which no run begins, in bytes.
LEAST_FREE = 64 * 2**20


class RunFolder:
    """An open run folder. Close it, so that another process may resume the run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events = path / EVENTS_FILE
        self.timings = path / TIMINGS_FILE
        self._lock = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise RunFolderError(f"{path}: another process is running this federation; wait for it, or stop it first") from error

    @classmethod
    def create(cls, path: Path, config: FederationConfig) -> RunFolder:
        """Make the folder and write ``config.toml``. Raises RunFolderError, with nothing written, if it cannot hold a run."""
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunFolderError(f"{path}: exists and is not an empty folder; choose another --out, or resume that run")
        require_space(path, LEAST_FREE)
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / CONFIG_FILE).write_text(to_toml(config), encoding="utf-8")
        except OSError as error:
            raise RunFolderError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error
        return cls(path.resolve())

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        if not (path / CONFIG_FILE).is_file():
            raise RunFolderError(f"{path} is no run folder: it has no {CONFIG_FILE}; pass a folder that a run has written")
        return cls(path.resolve())

    def logs(self, keep: tuple[int, int] | None) -> tuple[EventLog, EventLog]:
        """Events and timings, fresh, or cut back to ``keep`` bytes each. RunFolderError if they are shorter than that."""
        if keep is None:
            return EventLog(self.events), EventLog(self.timings)
        for path, least in zip((self.events, self.timings), keep, strict=True):
            if not path.is_file() or path.stat().st_size < least:
                raise RunFolderError(
                    f"{path}: shorter than its checkpoint says; the file was changed or lost, so the run cannot be resumed"
                )
        return EventLog(self.events, keep_bytes=keep[0]), EventLog(self.timings, keep_bytes=keep[1])

    def close(self) -> None:
        os.close(self._lock)


def in_use(path: Path) -> bool:
    """Whether a process runs the federation of this folder: a simulation, or a coordinator."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_config(path: Path) -> FederationConfig:
    """The resolved configuration of a run folder, exactly as the run had it: no preset or strategy is applied again."""
    file = path / CONFIG_FILE
    if not file.is_file():
        raise RunFolderError(f"{path} is no run folder: it has no {CONFIG_FILE}; pass a folder that a run has written")
    try:
        return FederationConfig.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (ValueError, RecursionError, ValidationError) as error:
        raise RunFolderError(f"{file}: cannot be read ({error}); it was written by another version of knexa or changed by hand") from error


def require_space(path: Path, needed: int) -> None:
    """Raise RunFolderError unless ``needed`` bytes are free where ``path`` is or will be."""
    existing = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise RunFolderError(
            f"{path}: only {free / 2**20:.0f} MB are free there, and the run needs {needed / 2**20:.0f} MB; free some space"
        )
