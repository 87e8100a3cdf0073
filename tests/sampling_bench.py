"""A sampler on a clock that only the test moves, for the tests of sampling."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from decimal import Decimal
from itertools import islice
from typing import Literal

from bitso_spread.exchange.standing import Standing
from bitso_spread.model import Quote, State
from bitso_spread.sampling import Gap, Sampler, Tick

NOW = 1_789_992_000
"""A whole minute, and a whole multiple of every interval below."""
BOOKS = ["btc_mxn", "usd_mxn"]
YEAR = 365 * 86_400
_US = 1_000_000

Kind = Literal["step", "stall"]


class FakeClock:
    """Two clocks that only waiting and the test move, exact to the microsecond.

    What is scheduled happens when the monotonic clock reaches its second: a step moves the wall
    clock alone; a stall is time in which the process stands still.
    """

    def __init__(self, wall: float = NOW - 0.5) -> None:
        self._elapsed = 0
        self._offset = round(wall * _US)
        self._scheduled: list[tuple[int, Kind, int]] = []
        self._ends: tuple[int, threading.Event] | None = None

    def wall(self) -> float:
        return (self._offset + self._elapsed) / _US

    def monotonic(self) -> float:
        return self._elapsed / _US

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.pass_(max(0.0, seconds))
        return event.is_set()

    def pass_(self, seconds: float) -> None:
        until = self._elapsed + math.ceil(seconds * _US)
        while self._scheduled and self._scheduled[0][0] <= until:
            at, kind, amount = self._scheduled.pop(0)
            self._elapsed = max(self._elapsed, at)
            if kind == "step":
                self._offset += amount
            else:
                self._elapsed += amount
        self._elapsed = max(self._elapsed, until)
        if self._ends is not None and self._elapsed >= self._ends[0]:
            self._ends[1].set()

    def at(self, seconds: float, kind: Kind, amount: float) -> None:
        self._scheduled.append((round(seconds * _US), kind, round(amount * _US)))
        self._scheduled.sort()

    def end(self, seconds: float, event: threading.Event) -> None:
        self._ends = (round(seconds * _US), event)


class FakeSource:
    """Knows each book from an instant on, with the instant that it is asked for as the bid."""

    def __init__(self, clock: FakeClock, known_from: dict[str, float] | None = None) -> None:
        self._clock = clock
        self._known_from = known_from or {}
        self.refused: dict[str, str] = {}
        self.asked: list[float] = []

    def standing(self, book: str, at: float | None = None) -> Standing:
        assert at is not None
        self.asked.append(at)
        if at < self._known_from.get(book, -math.inf):
            return Standing(book, State.UNKNOWN, None, None, None, False, self.trouble(book))
        quote = Quote(book, Decimal(repr(at)), Decimal(10**9))
        return Standing(book, State.FRESH, quote, 0.0, "feed", True, None)

    def refusal(self, book: str) -> str | None:
        return self.refused.get(book)

    def trouble(self, book: str) -> str:
        return f"no word of {book} yet"


class Bench:
    """A sampler on a fake clock, and what came of it."""

    def __init__(
        self,
        *,
        wall: float = NOW - 0.5,
        books: Iterable[str] = ("btc_mxn",),
        interval: int = 1,
        after: dict[str, int] | None = None,
        max_wait: float = 60.0,
        known_from: dict[str, float] | None = None,
    ) -> None:
        self.clock = FakeClock(wall)
        self.source = FakeSource(self.clock, known_from)
        self.stop = threading.Event()
        self.sampler = Sampler(
            self.source,
            books,
            interval=interval,
            after=after,
            max_wait=max_wait,
            stop=self.stop,
            clock=self.clock,
        )
        self.events = self.sampler.ticks()

    def next(self) -> Tick:
        event = next(self.events)
        assert isinstance(event, Tick)
        return event

    def take(self, count: int) -> list[Tick]:
        events = list(islice(self.events, count))
        ticks = [event for event in events if isinstance(event, Tick)]
        assert len(ticks) == len(events) == count
        return ticks

    def until(self, seconds: float) -> list[Tick | Gap]:
        """Run until the monotonic clock has passed so many seconds."""
        self.clock.end(seconds, self.stop)
        return list(self.events)


def times(ticks: Iterable[Tick | Gap]) -> list[int]:
    return [tick.time for tick in ticks if isinstance(tick, Tick)]


def missed(ticks: Iterable[Tick | Gap]) -> list[int]:
    """The ticks that say they were missed, in each of their rows and beside them."""
    found = [tick for tick in ticks if isinstance(tick, Tick) and tick.late_s is None]
    for tick in found:
        assert tick.standings == {}
        assert [row.state for row in tick.samples] == [State.MISSED] * len(tick.samples)
        assert tick.samples
        assert all((row.bid, row.ask, row.spread) == (None, None, None) for row in tick.samples)
    return times(found)
