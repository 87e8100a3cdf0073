"""A book's day, read and checked: what is wrong in it, and which ticks it fills.

Needs nothing but the files, so that several days are examined at once. How days hang together is
`bitso_spread.lake.audit`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from bitso_spread.errors import LakeError
from bitso_spread.lake.checks import (
    COUNTS,
    FLOAT32,
    KNOWN,
    US,
    file_findings,
    judged,
    row_findings,
)
from bitso_spread.lake.files import FILE, is_whole, read_numbered
from bitso_spread.lake.filters import Filters
from bitso_spread.lake.findings import Finding, Kind
from bitso_spread.lake.holdings import Folders, Holdings, Shelf
from bitso_spread.lake.records import BookDay
from bitso_spread.lake.shown import shown

_SECOND_US = 1_000_000
TICK = "tick"
TICKS = {TICK: pl.Int64, KNOWN: pl.Boolean, FLOAT32: pl.Boolean, FILE: pl.UInt32}


@dataclass(slots=True)
class Examined:
    """What a book's day gave."""

    held: Holdings
    """What lies there; files that are not what they should be are left out."""
    ticks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TICKS))
    """For each row that fills a tick: the tick, whether it is known, whether its spread is of
    32-bit arithmetic, and its file's place among those of `held`."""
    reach: tuple[int, int] | None = None
    """The first and the last tick of the files, also where these are not asked for."""


def examine(
    shelf: Shelf, filters: Filters, interval: int, unit: BookDay, folders: Folders | None
) -> Examined:
    """Read and check the files of a book's day; several threads may do so at once.

    Args:
        shelf: where they are taken from.
        filters: which rows are asked for.
        interval: seconds between ticks.
        unit: the book and the day.
        folders: see `Shelf.take`.
    """
    held = shelf.take(*unit, folders)
    rows = _rows_of(held)
    # These are the most of what it holds, and are done with.
    held.contents, held.rows = [], []
    if not held.files:
        return Examined(held)
    rows = judged(rows, held.files, interval)
    held.findings += file_findings(rows, held.files, held.names)
    reach = rows.filter(COUNTS).select(first=pl.col(US).min(), last=pl.col(US).max()).row(0)
    rows = filters.keep(rows)
    if rows.height:
        held.findings += row_findings(rows, held.files, held.names)
    ticks = rows.select((pl.col(US) // _SECOND_US).alias(TICK), KNOWN, FLOAT32, FILE, COUNTS)
    ticks = ticks.filter(COUNTS).select(*TICKS)
    if reach[0] is None:
        return Examined(held, ticks)
    return Examined(held, ticks, (reach[0] // _SECOND_US, reach[1] // _SECOND_US))


def _rows_of(held: Holdings) -> pl.DataFrame:
    """Parse the files, leaving out, with a finding, those that are not what they should be."""
    count = len(held.contents)
    try:
        rows = read_numbered(held.files[:count], held.contents)
    except LakeError:
        rows = _rows_of_readable(held, count)
    return pl.concat([rows, *held.rows]) if held.rows else rows


def _rows_of_readable(held: Holdings, count: int) -> pl.DataFrame:
    parts = list(zip(held.files[:count], held.names[:count], held.contents, strict=True))
    of_days = held.files[count:], held.names[count:]
    held.files, held.names, held.contents = [], [], []
    for file, name, data in parts:
        try:
            read_numbered([file], [data])
        except LakeError as error:
            kind = Kind.UNREADABLE if is_whole(file, data) else Kind.TRUNCATED
            text = str(error).removeprefix(f"{shown(file.path)} ")
            held.findings.append(Finding(kind, text, name, file.partition.book))
        else:
            held.files.append(file)
            held.names.append(name)
            held.contents.append(data)
    rows = read_numbered(held.files, held.contents)
    fewer = count - len(held.files)
    held.rows = [frame.with_columns(pl.col(FILE) - fewer) for frame in held.rows]
    held.files += of_days[0]
    held.names += of_days[1]
    return rows
