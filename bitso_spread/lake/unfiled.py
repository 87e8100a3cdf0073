"""How many rows of a question are in the journal and in no file yet: a look that costs nothing.

It waits for no lock, makes no file, and is silent where anything is in its way: what an audit
may rely on is `bitso_spread.lake.records`.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

from bitso_spread.clock import DAY_S
from bitso_spread.errors import UnknownBookError
from bitso_spread.lake.filters import Filters, midnight_of
from bitso_spread.model import resolve_book

MOST = 10_000
"""More are not counted: after a disk was full for days there are millions."""

_COUNT = """
SELECT count(*) FROM (SELECT 1 FROM sample WHERE book = ? AND tick BETWEEN ? AND ? LIMIT ?)
"""
_EVER = 2**62


def count_unfiled(journal: Path | None, filters: Filters) -> int:
    """Count the rows that a question asks for and no file has; `MOST` + 1 where there are more.

    Of a journal that is not there, cannot be read or is locked, 0.
    """
    if journal is None:
        return 0
    try:
        with closing(_open(journal)) as db:
            return _count(db, filters)
    except (OSError, sqlite3.Error):
        return 0


def _open(journal: Path) -> sqlite3.Connection:
    ahead, index = (journal.with_name(journal.name + end).exists() for end in ("-wal", "-shm"))
    if ahead and not index:
        # To see the last rows would be to make the index anew, beside the journal.
        raise FileNotFoundError(journal)
    # What was closed in order is all in one file, and opened as one that may change makes others.
    how = "mode=ro" if ahead else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(journal))}?{how}", uri=True, timeout=0)


def _count(db: sqlite3.Connection, filters: Filters) -> int:
    batches: dict[str, list[int]] = {}
    for book, first in db.execute("SELECT book, first_tick FROM batch ORDER BY book, first_tick"):
        batches.setdefault(book, []).append(first)
    count, (start, last) = 0, _ticks(filters)
    for book in _asked(filters, batches):
        # The rows of a batch lie between its first and that of the next.
        for first, after in pairwise([*batches[book], _EVER]):
            if first <= last and after > start and first % DAY_S // 60 in filters.minutes:
                values = book, max(start, first), min(last, after - 1), MOST + 1 - count
                count += db.execute(_COUNT, values).fetchone()[0]
    return count


def _asked(filters: Filters, held: Collection[str]) -> Collection[str]:
    found = set()
    for name in filters.books:
        with suppress(UnknownBookError):
            found.add(resolve_book(name, held))
    return found if filters.books else held


def _ticks(filters: Filters) -> tuple[int, int]:
    """Give the first and the last second that is asked for."""
    first, end = 0, _EVER
    if filters.dates.first is not None:
        first = int(midnight_of(filters.dates.first).timestamp())
    if filters.dates.last is not None:
        end = int(midnight_of(filters.dates.last).timestamp()) + DAY_S
    if filters.start is not None:
        first = max(first, math.ceil(filters.start.timestamp()))
    if filters.end is not None:
        end = min(end, math.ceil(filters.end.timestamp()))
    return first, end - 1
