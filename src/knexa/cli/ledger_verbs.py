"""What the verbs of ``knexa ledger`` do."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from knexa.cli.told import Told
from knexa.errors import ConfigurationError, LedgerError
from knexa.exchange.ledger import BLOCKED, CUT, LEDGER_FILE, LEFT, QUARANTINED, Entry, verified, without_texts
from knexa.exchange.ledger import verify as verify_chain
from knexa.simulation.ledgers import ledgers_in

_KINDS = (LEFT, CUT, QUARANTINED, BLOCKED)
#: Virtual seconds of a simulation are no dates: entries of before this moment, in Unix seconds, are shown as seconds.
_FIRST_DATE = 10**9
#: Most entries that one range may name.
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are meant; None: all."""

    what: str | None = None
    to: str | None = None
    rule: str | None = None

    def takes(self, entry: Entry) -> bool:
        of_rule = self.rule is None or any(rule == self.rule or rule.startswith(f"{self.rule}/") for rule in entry.rules)
        return of_rule and self.what in (None, entry.what) and self.to in (None, entry.student)

    @property
    def given(self) -> bool:
        return any(one is not None for one in (self.what, self.to, self.rule))


def show_ledger(where: Path, wanted: Filter, *, texts: bool, as_json: bool) -> None:
    """Raises ConfigurationError for a kind of entry that there is not, LedgerError for a chain that is broken."""
    if wanted.what not in (None, *_KINDS):
        raise ConfigurationError(f"--what: found {wanted.what!r}; allowed: {', '.join(_KINDS)}")
    found = {name: [entry for entry in verified(path) if wanted.takes(entry)] for name, path in _ledgers(where).items()}
    if as_json:
        rows = [_row(name, entry, texts=texts) for name, entries in found.items() for entry in entries]
        print(json.dumps({"entries": rows, "counts": {name: dict(_counts(entries)) for name, entries in found.items()}}))
        return
    console = Console()
    if wanted.given or texts:
        for name, entries in found.items():
            for entry in entries:
                _print_entry(console, name, entry, texts=texts)
    _print_counts(console, found)


def verify_ledger(where: Path, head: str | None, *, as_json: bool) -> None:
    """Raises LedgerError for the first entry that does not hold, and if ``head`` is no hash of the chain."""
    paths = _ledgers(where)
    if head is not None and len(paths) > 1:
        raise ConfigurationError(f"--head: {where} holds {len(paths)} ledgers, and a head belongs to one; pass the folder of an agent")
    heads = {name: verify_chain(path, head) for name, path in paths.items()}
    lines = [f"{name}: {length:,} entries hold together; head {last}" for name, (length, last) in heads.items()]
    told = (
        "nothing has been cut off or written anew since that head"
        if head
        else "note the head elsewhere; --head HASH compares with it later"
    )
    Told({name: {"entries": length, "head": last} for name, (length, last) in heads.items()}, [*lines, told]).tell(as_json)


def export_ledger(where: Path, out: Path, *, texts: bool, as_json: bool) -> None:
    """Raises ConfigurationError for a file that is there already, or of a kind that there is not."""
    if out.suffix not in (".csv", ".jsonl"):
        raise ConfigurationError(f"--out: found {out}; allowed: a file that ends with .csv or .jsonl")
    rows = [_row(name, entry, texts=texts) for name, path in _ledgers(where).items() for entry in verified(path)]
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="") as file:
            if out.suffix == ".jsonl":
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            else:
                _write_csv(file, rows)
    except FileExistsError as error:
        raise ConfigurationError(f"--out: {out} exists already; name a new file") from error
    except OSError as error:
        raise ConfigurationError(f"--out: {out} cannot be written ({error.strerror})") from error
    Told({"entries": len(rows), "file": str(out)}, [f"{len(rows):,} verified entries are in {out}"]).tell(as_json)


def forget_texts(where: Path, entries: str, *, as_json: bool) -> None:
    paths = _ledgers(where)
    if len(paths) > 1:
        raise ConfigurationError(f"{where} holds {len(paths)} ledgers; pass the folder of an agent")
    numbers = _numbers(entries)
    ((name, path),) = paths.items()
    without_texts(path, numbers)
    Told({"agent": name, "entries": numbers}, [f"{name}: the texts of {len(numbers)} entries are deleted; the chain holds"]).tell(as_json)


def _ledgers(where: Path) -> dict[str, Path]:
    """Ledgers by agent. Raises LedgerError if there are none."""
    if (where / LEDGER_FILE).is_file():
        return {where.resolve().name: where / LEDGER_FILE}
    found = {path.parent.name: path for path in ledgers_in(where)}
    if not found:
        raise LedgerError(f"{where}: no agent that has taught keeps a {LEDGER_FILE} here; pass an agent's folder, or a run folder")
    return found


def _numbers(text: str) -> list[int]:
    """Ascending and without repetition. Raises ConfigurationError."""
    numbers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,12})(?:-(\d{1,12}))?\s*", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last or last - first >= _MOST:
            raise ConfigurationError(f"--entries: found {text!r}; allowed: numbers and rising ranges of at most {_MOST:,}, such as 3,7-9")
        numbers.update(range(first, last + 1))
    return sorted(numbers)


def _row(agent: str, entry: Entry, *, texts: bool) -> dict[str, Any]:
    row = {"agent": agent, **asdict(entry), "rules": list(entry.rules)}
    return row if texts else {key: value for key, value in row.items() if key != "text"}


def _write_csv(file: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["agent"])
    writer.writeheader()
    writer.writerows({**row, "rules": " ".join(row["rules"])} for row in rows)


def _counts(entries: Sequence[Entry]) -> Counter[str]:
    return Counter(entry.what for entry in entries)


def _print_entry(console: Console, agent: str, entry: Entry, *, texts: bool) -> None:
    when = f"{datetime.fromtimestamp(entry.time, UTC):%Y-%m-%d %H:%M:%S}" if entry.time >= _FIRST_DATE else f"{entry.time:.1f} s"
    rules = f" ({', '.join(entry.rules)}{', redacted' if entry.redacted else ''})" if entry.rules else ""
    thing = entry.prompt or entry.protocol
    line = f"{agent} {entry.number}  {when}  {entry.what} to {entry.student}, {entry.match_id}, {thing}: {entry.size:,} bytes{rules}"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    if texts and entry.text is not None:
        console.print("\n".join(f"    {row}" for row in entry.text.splitlines()), highlight=False, markup=False, soft_wrap=True)


def _print_counts(console: Console, found: Mapping[str, Sequence[Entry]]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="Texts by agent and student", title_justify="left")
    for name in ("agent", "student", *_KINDS, "bytes left"):
        table.add_column(name, justify="left" if name in ("agent", "student") else "right")
    for agent, entries in found.items():
        for student in sorted({entry.student for entry in entries}):
            theirs = [entry for entry in entries if entry.student == student]
            counts, size = _counts(theirs), sum(entry.size for entry in theirs if entry.what == LEFT)
            table.add_row(agent, student, *(f"{counts[kind]:,}" for kind in _KINDS), f"{size:,}")
    console.print(table)
    rules = Counter((rule, entry.what) for entries in found.values() for entry in entries for rule in entry.rules)
    for (rule, what), count in sorted(rules.items()):
        console.print(f"{rule}: found in {count:,} texts that {_SAID[what]}", highlight=False, soft_wrap=True)
    if not rules:
        console.print("The guardrail found nothing in these.", highlight=False)


_SAID = {LEFT: "left", CUT: "did not fit", QUARANTINED: "are held here", BLOCKED: "were dropped"}
