"""What tests of the lake's writing half share: small batches, and a look at all that is there."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl

from bitso_spread.lake.journal import Batch
from bitso_spread.lake.layout import TABLE, Partition, file_name
from bitso_spread.lake.writer import encode
from bitso_spread.model import Sample, State

DAY = 1_789_948_800
"""Midnight, UTC: 2026-09-21."""
NOON = DAY + 43_200


def a_batch(
    book: str = "btc_mxn", first_tick: int = NOON, environment: str = "production", **other: object
) -> Batch:
    """A batch of five columns in CSV at one second, unless told otherwise."""
    keys = {"format": "csv", "columns": "five", "interval": 1} | other
    return Batch(book, first_tick, environment, **keys)  # type: ignore[arg-type]


def a_row(tick: int, book: str = "btc_mxn") -> Sample:
    """A row whose prices tell its tick."""
    bid = 1_000_000 + tick % 100_000 + 0.25
    return Sample(tick, book, bid, bid + 10, 1000 / (bid + 10), State.FRESH)


def put_batch(
    lake: Path,
    book: str,
    start: datetime,
    form: str = "csv",
    columns: str = "five",
    *,
    known: bool = True,
) -> None:
    """Put a batch of a row a minute, ten of them, into a lake."""
    tick = int(start.timestamp())
    rows = [
        Sample(tick + 60 * i, book, 100.0 + i, 200.0, 50.0 - i / 2, State.FRESH, age_ms=i)
        if known and i % 4
        else Sample.blank(tick + 60 * i, book, State.UNKNOWN)
        for i in range(10)
    ]
    folder = lake / TABLE / Partition.of(book, tick).path
    folder.mkdir(parents=True)
    (folder / file_name("production", book, tick, form)).write_bytes(encode(rows, form, columns))


def rows_of(batch: Batch, count: int = 5) -> list[tuple[Batch, Sample]]:
    """The first rows of a batch, as the journal takes them."""
    ticks = range(batch.first_tick, batch.first_tick + count * batch.interval, batch.interval)
    return [(batch, a_row(tick, batch.book)) for tick in ticks]


def table_files(lake: Path, table: str = TABLE) -> list[Path]:
    """Every file below the table's root, whatever its name."""
    return sorted(path for path in (lake / table).rglob("*") if not path.is_dir())


def table_rows(lake: Path, table: str = TABLE) -> Counter[tuple[int, str, float | None]]:
    """How often each row (tick, book, bid) is in the table. Whatever is no whole file fails."""
    found: Counter[tuple[int, str, float | None]] = Counter()
    for path in table_files(lake, table):
        assert path.suffix in {".csv", ".parquet"}, path
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
        ticks = frame["orderbook_timestamp"].dt.epoch("s")
        found.update(zip(ticks, frame["book"], frame["bid"], strict=True))
    return found


def _read_csv(path: Path) -> pl.DataFrame:
    text = path.read_text()
    assert text.endswith("\n"), path
    header, *lines = csv.reader(io.StringIO(text))
    assert header == ["orderbook_timestamp", "book", "bid", "ask", "spread"], path
    assert all(len(line) == 5 for line in lines), path
    schema = dict.fromkeys(header, pl.String)
    frame = pl.DataFrame(lines, schema=schema, orient="row")
    return frame.with_columns(
        pl.col("orderbook_timestamp").str.to_datetime(time_unit="us", time_zone="UTC"),
        pl.col("bid").replace("", None).cast(pl.Float64),
    )


def once(pairs: list[tuple[Batch, Sample]]) -> Counter[tuple[int, str, float | None]]:
    """What `table_rows` finds if each of these rows is there exactly once."""
    return Counter((row.tick, row.book, row.bid) for _, row in pairs)


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run code in a process of its own, which the caller ends."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    )


def eventually(condition: Callable[[], bool], within: float = 30.0) -> None:
    """Wait until something is true that other threads bring about."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.002)
