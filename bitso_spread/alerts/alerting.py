"""Runs the rules beside a collection, on a thread that no tick waits for.

What happens is logged at once, kept by a second thread, and delivered by one for each channel.
After a restart, a crash too, it goes on where it was: an alert in force does not fire again, its
end is told to whoever was told that it began, and what still waited to be sent is sent.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bitso_spread.alerts.channel import UNDELIVERED, Channel, Outcome
from bitso_spread.alerts.events import Alert, Change, Event, Kind, describe, marked
from bitso_spread.alerts.machine import Machine
from bitso_spread.alerts.outbox import Notice, Outbox
from bitso_spread.alerts.rules import NO_DATA_S, AlertRules
from bitso_spread.complaint import Complaint
from bitso_spread.errors import LakeError
from bitso_spread.lake.alert_log import AlertLog, Delivery, Kept
from bitso_spread.lake.outages import ABSENT, MISSED
from bitso_spread.lake.worker import Worker
from bitso_spread.lifetime import Running
from bitso_spread.model import State
from bitso_spread.sampling import Gap, Tick

log = logging.getLogger("bitso_spread.alerts")

CHANNELS = ("webhook", "command")
"""The names of the ways to deliver that there may be."""
LAST = 20
"""How many of the last events are shown."""

# How much of the widest spread of an alert in force a kill may cost.
_KEEP_EVERY_S = 10
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class AlertsNow:
    """The alerts of a collection at one instant."""

    in_force: tuple[Alert, ...] = ()
    """Oldest first."""
    last: tuple[Event, ...] = ()
    """The last events since the start, oldest first."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is to be on the disk together."""

    alerts: Sequence[Alert] = ()
    deliveries: Sequence[Delivery] = ()
    kept: threading.Event | None = None


@dataclass(frozen=True, slots=True)
class _Gone:
    books: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Stood:
    gap: Gap
    books: Sequence[str]


