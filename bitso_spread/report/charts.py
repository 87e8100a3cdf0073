"""What the charts over time are drawn from, as values that JSON has. How is page.js's business."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import polars as pl

from bitso_spread.report.data import BookReport, Report
from bitso_spread.report.grid import Grid

# As many digits as a chart, or its legend, can show: the page is smaller by half.
_SPREAD_DIGITS = 5
_PRICE_DIGITS = 9
_SPREADS = ("mean", "min", "max")
_PRICES = ("bid", "ask", "low", "high")
# Where a span holds one row, these say nothing more.
_OF_SEVERAL = frozenset({"min", "max", "low", "high"})


def charts(report: Report) -> dict[str, Any]:
    """Give the grid, the zone, the thresholds, and the series of each book.

    The series are as long as the grid, and null where nothing is known. ``gaps`` are spans of
    which not every tick is known: ``[first span, number of spans, known ticks, all ticks]``, where
    the last two are of each span.
    """
    grid = report.grid
    return {
        "start": grid.start,
        "step": grid.step,
        "count": grid.count,
        "interval": grid.interval,
        "first": grid.first,
        "end": grid.end,
        "tz": report.tz,
        "thresholds": report.thresholds,
        "books": [_of_book(book, grid) for book in report.books],
    }


def _of_book(book: BookReport, grid: Grid) -> dict[str, Any]:
    single = grid.step == grid.interval
    series = {
        name: book.spans[name].round_sig_figs(digits).to_list()
        for names, digits in ((_SPREADS, _SPREAD_DIGITS), (_PRICES, _PRICE_DIGITS))
        for name in names
        if not (single and name in _OF_SEVERAL)
    }
    return {
        "book": book.book,
        "minor": book.book.partition("_")[2].upper(),
        "gaps": _gaps(book.spans["known"], grid),
        **{name: [_short(value) for value in values] for name, values in series.items()},
    }


def _gaps(known: pl.Series, grid: Grid) -> list[list[int]]:
    spans = ((number, count, grid.ticks(number)) for number, count in enumerate(known.to_list()))
    missing = [span for span in spans if span[1] < span[2]]
    # Spans that follow one another have the same difference to their place in the list.
    runs = groupby(enumerate(missing), key=lambda each: (each[1][0] - each[0], *each[1][1:]))
    gaps = []
    for (_, count, ticks), members in runs:
        spans_of = [span for _, (span, _, _) in members]
        gaps.append([spans_of[0], len(spans_of), count, ticks])
    return gaps


def _short(value: float | None) -> float | int | None:
    """Give a whole number without its ``.0``, which JSON would keep."""
    return int(value) if value is not None and value.is_integer() else value
