"""A lake of any length, soon made: a day of two books is invented once, and moved to each date.

Its files are such as the recorder writes, by name, form and size: 600 rows in 44 KB of CSV or in
6 KB of Parquet, a few of them blank. A year of two books has 105,120 files.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl

from bitso_spread.clock import DAY_S
from bitso_spread.lake.columns import TIME
from bitso_spread.lake.layout import (
    DAILY_TABLE,
    PRODUCTION,
    TABLE,
    Partition,
    daily_name,
    day_path,
    file_name,
)
from bitso_spread.lake.writer import encode, frame_of
from bitso_spread.model import Sample, State, spread

BOOKS = ("btc_mxn", "usd_mxn")
BATCH = 600
"""Rows of a file, one a second."""
BATCHES = DAY_S // BATCH
"""Files of a book and day."""

_FIRST = datetime(2025, 1, 1, tzinfo=UTC)
_FIRST_TICK = int(_FIRST.timestamp())
# Where each book's bid begins, and the smallest step of its price.
_MARKETS = {
    "btc_mxn": (Decimal(1_233_830), Decimal(10)),
    "usd_mxn": (Decimal("18.319"), Decimal("0.001")),
}
# On 40 minutes of real data the best bid and ask change in 38 % of seconds.
_CHANGES = 0.38
_BLANK = 0.002

_Content = Callable[[int, int], bytes]
"""Gives what is in the file of a day, numbered from 0, and a batch of it."""


def moment_of(day: int) -> datetime:
    """Give the midnight at which a day, numbered from 0, begins."""
    return _FIRST + timedelta(days=day)


def date_of(day: int) -> int:
    """Give a day as a number such as 20250101."""
    return int(f"{moment_of(day):%Y%m%d}")


def files_of(lake: Path, form: str, books: Sequence[str], days: Sequence[int]) -> list[Path]:
    """Give the files of books and days, by book and time, without looking for them."""
    return [
        _file(lake, form, book, day, batch)
        for book in books
        for day in days
        for batch in range(BATCHES)
    ]


def daily_files(lake: Path, books: Sequence[str], days: Sequence[int]) -> list[Path]:
    """Give the files of compacted days, by book and day, without looking for them."""
    return [
        lake / DAILY_TABLE / day_path(date, book) / daily_name(PRODUCTION, book, date)
        for book in books
        for date in map(date_of, days)
    ]


def grow(root: Path, form: str, days: Sequence[int], own: Container[int] | None = None) -> None:
    """Write the files of both books for some days.

    Args:
        root: the lake.
        form: ``csv`` or ``parquet``.
        days: numbered from 0.
        own: the days whose rows bear their own date. The files of the others are links to those
            of the first, which saves nine tenths of the disk. None is all.
    """
    for book in BOOKS:
        rows = _invented(book)
        batches = [list(islice(rows, BATCH)) for _ in range(BATCHES)]
        content = _texts(batches) if form == "csv" else _parquets(batches)
        grow_day = partial(_grow_day, root, form, book, content)
        grow_day(days[0])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            links = (None if own is None or day in own else days[0] for day in days[1:])
            list(pool.map(grow_day, days[1:], links))


def _grow_day(
    root: Path, form: str, book: str, content: _Content, day: int, link_to: int | None = None
) -> None:
    for batch in range(BATCHES):
        path = _file(root, form, book, day, batch)
        path.parent.mkdir(parents=True)
        if link_to is None:
            path.write_bytes(content(day, batch))
        else:
            path.hardlink_to(_file(root, form, book, link_to, batch))


def _file(root: Path, form: str, book: str, day: int, batch: int) -> Path:
    tick = _FIRST_TICK + day * DAY_S + batch * BATCH
    name = file_name(PRODUCTION, book, tick, form)
    return root / TABLE / Partition.of(book, tick).path / name


def _texts(batches: Sequence[Sequence[Sample]]) -> _Content:
    texts = [encode(batch, "csv") for batch in batches]
    first = f"{_FIRST:%Y-%m-%d}T".encode()
    return lambda day, batch: texts[batch].replace(first, f"{moment_of(day):%Y-%m-%d}T".encode())


def _parquets(batches: Sequence[Sequence[Sample]]) -> _Content:
    frames = [frame_of(batch) for batch in batches]

    def content(day: int, batch: int) -> bytes:
        # As `encode` does, without making each row anew.
        buffer = io.BytesIO()
        moved = frames[batch].with_columns(pl.col(TIME) + timedelta(days=day))
        moved.write_parquet(buffer, compression="zstd")
        return buffer.getvalue()

    return content


def _invented(book: str) -> Iterator[Sample]:
    """Give the rows of a day: a price that wanders as real ones do, and is lost at times."""
    chance = random.Random(book)  # noqa: S311  (prices, not secrets)
    bid, step = _MARKETS[book]
    ask = bid + 240 * step
    percent = spread(bid, ask)
    for tick in range(_FIRST_TICK, _FIRST_TICK + DAY_S):
        if chance.random() < _CHANGES:
            bid += chance.randint(-20, 20) * step
            ask = bid + chance.randint(10, 500) * step
            percent = spread(bid, ask)
        if chance.random() < _BLANK:
            yield Sample.blank(tick, book, State.UNKNOWN)
        else:
            yield Sample(tick, book, float(bid), float(ask), percent, State.FRESH)
