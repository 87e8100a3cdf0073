"""What the journal of a table holds, and how it is opened.

It is one SQLite file beside the table, in write-ahead mode with full syncs, so that what is
committed survives a crash, and several processes may record into one lake.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bitso_spread.lake.database import Database

# One after another: a journal of an older version is brought up to date by those that it lacks.
# What a step has added is left out by older versions that are still running: they name the
# columns that they write.
STEPS = (
    """
CREATE TABLE identity (
    name TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT;
CREATE TABLE batch (
    book TEXT NOT NULL, first_tick INTEGER NOT NULL, environment TEXT NOT NULL,
    format TEXT NOT NULL, columns TEXT NOT NULL, interval INTEGER NOT NULL,
    PRIMARY KEY (book, first_tick)
) STRICT, WITHOUT ROWID;
CREATE TABLE sample (
    book TEXT NOT NULL, tick INTEGER NOT NULL, batch INTEGER NOT NULL,
    bid REAL, ask REAL, spread REAL, state TEXT NOT NULL,
    PRIMARY KEY (book, tick)
) STRICT, WITHOUT ROWID;
CREATE TABLE file (
    path TEXT PRIMARY KEY, book TEXT NOT NULL,
    first_tick INTEGER NOT NULL, last_tick INTEGER NOT NULL, rows INTEGER NOT NULL,
    interval INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
    written_at TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE mark (
    book TEXT PRIMARY KEY, tick INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE outage (
    book TEXT NOT NULL, cause TEXT NOT NULL,
    first_tick INTEGER NOT NULL, last_tick INTEGER,
    PRIMARY KEY (book, first_tick)
) STRICT, WITHOUT ROWID
""",
    """
ALTER TABLE sample ADD COLUMN bid_amount REAL;
ALTER TABLE sample ADD COLUMN ask_amount REAL;
ALTER TABLE sample ADD COLUMN exchange_ms INTEGER;
ALTER TABLE sample ADD COLUMN age_ms INTEGER;
ALTER TABLE sample ADD COLUMN source TEXT
""",
    """
CREATE TABLE daily (
    path TEXT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (path, sha256)
) STRICT, WITHOUT ROWID
""",
    """
CREATE TABLE replacement (
    path TEXT PRIMARY KEY, book TEXT NOT NULL,
    first_tick INTEGER NOT NULL, last_tick INTEGER NOT NULL, rows INTEGER NOT NULL,
    interval INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL
) STRICT, WITHOUT ROWID
""",
    """
CREATE TABLE outgoing (
    topic TEXT NOT NULL, book TEXT NOT NULL, tick INTEGER NOT NULL, environment TEXT NOT NULL,
    bid REAL, ask REAL, spread REAL, state TEXT NOT NULL, bid_amount REAL, ask_amount REAL,
    exchange_ms INTEGER, age_ms INTEGER, source TEXT,
    PRIMARY KEY (topic, book, tick)
) STRICT, WITHOUT ROWID
""",
    # Of a lake in object storage: see `bitso_spread.lake.uploads`.
    """
CREATE TABLE upload (
    path TEXT PRIMARY KEY, key TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE store (
    name TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT
""",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a table holds; nothing else is ever mixed into it."""

    environment: str
    hosts: str | None
    """None where they are not known, as for what others recorded: those who come later add them."""
    format: str
    columns: str
    interval: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of ticks of one book that becomes one file."""

    book: str
    first_tick: int
    environment: str
    format: str
    columns: str
    interval: int


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A data file of the table, as it was when it was written."""

    path: str
    """Relative to the table, with forward slashes."""
    book: str
    first_tick: int
    last_tick: int
    rows: int
    interval: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Outage:
    """A span of ticks of which nothing is known of a book, and why."""

    book: str
    cause: str
    first_tick: int
    last_tick: int | None
    """None while it lasts."""


def open_journal(path: Path) -> Database:
    """Open the journal, for one thread at a time.

    Raises:
        LakeError: the file cannot be opened, or a newer version of this package made it.
    """
    return Database(path, STEPS)
