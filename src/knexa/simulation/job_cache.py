"""Results of jobs by content, kept in a folder, so that no job of a comparison is done twice.

All strategies of a seed start from the same bytes: they are scored alike at the start, most of them train alike in the first round, and an
ablation does what the whole does until its part is first missed. What was computed once is read from then on, by any run that is given the
folder, also at the same time. Programs are not run again either: verdicts are part of the results.

A file is written beside its name and renamed, and begins with the SHA-256 of the rest: whatever a crash left of it counts as nothing.
Beyond :data:`MOST_BYTES`, what has not been used for longest is dropped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from knexa.simulation.engine import Cost, Engine, Job, OnCost, Pending
from knexa.simulation.job_key import FORM, JobKeys
from knexa.simulation.run_folder import LEAST_FREE

#: Most that a folder of results holds.
MOST_BYTES = 4 * 2**30
_DRAFT = ".draft"
#: A draft of this age belongs to a process that is no more.
_ABANDONED_S = 3600


class JobCache:
    """A folder of results; several processes may use it at once."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, key: str) -> Any:
        """The result under ``key``; None if there is none, or a damaged one."""
        path = self._folder / key
        try:
            digest, _, body = path.read_bytes().partition(b"\n")
            os.utime(path)  # used now: dropped later
        except FileNotFoundError:
            return None
        if digest.decode("ascii", "replace") != hashlib.sha256(body).hexdigest():
            return None
        entry = json.loads(body)
        return FORM.from_json(entry["form"]) if "form" in entry else entry["plain"]

    def store(self, key: str, value: Any) -> None:
        """Keep ``value``: a mapping of plain JSON, or a tuple of the protocol's values. Not on a disk that is nearly full."""
        body = json.dumps({"plain": value} if isinstance(value, dict) else {"form": FORM.to_json(value)}).encode()
        entry = hashlib.sha256(body).hexdigest().encode() + b"\n" + body
        if shutil.disk_usage(self._folder).free < LEAST_FREE + len(entry):
            return
        with NamedTemporaryFile(dir=self._folder, suffix=_DRAFT, delete=False) as draft:
            draft.write(entry)
        os.replace(draft.name, self._folder / key)
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                try:
                    about = entry.stat()
                except FileNotFoundError:
                    continue  # another process has dropped or renamed it meanwhile
                if not entry.name.endswith(_DRAFT) or about.st_mtime < time.time() - _ABANDONED_S:
                    found.append((about.st_mtime_ns, about.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._most_bytes:
                return
            Path(path).unlink(missing_ok=True)
            total -= size


class Recalling:
    """An engine that has jobs done by another one, and none whose result is known."""

    def __init__(self, engine: Engine, cache: JobCache, keys: JobKeys, on_cost: OnCost) -> None:
        self._engine, self._cache, self._keys, self._on_cost = engine, cache, keys, on_cost

    def submit(self, job: Job) -> Pending:
        began = time.perf_counter()
        key = self._keys.of(job)
        if key is None:
            return self._engine.submit(job)
        known = self._cache.load(key)
        if known is None:
            return _Kept(self._engine.submit(job), key, self._cache)
        self._on_cost(Cost(job, time.perf_counter() - began, None))
        return _Known(known)

    def peak_rss_mb(self) -> float:
        return self._engine.peak_rss_mb()

    def close(self) -> None:
        self._engine.close()


class _Known:
    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self) -> Any:
        return self._value


class _Kept:
    """Keeps the result when it is awaited."""

    def __init__(self, pending: Pending, key: str, cache: JobCache) -> None:
        self._pending, self._key, self._cache = pending, key, cache

    def result(self) -> Any:
        value = self._pending.result()
        self._cache.store(self._key, value)
        return value
