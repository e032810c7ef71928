"""The one record of a run: ``events.jsonl``, append-only, one JSON object a line, no durations and no host facts.

Everything that reads a run (report, comparison, resume, replay) reads these lines. The encoding is canonical (sorted
keys, shortest round-trip floats, no NaN), so two runs can be compared byte by byte. What depends on the machine goes to
``timings.jsonl`` in the same folder.

Kinds of events, in the order in which a run writes them:

==============  =====================================================================================================
``header``      ``schema``, ``version``, ``config`` (resolved), ``agents``, ``start_hash`` (SHA-256 of the starting bytes)
``profile``     ``agent``, ``round`` and the closed profile schema as lists of numbers
``match``       ``round``, ``matches`` and, when ``matching.log_candidates`` is on, every candidate's context and score
``path``        ``round`` and, by match, how its exchange travels: ``direct``, ``reverse``, ``relay`` (a real federation's only)
``package``     ``match_id``, ``teacher``, ``student``, number of texts (candidates counted), bytes, hash of the content; never a text;
                what its teacher's guardrail found, as texts by rule, ``withheld`` texts, ``sier`` of those that left (a simulation's only)
``outcome``     what the student reported: losses and scores before and after, bytes, texts kept, accepted or not
``reward``      ``match_id``, raw, clipped and z-scored reward
``update``      ``round`` and ``digest``: SHA-256 of the matchmaker's state (A and b) after the round
``central``     ``round`` and ``method``: what a baseline's server did, in numbers (:class:`knexa.baselines.budget.Tally`)
``evaluation``  ``agent``, ``round`` and ``stage`` (``start``, ``round`` or ``end``), scores by problem set and category
``fault``       ``agent``, ``round``, ``what`` went wrong and what was done about it; ``refused``: the match that its student did not
                want, if it is that
``end``         ``reason`` and the final state of every participant
==============  =====================================================================================================
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from knexa.errors import RunFolderError

SCHEMA_VERSION = 1
EVENTS_FILE = "events.jsonl"
TIMINGS_FILE = "timings.jsonl"

Event = Mapping[str, Any]


def encode(event: Event) -> bytes:
    """Canonical bytes of one event, newline included. Raises ValueError on NaN or infinity: they are nobody's result."""
    return json.dumps(event, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode() + b"\n"


def finite(value: float) -> float | None:
    """``value`` as events hold it: None stands for "not a finite number", so that a log never contains NaN."""
    return float(value) if math.isfinite(value) else None


class EventLog:
    """Appends events to a file; each line is flushed, so a killed run loses at most the line it was writing."""

    def __init__(self, path: Path, *, keep_bytes: int | None = None) -> None:
        """Open ``path`` for appending. ``keep_bytes`` cuts an existing log back to a checkpoint first."""
        self._file = path.open("r+b" if keep_bytes is not None else "wb")
        if keep_bytes is not None:
            self._file.truncate(keep_bytes)
            self._file.seek(0, 2)

    def append(self, kind: str, **fields: Any) -> None:
        self._file.write(encode({"kind": kind, **fields}))
        self._file.flush()

    @property
    def size(self) -> int:
        """Bytes written so far: the position that a checkpoint remembers."""
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def read_events(folder: Path, name: str = EVENTS_FILE) -> Iterator[dict[str, Any]]:
    """Yield the events of a run folder in order. A half-written last line (a killed run) is ignored."""
    path = folder / name
    if not path.is_file():
        raise RunFolderError(f"{folder} is no run folder: it has no {name}; pass a folder that `knexa run` wrote")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                event = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise RunFolderError(
                    f"{path}, line {number}: not JSON ({error}); the file was changed by hand or by a disk fault"
                ) from error
            if not isinstance(event, dict):
                raise RunFolderError(f"{path}, line {number}: no event, but a {type(event).__name__}; the file was changed by hand")
            yield event
