"""Sends what waits in the journal, on a thread and a connection of its own.

It reads in portions, goes on only when brokers confirm, and drops from the journal what they have
confirmed. Of several collectors of a table, the one that holds the lock on a book of a topic sends
that book's rows, also what another one has left; so they stay in order.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitso_spread.backoff import Backoff
from bitso_spread.clock import monotonic
from bitso_spread.complaint import Complaint
from bitso_spread.counting import many
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.outgoing import Outgoing
from bitso_spread.lifetime import Running
from bitso_spread.publish.address import Address
from bitso_spread.publish.line import Line
from bitso_spread.publish.properties import Properties
from bitso_spread.publish.record import value_of
from bitso_spread.publish.sender import BATCH, IN_FLIGHT, Sender

log = logging.getLogger("bitso_spread.publish")

GRACE_S = 10.0
"""How long the end of a collection is held up by what still waits."""
LATE_S = 5.0
"""A sample that has waited for longer is worth a word."""

# To read and hand over so many takes some 5 ms, in which no other thread runs; none begins where a
# tick is so near.
_PORTION = 500
_TICK_NEAR_S = 0.05
_TICK_TAKES_S = 0.02
_BETWEEN_S = 0.005
_LOOK_S = 0.1
_AGAIN_S = 1.0
_ADOPT_S = 30.0
_CLOSE_S = 5.0

_CATCHING_UP = "they are being sent"
_SLOW = "the brokers do not confirm them"


@dataclass(frozen=True, slots=True)
class Publishing:
    """What waits to be published at one instant."""

    address: str
    topic: str
    waiting: int = 0
    """Samples that are in the journal and not confirmed."""
    since: int | None = None
    """The tick of the oldest one, in seconds since the epoch; None where nothing waits."""
    why: str | None = None
    """What keeps them; None where nothing does."""


class Publisher(Running):
    """Publishes the rows of some books; `books` gives those that are recorded now.

    Raises:
        UsageError: librdkafka refuses one of the user's properties.
    """

    def __init__(
        self,
        address: Address,
        properties: Properties,
        lake: Path,
        table: str,
        books: Callable[[], Sequence[str]],
    ) -> None:
        self.now = Publishing(str(address), address.topic)
        """What waits; replaced about once a second."""
        self.published = 0
        """Samples that brokers have confirmed since the start."""
        self.refusals = 0
        """Times that brokers refused a record since the start."""
        self._address = address
        self._properties = properties
        self._path = layout.state_file(lake, table)
        self._books = books
        self._locks = BookLocks(layout.publishing_locks_folder(lake, table, address.topic))
        self._lines: dict[str, Line] = {}
        self._batch = BATCH
        self._sender: Sender | None = Sender(address, properties)
        self._refused: str | None = None
        self._backoff = Backoff(base_s=1.0, cap_s=30.0)
        self._complaint = Complaint()
        self._failing = Complaint()
        self._journal: Outgoing | None = None
        self._seen = -1
        self._has_more = True
        self._adopt_at = self._look_at = self._lock_at = self._open_at = -math.inf
        self._arrived_at = monotonic()
        self._stopping = threading.Event()
        self._deadline = math.inf
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, give_up_s: float = GRACE_S) -> None:
        """End; returns when all is confirmed, or the time for it is over."""
        self._deadline = monotonic() + give_up_s
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(give_up_s + _CLOSE_S)
        now = self.now
        if now.waiting:
            log.warning(
                "%s in the journal for topic %s until the next collection that publishes there: %s",
                many(now.waiting, "sample", ("waits", "wait")),
                now.topic,
                now.why or "there was no time for them",
            )

    def _run(self) -> None:
        is_over = False
        while not is_over:
            # Whatever was recorded before the end is in the journal by then.
            stopping = self._stopping.is_set()
            try:
                self._turn(stopping=stopping)
            except Exception as error:  # noqa: BLE001  (a thread that dies would publish nothing more)
                if self._failing.due(str(error)):
                    log.error("samples cannot be published now: %s", error)  # noqa: TRY400  (one line, no traceback)
                time.sleep(_AGAIN_S)
                is_done = False
            else:
                self._failing.over()
                is_done = not any(line.waiting for line in self._lines.values())
            is_over = stopping and (is_done or monotonic() > self._deadline)
        try:
            self._end()
        except (sqlite3.Error, LakeError) as error:
            log.warning("what was published last is sent again by the next collection: %s", error)

    def _turn(self, *, stopping: bool) -> None:
        if self._journal is None:
            self._journal = Outgoing(self._path)
        journal = self._journal
        self._take_locks(journal)
        sender = self._sender or self._open_again()
        if sender is None:
            time.sleep(_LOOK_S)
        else:
            sender.serve(_BETWEEN_S if self._has_more and self._room() else _LOOK_S)
            self._drop_confirmed(journal)
            if sender.refusal is not None:
                self._begin_again(sender, journal)
            elif not _is_near_tick():
                self._send(sender, journal)
        if stopping or (monotonic() > self._look_at and not _is_near_tick()):
            self._look_at = monotonic() + _AGAIN_S
            self._look(journal)

    def _take_locks(self, journal: Outgoing) -> None:
        now = monotonic()
        if now < self._lock_at:
            return
        self._lock_at = now + _AGAIN_S
        mine = self._books()
        wanted = [book for book in mine if book not in self._lines]
        if now > self._adopt_at:
            self._adopt_at = now + _ADOPT_S
            wanted += [book for book in journal.books(self._address.topic) if book not in mine]
        for book in wanted:
            if book not in self._lines and self._locks.try_acquire(book):
                self._lines[book] = Line()
                self._has_more = True
        for book in self._lines.keys() - set(mine):
            line = self._lines[book]
            if line.counted and not line.waiting:
                del self._lines[book]
                self._locks.release([book])

    def _room(self) -> int:
        return IN_FLIGHT - sum(line.in_flight for line in self._lines.values())

    def _send(self, sender: Sender, journal: Outgoing) -> None:
        """Hand over the next portion, of the books that are furthest behind first."""
        changes = journal.changes()
        if changes == self._seen and not self._has_more:
            return
        self._seen, self._has_more = changes, False
        left = min(self._room(), _PORTION)
        share = max(1, left // max(1, len(self._lines)))
        for book, line in sorted(self._lines.items(), key=lambda item: item[1].sent):
            limit = min(share, left)
            rows = journal.next(self._address.topic, book, after=line.sent, limit=limit)
            # With a limit of 0 there may be more as well.
            self._has_more |= len(rows) == limit
            left -= len(rows)
            for environment, row in rows:
                if not sender.send(book, row.tick, value_of(environment, row), line.confirm):
                    self._has_more = True
                    return
                line.send(row.tick)

    def _drop_confirmed(self, journal: Outgoing) -> None:
        """Drop from the journal what has arrived."""
        arrived = {book: line.confirmed for book, line in self._lines.items() if line.arrived}
        if not arrived:
            return
        for book in arrived:
            self._count(journal, book)
        journal.confirm(self._address.topic, arrived)
        for book in arrived:
            line = self._lines[book]
            self.published += line.arrived
            line.waiting -= line.arrived
            line.arrived = 0
        self._refused = None
        self._backoff.reset()
        self._arrived_at = monotonic()

    def _count(self, journal: Outgoing, book: str) -> None:
        line = self._lines[book]
        count, line.counted = journal.count(self._address.topic, book, after=line.counted)
        line.waiting += count

    def _begin_again(self, sender: Sender, journal: Outgoing) -> None:
        """Give up a producer that was refused a record, and go back to that one."""
        sender.close()
        self._sender = None
        self._drop_confirmed(journal)
        for line in self._lines.values():
            line.rewind()
        self._has_more = True
        if (refusal := sender.refusal) is not None:
            self.refusals += 1
            self._refused = refusal.reason
            if refusal.is_size:
                # What is too large is a batch, where each of its records may not be.
                self._batch = max(1, self._batch // 8)
        self._open_at = monotonic() + self._backoff.next()

    def _open_again(self) -> Sender | None:
        if monotonic() < self._open_at:
            return None
        self._sender = Sender(self._address, self._properties, batch=self._batch)
        return self._sender

    def _look(self, journal: Outgoing) -> None:
        """Say what waits, since when, and why."""
        for book in self._lines:
            self._count(journal, book)
        topic = self._address.topic
        waiting = [book for book, line in self._lines.items() if line.waiting]
        oldest = [tick for book in waiting if (tick := journal.oldest(topic, book)) is not None]
        since = min(oldest, default=None)
        total = sum(self._lines[book].waiting for book in waiting)
        why = None
        if since is not None and time.time() - since > LATE_S:
            trouble = None if self._sender is None else self._sender.trouble
            is_moving = monotonic() - self._arrived_at < LATE_S
            why = self._refused or trouble or (_CATCHING_UP if is_moving else _SLOW)
        self.now = Publishing(str(self._address), topic, total, since, why)
        if why is None:
            if self._complaint.over():
                log.warning("topic %s takes samples again, and none waits any longer", topic)
        elif why != _CATCHING_UP and self._complaint.due(why):
            waits = many(total, "sample", ("waits", "wait"))
            log.warning("%s in the journal for topic %s: %s", waits, topic, why)

    def _end(self) -> None:
        if self._journal is None:
            return
        with self._journal as journal:
            if self._sender is not None:
                self._sender.close()
                self._drop_confirmed(journal)
            self._look(journal)
        self._locks.close()


def _is_near_tick() -> bool:
    fraction = time.time() % 1.0
    return fraction < _TICK_TAKES_S or fraction > 1.0 - _TICK_NEAR_S
