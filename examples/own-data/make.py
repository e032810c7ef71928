"""Writes what this example needs into the current folder: ``public.jsonl`` for all, and one private file for each organisation.

The rows are the shipped notes: a clinic, a bank and an office each keep those of their own kinds; every third row is public.
"""

from __future__ import annotations

import json
from pathlib import Path

from knexa.evaluation.notes import NOTES_FILE
from knexa.evaluation.notes.tables import KINDS

#: How many kinds of notes, in their order, belong to whom.
OWNERS = {"clinic": 5, "bank": 4, "office": 3}


def files() -> dict[str, list[str]]:
    """Lines by file name."""
    owner_of = dict(zip((kind.name for kind in KINDS), [owner for owner, count in OWNERS.items() for _ in range(count)], strict=True))
    found: dict[str, list[str]] = {"public.jsonl": [], **{f"{owner}.jsonl": [] for owner in OWNERS}}
    for number, line in enumerate(NOTES_FILE.read_text(encoding="utf-8").splitlines()):
        owner = owner_of[json.loads(line)["category"]]
        found["public.jsonl" if number // len(KINDS) % 3 == 0 else f"{owner}.jsonl"].append(line)
    return found


if __name__ == "__main__":
    for name, lines in files().items():
        Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        print(f"{name}: {len(lines)} rows")
