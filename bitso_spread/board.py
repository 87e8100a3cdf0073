"""What a live board knows: ten minutes of each book, their order, and which of them are in view.

Pure: rows, the time and keys come in as arguments. How it looks is bitso_spread.cli.board_look's
job, and the terminal bitso_spread.cli.board_terminal's.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from bitso_spread.model import Sample

ABSENT = "absent"
"""Beside the states of `bitso_spread.model.State`: no row has come for too long."""
SPAN_S = 600
"""What the board remembers, in seconds: ten minutes."""
LOST_S = 10.0
"""How much later than expected a row may be before its book has none: as `bitso_spread.health`
judges a collector."""


@dataclass(frozen=True, slots=True)
class Line:
    """A book as the board shows it; prices and spread are None where they are not known now."""

    book: str
    state: str
    """A `bitso_spread.model.State`, or `ABSENT`."""
    bid: float | None
    ask: float | None
    spread: float | None
    """In percent of the best ask."""
    age_s: float | None
    """How old the book's last word is now."""
    low: float | None
    """The least spread of the ten minutes."""
    high: float | None
    """The greatest spread of the ten minutes."""
    highest: float | None
    """The highest price so far, from which follows how much room prices take."""
    places: int
    """Decimal places that the book's prices have had at most."""
    past: tuple[float | None, ...]
    """The spread at each tick of the ten minutes, oldest first; None where it was not known."""

    @property
    def mid(self) -> float | None:
        """Halfway between best bid and best ask."""
        if self.bid is None or self.ask is None:
            return None
        return (self.bid + self.ask) / 2


class _Past:
    """The last rows of one book."""

    def __init__(self, length: int) -> None:
        self.last: Sample | None = None
        self.highest: float | None = None
        self.places = 0
        self._spreads: deque[float | None] = deque(maxlen=length)

    def add(self, sample: Sample, interval: int) -> None:
        if self.last is not None:
            if sample.tick <= self.last.tick:
                return
            self._spreads.extend(self._blanks(sample.tick - interval, interval))
        self._spreads.append(sample.spread)
        for price in (sample.bid, sample.ask):
            if price is not None:
                self.highest = max(self.highest or price, price)
                self.places = max(self.places, _places(price))
        self.last = sample

    def until(self, tick: int, interval: int) -> tuple[float | None, ...]:
        """Give the spreads of the ten minutes that end with a tick."""
        return (*self._spreads, *self._blanks(tick, interval))[-(self._spreads.maxlen or 1) :]

    def _blanks(self, tick: int, interval: int) -> list[None]:
        missing = (tick - (self.last.tick if self.last else tick)) // interval
        return [None] * min(missing, self._spreads.maxlen or 1)


class Board:
    """Ten minutes of books; for one thread at a time.

    `books` are shown whether or not there is a row of them; others from their first row until
    the board has forgotten the last.
    """

    def __init__(self, interval: int = 1, books: Iterable[str] = ()) -> None:
        self.interval = interval
        """Seconds between ticks."""
        self.tick: int | None = None
        """The last tick of any book, in seconds since the epoch."""
        self._length = max(1, SPAN_S // interval)
        self._named = frozenset(books)
        self._past = {book: _Past(self._length) for book in sorted(self._named)}

    def tick_every(self, interval: int) -> None:
        """Take another interval, in seconds, before there is any row."""
        self.interval = interval
        self._length = max(1, SPAN_S // interval)
        self._past = {book: _Past(self._length) for book in self._past}

    def add(self, samples: Iterable[Sample]) -> None:
        """Take note of rows; those of one book must come in order, or are passed over."""
        for sample in samples:
            past = self._past.setdefault(sample.book, _Past(self._length))
            past.add(sample, self.interval)
            self.tick = max(sample.tick, self.tick or 0)
        self._forget()

    def lines(self, now: float) -> list[Line]:
        """Give how the books stand at an instant (seconds since the epoch), in their order."""
        return [self._line(book, past, now) for book, past in self._past.items()]

    def _forget(self) -> None:
        horizon = (self.tick or 0) - SPAN_S
        gone = [
            book
            for book, past in self._past.items()
            if past.last is not None and past.last.tick < horizon and book not in self._named
        ]
        for book in gone:
            del self._past[book]

    def _line(self, book: str, past: _Past, now: float) -> Line:
        spreads = past.until(self.tick or 0, self.interval)
        known = [spread for spread in spreads if spread is not None]
        low, high = (min(known), max(known)) if known else (None, None)
        last = past.last
        line = Line(
            book, ABSENT, None, None, None, None, low, high, past.highest, past.places, spreads
        )
        if last is None:
            return line
        since = max(0.0, now - last.tick)
        if since > self.interval + LOST_S:
            # Of a row that is too old to be shown, at least its age.
            return replace(line, age_s=since + (last.age_ms or 0) / 1000)
        return replace(
            line,
            state=last.state.value,
            bid=last.bid,
            ask=last.ask,
            spread=last.spread,
            age_s=None if last.age_ms is None else since + last.age_ms / 1000,
        )


class Order(StrEnum):
    """How the books are sorted."""

    BOOK = "book"
    """As they were asked for, or came."""
    SPREAD = "spread"
    """The widest first; those that are not known last."""


@dataclass(frozen=True, slots=True)
class View:
    """Which lines are looked at, and in what order."""

    order: Order = Order.BOOK
    top: int = 0
    """How many lines are above the first one in view."""

    def arranged(self, lines: Sequence[Line]) -> list[Line]:
        """Sort lines."""
        if self.order is Order.BOOK:
            return list(lines)
        return sorted(lines, key=lambda line: math.inf if line.spread is None else -line.spread)

    def within(self, count: int, page: int) -> View:
        """Give the view that leaves no room below the last of `count` lines."""
        return replace(self, top=max(0, min(self.top, count - page)))

    def after(self, key: str, count: int, page: int) -> View:
        """Give the view after a key, where `page` of `count` lines are shown at once."""
        if key == "s":
            order = Order.BOOK if self.order is Order.SPREAD else Order.SPREAD
            return View(order)
        steps = {
            "up": -1, "k": -1, "down": 1, "j": 1,
            "page up": -page, "page down": page, " ": page,
            "home": -count, "g": -count, "end": count, "G": count,
        }  # fmt: skip
        return replace(self, top=self.top + steps.get(key, 0)).within(count, page)


def cells(line: Line, tick: int, interval: int, cell_s: int) -> list[float | None]:
    """Give the mean spread of each `cell_s` seconds of the ten minutes that end with a tick.

    Cells lie on multiples of their length since the epoch, so that what is over stands still;
    None where nothing was known. Fewer come where less is remembered.
    """
    each = max(1, cell_s // interval)
    # How many ticks the last cell has so far.
    newest = tick // interval % each + 1
    means, end = [], len(line.past)
    for start in range(end - newest, -each, -each):
        means.append(_mean(line.past[max(0, start) : end]))
        end = start
    return means[::-1]


def _mean(spreads: Sequence[float | None]) -> float | None:
    known = [spread for spread in spreads if spread is not None]
    return sum(known) / len(known) if known else None


def _places(price: float) -> int:
    # Through the shortest text of the float, which is what the exchange wrote.
    exponent = Decimal(repr(price)).normalize().as_tuple().exponent
    return max(0, -int(exponent))
