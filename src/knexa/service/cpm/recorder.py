"""The coordinator's ``events.jsonl``: a view of its journal, written anew from there, or from where a snapshot has it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from knexa.events import EventLog, encode
from knexa.service.cpm.journal import JournalError


class Recorder(Protocol):
    """Where the conductor writes events, and how far it has come."""

    def append(self, kind: str, fields: Mapping[str, Any]) -> None: ...

    def mark(self) -> Mapping[str, Any]:
        """What a snapshot remembers of it, JSON-able."""
        ...


class RecordFile:
    """``events.jsonl`` at a path. A mark is its length and SHA-256. Raises JournalError where it cannot be written."""

    def __init__(self, path: Path, mark: Mapping[str, Any] | None = None) -> None:
        """Begin it anew, or go on behind ``mark``, for which :meth:`stands` has to be true."""
        self._path = path
        self._hash = hashlib.sha256(path.read_bytes()[: mark["bytes"]] if mark else b"")
        with self._written():
            self._log = EventLog(path, keep_bytes=mark["bytes"] if mark else None)

    @staticmethod
    def stands(path: Path, mark: Mapping[str, Any]) -> bool:
        """Whether the file begins with what was marked: a power cut can have taken the end of it."""
        if not path.is_file():
            return False
        content = path.read_bytes()[: mark["bytes"]]
        return bool(hashlib.sha256(content).hexdigest() == mark["sha256"])

    def append(self, kind: str, fields: Mapping[str, Any]) -> None:
        self._hash.update(encode({"kind": kind, **fields}))
        with self._written():
            self._log.append(kind, **fields)

    def mark(self) -> Mapping[str, Any]:
        return {"bytes": self._log.size, "sha256": self._hash.hexdigest()}

    def close(self) -> None:
        with self._written():
            self._log.close()

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Without room for it the coordinator ends as without room for its journal, from which the next start writes what is missing."""
        try:
            yield
        except OSError as error:
            raise JournalError(f"{self._path}: cannot be written ({error.strerror}); make room and start again") from error
