"""A market whose every price occurs once, so that a quote tells when it was in force."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from types import MappingProxyType

from bitso_spread.sim.ladder import Ladder
from bitso_spread.sim.market import Depth
from bitso_spread.sim.specs import BookSpec, spec_of

# The spread, in ticks of a book.
_WIDE = 10


class StagedMarket:
    """Books whose bid and ask rise by a tick every `period_ms`, until they are made to stand still.

    Safe to use from any thread. It remembers what was in force when. `ahead_s` is how far the
    clock of its exchange is off; all that a scenario asks and is told is by the clock of here.
    """

    def __init__(self, *books: str, period_ms: int | None = 300, ahead_s: float = 0.0) -> None:
        self._ahead_ms = int(ahead_s * 1000)
        self._specs = {book: spec_of(book) for book in books}
        self._lock = threading.Lock()
        self._books = {book: _Book(spec) for book, spec in self._specs.items()}
        for book in books:
            self.pace(book, period_ms)

    @property
    def specs(self) -> Mapping[str, BookSpec]:
        """The books there are."""
        return MappingProxyType(self._specs)

    def pace(self, book: str, period_ms: int | None) -> None:
        """Let a book change every `period_ms` from now on; None: it stands still."""
        with self._lock:
            self._books[book].pace(_now_ms(), period_ms)

    def still(self, *books: str) -> None:
        """Let books, or all of them, stand still from now on."""
        for book in books or self._specs:
            self.pace(book, None)

    def move(self, book: str) -> None:
        """Let a book change once, now."""
        with self._lock:
            self._books[book].move(_now_ms())

    def cross(self, book: str, *, crossed: bool = True) -> None:
        """Show a book with its sides swapped, by feed and REST; or no longer."""
        with self._lock:
            self._books[book].crossed = crossed

    def was(self, book: str, bid: float, ask: float, start: float, end: float) -> bool:
        """Tell whether a quote was in force at some time from `start` to `end`, in seconds."""
        with self._lock:
            return self._books[book].was(bid, ask, int(start * 1000), int(end * 1000))

    def since(self, book: str, bid: float) -> float:
        """Give when the quote of a bid came into force, in seconds."""
        with self._lock:
            return self._books[book].since(bid)

    def subscribed(self, now_ms: int) -> None:
        """Do nothing."""

    def depth(self, book: str, now_ms: int) -> Depth:
        """Give the book as it stands."""
        with self._lock:
            return self._books[book].depth(now_ms - self._ahead_ms)

    def next_change_ms(self, book: str) -> int | None:
        """Give the time of the next change that `depth` has not shown."""
        with self._lock:
            due = self._books[book].next_change_ms()
        return None if due is None else due + self._ahead_ms


class _Book:
    def __init__(self, spec: BookSpec) -> None:
        self._spec = spec
        self._base = spec.ticks(spec.price)
        self._ladder = Ladder(spec, Random(0))  # noqa: S311  (a market, not a secret)
        # When the book rose to a level; the level is the place in the list.
        self._times = [0]
        self._paced_ms = 0
        self._period_ms: int | None = None
        self._shown = 0
        self.crossed = False

    def pace(self, now_ms: int, period_ms: int | None) -> None:
        self._extend(now_ms)
        self._paced_ms, self._period_ms = now_ms, period_ms

    def move(self, now_ms: int) -> None:
        self._extend(now_ms)
        self._times.append(max(now_ms, self._times[-1]))

    def was(self, bid: float, ask: float, start_ms: int, end_ms: int) -> bool:
        self._extend(end_ms)
        first, last = (bisect_right(self._times, at) - 1 for at in (start_ms, end_ms))
        return any(self._prices(level) == (bid, ask) for level in range(first, last + 1))

    def since(self, bid: float) -> float:
        for level, at in enumerate(self._times):
            if self._prices(level)[0] == bid:
                return at / 1000
        raise AssertionError(f"a bid of {bid} was never in force: it is invented")

    def depth(self, now_ms: int) -> Depth:
        self._extend(now_ms)
        self._shown = max(self._shown, bisect_right(self._times, now_ms) - 1)
        bid = self._base + self._shown
        depth = self._ladder.move(bid, bid + _WIDE, now_ms)
        return replace(depth, bids=depth.asks, asks=depth.bids) if self.crossed else depth

    def next_change_ms(self) -> int | None:
        if self._shown + 1 < len(self._times):
            return self._times[self._shown + 1]
        return self._due()

    def _prices(self, level: int) -> tuple[float, float]:
        bid = self._base + level
        return float(self._spec.price_text(bid)), float(self._spec.price_text(bid + _WIDE))

    def _due(self) -> int | None:
        if self._period_ms is None:
            return None
        return max(self._paced_ms, self._times[-1]) + self._period_ms

    def _extend(self, until_ms: int) -> None:
        while (due := self._due()) is not None and due <= until_ms:
            self._times.append(due)


def _now_ms() -> int:
    return int(time.time() * 1000)
