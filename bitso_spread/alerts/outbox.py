"""What waits to be delivered on one way: a bounded queue, a thread of its own, and retries.

Whoever puts something in never waits. What became of it is told to `on_outcome`.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bitso_spread.alerts.channel import UNDELIVERED, Attempt, Channel, Outcome
from bitso_spread.alerts.events import AlertId, Change, Event, as_json
from bitso_spread.backoff import Backoff
from bitso_spread.clock import monotonic
from bitso_spread.complaint import Complaint
from bitso_spread.lifetime import Running

log = logging.getLogger("bitso_spread.alerts")

LIMIT = 100
"""Messages that may wait: 100 alerts of one book are over eight hours of its cooldown."""
GRACE_S = 5.0
"""How long the end of a collection is held up by what still waits."""

_BASE_S = 1.0
_CAP_S = 60.0
_CLOSE_S = 1.0
# A row comes before its message, so that a kill between the two does not have it sent twice; a
# disk that hangs must not keep it from being sent at all.
ROW_S = 2.0

OnOutcome = Callable[[Sequence[Event], str, Outcome, str], object]
"""Called with events, the channel's name, what became of them, and a word about it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The events of one tick, which become one message."""

    events: tuple[Event, ...]
    environment: str
    kept: threading.Event = field(default_factory=threading.Event, compare=False)
    """Set once their rows are on the disk."""


class Outbox(Running):
    """Delivers notices in order, each at most once; an end only where its beginning was sent."""

    def __init__(
        self,
        channel: Channel,
        on_outcome: OnOutcome,
        *,
        limit: int = LIMIT,
        row_s: float = ROW_S,
        backoff: Callable[[], Backoff] = lambda: Backoff(base_s=_BASE_S, cap_s=_CAP_S),
    ) -> None:
        self.channel = channel
        self.counts: Counter[Outcome] = Counter()
        """Events by what became of them."""
        self._on_outcome = on_outcome
        self._limit = limit
        self._row_s = row_s
        self._backoff = backoff
        self._waiting: deque[Notice] = deque()
        self._changed = threading.Condition()
        self._sent: set[AlertId] = set()
        self._given_up = 0
        self._complaint = Complaint()
        self._ending = threading.Event()
        self._deadline = math.inf
        name = f"alert-{channel.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def adopt(self, sent: Iterable[AlertId]) -> None:
        """Know of alerts in force that an earlier run has sent, so that their end is sent too."""
        self._sent.update(sent)

    def put(self, notice: Notice) -> None:
        """Hand over a notice; returns at once, also where there is no room for it."""
        with self._changed:
            has_room = len(self._waiting) < self._limit
            if has_room:
                self._waiting.append(notice)
                self._changed.notify()
        if not has_room:
            self._tell(notice.events, Outcome.DROPPED, f"{self._limit} messages wait already")

    def end(self, grace_s: float = GRACE_S) -> None:
        """Begin to end; returns at once. What waits for another attempt gets none."""
        self._deadline = min(self._deadline, monotonic() + grace_s)
        self._ending.set()
        with self._changed:
            self._changed.notify()

    def stop(self) -> None:
        """End; returns when all is delivered, or the time for it is over."""
        self.end()
        if self._thread.is_alive():
            self._thread.join(max(0.0, self._deadline - monotonic()))
        self.channel.close()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
        if left := len(self._waiting) + self._given_up:
            log.warning("alerts that wait for the %s at the end: %d", self.channel.name, left)

    def _run(self) -> None:
        while (notice := self._next()) is not None:
            if not self._deliver(notice):
                self._given_up += 1

    def _next(self) -> Notice | None:
        with self._changed:
            while not self._waiting and not self._ending.is_set():
                self._changed.wait()
            if not self._waiting or monotonic() > self._deadline:
                return None
            return self._waiting.popleft()

    def _deliver(self, notice: Notice) -> bool:
        """Try until it is settled what becomes of a notice; False if the end comes before."""
        notice.kept.wait(self._row_s)
        events = self._due(notice.events)
        message = as_json(events, notice.environment)
        backoff = self._backoff()
        left = self.channel.attempts if events else 0
        while left > 0:
            left -= 1
            attempt = self._attempt(message)
            if attempt.is_sent:
                self._complaint.over()
                self._tell(events, Outcome.SENT, attempt.said)
                break
            # What is settled is not left to the next collection, which would do it again.
            if attempt.may_pass and self._ending.is_set():
                return False
            if not left or not attempt.may_pass:
                self._tell(events, Outcome.FAILED, attempt.said)
                break
            if self._ending.wait(self._pause_s(attempt, backoff)):
                return False
        return True

    def _attempt(self, message: Mapping[str, Any]) -> Attempt:
        try:
            return self.channel.send(message)
        except Exception as error:  # noqa: BLE001  (a thread that dies would deliver nothing more)
            # Its text may hold the secret. At the end it may be that it was closed.
            return Attempt(f"unexpected {type(error).__name__}", may_pass=self._ending.is_set())

    def _pause_s(self, attempt: Attempt, backoff: Backoff) -> float:
        pause_s = max(attempt.after_s, backoff.next())
        if self._complaint.due(attempt.said):
            log.warning("alerts wait for the %s, tried again: %s", self.channel.name, attempt.said)
        return pause_s

    def _due(self, events: Sequence[Event]) -> tuple[Event, ...]:
        """Leave out the ends of what was not sent."""
        due = [
            event
            for event in events
            if event.change is Change.FIRED or event.alert.id in self._sent
        ]
        if lapsed := [event for event in events if event not in due]:
            self._tell(lapsed, Outcome.LAPSED, "it was never sent that it began")
        return tuple(due)

    def _tell(self, events: Sequence[Event], outcome: Outcome, said: str) -> None:
        for event in events:
            if event.change is not Change.FIRED:
                self._sent.discard(event.alert.id)
            elif outcome is Outcome.SENT:
                self._sent.add(event.alert.id)
        self.counts[outcome] += len(events)
        if outcome in UNDELIVERED:
            books = ", ".join(sorted({event.alert.book for event in events}))
            log.error("alert of %s undelivered by %s: %s", books, self.channel.name, said)
        self._on_outcome(events, self.channel.name, outcome, said)
