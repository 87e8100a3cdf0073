"""A collection: client to sampler to journal to files. The only place that sees both halves.

Owns the order in which things begin and end. What is known of a book is the client's
business, when a tick is due the sampler's, and how rows reach the disk the recorder's.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bitso_spread import __version__
from bitso_spread.alerts.alerting import Alerting, AlertsNow
from bitso_spread.alerts.channels import channels_of
from bitso_spread.clock import DAY_S
from bitso_spread.entries import Entries
from bitso_spread.errors import LakeBusyError, LakeIdentityError
from bitso_spread.exchange.book_list import BookList
from bitso_spread.exchange.client import OrderBookClient, feed_url
from bitso_spread.exchange.environment import Environment
from bitso_spread.exchange.standing import Rules
from bitso_spread.lake import layout
from bitso_spread.lake.alert_log import alert_file
from bitso_spread.lake.first_start import FirstStart
from bitso_spread.lake.heartbeat import BookBeat, Heartbeat, Phase, PublishBeat, StoreBeat
from bitso_spread.lake.journal import Batch, Identity, WrittenFile
from bitso_spread.lake.recorder import Entry, Recorder
from bitso_spread.lake.table import OnFile, Table
from bitso_spread.model import Sample
from bitso_spread.opening import identity_of, open_table
from bitso_spread.plan import Plan, SettledPlan, Summary
from bitso_spread.publish.setup import make_publisher, see_to_leftovers
from bitso_spread.pulse import Pulse
from bitso_spread.sampling import Gap, Sampler, Tick
from bitso_spread.standby import stand_by

if TYPE_CHECKING:
    from bitso_spread.cloud.remote import Remote
    from bitso_spread.cloud.uploader import OnObject
    from bitso_spread.publish.publisher import Publisher

__all__ = ["Collector", "Plan", "Summary"]

log = logging.getLogger("bitso_spread.collector")


class Collector:
    """Records some books into a lake until it is stopped, or the plan's end is reached.

    `on_tick` is called after each tick on the calling thread, and must be quick; `on_file` on
    the writer's thread. With a lake in object storage a file is there once `on_object` has been
    called, on the uploader's thread.

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
        on_object: OnObject = lambda *_: None,
    ) -> None:
        feed_url(environment)
        self.environment = environment
        self.plan: SettledPlan = plan.settled({})
        """What is recorded, and how; until the table is open, as if it were new."""
        self._asked = plan
        self.summary = Summary()
        self.client: OrderBookClient | None = None
        """The order-book client, once the books are known."""
        self.alerting: Alerting | None = None
        """What watches for alerts, once the books are known; None where none are asked for."""
        self.publisher: Publisher | None = None
        """What publishes, once it was started; None where nothing is to be published."""
        self.since = time.time()
        """When it was started, in seconds since the epoch."""
        self.phase = Phase.STARTING
        """What it is about."""
        self.books: tuple[str, ...] = ()
        """The books that are recorded, once they are known."""
        self.samples: dict[str, Sample] = {}
        """The last row of each book."""
        self._on_tick = on_tick
        self._on_file = on_file
        self._on_object = on_object
        self._stop = threading.Event()
        self._entries = Entries(self.plan, environment.name)
        self._books = BookList(environment, plan.books)
        self._recorder: Recorder | None = None
        self._remote: Remote | None = None
        self._day = 0
        self._unfiled: Counter[Batch] = Counter()

    def stop(self) -> None:
        """End the collection in order; callable from any thread and from a signal handler."""
        self._stop.set()

    def progress(self, book: str) -> int:
        """Give how many ticks the open batch of a book has."""
        return self._entries.progress(book)

    @property
    def rows_in_memory(self) -> int:
        """How many rows the disk does not have yet."""
        return 0 if self._recorder is None else self._recorder.waiting

    @property
    def rows_in_journal(self) -> int:
        """How many of its rows are durable, and in no file yet."""
        unfiled = sum(list(self._unfiled.values()))
        return max(0, unfiled - self.rows_in_memory)

    @property
    def store(self) -> StoreBeat | None:
        """How the way to a lake in object storage stands; None for a folder."""
        return None if self._remote is None else self._remote.now

    @property
    def publishing(self) -> PublishBeat | None:
        """What waits to be published; None where nothing is."""
        publisher = self.publisher
        return None if publisher is None else PublishBeat(**asdict(publisher.now))

    @property
    def alerts(self) -> AlertsNow:
        """The alerts in force and the last events; empty where none are asked for."""
        return AlertsNow() if self.alerting is None else self.alerting.now

    def beat(self) -> Heartbeat:
        """Say how it is now; callable from any thread."""
        # Copies are made in one go: other threads write the originals.
        counts = {} if self.client is None else dict(self.client.counts)
        samples = dict(self.samples)
        return Heartbeat(
            at=time.time(),
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            environment=self.environment.name,
            interval=self.plan.interval,
            since=self.since,
            phase=self.phase,
            last_tick=self.summary.last_tick or None,
            ticks=self.summary.ticks,
            books=tuple(BookBeat.of(row) for book in self.books if (row := samples.get(book))),
            names=self.books,
            reconnects=max(0, counts.get("connections", 0) - 1),
            rejected={
                name.removeprefix("rejected_"): count
                for name, count in sorted(counts.items())
                if name.startswith("rejected_")
            },
            rows_in_memory=self.rows_in_memory,
            rows_in_journal=self.rows_in_journal,
            publishing=self.publishing,
            store=self.store,
            missed=self.summary.missed,
            oldest_in_memory_s=0.0 if self._recorder is None else self._recorder.waiting_s,
        )

    def run(self) -> Summary:
        """Record until the end, and load all rows into the lake before returning.

        Raises:
            UsageError: a name is not a book's, a WebSocket host is missing, or a property of what
                publishes is refused.
            MissingExtraError: samples are to be published, and the extra `kafka` is missing.
            UnknownBookError: an alert is asked for of a book that is not recorded.
            LakeBusyError: another collector records one of the books.
            LakeIdentityError: the table holds something else.
            LakeError: the lake cannot be written.
            ExchangeError: no book can be had, or one of them does not exist.
        """
        plan = self.plan
        self.publisher = make_publisher(plan, lambda: self.books)
        first = FirstStart(layout.locate(plan.folder, plan.table), plan.table)
        try:
            self._run()
        except LakeIdentityError as error:
            if error.differing and error.differing <= self._asked.left_open:
                error.add_note(
                    "nobody had settled that when this collection began: start it again, and it "
                    "records what the table holds"
                )
            raise
        finally:
            if not self.summary.ticks:
                first.undo()
        return self.summary

    def _run(self) -> None:
        table, self.plan = open_table(self._asked)
        self._entries = Entries(self.plan, self.environment.name)
        identity = identity_of(self.environment, self.plan)
        with table, self._open_store(table, identity) as remote:
            plan = self.plan
            table.recover(self._filed)
            table.claim(identity)
            see_to_leftovers(plan)
            self.books = tuple(self._books.look_up())
            self.alerting = self._make_alerting(table)
            with Pulse(self.beat, layout.heartbeats_folder(table.lake, table.name)) as pulse:
                mine = self._lock(table)
                if mine:
                    table.recover(self._filed)
                    pulse.bury(table.books)
                    mine = remote is None or remote.take(self.books, wait=plan.wait)
                rules = Rules(float(plan.interval), plan.refresh_after_s, plan.max_stale_s)
                with OrderBookClient(self.books, self.environment, rules=rules) as client:
                    self.client = client
                    sampler = Sampler(
                        client,
                        self.books,
                        interval=plan.interval,
                        after=self._marks(table) if mine else {},
                        # Until the other one ends, there is no hurry.
                        max_wait=plan.max_wait_s if mine else math.inf,
                        stop=self._stop,
                    )
                    self._record(table, sampler, client, identity, None if mine else pulse)

    def _open_store(
        self, table: Table, identity: Identity
    ) -> AbstractContextManager[Remote | None]:
        if (url := self.plan.store) is None:
            return nullcontext()
        from bitso_spread.cloud.remote import Remote  # noqa: PLC0415  (polars and an extra)

        self._remote = Remote(
            url,
            table,
            identity,
            beat=self.beat,
            on_object=self._stored,
            stopping=self._stop,
        )
        return self._remote

    def _marks(self, table: Table) -> dict[str, int]:
        """Give the last tick that was recorded of each book, here or on another host."""
        marks = table.marks()
        others = {} if self._remote is None else self._remote.marks()
        return {book: max(marks.get(book, 0), others.get(book, 0)) for book in {*marks, *others}}

    def _make_alerting(self, table: Table) -> Alerting | None:
        if (plan := self.plan.alerts) is None:
            return None
        rules = replace(plan.rules, interval=self.plan.interval).resolved(self.books)
        path = alert_file(table.lake, table.name)
        channels = channels_of(plan.webhook, plan.command)
        return Alerting(rules, path, self.environment.name, channels, self._why)

    def _why(self, book: str) -> str:
        return "" if self.client is None else self.client.trouble(book)

    def _lock(self, table: Table) -> bool:
        """Take the locks of all books; False if they are to be waited for."""
        try:
            table.lock(self.books)
        except LakeBusyError as error:
            if not self.plan.wait:
                error.add_note("with --wait it stands by, and takes over once that one has ended")
                raise
            return False
        return True

    def _record(
        self,
        table: Table,
        sampler: Sampler,
        client: OrderBookClient,
        identity: Identity,
        pulse: Pulse | None,
    ) -> None:
        recorder = self._recorder = self._start(table)
        ticks = sampler.ticks()
        events: Iterator[Tick | Gap] = ticks
        if pulse is not None:
            self.phase = Phase.STANDBY
            self._day = int(time.time()) // DAY_S
            events = stand_by(ticks, table, sampler, recorder, pulse, self._remote)
        try:
            for event in events:
                if self.summary.ticks == 0:
                    # Nobody may have made the table something else while we waited for data.
                    table.claim(identity)
                self._hand_over(event, recorder, sampler, client)
                if isinstance(event, Gap):
                    continue
                self._count(event)
                self._on_tick(event)
                if self.summary.ticks == self.plan.ticks:
                    break
                if (ending := self._follow_books(event, table, sampler, client)) is not None:
                    recorder.put(ending)
        finally:
            self.phase = Phase.ENDING
            ticks.close()
            recorder.put(self._entries.end(sampler.books))
            self._end(table, recorder)

    def _hand_over(
        self, event: Tick | Gap, recorder: Recorder, sampler: Sampler, client: OrderBookClient
    ) -> None:
        """Hand a tick to the threads that keep it and look at it."""
        if isinstance(event, Gap):
            recorder.put(self._entries.gap(sampler.books, event))
            ticks = (event.last - event.first) // self.plan.interval + 1
            self.summary.count_gap(sampler.books, ticks)
        else:
            entry = self._entries.of(event, client.trouble)
            self._unfiled.update(batch for batch, _ in entry.rows)
            recorder.put(entry)
        if self.alerting is not None:
            self.alerting.put(event, sampler.books)

    def _start(self, table: Table) -> Recorder:
        """Start the threads that the loop of ticks hands over to."""
        topic = None if self.publisher is None else self.publisher.now.topic
        recorder = Recorder(table.lake, table.name, on_file=self._filed, topic=topic)
        recorder.start()
        if self.publisher is not None:
            self.publisher.start()
        if self.alerting is not None:
            self.alerting.start()
        return recorder

    def _end(self, table: Table, recorder: Recorder) -> None:
        """End the threads: alerts are delivered while the last rows are written."""
        if self.alerting is not None:
            self.alerting.end()
        self.summary.left = recorder.stop()
        self.summary.lost = recorder.lost
        if self.alerting is not None:
            # Before the locks are gone: whoever takes the books over goes on with their alerts.
            self.alerting.stop()
        if self._remote is not None:
            self._remote.finish()
        # Who stands by should not wait for connections to be closed.
        table.unlock(table.books)
        if self.publisher is not None:
            self.publisher.stop()

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
        sampler.books = self.books = tuple(books)
        if self._remote is not None:
            self._remote.add(books)
        if self.alerting is not None:
            self.alerting.forget(gone)
        return self._entries.end(gone)

    def _count(self, tick: Tick) -> None:
        self.phase = Phase.RECORDING
        self.summary.count(tick)
        self.samples.update((sample.book, sample) for sample in tick.samples)

    def _filed(self, path: Path, batch: Batch, rows: int) -> None:
        self._unfiled.pop(batch, None)
        self.summary.files[path.parents[2]] += 1
        self._on_file(path, batch, rows)
        if self._remote is not None:
            self._remote.wake()

    def _stored(self, url: str, file: WrittenFile) -> None:
        self.summary.uploaded += 1
        self._on_object(url, file)


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
