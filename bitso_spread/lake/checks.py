"""Whether the rows of a book's day can be true: each by itself, and each in its file. Pure.

How often a tick is there, and which ones are not, is the business of `bitso_spread.lake.coverage`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from bitso_spread.lake.columns import TIME
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.files import FILE
from bitso_spread.lake.filters import midnight_of
from bitso_spread.lake.findings import Finding, Kind, time_text
from bitso_spread.lake.layout import Partition

DAY_US = 86_400_000_000
_SECOND_US = 1_000_000
_MINUTE_US = 60 * _SECOND_US
US = "us"
"""The column of a row's time in microseconds since the epoch."""
KNOWN = "known"
FLOAT32 = "float32"
"""Whether a row's spread follows in 32-bit arithmetic only."""

# A check is called "spread" too, and its column would take the place of this one.
_SAID = "spread said"

# Bid and ask are rounded to 53 bits before they are subtracted, which shifts a spread by up to
# 2e-14 percent points; the other steps add less. A wrong digit shifts it by far more.
_ROUNDING = 1e-13


@dataclass(frozen=True, slots=True)
class _Check:
    kind: Kind
    what: str
    """Said after the number of rows."""
    example: Callable[[dict[str, Any]], str]
    """Shows the first of them."""


# Rows that fill a tick: under another book, or more than a day late, no query finds them.
COUNTS = pl.col("counts")

_BID, _ASK, _SPREAD = pl.col("bid"), pl.col("ask"), pl.col("spread")


def _prices(row: dict[str, Any]) -> str:
    return f"bid {row['bid']}, ask {row['ask']}, spread {row[_SAID]}"


def _of(row: dict[str, Any]) -> str:
    return f"of {row['book']}"


_CHECKS = (
    _Check(Kind.WRONG_PARTITION, "of another book, day or minute than their folder says", _of),
    _Check(Kind.OUT_OF_ORDER, "earlier than the one before", _of),
    _Check(Kind.OFF_GRID, "not on the grid of the interval", _of),
    _Check(Kind.IMPOSSIBLE, "without a part, or with a price that cannot be", _prices),
    _Check(Kind.CROSSED, "with a bid that is not below the ask", _prices),
    _Check(Kind.SPREAD, "with a spread that does not follow from bid and ask", _prices),
)


def judged(rows: pl.DataFrame, files: Sequence[DataFile], interval: int) -> pl.DataFrame:
    """Add to the rows of one partition's day what is true of each: a column for each check.

    Besides these come `US`, `KNOWN` and `FLOAT32`.

    Args:
        rows: as `read_numbered` gives them.
        files: which the rows are of, all of one book and day.
        interval: seconds between ticks.
    """
    partition = files[0].partition
    midnight = _us(midnight_of(partition.date))
    starts = pl.Series([_us(file.start) for file in files], dtype=pl.Int64)
    us = pl.col(US)
    same_file = pl.col(FILE) == pl.col(FILE).shift(1)
    given = pl.sum_horizontal(price.is_not_null() for price in (_BID, _ASK, _SPREAD))
    real = pl.all_horizontal(price.is_finite() & (price > 0) for price in (_BID, _ASK))
    exact = (_ASK - _BID) * 100 / _ASK
    low, high, said = (price.cast(pl.Float32) for price in (_BID, _ASK, _SPREAD))
    coarse = (high - low) * pl.lit(100, pl.Float32) / high
    follows = (_SPREAD - exact).abs() <= _ROUNDING
    follows_32 = (said == coarse) | (said == exact.cast(pl.Float32))
    possible = pl.col(KNOWN) & ~pl.col(Kind.IMPOSSIBLE)
    return (
        rows.with_columns(
            pl.col(TIME).dt.epoch("us").alias(US),
            (given == 3).alias(KNOWN),
            _SPREAD.alias(_SAID),
        )
        .with_columns(
            (
                (pl.col("book") != partition.book).fill_null(value=True)
                | (us < pl.lit(starts).gather(pl.col(FILE)))
                | (us >= midnight + DAY_US)
            ).alias(Kind.WRONG_PARTITION),
            ((us < us.shift(1)) & same_file).fill_null(value=False).alias(Kind.OUT_OF_ORDER),
            (us % (interval * _SECOND_US) != 0).alias(Kind.OFF_GRID),
            (
                (given > 0) & ~(pl.col(KNOWN) & real & _SPREAD.is_finite()).fill_null(value=False)
            ).alias(Kind.IMPOSSIBLE),
        )
        .with_columns(
            (
                (pl.col("book") == partition.book)
                & ~pl.col(Kind.OFF_GRID)
                & us.is_between(midnight, midnight + 2 * DAY_US, closed="left")
            )
            .fill_null(value=False)
            .alias("counts"),
            (possible & (_BID >= _ASK)).alias(Kind.CROSSED),
            (possible & ~follows & ~follows_32).alias(Kind.SPREAD),
            (possible & ~follows & follows_32).alias(FLOAT32),
        )
    )


def row_findings(
    rows: pl.DataFrame, files: Sequence[DataFile], names: Sequence[str]
) -> list[Finding]:
    """Tell which rows contradict themselves: a finding for each file and kind."""
    failed = rows.select(pl.col(check.kind).any() for check in _CHECKS).row(0, named=True)
    findings = []
    for check in _CHECKS:
        if not failed[check.kind]:
            continue
        for group in rows.filter(pl.col(check.kind)).partition_by(FILE, maintain_order=True):
            first = group.row(0, named=True)
            file = files[first[FILE]]
            many = f"{group.height} rows" if group.height > 1 else "1 row"
            text = f"{many} {check.what}, first {_time(first[US])}: {check.example(first)}"
            path, tick = names[first[FILE]], first[US] // _SECOND_US
            findings.append(
                Finding(check.kind, text, path, file.partition.book, tick, group.height)
            )
    return findings


def file_findings(
    rows: pl.DataFrame, files: Sequence[DataFile], names: Sequence[str]
) -> list[Finding]:
    """Tell which files have no row, and which lie under another minute than that of their first.

    Files that others wrote may share a partition: then it is the first row of all that counts.
    """
    firsts = dict(rows.group_by(FILE).agg(pl.col(US).min()).iter_rows())
    findings = []
    of_others: dict[Partition, int] = {}
    for number, file in enumerate(files):
        if number not in firsts:
            text = "has no rows"
            book = file.partition.book
            findings.append(Finding(Kind.EMPTY, text, names[number], book))
        elif not file.is_own:
            earliest = min(firsts[number], of_others.get(file.partition, firsts[number]))
            of_others[file.partition] = earliest
    for number, file in enumerate(files):
        first = firsts.get(number) if file.is_own else of_others.pop(file.partition, None)
        # Rows before the minute are told of one by one.
        if first is not None and first >= _us(file.start) + _MINUTE_US:
            text = f"the first row is of {_time(first)}, which is not the minute of its folder"
            book, tick = file.partition.book, first // _SECOND_US
            findings.append(Finding(Kind.WRONG_PARTITION, text, names[number], book, tick))
    return findings


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * _SECOND_US


def _time(us: int) -> str:
    text = time_text(us // _SECOND_US)
    fraction = us % _SECOND_US
    return text.replace("Z", f".{fraction:06}Z") if fraction else text
