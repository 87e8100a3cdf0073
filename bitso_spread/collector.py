"""A collection: client to sampler to journal to files. The only place that sees both halves.

Owns the order in which things begin and end. What is known of a book is the client's
business, when a tick is due the sampler's, and how rows reach the disk the recorder's.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bitso_spread.clock import DAY_S
from bitso_spread.errors import LakeBusyError, UsageError
from bitso_spread.exchange.book_list import BookList
from bitso_spread.exchange.client import OrderBookClient, feed_url
from bitso_spread.exchange.environment import Environment
from bitso_spread.exchange.standing import Rules
from bitso_spread.lake.batching import Batcher
from bitso_spread.lake.layout import SUFFIXES, TABLE
from bitso_spread.lake.outages import ABSENT, OutageLog
from bitso_spread.lake.recorder import Entry, LeftBehind, Recorder
from bitso_spread.lake.state import Batch, Identity, Outage
from bitso_spread.lake.table import OnFile, Table
from bitso_spread.lake.writer import FIVE
from bitso_spread.lateness import Lateness
from bitso_spread.model import Sample, State
from bitso_spread.sampling import Gap, Sampler, Tick, check_interval

log = logging.getLogger("bitso_spread.collector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be recorded, and how.

    Raises:
        UsageError: a value is out of range; the message names it.
    """

    books: Sequence[str]
    """Names as a user writes them, or ``all``."""
    lake: Path | str
    table: str = TABLE
    format: str = "csv"
    interval: int = 1
    """Seconds between ticks."""
    batch_size: int = 600
    """Ticks in a batch."""
    ticks: int | None = None
    """End after so many; None: never."""
    align: bool = False
    refresh_after_s: float = 60.0
    max_wait_s: float = 60.0
    max_stale_s: float = 3.0

    def __post_init__(self) -> None:
        check_interval(self.interval)
        if self.format not in SUFFIXES:
            raise UsageError(f"--format {self.format!r}: choose csv or parquet")
        for name in ("batch_size", "refresh_after_s", "max_wait_s", "max_stale_s", "ticks"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"--{name.removesuffix('_s').replace('_', '-')} must be above 0")


@dataclass(slots=True)
class Summary:
    """What a collection has done so far."""

    ticks: int = 0
    last_tick: int = 0
    """Seconds since the epoch."""
    states: dict[str, Counter[State]] = field(default_factory=dict)
    """Rows of each book, by state."""
    files: Counter[Path] = field(default_factory=Counter)
    """How many files were written, by the folder of their date."""
    lateness: Lateness = field(default_factory=Lateness)
    left: LeftBehind = field(default_factory=lambda: LeftBehind(0, 0))


