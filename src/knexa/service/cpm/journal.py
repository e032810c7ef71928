"""All that the coordinator ever acted on, in the order in which it did: its memory across crashes, and what an audit reads.

An entry is on disk when :meth:`Journal.append` returns (SQLite: write-ahead log, ``synchronous = FULL``; PostgreSQL: its default).
Whoever acknowledges a message appends it first. Decisions are not in here: they follow from the entries (the protocol's state
machines are functions of messages and times), so replaying the journal restores them to the bit.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from knexa.errors import ConfigurationError, KnexaError, RunFolderError

SCHEMA = 1
#: Names the advisory lock of a PostgreSQL database: the letters "knexa".
_LOCK = 0x6B6E657861

_METADATA = MetaData()
_FEDERATION = Table(
    "federation",
    _METADATA,
    Column("schema", Integer, nullable=False),
    Column("federation_id", String(64), primary_key=True),
    Column("settings", String(64), nullable=False),
)
_ENTRIES = Table(
    "entries",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("time", Float, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("sender", String(64), nullable=False),
    Column("entry_id", String(160), nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("sender", "entry_id"),
)

_SNAPSHOTS = Table(
    "snapshots",
    _METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("version", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

Kind = Literal["join", "start", "report", "time", "gone", "close"]


class JournalError(KnexaError):
    """The journal cannot be read or written: nothing can be acknowledged without it."""

    exit_code = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """``time``: Unix seconds, as the coordinator was told. ``sender``: an agent's name, or "" for the coordinator itself.

    ``entry_id``: with the sender names the entry; there is one of each. A report's is chosen by its sender; the coordinator's own ids
    under an agent's name begin with ``#``, as no report's may. ``body``: the wire message as it came, or nothing.
    """

    time: float
    kind: Kind
    sender: str
    entry_id: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that follows from the entries up to ``number``, so that a restart needs only those after it. ``body``: JSON-able."""

    number: int
    body: Mapping[str, Any]


