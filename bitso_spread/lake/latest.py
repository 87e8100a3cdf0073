"""The last rows of a table whose collectors are running, as they come.

Most are in the journal alone, which is only read; those that have become files meanwhile are
read from there. How the collectors are is `bitso_spread.health`'s job.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bitso_spread.errors import LakeError
from bitso_spread.lake import heartbeat, layout
from bitso_spread.lake.columns import FULL, TIME
from bitso_spread.lake.reader import Lake
from bitso_spread.model import Sample, State

log = logging.getLogger("bitso_spread.lake")

# A collector's commit takes milliseconds; the next look is a second later.
_BUSY_S = 0.5
_FIELDS = tuple(field.name for field in fields(Sample))


class Latest:
    """Follows the rows of a table, from an instant on; for one thread at a time.

    Each row is given once, and those of a book in order. A row that has become a file before it
    was seen has no state where the table's columns do not tell: it takes what the collector last
    said of it, or else is ``held``, which claims the least.

    Raises:
        LakeError: there is no such table.
    """

    def __init__(self, lake: Path, table: str, *, after: int) -> None:
        self._lake = Lake(lake, table)
        self._path = layout.state_file(self._lake.root, table)
        self._beats = layout.heartbeats_folder(self._lake.root, table)
        self._after = after
        self._seen: dict[str, int] = {}
        self._open = True

    def look(self, books: Collection[str] | None = None) -> list[Sample]:
        """Give the rows that are new, of these books or of every one, by time.

        Raises:
            LakeError: the journal cannot be read.
        """
        journal = self._journal()
        if journal is None:
            # Nobody records any more, and all that was recorded is in files: once is enough.
            rows = self._filed(books) if self._open else []
        else:
            rows = [row for row in journal.rows if books is None or row.book in books]
            if filed := self._lacking(journal, books):
                rows += self._filed(filed)
        self._open = journal is not None
        new: dict[tuple[int, str], Sample] = {}
        for row in rows:
            if row.tick > self._last(row.book):
                # One that is in the journal too comes first, and says more.
                new.setdefault((row.tick, row.book), row)
        if journal is not None:
            self._seen |= journal.marks
        self._seen |= {book: tick for tick, book in sorted(new)}
        return [new[key] for key in sorted(new)]

    def _last(self, book: str) -> int:
        return self._seen.get(book, self._after)

    def _lacking(self, journal: _Journal, books: Collection[str] | None) -> list[str]:
        """Give the books that have rows after the last one seen which are in files alone."""
        first: dict[str, int] = {}
        for row in journal.rows:
            first.setdefault(row.book, row.tick)
        return [
            book
            for book, mark in journal.marks.items()
            if (books is None or book in books)
            and min(first.get(book, mark + 1), mark + 1) > self._last(book) + journal.interval
        ]

    def _filed(self, books: Collection[str] | None) -> list[Sample]:
        """Read the rows that are in files; one that cannot be read is passed over."""
        since = min((self._last(book) for book in books or ()), default=self._after) + 1
        told = self._told()
        frame = self._lake.read(
            start=datetime.fromtimestamp(since, UTC),
            book=None if books is None else sorted(books),
            columns=FULL,
            on_bad=lambda error: log.warning("passed over: %s", error),
        )
        return [_sample(row, told) for row in frame.iter_rows(named=True)]

    def _told(self) -> dict[tuple[int, str], tuple[State, int | None]]:
        """Give how the collectors said that the last row of each book came to be known."""
        told = {}
        for path in heartbeat.paths(self._beats):
            with suppress(OSError, LakeError):
                for book in heartbeat.read(path).books:
                    age_ms = None if book.age_s is None else round(book.age_s * 1000)
                    told[book.last_tick, book.book] = State(book.state), age_ms
        return told

    def _journal(self) -> _Journal | None:
        """Read what is in the journal after the rows seen; None where nobody has it open."""
        # Without this file there is no writer, and to open the journal would make one.
        if not self._path.with_name(f"{self._path.name}-shm").exists():
            return None
        uri = f"file:{quote(str(self._path))}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as db:
                # All of it at one instant: a row is in the journal until it is in a file.
                db.execute("BEGIN")
                identity = dict(db.execute("SELECT name, value FROM identity"))
                marks = dict(db.execute("SELECT book, tick FROM mark"))
                rows = [row for book in marks for row in _rows(db, book, self._last(book))]
        except sqlite3.Error as error:
            raise LakeError(f"{self._path} cannot be read: {error}") from error
        return _Journal(int(identity.get("interval", 1)), marks, rows)


@dataclass(frozen=True, slots=True)
class _Journal:
    interval: int
    marks: Mapping[str, int]
    """The last tick ever recorded of each book."""
    rows: Sequence[Sample]
    """Those of a book in order."""


def _rows(db: sqlite3.Connection, book: str, after: int) -> Iterator[Sample]:
    found = db.execute(
        "SELECT * FROM sample WHERE book = ? AND tick > ? ORDER BY tick", (book, after)
    )
    # A journal of another version may have other columns.
    names = [column[0] for column in found.description]
    for values in found:
        row = {name: value for name, value in zip(names, values, strict=True) if name in _FIELDS}
        yield Sample(**{**row, "state": State(row["state"])})


def _sample(
    row: Mapping[str, Any], told: Mapping[tuple[int, str], tuple[State, int | None]]
) -> Sample:
    """Make a sample of a row of a file."""
    tick, book, age_ms = int(row[TIME].timestamp()), row["book"], row["age_ms"]
    if row["state"] is not None:
        state = State(row["state"])
    elif row["spread"] is None:
        state = State.UNKNOWN
    else:
        state, age_ms = told.get((tick, book), (State.HELD, None))
    return Sample(tick, book, row["bid"], row["ask"], row["spread"], state, age_ms=age_ms)