class Collector:
    """Records some books into a lake until it is stopped, or the plan's end is reached.

    `on_tick` is called after each tick on the calling thread, and must be quick; `on_file` on
    the writer's thread.

    Raises:
        UsageError: the environment has no WebSocket host, or a name is not a book's.
    """

    def __init__(
        self,
        environment: Environment,
        plan: Plan,
        *,
        on_tick: Callable[[Tick], None] = lambda _: None,
        on_file: OnFile = lambda *_: None,
    ) -> None:
        feed_url(environment)
        self.environment = environment
        self.plan = plan
        self.summary = Summary()
        self.client: OrderBookClient | None = None
        """The order-book client, once the books are known."""
        self._on_tick = on_tick
        self._on_file = on_file
        self._stop = threading.Event()
        self._batcher = Batcher(plan.batch_size, plan.interval, align=plan.align)
        self._outages = OutageLog(plan.interval)
        self._books = BookList(environment, plan.books)
        self._day = 0

    def stop(self) -> None:
        """End the collection in order; callable from any thread and from a signal handler."""
        self._stop.set()

    def progress(self, book: str) -> int:
        """Give how many ticks the open batch of a book has."""
        return self._batcher.progress(book)

    def run(self) -> Summary:
        """Record until the end, and load all rows into the lake before returning.

        Raises:
            UsageError: a name is not a book's, or a WebSocket host is missing.
            LakeBusyError: another collector records one of the books.
            LakeIdentityError: the table holds something else.
            LakeError: the lake cannot be written.
            ExchangeError: no book can be had, or one of them does not exist.
        """
        plan = self.plan
        identity = Identity(
            self.environment.name, _hosts(self.environment), plan.format, FIVE, plan.interval
        )
        with Table(Path(plan.lake), plan.table) as table:
            table.recover(self._filed)
            table.claim(identity)
            books = self._books.look_up()
            table.lock(books)
            table.recover(self._filed)
            rules = Rules(float(plan.interval), plan.refresh_after_s, plan.max_stale_s)
            with OrderBookClient(books, self.environment, rules=rules) as client:
                self.client = client
                sampler = Sampler(
                    client,
                    books,
                    interval=plan.interval,
                    after=table.marks(),
                    max_wait=plan.max_wait_s,
                    stop=self._stop,
                )
                self._record(table, sampler, client, identity)
        return self.summary

    def _record(
        self, table: Table, sampler: Sampler, client: OrderBookClient, identity: Identity
    ) -> None:
        recorder = Recorder(table.lake, table.name, on_file=self._filed)
        recorder.start()
        ticks = sampler.ticks()
        try:
            for event in ticks:
                if self.summary.ticks == 0:
                    # Nobody may have made the table something else while we waited for data.
                    table.claim(identity)
                if isinstance(event, Gap):
                    recorder.put(self._gap(sampler.books, event))
                    continue
                recorder.put(self._entry(event, client))
                self._count(event)
                self._on_tick(event)
                if self.summary.ticks == self.plan.ticks:
                    break
                if (ending := self._follow_books(event, table, sampler, client)) is not None:
                    recorder.put(ending)
        finally:
            ticks.close()
            recorder.put(self._end(sampler.books))
            self.summary.left = recorder.stop()

    def _entry(self, tick: Tick, client: OrderBookClient) -> Entry:
        rows: list[tuple[Batch, Sample]] = []
        ended: list[Batch] = []
        outages: list[Outage] = []
        for sample in tick.samples:
            first_tick, ends = self._batcher.place(sample.book, sample.tick)
            batch = self._batch(sample.book, first_tick)
            rows.append((batch, sample))
            if ends:
                ended.append(batch)
            outages += self._outages.add(sample, client.trouble)
        return Entry(rows, outages, ended)

    def _batch(self, book: str, first_tick: int) -> Batch:
        plan = self.plan
        return Batch(book, first_tick, self.environment.name, plan.format, FIVE, plan.interval)

    def _gap(self, books: Iterable[str], gap: Gap) -> Entry:
        ending = self._end(books)
        absent = [Outage(book, ABSENT, gap.first, gap.last) for book in books]
        return Entry(outages=[*ending.outages, *absent], ended=ending.ended)

    def _end(self, books: Iterable[str]) -> Entry:
        """End the open batches and outages of books."""
        ended = [
            self._batch(book, first_tick)
            for book in books
            if (first_tick := self._batcher.end(book)) is not None
        ]
        return Entry(outages=self._outages.end(books, self.summary.last_tick), ended=ended)

    def _follow_books(
        self, tick: Tick, table: Table, sampler: Sampler, client: OrderBookClient
    ) -> Entry | None:
        """With all books: look at UTC midnight which there are, and record those from then on."""
        if not self._books.all:
            return None
        day = tick.time // DAY_S
        if self._day and day != self._day:
            self._books.refresh(lambda found: _lockable(found, table, sampler))
        self._day = day
        books = self._books.refreshed()
        if books is None or set(books) == set(sampler.books):
            return None
        gone = sorted(set(sampler.books) - set(books))
        added = sorted(set(books) - set(sampler.books))
        log.warning("the exchange's books changed: new %s, gone %s", added or "-", gone or "-")
        client.set_books(books)
        sampler.books = tuple(books)
        return self._end(gone)

    def _count(self, tick: Tick) -> None:
        summary = self.summary
        summary.ticks += 1
        summary.last_tick = tick.time
        for sample in tick.samples:
            summary.states.setdefault(sample.book, Counter())[sample.state] += 1
        if tick.late_s is not None:
            summary.lateness.add(tick.late_s)

    def _filed(self, path: Path, batch: Batch, rows: int) -> None:
        self.summary.files[path.parents[2]] += 1
        self._on_file(path, batch, rows)


def _lockable(books: list[str], table: Table, sampler: Sampler) -> list[str]:
    """Lock those of the books that are new, and leave out what another collector holds."""
    mine = []
    for book in books:
        try:
            table.lock([book])
        except LakeBusyError as error:
            log.warning("%s", error)
        else:
            mine.append(book)
    # Another collector may have recorded them meanwhile.
    sampler.keep_after(table.marks())
    return mine


def _hosts(environment: Environment) -> str:
    if environment.is_simulated:
        # A port of this machine, and another one each time.
        return "simulated"
    return f"{environment.budget_key} {environment.ws_url}"
