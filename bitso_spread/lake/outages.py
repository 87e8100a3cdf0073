"""When nothing was known of a book, and why: the spans that are kept beside the table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bitso_spread.lake.journal import Outage
from bitso_spread.model import Sample, State

MISSED = "missed: the recorder was stopped, or the machine asleep"
ABSENT = "absent: the recorder stood still for too long"


class OutageLog:
    """Makes spans out of the rows of each book, which must come in order."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._open: dict[str, Outage] = {}

    def add(self, sample: Sample, why: Callable[[str], str]) -> list[Outage]:
        """Give the outage that a row ends, and the one that it begins; `why` tells the cause."""
        changes = []
        current = self._open.get(sample.book)
        missed = sample.state is State.MISSED
        out = missed or sample.state is State.UNKNOWN
        # What is missed has another cause than what is unknown, so that one ends the other.
        if current is not None and not (out and missed == (current.cause == MISSED)):
            changes += self.end([sample.book], sample.tick - self._interval)
        if out and sample.book not in self._open:
            cause = MISSED if missed else why(sample.book)
            self._open[sample.book] = Outage(sample.book, cause, sample.tick, None)
            changes.append(self._open[sample.book])
        return changes

    def end(self, books: Iterable[str], last_tick: int) -> list[Outage]:
        """End the open outages of books at a tick."""
        ended = [self._open.pop(book) for book in books if book in self._open]
        return [Outage(outage.book, outage.cause, outage.first_tick, last_tick) for outage in ended]
