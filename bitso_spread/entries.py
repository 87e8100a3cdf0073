"""From ticks to what the recorder writes: rows in their batches, and outages with their causes.

Pure but for what it remembers of the ticks before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bitso_spread.lake.batching import Batcher
from bitso_spread.lake.journal import Batch, Outage
from bitso_spread.lake.outages import ABSENT, OutageLog
from bitso_spread.lake.recorder import Entry
from bitso_spread.model import Sample
from bitso_spread.plan import SettledPlan
from bitso_spread.sampling import Gap, Tick


class Entries:
    """Makes the entries of one collection, whose ticks must come in order."""

    def __init__(self, plan: SettledPlan, environment: str) -> None:
        self._plan = plan
        self._environment = environment
        self._batcher = Batcher(plan.batch_size, plan.interval, align=plan.align)
        self._outages = OutageLog(plan.interval)
        self._last_tick = 0

    def of(self, tick: Tick, why: Callable[[str], str]) -> Entry:
        """Give the rows of a tick, and what ends with it; `why` tells why a book is unknown."""
        rows: list[tuple[Batch, Sample]] = []
        ended: list[Batch] = []
        outages: list[Outage] = []
        self._last_tick = tick.time
        for sample in tick.samples:
            first_tick, ends = self._batcher.place(sample.book, sample.tick)
            batch = self._batch(sample.book, first_tick)
            rows.append((batch, sample))
            if ends:
                ended.append(batch)
            outages += self._outages.add(sample, why)
        return Entry(rows, outages, ended)

    def gap(self, books: Iterable[str], gap: Gap) -> Entry:
        """End all that is open of books, and note that a gap follows."""
        ending = self.end(books)
        absent = [Outage(book, ABSENT, gap.first, gap.last) for book in books]
        return Entry(outages=[*ending.outages, *absent], ended=ending.ended)

    def end(self, books: Iterable[str]) -> Entry:
        """End the open batches and outages of books."""
        ended = [
            self._batch(book, first_tick)
            for book in books
            if (first_tick := self._batcher.end(book)) is not None
        ]
        return Entry(outages=self._outages.end(books, self._last_tick), ended=ended)

    def progress(self, book: str) -> int:
        """Give how many ticks the open batch of a book has."""
        return self._batcher.progress(book)

    def _batch(self, book: str, first_tick: int) -> Batch:
        plan = self._plan
        return Batch(book, first_tick, self._environment, plan.format, plan.columns, plan.interval)
