"""How far the rows of one book are on their way to the brokers. Pure."""

from __future__ import annotations

from collections import deque


class Line:
    """How far one book is; its rows are confirmed in the order in which they were sent."""

    def __init__(self) -> None:
        self.sent = self.confirmed = self.counted = 0
        """The last ticks that were handed over, have arrived, and were counted."""
        self.waiting = 0
        """Counted rows that are in the journal."""
        self.arrived = 0
        """Rows that have arrived, and are in the journal still."""
        self._in_flight: deque[int] = deque()
        self._done: set[int] = set()

    @property
    def in_flight(self) -> int:
        """How many rows were handed over, and are not confirmed in their order."""
        return len(self._in_flight)

    def send(self, tick: int) -> None:
        """Take note that a row was handed over."""
        self.sent = tick
        self._in_flight.append(tick)

    def confirm(self, tick: int) -> None:
        """Take note that a row has arrived."""
        # Never past one that is not: whatever comes out of order waits for what is before it.
        self._done.add(tick)
        while self._in_flight and self._in_flight[0] in self._done:
            self.confirmed = self._in_flight.popleft()
            self.arrived += 1
            self._done.discard(self.confirmed)

    def rewind(self) -> None:
        """Send again what was not confirmed."""
        self.sent = self.confirmed
        self._in_flight.clear()
        self._done.clear()
