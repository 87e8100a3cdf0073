"""Rows of many files in one order, by time and then by book, without holding them all.

Files of several books overlap in time, and those of other writers may hold rows that lie
past the start of files to come. Which files there are is `reader`'s job, what is in one
`files`'s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

import polars as pl

from bitso_spread.lake.columns import TIME
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.shown import shown

# More than a day of one book, which is 5.6 MB of CSV and takes 45 ms to list, read and sort.
# Larger portions are no faster by the row, and hold more rows in memory.
_PORTION_BYTES = 8_000_000

_log = logging.getLogger("bitso_spread.lake")


def in_order(
    files: Iterable[DataFile],
    read: Callable[[Sequence[DataFile]], pl.DataFrame],
    portion_bytes: int = _PORTION_BYTES,
    portion_files: int | None = None,
) -> Iterator[pl.DataFrame]:
    """Give the rows of files that come by their start, in frames that follow one another.

    No row lies before the start of its own file, so what lies before the start of all files
    to come is complete; the rest waits. A foreign file that breaks this gives its early rows
    late, with a warning.

    Args:
        files: by their start.
        read: gives the rows of some of them.
        portion_bytes: how much of them is read at a time.
        portion_files: how many of them at most; None for any number.
    """
    waiting: pl.DataFrame | None = None
    given: datetime | None = None
    for portion, following in _portions(files, portion_bytes, portion_files):
        rows = read(portion)
        early = 0 if given is None else rows.filter(pl.col(TIME) < given).height
        if early:
            _log.warning(
                "%d of the rows under %s and later batches are earlier than their folders say: "
                "they come out of order",
                early,
                shown(portion[0].path.parent),
            )
        rows = _sorted(rows if waiting is None else pl.concat([waiting, rows]))
        complete = rows.height
        if following is not None:
            complete = rows.filter(pl.col(TIME) < following).height
        if complete:
            yield rows.head(complete)
        waiting = rows.slice(complete)
        given = following


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    # Rows of one book come in order from the start, as most questions have it.
    if rows.is_empty() or (rows[TIME].is_sorted() and (rows["book"] == rows["book"].first()).all()):
        return rows
    return rows.sort(TIME, "book", maintain_order=True)


def first_rows(frames: Iterable[pl.DataFrame], limit: int) -> Iterator[pl.DataFrame]:
    """Give the first `limit` rows, and ask for no frame beyond them."""
    if limit == 0:
        return
    for frame in frames:
        yield frame.head(limit)
        limit -= frame.height
        if limit <= 0:
            return


def at_least_one(frames: Iterable[pl.DataFrame], empty: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Give the frames or, where there are none, one without a row: it tells the columns."""
    frame = None
    for frame in frames:
        yield frame
    if frame is None:
        yield empty


def _portions(
    files: Iterable[DataFile], size: int, most: int | None
) -> Iterator[tuple[list[DataFile], datetime | None]]:
    """Cut where a file starts later than the last one; each portion comes with that start."""
    portion: list[DataFile] = []
    held = 0
    for file in files:
        full = held >= size or (most is not None and len(portion) >= most)
        if full and file.start > portion[-1].start:
            yield portion, file.start
            portion, held = [], 0
        portion.append(file)
        held += file.size
    if portion:
        yield portion, None
