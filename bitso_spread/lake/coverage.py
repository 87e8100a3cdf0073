"""Which ticks of a book are there, which are not, and why, day by day.

Ticks come in a day at a time and leave as counts, so that memory does not grow with the lake.
Where the ticks come from is `bitso_spread.lake.audit`'s business.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl

from bitso_spread.clock import DAY_S
from bitso_spread.lake.filters import Filters, midnight_of
from bitso_spread.lake.findings import HOURS, BookDay
from bitso_spread.lake.journal import Outage
from bitso_spread.lake.records import day_of
from bitso_spread.model import State

_HOUR_S = 3600
_NO_HOURS = (0,) * HOURS


@dataclass(frozen=True, slots=True)
class Scope:
    """The ticks that a question asks for: from `start`, included, to `end`, not included."""

    start: int | None
    end: int | None

    @classmethod
    def of(cls, filters: Filters, interval: int) -> Scope:
        """Take the days and the instants of a question; both are cut to the grid."""
        first, last = filters.dates.first, filters.dates.last
        starts = [filters.start, None if first is None else midnight_of(first)]
        ends = [filters.end, None if last is None else midnight_of(last) + timedelta(days=1)]
        return cls(
            max((_on_grid(moment, interval) for moment in starts if moment), default=None),
            min((_on_grid(moment, interval) for moment in ends if moment), default=None),
        )

    def __contains__(self, tick: int) -> bool:
        return (self.start is None or self.start <= tick) and (self.end is None or tick < self.end)


def _on_grid(moment: datetime, interval: int) -> int:
    seconds = -int(-moment.timestamp() // 1)
    return -(-seconds // interval) * interval


@dataclass(slots=True)
class _Day:
    known: int = 0
    unknown: int = 0
    missed: int = 0
    journal: int = 0
    twice: int = 0
    float32: int = 0
    hours: tuple[int, ...] = _NO_HOURS
    """Ticks of each hour that are known, in files or in the journal."""
    causes: Counter[str] = field(default_factory=Counter)
    known_first: int | None = None
    known_last: int = 0
    hole: int | None = None
    """The first tick between these that is not known."""
    present: dict[int, int] = field(default_factory=dict)
    """Ticks that have a row, by the first tick of the outage that they lie in."""


@dataclass(slots=True)
class _Reach:
    first: int
    last: int

    def extend(self, first: int, last: int) -> None:
        self.first = min(self.first, first)
        self.last = max(self.last, last)


class Coverage:
    """Counts the ticks of each book and day, and works out which are not there.

    What is expected of a book reaches from its first to its last tick within the scope. With
    `each_day_alone`, days are not held against each other: that is for questions that leave
    parts of each day out.
    """

    def __init__(
        self,
        scope: Scope,
        interval: int,
        outages: Mapping[str, Sequence[Outage]],
        *,
        each_day_alone: bool = False,
    ) -> None:
        self._scope = scope
        self._interval = interval
        self._outages = outages
        self._starts = {
            book: [outage.first_tick for outage in spans] for book, spans in outages.items()
        }
        self._each_day_alone = each_day_alone
        self._days: dict[tuple[str, int], _Day] = {}
        self._reach: dict[tuple[str, int | None], _Reach] = {}
        self._earlier: set[str] = set()
        self._later: set[str] = set()

    def expect(self, book: str, first: int, last: int) -> None:
        """Note that a book was recorded from one tick to another, whether or not rows are left.

        Where these lie outside of the scope, its whole start, or end, is expected.
        """
        scope = self._scope
        if scope.start is not None and first < scope.start:
            self._earlier.add(book)
            first = scope.start
        if scope.end is not None and last >= scope.end:
            self._later.add(book)
            last = scope.end - self._interval
        if first > last:
            return
        key = (book, day_of(first) if self._each_day_alone else None)
        self._reach.setdefault(key, _Reach(first, last)).extend(first, last)

    def add(
        self, book: str, date: int, ticks: pl.DataFrame, *, twice: int = 0, float32: int = 0
    ) -> None:
        """Count the ticks of a day that have a row.

        Args:
            book: the book.
            date: the day, such as 20240726.
            ticks: once each, in order: ``tick``, whether it is ``known``, and whether it is
                only in the ``journal``.
            twice: how many of them have more than one row.
            float32: how many rows have a spread of 32-bit arithmetic.
        """
        known = ticks.filter("known")
        blank = ticks.filter(~pl.col("known"))["tick"]
        in_journal = known.filter("journal").height
        day = self._days[book, date] = _Day(
            known=known.height - in_journal,
            unknown=blank.len(),
            journal=in_journal,
            twice=twice,
            float32=float32,
            hours=_by_hour(known["tick"]),
        )
        if known.height:
            day.known_first, day.known_last = known["tick"][0], known["tick"][-1]
            day.hole = self._first_hole(known["tick"])
        for outage in self._overlapping(book, date):
            day.present[outage.first_tick] = _within(ticks["tick"], outage)
            count = _within(blank, outage)
            if outage.cause.startswith(State.MISSED):
                day.missed += count
                day.unknown -= count
            if count:
                day.causes[outage.cause] += count
        if ticks.height:
            self.expect(book, ticks["tick"][0], ticks["tick"][-1])

    def days(self) -> Iterator[BookDay]:
        """Give all days of all books, by book and day, those without a row too."""
        if not self._each_day_alone:
            for book in self._earlier & self._later:
                self.expect(book, *self._whole_scope())
            for (book, _), reach in self._reach.items():
                self._stretch(book, reach)
        for (book, _), reach in sorted(self._reach.items()):
            midnight = reach.first - reach.first % DAY_S
            while midnight <= reach.last:
                yield self._day(book, midnight, reach)
                midnight += DAY_S

    def _whole_scope(self) -> tuple[int, int]:
        # Both are known where there is something earlier, and something later.
        return self._scope.start or 0, (self._scope.end or 0) - self._interval

    def _stretch(self, book: str, reach: _Reach) -> None:
        first, last = self._whole_scope()
        if book in self._earlier:
            reach.first = min(reach.first, first)
        if book in self._later:
            reach.last = max(reach.last, last)

    def _day(self, book: str, midnight: int, reach: _Reach) -> BookDay:
        date = day_of(midnight)
        day = self._days.get((book, date)) or _Day()
        first, last = max(reach.first, midnight), min(reach.last, midnight + DAY_S - 1)
        expected = self._ticks(first, last)
        hours_expected = tuple(
            self._ticks(max(first, hour), min(last, hour + _HOUR_S - 1))
            for hour in range(midnight, midnight + DAY_S, _HOUR_S)
        )
        causes = Counter(day.causes)
        for outage in self._overlapping(book, date):
            end = last if outage.last_tick is None else min(outage.last_tick, last)
            of_outage = self._ticks(max(outage.first_tick, first), end)
            absent = of_outage - day.present.get(outage.first_tick, 0)
            if absent > 0:
                causes[outage.cause] += absent
        there = day.known + day.unknown + day.missed + day.journal
        return BookDay(
            book=book,
            date=date,
            expected=expected,
            known=day.known,
            unknown=day.unknown,
            missed=day.missed,
            absent=expected - there,
            journal=day.journal,
            twice=day.twice,
            float32=day.float32,
            causes=dict(causes.most_common()),
            hours=tuple(
                there - known for there, known in zip(hours_expected, day.hours, strict=True)
            ),
            hours_expected=hours_expected,
            first_missing=self._first_missing(day, first, last),
        )

    def _first_hole(self, known: pl.Series) -> int | None:
        before = known.filter(known.shift(-1) - known > self._interval)
        return int(before[0]) + self._interval if before.len() else None

    def _first_missing(self, day: _Day, first: int, last: int) -> int | None:
        if day.known_first is None or first < day.known_first:
            return first if first <= last else None
        if day.hole is not None:
            return day.hole
        after = day.known_last + self._interval
        return after if after <= last else None

    def _ticks(self, first: int, last: int) -> int:
        """Count the ticks of the grid from one instant to another, both included."""
        return max(0, last // self._interval - (first - 1) // self._interval)

    def _overlapping(self, book: str, date: int) -> Iterator[Outage]:
        midnight = int(midnight_of(date).timestamp())
        spans = self._outages.get(book, ())
        # They follow one another, so that only the last one that began before can reach in.
        start = bisect_right(self._starts.get(book, []), midnight)
        for outage in spans[max(0, start - 1) :]:
            if outage.first_tick >= midnight + DAY_S:
                return
            if outage.last_tick is None or outage.last_tick >= midnight:
                yield outage


def in_scope(ticks: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """Give the rows whose ``tick`` is asked for."""
    tick = pl.col("tick")
    if scope.start is not None:
        ticks = ticks.filter(tick >= scope.start)
    if scope.end is not None:
        ticks = ticks.filter(tick < scope.end)
    return ticks


def _by_hour(ticks: pl.Series) -> tuple[int, ...]:
    if ticks.is_empty():
        return _NO_HOURS
    midnight = ticks[0] - ticks[0] % DAY_S
    edges = pl.Series([midnight + hour * _HOUR_S for hour in range(HOURS + 1)])
    before = ticks.search_sorted(edges).to_list()
    return tuple(end - start for start, end in pairwise(before))


def _within(ticks: pl.Series, outage: Outage) -> int:
    """Count the ticks of an outage among ticks in order."""
    before = int(ticks.search_sorted(outage.first_tick))
    if outage.last_tick is None:
        return ticks.len() - before
    return int(ticks.search_sorted(outage.last_tick, "right")) - before
