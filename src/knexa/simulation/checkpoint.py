"""Checkpoints between two rounds: all that a killed run needs to go on as if nothing had happened.

A checkpoint is a folder, written beside its final name and renamed when it is complete and on disk. So there is always a
whole one, whenever the process dies. It holds the agents' bytes, the simulation's snapshot, and how long the logs were:
what was logged after it is cut off on resume and written again, byte for byte the same.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knexa.durable import sync
from knexa.errors import RunFolderError

FORMAT = 1
_PREFIX = "checkpoint-"
_FACTS = "checkpoint.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``closed``: rounds that were over. ``kept``: lengths of the event and timing logs. ``seconds``: wall time so far."""

    closed: int
    kept: tuple[int, int]
    seconds: float
    snapshot: Mapping[str, Any]
    states: Mapping[str, bytes]


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write it durably, then drop the older ones. The logs must be on disk up to ``kept``."""
    final = folder / f"{_PREFIX}{checkpoint.closed:05d}"
    draft = final.with_name(final.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    facts = {
        "format": FORMAT,
        "closed": checkpoint.closed,
        "kept": checkpoint.kept,
        "seconds": checkpoint.seconds,
        "snapshot": checkpoint.snapshot,
        "states": list(checkpoint.states),
    }
    _write(draft / _FACTS, json.dumps(facts).encode())
    for agent, state in checkpoint.states.items():
        _write(draft / f"{agent}.state", state)
    sync(draft)
    shutil.rmtree(final, ignore_errors=True)
    os.rename(draft, final)
    sync(folder)
    for other in folder.glob(f"{_PREFIX}*"):
        if other != final:
            shutil.rmtree(other)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint, or None if the run had not got that far. Raises RunFolderError if it is of another format."""
    whole = sorted(path for path in folder.glob(f"{_PREFIX}*") if not path.name.endswith(".draft"))
    if not whole:
        return None
    try:
        facts = json.loads((whole[-1] / _FACTS).read_bytes())
        if facts["format"] != FORMAT:
            raise RunFolderError(f"{whole[-1]}: format {facts['format']}, not {FORMAT}; resume with the version of knexa that wrote it")
        states = {agent: (whole[-1] / f"{agent}.state").read_bytes() for agent in facts["states"]}
        return Checkpoint(facts["closed"], tuple(facts["kept"]), facts["seconds"], facts["snapshot"], states)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunFolderError(f"{whole[-1]}: cannot be read ({error}); it was damaged, so the run cannot be resumed") from error


def drop_checkpoints(folder: Path) -> None:
    """Remove them all: the run is over."""
    for path in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(path)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    sync(path)
