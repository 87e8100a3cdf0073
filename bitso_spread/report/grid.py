"""Spans of time that a chart is drawn from: how long each is, and where they lie. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bitso_spread.lake.filters import midnight_of
from bitso_spread.lake.findings import BookDay

MOST_SPANS = 10_000
"""Of one book: more than a screen has columns. A day has a span each ten seconds."""
MOST_IN_ALL = 44_000
"""Of all books, so that the page stays under 5 MB, and five books of a year have each hour."""

_HOUR_S = 3600
# A quarter of an hour: every zone's midnight and full hour is on one.
_QUARTER_S = 900
_STEPS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(hours * _HOUR_S for hours in (1, 2, 3, 6, 12, 24)),
)


@dataclass(frozen=True, slots=True)
class Grid:
    """Spans of the same length, one after another."""

    start: int
    """The start of the first, in seconds since the epoch: a multiple of the length."""
    step: int
    """The length, in seconds."""
    count: int
    interval: int
    """Seconds between ticks. A span of just this length holds a row, and sums nothing up."""
    first: int
    """The first tick of the period."""
    end: int
    """The instant after its last tick."""

    @classmethod
    def over(cls, first: int, end: int, interval: int, *, books: int = 1) -> Grid:
        """Lay spans over a period: as short as they may be for so many books."""
        most = max(1, min(MOST_SPANS, MOST_IN_ALL // books))
        least = math.ceil((end - first) / most)
        steps = [interval, *(step for step in _STEPS if step % interval == 0)]
        step = next((step for step in steps if step >= least), None)
        if step is None:
            step = math.ceil(least / _STEPS[-1]) * math.lcm(_STEPS[-1], interval)
        return cls(0, step, 0, interval, 0, 0).cut(first, end)

    def cut(self, first: int, end: int) -> Grid:
        """Give the spans of this length that cover another period."""
        start = first // self.step * self.step
        return replace(
            self, start=start, count=math.ceil((end - start) / self.step), first=first, end=end
        )

    def ticks(self, span: int) -> int:
        """Count the ticks of the period that lie in a span."""
        start = self.start + span * self.step
        first, end = max(start, self.first), min(start + self.step, self.end)
        return -(-end // self.interval) + (-first // self.interval)


def extent(days: Sequence[BookDay], interval: int) -> tuple[int, int]:
    """Give the first instant at which a tick is expected, and the one after the last.

    Of the first and the last hour, what is expected lies against the hours between them. Where all
    of it lies within one hour, that hour is given: see `is_vague`.
    """
    hours = _hours(days)
    first, last = min(hours), max(hours)
    if first == last:
        return first, first + _HOUR_S
    return first + _HOUR_S - hours[first] * interval, last + hours[last] * interval


def is_vague(days: Sequence[BookDay], period: tuple[int, int]) -> bool:
    """Tell whether less is expected than the period that `extent` gives: a part of one hour."""
    first, end = period
    return len(_hours(days)) == 1 and sum(_hours(days).values()) < (end - first)


def _hours(days: Sequence[BookDay]) -> dict[int, int]:
    """Give the most ticks that are expected of a book in each hour, by its start."""
    hours: dict[int, int] = {}
    for day in days:
        midnight = int(midnight_of(day.date).timestamp())
        for number, ticks in enumerate(day.hours_expected):
            if ticks:
                start = midnight + number * _HOUR_S
                hours[start] = max(hours.get(start, 0), ticks)
    return hours


def fine(step: int) -> int:
    """Give the length of cells that spans as well as the hours of every zone are made of."""
    return math.gcd(step, _QUARTER_S)
