"""Writes ``notes.jsonl``: ``python -m knexa.evaluation.notes.make``. The same file every time (seed :data:`SEED`)."""

from __future__ import annotations

import json
from itertools import product

from knexa.evaluation.notes import NOTES_FILE
from knexa.evaluation.notes.tables import KINDS, Kind
from knexa.randomness import stream

SEED = 1200
#: Notes of each kind; no note is there twice.
EACH = 118


def notes() -> str:
    """The whole file: one JSON object a line, kinds in turn."""
    by_kind = [_of(kind) for kind in KINDS]
    return "".join(json.dumps(row) + "\n" for rows in zip(*by_kind, strict=True) for row in rows)


def _of(kind: Kind) -> list[dict[str, str]]:
    every = list(product(*(table.items() for table in kind.tables)))
    chosen = stream(SEED, kind.name).permutation(len(every))[:EACH]
    return [_note(kind, every[index]) for index in chosen]


def _note(kind: Kind, filling: tuple[tuple[str, str], ...]) -> dict[str, str]:
    short, words = ([pair[place] for pair in filling] for place in (0, 1))
    return {"prompt": kind.short.format(*short), "completion": kind.long.format(*words), "category": kind.name}


if __name__ == "__main__":
    NOTES_FILE.write_text(notes(), encoding="utf-8")
