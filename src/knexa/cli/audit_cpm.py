"""``knexa audit cpm``: what a coordinator has received, for people and for scripts."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from knexa.errors import KnexaError, RunFolderError
from knexa.service.cpm.audit import Audit, Received, audit
from knexa.service.cpm.journal import Journal, JournalError
from knexa.service.cpm.process import JOURNAL_FILE


def show_audit(folder: Path, url: str | None, *, as_json: bool, everything: bool) -> None:
    """``url``: of the journal, if it is not in ``folder``.

    Raises KnexaError if the journal holds anything but numbers, identifiers, hashes and addresses.
    """
    path = folder / JOURNAL_FILE
    if url is None and not path.is_file():
        raise RunFolderError(f"{folder}: has no {JOURNAL_FILE}; pass the folder of `knexa cpm serve --out` or `knexa up`, or --journal URL")
    with Journal(url or f"sqlite:///{path}", existing=True) as journal:
        if journal.federation() is None:
            raise JournalError(f"journal {journal.url}: no federation has begun in it, so there is nothing to prove; is it the right one?")
        found, where = audit(journal), journal.url
    if as_json:
        print(json.dumps({"received": [_plain(one) for one in found.received], "numbers": found.numbers, "faults": len(found.faults)}))
    else:
        _print(found, everything)
    if found.faults:
        raise KnexaError(f"{where}: {len(found.faults)} entries hold something else than the schema allows: {found.faults[0].fault}")


def _print(found: Audit, everything: bool) -> None:
    console = Console()
    if everything:
        for one in found.received:
            moment = time.strftime("%H:%M:%S", time.localtime(one.time))
            console.print(f"{moment} {one.sender} {one.kind}: {_plain(one)['values']}", highlight=False, soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="Received by the coordinator", title_justify="left")
    for name in ("agent", "message", "count", "bytes"):
        table.add_column(name, justify="left" if name in ("agent", "message") else "right")
    counts = Counter((one.sender, one.kind) for one in found.received)
    for (sender, kind), count in sorted(counts.items()):
        size = sum(one.bytes for one in found.received if (one.sender, one.kind) == (sender, kind))
        table.add_row(sender, kind, str(count), f"{size:,}")
    console.print(table)
    fields = Counter(name for name, _ in found.texts)
    listed = "; ".join(f"{name} ({count} different)" for name, count in sorted(fields.items()))
    console.print(f"{found.numbers:,} numbers. Texts, all of them names, hashes or addresses: {listed}.", highlight=False, soft_wrap=True)
    if not found.faults:
        console.print(
            "Every message, written again from these values alone, is what was kept of it: there is nothing else in the journal.",
            highlight=False,
            soft_wrap=True,
        )


def _plain(one: Received) -> dict[str, Any]:
    values = {name: value.hex() if isinstance(value, bytes) else value for name, value in one.values.items()}
    return {**asdict(one), "values": values}
