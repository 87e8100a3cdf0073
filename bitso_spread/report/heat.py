"""How wide the spread is by the hour of the day: the cells of a table. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from bitso_spread.report.data import BookReport
from bitso_spread.report.words import count, percent, places

HOURS = 24
# A line for each day of a month; of more days one for each weekday, which 42 books may have.
_MOST_DAYS = 31
_MOST_LINES = 300


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour of a day, or of all such days."""

    text: str
    """The mean spread, in percent."""
    tip: str
    """What is known of it, in words; the page adds the hour."""
    heat: int
    """From 0 for the lowest mean of the book to 100 for the highest."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Lines of 24 cells; None where nothing is known."""

    kind: str
    """What a line is: ``date``, ``weekday`` or ``days``."""
    lines: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    low: str
    high: str


def heat_map(book: BookReport, books: int = 1) -> HeatMap | None:
    """Give the table of a book, one of so many; None where nothing is known."""
    hours = book.hours.filter(pl.col("known") > 0)
    if hours.is_empty():
        return None
    kind, line, name_of = _lines(hours["date"].n_unique(), books)
    known = pl.col("known").sum()
    summed = (
        hours.group_by(line.alias("line"), "hour")
        .agg(
            known,
            pl.col("max").max(),
            mean=(pl.col("mean") * pl.col("known")).sum() / known,
        )
        .sort("line", "hour")
    )
    low, high = summed.select(low=pl.col("mean").min(), high=pl.col("mean").max()).row(0)
    digits = places([low])
    found = {}
    for row in summed.iter_rows(named=True):
        name = name_of(row["line"])
        hour, mean = row["hour"], row["mean"]
        heat = round((mean - low) / (high - low) * 100) if high > low else 0
        tip = (
            f"mean {percent(mean, digits)} %, "
            f"max {percent(row['max'], digits)} %, {count(row['known'])} known"
        )
        found[name, hour] = Cell(f"{mean:.{max(digits - 2, 2)}f}", tip, heat)
    names = dict.fromkeys(name for name, _ in found)
    lines = tuple((name, tuple(found.get((name, hour)) for hour in range(HOURS))) for name in names)
    return HeatMap(kind, lines, percent(low, digits), percent(high, digits))


def _lines(days: int, books: int) -> tuple[str, pl.Expr, Callable[[Any], str]]:
    """Give what a line is of, its key, and its name."""
    date = pl.col("date")
    if days <= _MOST_DAYS and days * books <= _MOST_LINES:
        return "date", date, str
    if 7 * books <= _MOST_LINES:
        return "weekday", date.dt.weekday(), lambda number: calendar.day_name[number - 1]
    return "days", pl.lit(0), lambda _: "all"
