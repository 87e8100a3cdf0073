"""What the tests of compacted days share: batches of any kind, and all answers of a lake."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from bitso_spread.lake import layout
from bitso_spread.lake.compaction import CompactedDay, compact
from bitso_spread.lake.daily import mark_stale
from bitso_spread.lake.layout import TABLE, Partition
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.writer import encode
from bitso_spread.model import Sample, State
from tests.lake.support import DAY

TODAY = date(2026, 9, 24)
"""The day after the three that start at `DAY`."""
DATES = (20260921, 20260922, 20260923)
ALL = ("orderbook_timestamp", "book", "bid", "ask", "spread")


def batch(
    lake: Path,
    minutes: int,
    *,
    day: int = 0,
    book: str = "btc_mxn",
    form: str = "csv",
    columns: str = "five",
    environment: str = "production",
    rows: int = 5,
    start: int = 0,
    name: str | None = None,
    bid: float = 100.0,
) -> Path:
    """Put a file of a row every ten seconds into a lake, as a collector, or another, does it."""
    folder_tick = DAY + day * 86_400 + minutes * 60
    samples = [
        Sample(tick, book, bid + at, 200.0, (200 - bid - at) / 2, State.QUIET, age_ms=at)
        if at % 3 or not at
        else Sample.blank(tick, book, State.UNKNOWN)
        for at, tick in enumerate(range(folder_tick + start, folder_tick + start + 10 * rows, 10))
    ]
    folder = lake / TABLE / Partition.of(book, folder_tick).path
    file = folder / (name or layout.file_name(environment, book, folder_tick, form))
    mark_stale(lake, TABLE, book, DATES[day])
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode(samples, form, columns))
    mark_stale(lake, TABLE, book, DATES[day])
    return file


def compacted(lake: Path, **options: Any) -> list[CompactedDay]:
    """Compact all that is finished; each day must succeed."""
    failed: list[object] = []

    def note(_done: int, _of: int, found: object) -> None:
        if not isinstance(found, CompactedDay):
            failed.append(found)

    days = compact(Lake(lake), today=TODAY, on_day=note, **options)
    assert failed == []
    return days


def daily_files(lake: Path) -> list[Path]:
    return sorted((lake / layout.DAILY_TABLE).rglob("*.parquet"))


def sources(lake: Path) -> list[Path]:
    return sorted(path for path in (lake / TABLE).rglob("*") if path.is_file())


def sorted_rows(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The rows in one order, whatever order they came in."""
    return sorted(frame.rows(), key=repr)


QUESTIONS: Sequence[dict[str, Any]] = (
    {},
    {"date": "20260922"},
    {"book": "mxn_btc", "minutes": "..5"},
    {"minutes": "3..700"},
    {"start": "2026-09-21T00:00:20", "end": "2026-09-22T00:01:10"},
    {"start": "2026-09-22", "end": "2026-09-22T00:00:30"},
    {"date": "20260921", "minutes": "1439"},
)
SELECTS = (
    f"SELECT * FROM {TABLE} WHERE minutes <= 5 AND date = 20260921",
    f"SELECT date, minutes, book, count(*) AS n FROM {TABLE} GROUP BY date, minutes, book",
    f"SELECT bid FROM {TABLE} WHERE order_book = 'mxn_btc' AND date IN (20260921, 20260923)",
    f"SELECT * FROM {TABLE} WHERE orderbook_timestamp < '2026-09-22 00:02' AND book <> 'usd_mxn'",
    f"SELECT book FROM {TABLE} WHERE minutes = 1439 OR date = 20260922",
)


def answers(
    root: Path | str,
    questions: Sequence[dict[str, Any]] = QUESTIONS,
    selects: Sequence[str] = SELECTS,
) -> list[Any]:
    """All that a lake says to some questions; where no order is promised, in one order.

    All columns are asked for: those of the latest file are the default, and of two that are the
    latest, of five columns and of all, either may be it.
    """
    lake = Lake(root)
    environments: set[str] = set()
    said: list[Any] = [lake.books_by_day(), lake.scan(columns="full").collect_schema()]
    for question in questions:
        rows = lake.read(columns="full", on_environment=environments.add, **question)
        times = rows.select("orderbook_timestamp", "book")
        assert times.equals(times.sort("orderbook_timestamp", "book"))
        five = lake.read(**question)
        assert sorted_rows(five) == sorted_rows(rows.select(five.columns))
        spans, sums = lake.every("1h", **question), lake.stats([0.1, 49.0], **question)
        said += [sorted_rows(rows), sorted_rows(lake.asked(columns="full", **question).collect())]
        # In another order the last bit of a sum is another one.
        said += [frame.with_columns(pl.col("mean").round(9)).rows() for frame in (spans, sums)]
    said += [sorted_rows(lake.sql(query, columns="full").collect()) for query in selects]
    said.append(environments)
    return said
