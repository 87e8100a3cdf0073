"""What has come over one connection of the feed, gathered message by message. No I/O.

`bitso_spread.exchange.wire` reads the messages, as it does for the recorder; only how many
orders a frame has, and in which order, is looked up once more, since the recorder has no use
for it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto

import msgspec

from bitso_spread.exchange import wire
from bitso_spread.exchange.rest_errors import printable
from bitso_spread.model import Quote

# api.md: a frame has the best 20 single orders of a side.
TOP = 20


class Kind(Enum):
    """What happened on a connection."""

    TEXT = auto()
    BINARY = auto()
    PING = auto()
    PONG = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on a connection."""

    at: float
    """Monotonic seconds."""
    wall: float
    """Seconds since the epoch, by this machine's clock."""
    kind: Kind
    data: bytes
    """What was sent; at the end, why it ended."""


@dataclass(frozen=True, slots=True)
class Said:
    """A valid frame's best bid and ask."""

    at: float
    wall: float
    quote: Quote
    sent_ms: int | None


class _Order(msgspec.Struct):
    r: str


class _Sides(msgspec.Struct):
    bids: list[_Order]
    asks: list[_Order]


class _Frame(msgspec.Struct):
    payload: _Sides


_frames = msgspec.json.Decoder(_Frame)


@dataclass(slots=True)
class Transcript:
    """All that came over a connection so far; for one thread."""

    opened: float
    books: tuple[str, ...]
    """What was subscribed to, in this order."""
    acks: dict[str, float] = field(default_factory=dict)
    """When each book's subscription was acknowledged."""
    nameless_acks: int = 0
    left: bool = False
    """Whether the end of a subscription was acknowledged."""
    renewed: bool = False
    """Whether a subscription was acknowledged once more after that."""
    refusals: list[wire.Refusal] = field(default_factory=list)
    keepalives: list[float] = field(default_factory=list)
    pings: list[float] = field(default_factory=list)
    pongs: list[float] = field(default_factory=list)
    said: dict[str, list[Said]] = field(default_factory=lambda: defaultdict(list))
    """The valid frames of each book, in the order in which they came."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Frames that the recorder would reject, by reason and book."""
    foreign: Counter[str] = field(default_factory=Counter)
    """Messages that nobody asked for."""
    odd: Counter[str] = field(default_factory=Counter)
    """Valid frames that are not as they were known, by what is odd."""
    ended: str | None = None
    """Why the connection ended; None while it is open."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing at all has come."""
        heard = self.acks or self.refusals or self.keepalives or self.pongs or self.said
        return not (heard or self.rejected or self.foreign)

    @property
    def frames(self) -> int:
        """How many valid frames came."""
        return sum(map(len, self.said.values()))

    def answered(self, book: str) -> bool:
        """Tell whether a subscription was acknowledged or refused."""
        return book in self.acks or any(refusal.book == book for refusal in self.refusals)

    def take(self, event: Event) -> None:
        """Add what happened next."""
        match event.kind:
            case Kind.PING:
                self.pings.append(event.at)
            case Kind.PONG:
                self.pongs.append(event.at)
            case Kind.ENDED:
                self.ended = event.data.decode()
            case Kind.BINARY:
                self.rejected["not_text"] += 1
            case Kind.TEXT:
                self._read(event)

    def _read(self, event: Event) -> None:
        try:
            message = wire.decode(event.data)
        except wire.RejectedError as error:
            book = printable(error.book or "")
            self.rejected[f"{error.reason.value} {book}".strip()] += 1
            return
        match message:
            case wire.Orders():
                self._frame(event, message)
            case wire.Ack():
                self._acknowledged(event, message)
            case wire.Refusal():
                self.refusals.append(message)
            case wire.KeepAlive():
                self.keepalives.append(event.at)
            case wire.Unknown():
                self.foreign[f"type {printable(message.type or '')!r}"] += 1

    def _acknowledged(self, event: Event, ack: wire.Ack) -> None:
        if ack.action != wire.SUBSCRIBE:
            self.left = True
            return
        self.renewed = self.left
        book = ack.book
        if book is None:
            self.nameless_acks += 1
            # They come in the order of asking.
            book = next((book for book in self.books if book not in self.acks), None)
        if book is not None:
            self.acks.setdefault(book, event.at)

    def _frame(self, event: Event, message: wire.Orders) -> None:
        book = message.quote.book
        if book not in self.books:
            self.foreign[f"a frame of {printable(book)}"] += 1
            return
        before = self.said[book][-1].sent_ms if self.said[book] else None
        sent_ms = message.sent_ms
        self.said[book].append(Said(event.at, event.wall, message.quote, sent_ms))
        if sent_ms is None:
            self.odd["without the time `sent`"] += 1
        elif before is not None and sent_ms < before:
            self.odd["sent before the one that came earlier"] += 1
        sides = _frames.decode(event.data).payload
        bids, asks = _prices(sides.bids), _prices(sides.asks)
        if max(len(bids), len(asks)) > TOP:
            self.odd[f"with more than {TOP} orders a side"] += 1
        if bids != sorted(bids, reverse=True) or asks != sorted(asks):
            self.odd["not best first"] += 1


def _prices(orders: Sequence[_Order]) -> list[Decimal]:
    return [Decimal(order.r) for order in orders]
