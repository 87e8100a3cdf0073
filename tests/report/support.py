"""What tests of the report share: a lake of one row a second, and a report made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from bitso_spread.lake.findings import Totals
from bitso_spread.lake.layout import TABLE, Partition, file_name
from bitso_spread.lake.writer import encode
from bitso_spread.model import Sample, State
from bitso_spread.report import BookReport, Report
from bitso_spread.report.bins import Bins
from bitso_spread.report.grid import Grid

START = int(datetime(2024, 7, 26, 3, 15, tzinfo=UTC).timestamp())


def put(
    lake: Path,
    spreads: Sequence[float | None],
    *,
    book: str = "btc_mxn",
    first: int = START,
    environment: str = "production",
) -> None:
    """Put a batch into a lake: a row a second, with these spreads; None is unknown."""
    rows = [
        Sample.blank(first + number, book, State.UNKNOWN)
        if spread is None
        else Sample(first + number, book, 1000 - 10 * spread, 1000.0, spread, State.FRESH)
        for number, spread in enumerate(spreads)
    ]
    folder = lake / TABLE / Partition.of(book, first).path
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(environment, book, first, "parquet")
    path.write_bytes(encode(rows, "parquet", "five"))


def a_report(grid: Grid, *books: str, price: float = 1_234_567.89123) -> Report:
    """A report whose numbers need all the digits that a page gives them."""
    count = grid.count
    steps = pl.Series(range(count), dtype=pl.Float64)
    spans = pl.DataFrame(
        {
            "time": pl.int_range(count, eager=True) * grid.step + grid.start,
            "rows": pl.Series([1] * count),
            # No two spans that follow one another lack the same number of ticks.
            "known": pl.int_range(count, eager=True) % 7 + 1,
            **dict.fromkeys(("mean", "min", "max"), steps / 1e6 + 1 / 7),
            **dict.fromkeys(("bid", "ask", "low", "high"), steps / 3 + price),
        }
    )
    statistics = dict.fromkeys(("mean", "median", "p95", "p99", "min", "max", "above_0.5"), 1 / 7)
    hours = pl.DataFrame(
        {
            "date": pl.from_epoch(pl.Series([grid.start + 3600 * n for n in range(24 * 7)])),
            "known": [3600] * 168,
            "mean": [0.1 + n / 1e4 for n in range(168)],
            "max": [1 / 3] * 168,
        }
    ).with_columns(pl.col("date").dt.date(), hour=pl.col("date").dt.hour())
    return Report(
        lake="/data",
        table=TABLE,
        tz="UTC",
        thresholds=(0.5,),
        grid=grid,
        books=tuple(
            BookReport(
                book,
                statistics,
                Totals(expected=count, known=count),
                spans,
                hours,
                Bins(0.1, 0.01, 50, tuple(range(51))),
            )
            for book in books
        ),
        causes={},
        findings=0,
        environments=("production",),
    )
