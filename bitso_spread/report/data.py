"""What a report tells: the rows of a lake summed up, and what is known of its seconds. No HTML.

Coverage is `bitso_spread.lake.audit`'s, so that a report and ``verify`` never differ; statistics
are `bitso_spread.lake.summary`'s. What is worked out here is what charts need: spans of time on a
grid, hours of the day, and the distribution. How it looks is the business of `page`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Unpack

import polars as pl

from bitso_spread.alerts.table import ticks_of
from bitso_spread.errors import LakeError
from bitso_spread.lake.audit import audit
from bitso_spread.lake.columns import FIVE
from bitso_spread.lake.files import OnBad
from bitso_spread.lake.filters import Filters, Question, check_zone
from bitso_spread.lake.findings import BookDay, Totals
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.summary import THRESHOLDS, check_thresholds
from bitso_spread.report.bins import Bins
from bitso_spread.report.grid import Grid, extent, is_vague
from bitso_spread.report.sums import Sums

OnProgress = Callable[[str, int, int], None]
"""Called with what is done, how much of it is done, and how much there is."""


class NothingToReportError(LakeError):
    """Of what is asked for there is no row, and none is missed."""


@dataclass(frozen=True, slots=True)
class BookReport:
    """What there is to tell of a book."""

    book: str
    statistics: Mapping[str, float | None]
    """``mean``, ``median``, ``p95``, ``p99``, ``min``, ``max``, ``above_0.5`` and the like, all in
    percent; None where nothing is known."""
    coverage: Totals
    """Ticks of the period: expected, known, unknown, missed, absent, still in the journal."""
    spans: pl.DataFrame
    """A row for each span of the grid, in order: ``time`` (its start, seconds since the epoch),
    ``rows``, ``known``, ``mean``, ``min`` and ``max`` of the spread in percent, ``bid`` and ``ask``
    (means), ``low`` (the lowest bid) and ``high`` (the highest ask). What is not known is null."""
    hours: pl.DataFrame
    """By the clocks of the report's zone: ``date``, ``hour``, ``known``, ``mean``, ``max``."""
    bins: Bins
    """How often the spread was how wide."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a page shows."""

    lake: str
    """The absolute path, or the URL."""
    table: str
    tz: str
    thresholds: tuple[float, ...]
    """Spreads, in percent."""
    grid: Grid
    books: tuple[BookReport, ...]
    causes: Mapping[str, int]
    """Ticks that are not known, by the causes that the recorder noted."""
    findings: int
    """How many things contradict themselves; ``verify`` tells them."""
    environments: tuple[str, ...]
    """What the rows were recorded from, such as ``production`` or ``sim``."""
    alerts: pl.DataFrame | None = None
    """As `bitso_spread.alerts.table.table_of` gives them: ``fired``, ``book``, ``kind``,
    ``threshold`` and ``widest`` in percent, ``lasted_s``, ``state``. None where nobody watched."""
    begins: int = 0
    """The first second that is asked for; an alert that fired before was in force then."""