class Journal:
    """One federation's journal at a database URL (``sqlite:///PATH`` or ``postgresql+psycopg://…``)."""

    def __init__(self, url: str, *, existing: bool = False) -> None:
        """``existing``: nothing is made, and a SQLite file that is not there is a RunFolderError: for who only reads.

        Raises ConfigurationError for a URL that names no database, JournalError for one that cannot be opened.
        """
        try:
            self._engine = create_engine(url)
        except (SQLAlchemyError, ModuleNotFoundError) as error:
            raise ConfigurationError(f"journal {url!r}: {error}; pass sqlite:///PATH, or install the postgres extra") from error
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _durable)
        self.url = self._engine.url.render_as_string(hide_password=True)
        if existing and self._engine.dialect.name == "sqlite" and not Path(str(self._engine.url.database)).is_file():
            raise RunFolderError(f"journal {self.url}: there is no such file; check the path")
        try:
            if not existing:
                _METADATA.create_all(self._engine)
            self._connection = self._engine.connect()
            self._gathering = False
            self._lock: int | None = None
            self._holder: Connection | None = None
        except SQLAlchemyError as error:
            raise JournalError(
                f"journal {self.url}: cannot be opened ({_reason(error)}); check the path and the space on the disk"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def hold(self) -> None:
        """Keep it from every other coordinator, wherever that runs, until this is closed. RunFolderError if another one has it."""
        if self._engine.dialect.name == "sqlite":
            self._lock = os.open(str(self._engine.url.database), os.O_RDONLY)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunFolderError(f"journal {self.url}: another coordinator goes on with it; stop that first") from error
        else:
            self._holder = self._engine.connect()
            if not self._holder.execute(text(f"select pg_try_advisory_lock({_LOCK})")).scalar_one():
                raise RunFolderError(f"journal {self.url}: another coordinator goes on with it; stop that first")

    def federation(self) -> tuple[str, str] | None:
        """Id and settings (their SHA-256) of the federation whose journal this is; None if it is new. JournalError for another schema."""
        row = next(iter(self._read(select(_FEDERATION))), None)
        if row is not None and row.schema != SCHEMA:
            raise JournalError(
                f"journal {self.url}: has schema {row.schema}, this version of knexa reads {SCHEMA}; go on with the one that began it"
            )
        return None if row is None else (row.federation_id, row.settings)

    def begin(self, federation_id: str, settings: str) -> None:
        """Make it the journal of a federation."""
        self._write(insert(_FEDERATION).values(schema=SCHEMA, federation_id=federation_id, settings=settings))

    def append(self, entry: Entry) -> None:
        """On return it is on disk. Raises JournalError if it is not, or if there is one with that sender and id already."""
        self._write(
            insert(_ENTRIES).values(
                time=entry.time, kind=entry.kind, sender=entry.sender, entry_id=entry.entry_id, body=entry.body
            )
        )  # fmt: skip

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is appended within is on disk when this ends, with one sync for all of it. JournalError: none of it is."""
        self._write()
        self._gathering = True
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        finally:
            self._gathering = False
        self._write(keep=True)

    def entries(self, after: int = 0, kind: Kind | None = None) -> Iterator[Entry]:
        """Those behind number ``after``, or only those of one ``kind``, in their order."""
        chosen = select(_ENTRIES).where(_ENTRIES.c.number > after).order_by(_ENTRIES.c.number)
        for row in self._rows(chosen if kind is None else chosen.where(_ENTRIES.c.kind == kind)):
            yield Entry(row.time, row.kind, row.sender, row.entry_id, row.body)

    @property
    def seconds(self) -> float:
        """From the first entry to the last, whoever was restarted in between; 0 without any."""
        first, last = self._read(select(func.min(_ENTRIES.c.time), func.max(_ENTRIES.c.time)))[0]
        return 0.0 if first is None else float(last - first)

    def ids(self, until: int) -> set[tuple[str, str]]:
        """Sender and id of every entry up to number ``until``."""
        chosen = select(_ENTRIES.c.sender, _ENTRIES.c.entry_id).where(_ENTRIES.c.number <= until)
        return {(row.sender, row.entry_id) for row in self._read(chosen)}

    def keep(self, body: Mapping[str, Any]) -> None:
        """A snapshot of what follows from all entries so far, in the place of the one before."""
        number = int(self._read(select(func.max(_ENTRIES.c.number)))[0][0])
        self._write(
            delete(_SNAPSHOTS),
            insert(_SNAPSHOTS).values(number=number, version=version("knexa"), body=json.dumps(body).encode()),
        )

    def snapshot(self) -> Snapshot | None:
        """The newest, if this version of knexa has made it."""
        row = next(iter(self._read(select(_SNAPSHOTS))), None)
        if row is None or row.version != version("knexa"):
            return None
        return Snapshot(row.number, json.loads(row.body))

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        if self._holder is not None:
            self._holder.close()
        self._connection.close()
        self._engine.dispose()

    def _read(self, statement: Any) -> list[Any]:
        return list(self._rows(statement))

    def _rows(self, statement: Any) -> Iterator[Any]:
        """One after the other: damage may lie behind the first of them."""
        try:
            yield from self._connection.execute(statement)
        except SQLAlchemyError as error:
            raise JournalError(f"journal {self.url}: cannot be read ({_reason(error)}); restore it from a backup") from error

    def _write(self, *statements: Any, keep: bool = False) -> None:
        """All of them, or none; within :meth:`together` when that ends. ``keep``: with what this transaction holds already."""
        try:
            if not self._gathering and not keep:
                self._connection.rollback()  # end the transaction that a read has begun
            for statement in statements:
                self._connection.execute(statement)
            if not self._gathering:
                self._connection.commit()
        except IntegrityError as error:
            self._connection.rollback()
            raise JournalError(f"journal {self.url}: an entry with this sender and id is there already ({_reason(error)})") from error
        except SQLAlchemyError as error:
            raise JournalError(
                f"journal {self.url}: cannot be written ({_reason(error)}), so nothing more is acknowledged; make room and start again"
            ) from error


def _durable(connection: Any, _record: object) -> None:
    """What is committed is synced, and readers (an audit) do not wait for the writer."""
    cursor = connection.cursor()
    for setting in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _reason(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
