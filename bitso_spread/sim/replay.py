"""A market that was: plays back what a lake holds, shifted into the present.

All books are shifted by one whole number of seconds, fixed at the first subscription. The
row of second s is in force, over REST too, from s - 0.5 s to s + 0.5 s, so that a sample at
second s reads it however late it is taken. Gaps and the end hold the last row. Reading the
lake is the reader's job.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from types import MappingProxyType

from bitso_spread.errors import LakeError
from bitso_spread.sim.ladder import Ladder
from bitso_spread.sim.market import Depth
from bitso_spread.sim.specs import BookSpec, plain, spec_of

Row = tuple[int, str, float | None, float | None]
"""Second since the epoch, book, best bid, best ask; None where nothing is known."""

# From the first subscription to the first row. Long enough for a client to have subscribed
# to all its books, and seeded them over REST, before anything changes.
DEFAULT_LEAD_S = 3
_HALF_SECOND_MS = 500


class ReplayMarket:
    """Recorded rows as a live market.

    Rows may come in any order; the last of two rows of one book and second counts. Rows
    without a price hold the last one. Before the first row, and before any subscription, a
    book stands at its first row. Everything is kept in memory, 24 bytes a change of a top.

    Args:
        rows: what to play.
        lead_s: whole seconds from the first subscription to the first row, rounded up.
        seed: for the orders below the top, which no lake has.

    Raises:
        LakeError: no row has a price.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        *,
        lead_s: int = DEFAULT_LEAD_S,
        seed: int = 0,
    ) -> None:
        courses = _courses(rows)
        if not courses:
            raise LakeError("there is nothing to replay: no row has a bid and an ask")
        self._lead_s = lead_s
        self._books = {name: _Book(name, courses[name], seed) for name in sorted(courses)}
        self._specs = MappingProxyType({name: b.spec for name, b in self._books.items()})
        self.first_second = min(book.first_second for book in self._books.values())
        """The earliest second of the rows, seconds since the epoch."""
        self.last_second = max(book.last_second for book in self._books.values())
        """The latest second of the rows at which a top changed."""
        self.shift: int | None = None
        """What was added to the time of each row, in seconds; None before a subscription."""

    @classmethod
    def from_lake(
        cls,
        path: Path | str,
        table: str = "BitsoSpreadMonitor",
        *,
        lead_s: int = DEFAULT_LEAD_S,
        seed: int = 0,
    ) -> ReplayMarket:
        """Play what a lake holds, this tool's or its predecessor's.

        Raises:
            LakeError: there is no lake, it cannot be read, or it holds no prices.
        """
        try:
            return cls(_lake_rows(Path(path), table), lead_s=lead_s, seed=seed)
        except LakeError as error:
            raise LakeError(f"cannot replay {Path(path).absolute()}: {error}") from error

    @property
    def specs(self) -> Mapping[str, BookSpec]:
        """The books of the rows, by name."""
        return self._specs

    def subscribed(self, now_ms: int) -> None:
        """Fix the shift, the first time."""
        if self.shift is None:
            self.shift = math.ceil(now_ms / 1000) + self._lead_s - self.first_second

    def depth(self, book: str, now_ms: int) -> Depth:
        """Give the book as it stands: its top is the row in force."""
        return self._books[book].depth(now_ms, self.shift)

    def next_change_ms(self, book: str) -> int | None:
        """Give when the next row with another top comes in force."""
        return self._books[book].next_change_ms(self.shift)

    def played(self, book: str, second: int) -> tuple[Decimal, Decimal]:
        """Give the best bid and ask in force at a second of the wall clock, as they are sent."""
        return self._books[book].top_at(second, self.shift)


class _Course:
    """The changes of one book's top, in order of time."""

    def __init__(self) -> None:
        self.seconds = array("q")
        self.bids = array("d")
        self.asks = array("d")

    def add(self, second: int, bid: float, ask: float) -> None:
        self.seconds.append(second)
        self.bids.append(bid)
        self.asks.append(ask)

    def only_changes(self) -> _Course:
        rows = zip(self.seconds, self.bids, self.asks, strict=True)
        latest = {second: (bid, ask) for second, bid, ask in rows}
        course = _Course()
        last: tuple[float, float] | None = None
        for second in sorted(latest):
            if latest[second] != last:
                last = latest[second]
                course.add(second, *last)
        return course


def _courses(rows: Iterable[Row]) -> dict[str, _Course]:
    raw: dict[str, _Course] = {}
    for second, book, bid, ask in rows:
        if bid is not None and ask is not None and 0 < bid < math.inf and 0 < ask < math.inf:
            raw.setdefault(book, _Course()).add(second, bid, ask)
    return {book: course.only_changes() for book, course in raw.items()}


def _lake_rows(path: Path, table: str) -> Iterator[Row]:
    from bitso_spread.lake.reader import Lake  # noqa: PLC0415  (polars, for a replay only)

    for frame in Lake(path, table=table).stream():
        yield from zip(
            frame["orderbook_timestamp"].dt.epoch("s").to_list(),
            frame["book"].to_list(),
            frame["bid"].to_list(),
            frame["ask"].to_list(),
            strict=True,
        )


class _Book:
    def __init__(self, name: str, course: _Course, seed: int) -> None:
        self._course = course
        self.spec = _spec(name, course)
        rng = Random(f"{seed}:{name}:orders")  # noqa: S311  (a market, not a secret)
        self._ladder = Ladder(self.spec, rng)
        self._index = 0
        self._depth: Depth | None = None

    @property
    def first_second(self) -> int:
        return self._course.seconds[0]

    @property
    def last_second(self) -> int:
        return self._course.seconds[-1]

    def top_at(self, second: int, shift: int | None) -> tuple[Decimal, Decimal]:
        index = 0
        if shift is not None:
            index = max(0, bisect_right(self._course.seconds, second - shift) - 1)
        return _exact(self._course.bids[index]), _exact(self._course.asks[index])

    def next_change_ms(self, shift: int | None) -> int | None:
        following = self._index + 1
        if shift is None or following == len(self._course.seconds):
            return None
        return (self._course.seconds[following] + shift) * 1000 - _HALF_SECOND_MS

    def depth(self, now_ms: int, shift: int | None) -> Depth:
        depth = self._move(now_ms) if self._depth is None else self._depth
        while (due := self.next_change_ms(shift)) is not None and due <= now_ms:
            self._index += 1
            depth = self._move(due)
        self._depth = depth
        return depth

    def _move(self, at_ms: int) -> Depth:
        bid, ask = (
            self.spec.ticks(_exact(prices[self._index]))
            for prices in (self._course.bids, self._course.asks)
        )
        return self._ladder.move(bid, ask, at_ms)


def _exact(price: float) -> Decimal:
    # The shortest text that gives back the same float: 1233830.0 -> 1233830, 18.319 -> 18.319.
    return Decimal(repr(price))


def _spec(name: str, course: _Course) -> BookSpec:
    """Give the book's tick, or the finer one that its recorded prices call for."""
    spec = replace(spec_of(name), price=_exact(course.bids[0]))
    prices = {_exact(price) for prices in (course.bids, course.asks) for price in prices}
    if all(price % spec.tick == 0 for price in prices):
        return spec
    decimals = max(len(plain(price).partition(".")[2]) for price in prices)
    return replace(spec, tick=Decimal(1).scaleb(-decimals))