class Alerting(Running):
    """The alerts of one collection.

    `path` is where they are kept; `why` tells why nothing is known of a book.
    """

    def __init__(
        self,
        rules: AlertRules,
        path: Path,
        environment: str,
        channels: Iterable[Channel],
        why: Callable[[str], str],
    ) -> None:
        self.now = AlertsNow()
        """The alerts in force and the last events; replaced after each tick."""
        self.fired: Counter[Kind] = Counter()
        """Alerts that fired since the start."""
        self._machine = Machine(rules)
        self._path = path
        self._environment = environment
        self._why = why
        self._queue: queue.SimpleQueue[Tick | _Stood | _Gone | None] = queue.SimpleQueue()
        self._last: deque[Event] = deque(maxlen=LAST)
        self._kept_at = 0
        self._complaint = Complaint()
        self._log: AlertLog | None = None
        self._history: Worker[_Entry] = Worker(
            "alert-log", self._write, "alerts cannot be kept, and stay in memory"
        )
        self._outboxes = {channel.name: Outbox(channel, self._settled) for channel in channels}
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    @property
    def deliveries(self) -> Mapping[tuple[str, Outcome], int]:
        """How many events came to what, by channel and outcome."""
        return MappingProxyType(
            {
                (name, outcome): outbox.counts[outcome]
                for name, outbox in self._outboxes.items()
                for outcome in Outcome
            }
        )

    @property
    def undelivered(self) -> int:
        """How many events did not reach whom they were for."""
        return sum(n for (_, outcome), n in self.deliveries.items() if outcome in UNDELIVERED)

    def start(self) -> None:
        """Start all threads."""
        self._history.start()
        for outbox in self._outboxes.values():
            outbox.start()
        self._thread.start()

    def put(self, event: Tick | Gap, books: Sequence[str]) -> None:
        """Hand over a tick, or ticks that leave no rows of these books; returns at once."""
        self._queue.put(_Stood(event, books) if isinstance(event, Gap) else event)

    def forget(self, books: Sequence[str]) -> None:
        """Watch these books no longer; returns at once."""
        self._queue.put(_Gone(books))

    def end(self) -> None:
        """Begin to end; returns at once."""
        self._queue.put(None)

    def stop(self) -> None:
        """End; what has happened is kept, and what could not be sent in time waits."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(_END_S)
        for outbox in self._outboxes.values():
            outbox.end()
        for outbox in self._outboxes.values():
            outbox.stop()
        if left := self._history.finish(_END_S):
            lost = "1 entry is" if len(left) == 1 else f"{len(left)} entries are"
            log.error("what became of alerts could not be kept: %s lost", lost)
        if self._log is not None:
            self._log.close()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._take(item)
            except Exception as error:
                # A thread that dies would tell nothing more.
                if self._complaint.due(str(error)):
                    log.exception("alerts: unexpected %s", type(error).__name__)
        self._history.put(_Entry(self._machine.in_force))
        for outbox in self._outboxes.values():
            outbox.end()

    def _take(self, item: Tick | _Stood | _Gone) -> None:
        machine = self._machine
        if isinstance(item, _Gone):
            self._happened([event for book in item.books for event in machine.forget(book)])
        elif isinstance(item, _Stood):
            self._happened(self._without_rows(item))
        else:
            books = [sample.book for sample in item.samples if sample.book not in machine.books]
            events = self._adopt(books) if books else []
            for sample in item.samples:
                missed = sample.state is State.MISSED
                why = _missed if missed else self._why
                events += machine.feed(sample.book, sample.tick, sample.spread, why)
            self._happened(events)
            self._keep_in_force(item.time)
        self.now = AlertsNow(tuple(machine.in_force), tuple(self._last))

    def _without_rows(self, stood: _Stood) -> list[Event]:
        """Take a stretch without rows for what it is: nothing was known."""
        rules, gap = self._machine.rules, stood.gap
        # Whatever can fire has done so by then.
        last = min(gap.last, gap.first + NO_DATA_S + int(rules.cooldown_s) + rules.interval)
        return [
            event
            for book in stood.books
            for tick in range(gap.first, last + 1, rules.interval)
            for event in self._machine.feed(book, tick, None, lambda _: ABSENT)
        ]

    def _happened(self, events: Sequence[Event]) -> None:
        if not events:
            return
        for event in events:
            fired = event.change is Change.FIRED
            self.fired[event.alert.kind] += fired
            level = logging.WARNING if fired else logging.INFO
            log.log(level, "alert: %s%s", marked(self._environment), describe(event))
        self._last.extend(events)
        notice = Notice(tuple(events), self._environment)
        waiting = [
            Delivery(event.alert.id, event.change, name, Outcome.PENDING)
            for event in events
            for name in self._outboxes
        ]
        self._history.put(_Entry([event.alert for event in events], waiting, notice.kept))
        for outbox in self._outboxes.values():
            outbox.put(notice)

    def _keep_in_force(self, tick: int) -> None:
        self._history.look()
        # On a disk that takes nothing they would pile up, and each says more than the one before.
        if self._history.left:
            return
        if tick - self._kept_at >= _KEEP_EVERY_S and (alerts := self._machine.in_force):
            self._kept_at = tick
            self._history.put(_Entry(alerts))

    def _write(self, entries: list[_Entry]) -> None:
        if self._log is None:
            self._log = AlertLog(self._path)
        now = list(entries)
        self._log.write(
            [(alert, self._environment) for entry in now for alert in entry.alerts],
            [delivery for entry in now for delivery in entry.deliveries],
        )
        del entries[: len(now)]
        for entry in now:
            if entry.kept is not None:
                entry.kept.set()

    def _settled(self, events: Sequence[Event], channel: str, outcome: Outcome, said: str) -> None:
        deliveries = [
            Delivery(event.alert.id, event.change, channel, outcome, said) for event in events
        ]
        self._history.put(_Entry(deliveries=deliveries))

    def _adopt(self, books: Sequence[str]) -> list[Event]:
        """Go on where an earlier collection of books left off; give what is no longer watched."""
        events: list[Event] = []
        try:
            with AlertLog(self._path) as earlier:
                for book in books:
                    kept = earlier.open_of(book)
                    fires = earlier.last_fires(book)
                    in_force = [each.alert for each in kept if each.alert.ended is None]
                    events += self._machine.adopt(book, in_force, fires)
                    for alert in in_force:
                        event = Event(Change.FIRED, alert)
                        log.info("alert still in force: %s", describe(event))
                    self._resume(kept)
        except (LakeError, sqlite3.Error) as error:
            log.warning("alerts of earlier collections cannot be read, and begin anew: %s", error)
        return events

    def _resume(self, kept: Iterable[Kept]) -> None:
        """Send what waited to be sent when the last collection ended, unless it is old news."""
        lapsed = []
        for each in kept:
            alert, told = each.alert, each.told
            for (change, name), outcome in told.items():
                outbox = self._outboxes.get(name)
                began_is_told = told.get((Change.FIRED, name)) is Outcome.SENT
                if outbox is not None and began_is_told:
                    outbox.adopt([alert.id])
                if outcome is not Outcome.PENDING:
                    continue
                is_news = alert.ended is None if change is Change.FIRED else began_is_told
                if outbox is not None and is_news:
                    notice = Notice((Event(change, alert),), self._environment)
                    notice.kept.set()
                    outbox.put(notice)
                else:
                    lapsed.append(Delivery(alert.id, change, name, Outcome.LAPSED))
        if lapsed:
            self._history.put(_Entry(deliveries=lapsed))


def _missed(_: str) -> str:
    return MISSED
