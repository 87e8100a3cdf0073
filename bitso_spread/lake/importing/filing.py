"""Rows of a book's day, cut into the files that they become: values, no disk."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

import polars as pl

from bitso_spread.lake.arrivals import NewFile
from bitso_spread.lake.columns import SCHEMAS, TIME
from bitso_spread.lake.journal import Batch, Identity
from bitso_spread.lake.writer import encode_frame

_SECOND_US = 1_000_000


def files_of(rows: pl.DataFrame, book: str, identity: Identity, length: int) -> list[NewFile]:
    """Give the files of rows: as a collector makes them of the same rows, to the byte.

    Args:
        rows: at least one, of one book and day, by time, with the columns of the table.
        book: the book.
        identity: what the table holds.
        length: how many seconds of rows go into a file.
    """
    names = SCHEMAS[identity.columns]
    # Bitso's own times have milliseconds, and so has the table.
    times = [pl.col(name).dt.truncate("1ms") for name in names if name == _EXCHANGE]
    frame = rows.select(*names).with_columns(times).rechunk()
    ticks = (frame[TIME].dt.epoch("us") // _SECOND_US).to_list()
    cuts = [0]
    while cuts[-1] < len(ticks):
        cuts.append(bisect_left(ticks, ticks[cuts[-1]] + length, cuts[-1]))
    contents = _contents(frame, cuts, identity.format)
    return [
        NewFile(
            Batch(
                book,
                ticks[start],
                identity.environment,
                identity.format,
                identity.columns,
                identity.interval,
            ),
            ticks[end - 1],
            end - start,
            data,
        )
        for (start, end), data in zip(pairwise(cuts), contents, strict=True)
    ]


_EXCHANGE = "exchange_time"


def _contents(frame: pl.DataFrame, cuts: list[int], file_format: str) -> list[bytes]:
    """Give the bytes of each file; those of a day of CSV are made at once, and then cut."""
    if file_format == "csv":
        header, *lines = encode_frame(frame, file_format).splitlines(keepends=True)
        # A text of another writer may hold an end of line.
        if len(lines) == frame.height:
            return [header + b"".join(lines[start:end]) for start, end in pairwise(cuts)]
    return [
        encode_frame(frame.slice(start, end - start), file_format) for start, end in pairwise(cuts)
    ]
