"""Rows summed up as they come: on the grid of a report, by hours, and by how wide the spread was.

Where the rows come from is `data`'s business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import polars as pl

from bitso_spread.lake.columns import TIME
from bitso_spread.report.bins import Bins
from bitso_spread.report.grid import Grid, fine
from bitso_spread.waiting import hearing

_CELL = "cell"
_SPREAD = pl.col("spread")
_SUMS = [
    pl.len().cast(pl.Int64).alias("rows"),
    _SPREAD.count().cast(pl.Int64).alias("known"),
    pl.col("spread", "bid", "ask").sum(),
    _SPREAD.min().alias("min"),
    _SPREAD.max().alias("max"),
    pl.col("bid").min().alias("low"),
    pl.col("ask").max().alias("high"),
]
_SUMS_AGAIN = [
    pl.col("rows", "known", "spread", "bid", "ask").sum(),
    pl.col("min", "low").min(),
    pl.col("max", "high").max(),
]


class Sums:
    """Rows, summed up as they come."""

    def __init__(self, grid: Grid, bins: Mapping[str, Bins]) -> None:
        self._grid = grid
        self._fine = fine(grid.step)
        self._bins = dict(bins)
        self._cells: list[pl.DataFrame] = []
        self._counts: Counter[tuple[str, int]] = Counter()

    def add(self, rows: pl.LazyFrame, give_up: Callable[[], None]) -> None:
        """Add rows, in any order; `give_up` is as in `bitso_spread.lake.summary.stats`."""
        cells = []
        for part in _parts(rows, give_up):
            cells.append(self._of_cells(part))
            self._count(part)
        if cells:
            self._cells.append(pl.concat(cells).group_by("book", _CELL).agg(_SUMS_AGAIN))

    def _of_cells(self, part: pl.DataFrame) -> pl.DataFrame:
        cell = pl.col(TIME).dt.epoch("s") // self._fine
        return part.group_by("book", cell.alias(_CELL)).agg(_SUMS)

    def _count(self, part: pl.DataFrame) -> None:
        known = part.filter(_SPREAD.is_not_null())
        for (book,), of_book in known.group_by("book"):
            # A row may name another book than its folder, in a lake that another wrote.
            bins = self._bins.setdefault(str(book), Bins())
            counted = of_book.group_by(bins.number(_SPREAD).alias("bin")).len()
            for number, count in counted.iter_rows():
                self._counts[str(book), number] += count

    def _of(self, book: str) -> pl.DataFrame:
        found = [cells.filter(pl.col("book") == book) for cells in self._cells]
        if not found:
            return pl.DataFrame(schema=dict.fromkeys((_CELL, *_SUMMED), pl.Float64))
        return pl.concat(found)

    def cut_to_rows(self) -> Grid:
        """Lay the grid from the first row to the last one."""
        grid = self._grid
        reach = pl.col(_CELL).min().alias("first"), pl.col(_CELL).max().alias("last")
        if self._cells:
            first, last = pl.concat(self._cells).select(*reach).row(0)
            self._grid = grid.cut(first * self._fine, (last + 1) * self._fine)
        return self._grid

    def spans(self, book: str) -> pl.DataFrame:
        """Give a row for each span of the grid."""
        grid = self._grid
        number = (pl.col(_CELL) * self._fine - grid.start) // grid.step
        found = _means(self._of(book), number.cast(pl.Int64).alias("span"))
        whole = pl.DataFrame({"span": pl.int_range(grid.count, eager=True)})
        return (
            whole.join(found, on="span", how="left", maintain_order="left")
            .with_columns(pl.col("rows", "known").fill_null(0).cast(pl.Int64))
            .select((pl.col("span") * grid.step + grid.start).alias("time"), *_NAMES)
        )

    def hours(self, book: str, tz: str) -> pl.DataFrame:
        """Give the sums of each hour by the clocks of a zone."""
        start = pl.from_epoch(pl.col(_CELL).cast(pl.Int64) * self._fine)
        local = start.dt.replace_time_zone("UTC").dt.convert_time_zone(tz)
        found = _means(self._of(book), local.dt.date().alias("date"), local.dt.hour().alias("hour"))
        return found.sort("date", "hour").select("date", "hour", "known", "mean", "max")

    def bins(self, book: str) -> Bins:
        """Give the distribution."""
        bins = self._bins.get(book, Bins())
        counts = [self._counts[book, number] for number in range(bins.places)]
        return bins.with_counts(counts)


_SUMMED = ("rows", "known", "spread", "bid", "ask", "min", "max", "low", "high")
_NAMES = ("rows", "known", "mean", "min", "max", "bid", "ask", "low", "high")


def _means(cells: pl.DataFrame, *keys: pl.Expr) -> pl.DataFrame:
    """Sum up cells, and give means in place of sums; what is not known is null."""
    known = pl.when(pl.col("known") > 0).then(pl.col("known"))
    summed = cells.group_by(*keys).agg(_SUMS_AGAIN)
    return summed.with_columns(
        (pl.col("spread") / known).alias("mean"), pl.col("bid", "ask") / known
    )


def _parts(rows: pl.LazyFrame, give_up: Callable[[], None]) -> Iterator[pl.DataFrame]:
    wanted = rows.select(TIME, "book", "bid", "ask", "spread")
    # Whole portions of the scan: their order does not matter here.
    for part in hearing(wanted.collect_batches(maintain_order=False, lazy=True), give_up):
        # Another writer's row may hold what is no number, of which no sum can be drawn.
        spread = _SPREAD.is_finite() & pl.all_horizontal(pl.col("bid", "ask").is_finite())
        yield part.with_columns(pl.when(spread).then(pl.col("bid", "ask", "spread")))
