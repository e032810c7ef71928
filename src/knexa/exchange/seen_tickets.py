"""The teacher's ledger of tickets it has served: one ticket, one package, also across a restart.

A file of lines, appended to and synced before a ticket counts as taken. Its first line says up to which expiry tickets have been
forgotten; such a ticket is refused for ever, so that a clock that was set back cannot make a forgotten ticket good again.

An append that was cut short leaves a torn last line. It was never acknowledged, so it is dropped; damage anywhere else is refused.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from knexa.durable import sync
from knexa.errors import LedgerError, PeerError
from knexa.exchange.limits import LONGEST_LIFE
from knexa.exchange.ticket import Ticket

_HEADER = re.compile(rb"knexa seen tickets 1, forgotten until ([0-9]{1,16})")
_LINE = re.compile(rb"([0-9a-f]{64}) ([0-9]{1,16})")

#: A ledger with fewer lines is not worth compacting.
_FEW = 1000


class SeenTickets:
    """Owned by one process at a time; its threads may share it."""

    def __init__(self, path: Path, now: float) -> None:
        """Read the ledger at ``path``, or begin one. Raises LedgerError if it is damaged, in use or not writable."""
        self.path = path
        self._turn = Lock()
        self._file = -1
        self._lock = self._reserve()
        try:
            self._forgotten, self._expiry = self._read()
            self._rewrite(now)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._expiry)

    def check(self, ticket: Ticket, now: float) -> None:
        """Raises PeerError if :meth:`take` would, and takes nothing."""
        ticket.check_time(now)
        if ticket.digest in self._expiry or ticket.expires_at <= self._forgotten:
            raise PeerError(f"the ticket of match {ticket.match_id!r} has been served already; one ticket is good for one package")

    def take(self, ticket: Ticket, now: float) -> None:
        """Use ``ticket`` up; on return it is on disk. Raises PeerError if it was used or has expired, LedgerError if it cannot be noted."""
        with self._turn:
            self.check(ticket, now)
            if self._file < 0:
                raise LedgerError(f"{self.path}: closed, or could not be written before; restart the participant")
            if len(self._expiry) >= self._compact_at:
                self._rewrite(now)
            try:
                _write(self._file, _line(ticket.digest, ticket.expires_at))
            except OSError as error:
                raise self._unwritable(error) from error
            self._expiry[ticket.digest] = ticket.expires_at

    def close(self) -> None:
        """Let another process have the ledger."""
        self._close_file()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _reserve(self) -> int:
        try:
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise LedgerError(f"{self.path}: another process serves from this ledger; stop it first, or give each its own") from error
        return lock

    def _read(self) -> tuple[int, dict[str, int]]:
        """Up to which expiry tickets are forgotten, and the expiry of each that is remembered, by digest."""
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise self._unwritable(error) from error
        *lines, _torn = content.split(b"\n")
        header = _HEADER.fullmatch(lines[0]) if lines else None
        if content and header is None:
            raise self._damaged(1)
        found = {}
        for number, line in enumerate(lines[1:], 2):
            entry = _LINE.fullmatch(line)
            if entry is None:
                raise self._damaged(number)
            found[entry[1].decode()] = int(entry[2])
        return (int(header[1]) if header else 0), found

    def _rewrite(self, now: float) -> None:
        """Drop what has expired and any torn line, by a new file in place of the old one."""
        expired = [expiry for expiry in self._expiry.values() if expiry <= now]
        forgotten = max([self._forgotten, *expired])
        kept = {digest: expiry for digest, expiry in self._expiry.items() if expiry > forgotten}
        draft = Path(f"{self.path}.draft")
        content = f"knexa seen tickets 1, forgotten until {forgotten}\n".encode() + b"".join(map(_line, kept, kept.values()))
        self._close_file()
        try:
            draft.unlink(missing_ok=True)
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._file = file
            _write(file, content)
            draft.replace(self.path)
            sync(self.path.parent)
        except OSError as error:
            raise self._unwritable(error) from error
        self._forgotten, self._expiry, self._compact_at = forgotten, kept, max(_FEW, 2 * len(kept))

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _unwritable(self, error: OSError) -> LedgerError:
        """After a write or a sync that failed, nobody knows what is on disk: nothing more is taken until the ledger is read again."""
        self._close_file()
        return LedgerError(f"{self.path}: cannot be written ({error.strerror}), so nothing is served; make room or pass another path")

    def _damaged(self, line: int) -> LedgerError:
        return LedgerError(
            f"{self.path}: line {line} is damaged; restore the file, or remove it once no ticket issued until now "
            f"is good any more, in {LONGEST_LIFE // 3600} hours"
        )


def _line(digest: str, expires_at: int) -> bytes:
    return f"{digest} {expires_at}\n".encode()


def _write(file: int, content: bytes) -> None:
    """All of ``content``, and on disk. An OSError for less."""
    while content:
        content = content[os.write(file, content) :]
    os.fsync(file)