def gather(
    lake: Lake,
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    alerts: pl.DataFrame | None = None,
    on_bad: OnBad = None,
    on_progress: OnProgress = lambda *_: None,
    **question: Unpack[Question],
) -> Report:
    """Sum up what a question asks for; memory does not grow with the rows.

    Rows that are still in the journal count as known, and are not drawn.

    Args:
        lake: where to look.
        thresholds: in percent.
        alerts: those of the period: see `Report.alerts`.
        on_bad: called with what is wrong with a file, which is then passed over.
        on_progress: see `OnProgress`.
        **question: see `Question`; ``tz`` is also the zone that the report is told in.

    Raises:
        UsageError: one of the conditions makes no sense.
        UnknownBookError: the lake has no such book.
        NothingToReportError: there is no such row.
        LakeError: a file cannot be read.
    """
    tz = question.get("tz", "UTC")
    check_zone(tz)
    limits = _checked(thresholds)
    seen = audit(lake, on_progress=partial(on_progress, "checking"), **question)
    days = _by_book([day for day in seen.days if day.expected])
    # What has come so far may all be in the journal, of which nothing can be drawn.
    if not days or not lake.dates():
        raise NothingToReportError(f"there is nothing to report: {lake.name} has no such row")
    on_progress("statistics", 0, 1)
    # What is wrong with a file is told once: below.
    quiet = None if on_bad is None else lambda _: None
    # A folder that is of no book may hold rows of one of these: they are in no chart either.
    of_books = Question(**{**question, "book": [*days]})
    statistics = {
        str(row["book"]): row
        for row in lake.stats(limits, on_bad=quiet, **of_books).iter_rows(named=True)
    }
    on_progress("statistics", 1, 1)
    period = extent(seen.days, seen.interval)
    grid = Grid.over(*period, seen.interval, books=len(days))
    sums = Sums(grid, {book: Bins.of(row) for book, row in statistics.items()})
    _add_all(sums, lake, list(days), on_bad, partial(on_progress, "summing up"), question)
    if is_vague(seen.days, period):
        grid = sums.cut_to_rows()
    books = tuple(
        BookReport(
            book,
            statistics.get(book, {}),
            Totals.of(of_book),
            sums.spans(book),
            sums.hours(book, tz),
            sums.bins(book),
        )
        for book, of_book in days.items()
    )
    return Report(
        lake=lake.name,
        table=lake.table,
        tz=tz,
        thresholds=limits,
        grid=grid,
        books=books,
        causes=_causes(seen.days),
        findings=len(seen.findings),
        environments=seen.environments,
        begins=ticks_of(question)[0],
        alerts=alerts if question.get("minutes") is None else _beside_rows(alerts, books, grid),
    )


def _beside_rows(
    alerts: pl.DataFrame | None, books: Sequence[BookReport], grid: Grid
) -> pl.DataFrame | None:
    """Leave out what fired where no row is: an alert does not know whose batch it is from."""
    if alerts is None:
        return None
    with_rows = {
        (book.book, time)
        for book in books
        for time in book.spans.filter(pl.col("rows") > 0)["time"]
    }
    # A grid begins at a multiple of its step.
    times = alerts["fired"].dt.epoch("s") // grid.step * grid.step
    fired = zip(alerts["book"], times, strict=True)
    return alerts.filter(pl.Series([each in with_rows for each in fired], dtype=pl.Boolean))


def _add_all(
    sums: Sums,
    lake: Lake,
    books: list[str],
    on_bad: OnBad,
    on_progress: Callable[[int, int], None],
    question: Question,
) -> None:
    """Sum up the rows of these books day by day, so that it can be told how far it is."""
    filters = Filters.of(**question)
    dates = [day for day in lake.dates() if filters.may_name_day(day)]
    for done, date in enumerate(dates):
        on_progress(done, len(dates))
        asked = Question(**{**question, "date": date, "book": books})
        sums.add(lake.asked(columns=FIVE, on_bad=on_bad, **asked), lake.place.give_up)
    on_progress(len(dates), len(dates))


def _checked(thresholds: Sequence[float]) -> tuple[float, ...]:
    """Give spreads above which the share of time is to be told, each once."""
    check_thresholds(thresholds)
    # As many digits as the columns of the statistics are named after.
    return tuple({f"{limit:g}": limit for limit in thresholds}.values())


def _by_book(days: Sequence[BookDay]) -> dict[str, list[BookDay]]:
    found: dict[str, list[BookDay]] = {}
    for day in days:
        found.setdefault(day.book, []).append(day)
    return found


def _causes(days: Sequence[BookDay]) -> dict[str, int]:
    causes: Counter[str] = Counter()
    for day in days:
        causes.update(day.causes)
    return dict(causes.most_common())
