"""The egress ledger: what an agent let out, to whom, under which ticket, and what its guardrail found; append-only, chained by hashes.

One JSON object a line (:class:`Entry`), on disk before the text is sent. The hash of an entry covers its fields and the hash of the entry
before, so an entry that is changed, left out or moved is noticed, and so is a text that is not the one that left. Two things a chain cannot
show by itself: that entries are missing at its end, and that all of it was written anew by somebody who holds the file. For both note the
head (:attr:`Ledger.head`) elsewhere, and compare (:func:`verify`).

A text stands beside its entry and is covered through its SHA-256: a data officer can have it deleted (:func:`without_texts`), and the chain
holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import TypeAdapter

from knexa import durable
from knexa.errors import LedgerError
from knexa.exchange.guardrail.review import Action
from knexa.exchange.package import KnowledgePackage
from knexa.exchange.vetting import VettedPackage

LEDGER_FILE = "ledger.jsonl"
#: Its owner alone reads it: it holds texts.
_MODE = 0o600
#: What the first entry has in place of the hash before it.
GENESIS = "0" * 64
#: What became of a text.
LEFT, CUT, QUARANTINED, BLOCKED = "left", "cut", "quarantined", "blocked"


@dataclass(frozen=True, slots=True)
class Entry:
    """One text, or the tensors of a package (``prompt`` is empty then).

    ``time``: Unix seconds, in a simulation virtual ones. ``what``: ``left``; ``cut``: allowed, and left out for a budget; ``quarantined``:
    kept here for a person to look at; ``blocked``: gone. ``ticket``: SHA-256 of the ticket, empty in a simulation. ``rules``: what the
    guardrail found in it; ``redacted``: whether something was taken out. ``size``: bytes. ``digest``: SHA-256 of the text; of a blocked
    one nothing is kept, that neither. ``text``: None if it was blocked or deleted, or is a tensor. ``previous``, ``hash``: the chain.
    """

    number: int
    time: float
    what: str
    match_id: str
    round: int
    student: str
    protocol: str
    ticket: str
    prompt: str
    rules: tuple[str, ...]
    redacted: bool
    size: int
    digest: str
    previous: str
    hash: str = ""
    text: str | None = None

    def expected_hash(self) -> str:
        """SHA-256 of all fields but the hash itself and the text."""
        covered = {key: value for key, value in asdict(self).items() if key not in ("hash", "text")}
        return hashlib.sha256(json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()

    def line(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


#: What is the same text on the same way: match, student, ticket, what became of it, prompt and digest.
_Identity = tuple[str, str, str, str, str, str]

#: Checks the kind of every field, and that texts are such as UTF-8 has.
_FORM = TypeAdapter(Entry)


@dataclass(frozen=True, slots=True)
class Departure:
    """Under what a package leaves. ``time``: see :class:`Entry`."""

    time: float
    match_id: str
    round: int
    student: str
    protocol: str
    ticket: str = ""


class Ledger:
    """One agent's ledger, open for writing; one process at a time. ``head``: hash of the last entry, ``length``: how many there are."""

    def __init__(self, path: Path) -> None:
        """Goes on with what is there. Raises LedgerError if that does not hold together, or cannot be written."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _MODE)
        except OSError as error:
            raise LedgerError(f"{path}: cannot be written ({error.strerror}); make room, or choose another folder") from error
        self._file = os.fdopen(descriptor, "r+b")
        try:
            _lock(self._file.fileno(), path)
            if not os.path.samestat(os.fstat(self._file.fileno()), path.stat()):
                raise LedgerError(f"{path}: was replaced while it was opened, by a command that deletes texts; start again")
            self._drop_torn_line()
            self.head, self.length = GENESIS, 0
            self._entered: Counter[_Identity] = Counter()
            for entry in verified(path):
                self.head, self.length = entry.hash, entry.number
                self._entered[_identity(entry)] += 1
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def enter(self, departure: Departure, vetted: VettedPackage, sent: KnowledgePackage) -> None:
        """All answers of ``vetted``, of which those in ``sent`` are about to leave. On return they are on disk.

        What stands there already, since the same exchange was begun before a crash, is not entered again.
        """
        chained: list[Entry] = []
        told: Counter[_Identity] = Counter()
        for entry in _entries(departure, vetted, sent):
            key = _identity(entry)
            told[key] += 1
            if self._entered[key] >= told[key]:
                continue
            entry = replace(entry, number=self.length + len(chained) + 1, previous=chained[-1].hash if chained else self.head)
            chained.append(replace(entry, hash=entry.expected_hash()))
        if not chained:
            return
        self._append(b"".join(entry.line() for entry in chained))
        self._entered.update(map(_identity, chained))
        self.head, self.length = chained[-1].hash, chained[-1].number

    def _append(self, lines: bytes) -> None:
        """All of ``lines`` are on disk, or LedgerError is raised and this ledger takes no more: what of them stands there is not known."""
        if self._file.closed:
            raise LedgerError(f"{self.path}: could not be written before, so nothing is sent; make room, and start the agent again")
        try:
            self._file.write(lines)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._abandon()
            raise LedgerError(f"{self.path}: cannot be written ({error.strerror}), so nothing was sent; make room") from error

    def _abandon(self) -> None:
        with contextlib.suppress(OSError):  # closing writes what is left in memory, which fails as it did before
            self._file.close()

    def _drop_torn_line(self) -> None:
        """A crash while an entry was being written: its text was not sent."""
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)
        self._file.seek(whole)


def verified(path: Path) -> Iterator[Entry]:
    """The entries of the ledger at ``path``, each checked. Raises LedgerError at the first line that does not hold, with its number."""
    head = GENESIS
    for number, entry in enumerate(_read(path), start=1):
        fault = ""
        if entry.number != number or entry.previous != head:
            fault = "an entry before it was changed, left out or moved"
        elif entry.hash != entry.expected_hash():
            fault = "it was changed after it was written"
        elif entry.text is not None and entry.digest != _sha256(entry.text.encode()):
            fault = "its text is not the one that was entered"
        if fault:
            raise LedgerError(f"{path}, line {number}: the chain is broken here: {fault}; restore the file from a backup")
        head = entry.hash
        yield entry


def verify(path: Path, head: str | None = None) -> tuple[int, str]:
    """Number of entries and the last hash. LedgerError for a broken chain, or if ``head``, noted earlier, is none of its hashes."""
    seen = [GENESIS, *(entry.hash for entry in verified(path))]
    if head is not None and head not in seen:
        raise LedgerError(f"{path}: holds no entry {head}: what was entered when that head was noted has been cut off or written anew")
    return len(seen) - 1, seen[-1]


def without_texts(path: Path, numbers: Sequence[int]) -> None:
    """Delete the texts of these entries; the chain holds. The agent must not run.

    Raises LedgerError for a broken chain, a number that is not there, and while another process writes.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        _lock(file.fileno(), path)  # first: what an agent enters between reading and writing would be lost
        entries, chosen = list(verified(path)), set(numbers)
        if missing := sorted(chosen - {entry.number for entry in entries}):
            raise LedgerError(f"{path}: has no entry {missing[0]}; it has {len(entries)}")
        lines = ((replace(entry, text=None) if entry.number in chosen else entry).line() for entry in entries)
        try:
            durable.replace(path, b"".join(lines), mode=_MODE)
        except OSError as error:
            raise LedgerError(f"{path}: cannot be written ({error.strerror}), so no text was deleted; make room") from error


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LedgerError(f"{path}: another process is writing to it; stop the agent first") from error


