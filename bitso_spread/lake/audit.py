"""Is it all there, and can it be true? An audit of a lake, ours or another writer's.

Goes through the days and books that a question names, and puts together what `holdings` finds on
the disk, `examination` in the rows and `coverage` between them. It only reads: a lake may be on a
read-only disk, and a collector may be writing it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from typing import Unpack

import polars as pl

from bitso_spread.clock import DAY_S
from bitso_spread.errors import LakeError
from bitso_spread.lake.checks import FLOAT32, KNOWN
from bitso_spread.lake.coverage import Coverage, Scope, in_scope
from bitso_spread.lake.debris import Debris, beside
from bitso_spread.lake.examination import TICK, Examined, examine
from bitso_spread.lake.files import FILE
from bitso_spread.lake.filters import Filters, Question, Range, midnight_of
from bitso_spread.lake.findings import Finding, Kind, Report, time_text
from bitso_spread.lake.holdings import Holdings, Shelf, keys_of
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.records import BookDay, Records, day_of, read_records
from bitso_spread.model import resolve_book
from bitso_spread.waiting import result_of

_MINUTE_S = 60
# polars has threads of its own, but much of what it does with a day runs on one.
_WORKERS = 2
# Days of a book that are examined ahead: 6 MB of CSV each while they are.
_AHEAD = 3

OnProgress = Callable[[int, int], None]
"""Called with how many days of books are done, and how many there are."""


def audit(
    lake: Lake, *, on_progress: OnProgress = lambda *_: None, **question: Unpack[Question]
) -> Report:
    """Look at all that a question names, and tell what is not there, and what cannot be true.

    What is expected of a book reaches from its first to its last tick, as far as it is asked
    for; days between them are whole. Where batches are chosen by their minutes, it reaches from
    the first to the last tick of these on each day. Rows that are still in the journal are not
    missing. What a collector writes after the audit began is not looked at.

    A partition without a data file is a batch that was lost: how many ticks it had cannot be
    known, so that it counts as a contradiction (a folder named after a row that is not there)
    and not as so many missing ticks.

    Raises:
        UsageError: one of the conditions makes no sense.
        UnknownBookError: the lake has no such book.
        LakeError: a folder above the partitions cannot be listed.
    """
    return _Audit(lake, question).run(on_progress)


class _Audit:
    def __init__(self, lake: Lake, question: Question) -> None:
        self._lake = lake
        self._filters = Filters.of(**question)
        self._findings: list[Finding] = []
        self._records = self._read_records()
        self._books = lake.books_by_day()
        self._wanted = self._wanted_books()
        self._shelf = Shelf(lake, self._filters, self._records)
        interval = self._records.interval
        self._scope = Scope.of(self._filters, interval)
        self._by_minutes = self._filters.minutes != Range()
        self._coverage = Coverage(
            self._scope, interval, self._records.outages, each_day_alone=self._by_minutes
        )
        if not self._by_minutes:
            self._expect_recorded()
            self._expect_around()
        self._environments: set[str] = set()
        self._files = self._checksums = self._debris = 0
        self._names: list[str] = []
        # Rows that lie under the day before, as those of other writers may.
        self._carried: dict[str, tuple[int, pl.DataFrame]] = {}

    def run(self, on_progress: OnProgress) -> Report:
        days = {day for day in self._books if self._filters.may_name_day(day)}
        keys = {(book, day) for day in days for book in self._books[day] & self._wanted}
        recorded = keys_of(self._records, self._filters)
        keys |= {(book, day) for book, day in recorded if book in self._wanted}
        if not self._filters.books:
            whole = self._filters == Filters()
            self._take_debris(beside(self._lake, days, self._books, whole=whole))
        units = sorted(keys, key=lambda key: (key[1], key[0]))
        on_progress(0, len(units))
        for done, ((book, date), examined) in enumerate(self._examine_all(units), start=1):
            self._add(book, date, examined)
            on_progress(done, len(units))
        for book in list(self._carried):
            self._cover_carried(book)
        return Report(
            lake=self._lake.name,
            table=self._lake.table,
            interval=self._records.interval,
            days=tuple(self._coverage.days()),
            findings=tuple(self._findings),
            environments=tuple(sorted(self._environments)),
            files=self._files,
            checksums=self._checksums,
            debris=self._debris,
        )

    def _read_records(self) -> Records:
        try:
            return read_records(self._lake.journal) or Records()
        except LakeError as error:
            # What the recorder noted is lost to the audit; what is in the files is not.
            self._findings.append(Finding(Kind.UNREADABLE, f"the journal: {error}"))
            return Records()

    def _wanted_books(self) -> set[str]:
        available = self._records.books.union(*self._books.values())
        if not self._filters.books:
            return available
        return {resolve_book(name, available) for name in self._filters.books}

    def _expect_recorded(self) -> None:
        for book in self._wanted & self._records.books:
            last = self._records.last[book]
            self._coverage.expect(book, self._records.first.get(book, last), last)

    def _expect_around(self) -> None:
        """Note of which books there are rows outside of the scope, so that its ends are missed."""
        start, end = self._scope.start, self._scope.end
        for book in self._wanted:
            days = [day for day in sorted(self._books) if book in self._books[day]]
            # A file's first row is of the minute that its folder is named after.
            if start is not None and (first := self._start_of(book, days, 0)) is not None:
                first += _MINUTE_S - 1
                if first < start:
                    self._coverage.expect(book, first, first)
            if end is not None:
                last = self._start_of(book, reversed(days), -1)
                if last is not None and last >= end:
                    self._coverage.expect(book, last, last)

    def _start_of(self, book: str, days: Iterable[int], which: int) -> int | None:
        """Give the start of the first, or last, file with anything in it."""
        for day in days:
            files = [file for file in self._lake.files(date=day, book=book) if file.size]
            if files and which == 0:
                return int(files[0].start.timestamp())
            if files:
                return int(max(file.last_start for file in files).timestamp())
        return None

    def _examine_all(self, units: Iterable[BookDay]) -> Iterator[tuple[BookDay, Examined]]:
        """Give each day of a book as it was found, while the next ones are examined."""
        rules = (self._shelf, self._filters, self._records.interval)
        with ThreadPoolExecutor(_WORKERS, "audit") as pool:
            waiting: deque[tuple[BookDay, Future[Examined]]] = deque()
            try:
                for date, of_date in groupby(units, key=lambda unit: unit[1]):
                    keys = [*of_date]
                    there = self._books.get(date, set())
                    folders = self._shelf.folders(date, [key[0] for key in keys if key[0] in there])
                    for key in keys:
                        own = None if folders is None else folders.get(key[0], [])
                        waiting.append((key, pool.submit(examine, *rules, key, own)))
                        if len(waiting) > _AHEAD:
                            ready, examined = waiting.popleft()
                            yield ready, result_of(examined)
                while waiting:
                    ready, examined = waiting.popleft()
                    yield ready, result_of(examined)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._lake.place.give_up()
                raise
            finally:
                pool.shutdown(cancel_futures=True)

    def _take_note(self, held: Holdings) -> None:
        self._take_debris(held.debris)
        self._findings += held.findings
        self._files += held.looked_at
        self._checksums += held.checksums

    def _take_debris(self, debris: Debris) -> None:
        self._findings += debris.findings
        self._debris += debris.files

    def _add(self, book: str, date: int, examined: Examined) -> None:
        held = examined.held
        self._take_note(held)
        self._environments |= {file.environment for file in held.files}
        if examined.reach is not None and not self._by_minutes:
            for tick in examined.reach:
                self._coverage.expect(book, tick, tick)
        if book in self._carried and self._carried[book][0] != date:
            self._cover_carried(book)
        found = examined.ticks.with_columns(pl.col(FILE) + len(self._names))
        self._names += held.names
        tomorrow = int(midnight_of(date).timestamp()) + DAY_S
        ticks = found.filter(pl.col(TICK) < tomorrow)
        if book in self._carried:
            ticks = pl.concat([ticks, self._carried.pop(book)[1]])
        if (late := found.filter(pl.col(TICK) >= tomorrow)).height:
            self._carried[book] = day_of(tomorrow), late
        self._cover(book, date, ticks)

    def _cover_carried(self, book: str) -> None:
        date, ticks = self._carried.pop(book)
        self._cover(book, date, ticks)

    def _cover(self, book: str, date: int, found: pl.DataFrame) -> None:
        """Count the ticks of a day, once each, with those that are in the journal only."""
        ticks = in_scope(found, self._scope)
        float32 = int(ticks[FLOAT32].sum())
        twice = 0
        if not (ticks[TICK].diff() > 0).all():
            ticks = ticks.sort(TICK, maintain_order=True)
            again = ticks.filter(pl.col(TICK).is_duplicated())
            if twice := again[TICK].n_unique():
                self._findings.append(self._found_twice(book, again, twice))
                ticks = ticks.group_by(TICK, maintain_order=True).agg(pl.col(KNOWN).any())
        ticks = ticks.select(TICK, KNOWN, journal=pl.lit(value=False))
        if (book, date) in self._records.batches:
            ticks = pl.concat([ticks, self._in_journal(book, date, ticks)]).sort(TICK)
        self._coverage.add(book, date, ticks, twice=twice, float32=float32)

    def _in_journal(self, book: str, date: int, ticks: pl.DataFrame) -> pl.DataFrame:
        """Give the ticks of rows in the journal, but for those that a file has too."""
        values: list[tuple[int, bool, bool]] = []
        for batch, rows in self._records.batches[book, date].items():
            if self._filters.may_name_partition(Partition.of(book, batch.first_tick)):
                self._environments.add(batch.environment)
                values += [(row.tick, row.bid is not None, True) for row in rows]
        journal = pl.DataFrame(values, schema=ticks.schema, orient="row")
        return in_scope(journal, self._scope).join(ticks, on=TICK, how="anti")

    def _found_twice(self, book: str, again: pl.DataFrame, count: int) -> Finding:
        tick = again[TICK][0]
        numbers = again.filter(pl.col(TICK) == tick)[FILE].unique(maintain_order=True)
        names = [self._names[number] for number in numbers]
        other = f", the first also in {names[0]}" if len(names) > 1 else ""
        many = f"{count} ticks of {book} are" if count > 1 else f"1 tick of {book} is"
        text = f"{many} there twice, first {time_text(tick)}{other}"
        return Finding(Kind.TWICE, text, names[-1], book, tick, count)