def _read(path: Path) -> Iterator[Entry]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    names = {one.name for one in fields(Entry)}
    with file:
        for number, line in enumerate(file, start=1):
            try:
                if not line.endswith(b"\n") or json.loads(line).keys() != names:
                    raise ValueError("no entry")
                yield _FORM.validate_json(line, strict=True)
            except (ValueError, AttributeError, RecursionError) as error:
                raise LedgerError(f"{path}, line {number}: is no entry of a ledger; it was torn by a crash or changed by hand") from error


def _unreadable(path: Path, error: OSError) -> LedgerError:
    return LedgerError(f"{path}: cannot be read ({error.strerror}); pass the folder of an agent that has taught")


def _entries(departure: Departure, vetted: VettedPackage, sent: KnowledgePackage) -> Iterator[Entry]:
    """Without their places in the chain: first the texts in the order in which they were written, then the tensors."""
    leaving = {(prompt, text) for prompt in sent.texts for text in sent.candidates(prompt)}
    about = asdict(departure) | {"time": float(departure.time)}  # as it is read back, since the hash covers it
    for answer in vetted.answers:
        reviewed = answer.reviewed
        rules = tuple(dict.fromkeys(one.rule for one in reviewed.findings))
        if reviewed.text is not None:
            what, text = LEFT if (answer.prompt, reviewed.text) in leaving else CUT, reviewed.text
        elif reviewed.action is Action.QUARANTINE:
            what, text = QUARANTINED, answer.held
        else:
            what, text = BLOCKED, None
        yield _entry(about, what, answer.prompt, rules, redacted=reviewed.action is Action.REDACT, text=text)
    if sent.tensors:
        size, digest = len(sent.tensors), _sha256(sent.tensors)
        yield replace(_entry(about, LEFT, "", (), redacted=False, text=None), size=size, digest=digest)


def _entry(about: dict[str, Any], what: str, prompt: str, rules: tuple[str, ...], *, redacted: bool, text: str | None) -> Entry:
    content = (text or "").encode()
    size, digest = len(content), "" if text is None else _sha256(content)
    written: dict[str, Any] = {
        "what": what,
        "prompt": prompt,
        "rules": rules,
        "redacted": redacted,
        "size": size,
        "digest": digest,
        "text": text,
    }
    return Entry(number=0, previous="", **written, **about)


def _identity(entry: Entry) -> _Identity:
    return entry.match_id, entry.student, entry.ticket, entry.what, entry.prompt, entry.digest


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
