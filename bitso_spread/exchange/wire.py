"""Bytes of Bitso's WebSocket in, typed messages out. Pure: no sockets, no clock, no state.

What the messages mean for a book is `bitso_spread.exchange.client`'s business. Every byte
string gives a message or a `RejectedError`, and nothing else.

Sources: docs.bitso.com (general, orders-channel) and a third-party capture of the production
wire of 2026-09-23 (nemanull/arbitrage-observatory), which is followed where the two disagree.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from bitso_spread.errors import ExchangeError
from bitso_spread.model import Quote

CHANNEL = "orders"
SUBSCRIBE = "subscribe"
KEEP_ALIVE = "ka"
_KNOWN_TYPES = (CHANNEL, KEEP_ALIVE)

# An orders frame has 4.6 KB (40 orders). A thousand times that is no order book.
MAX_FRAME_BYTES = 4 * 1024 * 1024
# An orders frame has the best 20 single orders a side.
ORDERS_A_SIDE = 20
# Far more digits than a price or an amount has, and few enough to compute with.
PLAIN_DECIMAL = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")
# What `sent` may be, in ms since the epoch: anything else is no time, and would pass for a lag.
_SENT_MS = range(1, 2**53)


class Rejection(StrEnum):
    """Why a message was not taken; the counters are named by these."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_TEXT = "not_text"
    BAD_SHAPE = "bad_shape"
    BAD_PRICE = "bad_price"
    ONE_SIDED = "one_sided"
    EMPTY = "empty"
    CROSSED = "crossed"
    LOCKED = "locked"
    UNKNOWN_BOOK = "unknown_book"


class RejectedError(ExchangeError):
    """A message, a level or a book that cannot be a quote."""

    def __init__(self, reason: Rejection, detail: str, book: str | None = None) -> None:
        super().__init__(f"{reason.value}: {detail}" + (f" ({book})" if book else ""))
        self.reason = reason
        self.book = book


class Ack(msgspec.Struct, frozen=True):
    """The exchange took a subscription; its frames follow when the book next changes."""

    action: str
    book: str | None
    """None where the reply does not repeat it, as in Bitso's documentation."""
    channel: str | None


class Refusal(msgspec.Struct, frozen=True):
    """The exchange refused a request, such as the subscription of an unknown book."""

    text: str
    book: str | None
    """The book that the text names, if any: a refusal has no field for it."""


class KeepAlive(msgspec.Struct, frozen=True):
    """``{"type":"ka"}``, every 20 s: the socket lives; it says nothing of any book."""


class Orders(msgspec.Struct, frozen=True):
    """The top of a book after a change: the best of its 20 single orders a side."""

    quote: Quote
    sent_ms: int | None
    """The exchange's clock when it sent the frame, ms since the epoch; None if it did not say."""


class Unknown(msgspec.Struct, frozen=True):
    """A well-formed message of a type that this recorder does not ask for."""

    type: str | None


class Side(NamedTuple):
    """The buyers or the sellers of a book: orders, or price levels, in any order."""

    prices: Sequence[str]
    """In the minor currency."""
    amount_of: Callable[[int], object] | None = None
    """Gives the amount at the price of an index, as text, in the major currency; None where the
    exchange tells no amounts."""
    is_cut: bool = False
    """Whether the exchange may have left out orders further from the top."""


Message = Ack | Refusal | KeepAlive | Orders | Unknown


class _Order(msgspec.Struct, gc=False):
    r: str
    # Any: an amount that cannot be read is not known, and costs the book nothing else.
    a: Any = None


class _Book(msgspec.Struct, gc=False):
    bids: list[_Order]
    asks: list[_Order]


class _Frame(msgspec.Struct, gc=False):
    # Any where nothing depends on the type: a book is not lost for a "sent" that is text.
    type: str | None = None
    book: str | None = None
    payload: _Book | list[msgspec.Raw] | str | None = None
    sent: Any = None
    action: str | None = None
    error: Any = None


class _Envelope(msgspec.Struct, gc=False):
    type: Any = None
    book: Any = None


_frames = msgspec.json.Decoder(_Frame)
_envelopes = msgspec.json.Decoder(_Envelope)


def subscribe(book: str) -> str:
    """Give the text that asks for the `orders` channel of one book."""
    return json.dumps({"action": SUBSCRIBE, "book": book, "type": CHANNEL})


def unsubscribe(book: str) -> str:
    """Give the text that ends a subscription (undocumented; answered ``ok`` on the wire)."""
    return json.dumps({"action": "unsubscribe", "book": book, "type": CHANNEL})


def decode(data: bytes) -> Message:
    """Read one text frame.

    Raises:
        RejectedError: the frame is malformed, or its top of book cannot be a quote; `book` is
            set where the frame says which book it is about.
    """
    if len(data) > MAX_FRAME_BYTES:
        raise RejectedError(Rejection.TOO_LARGE, f"a frame of {len(data)} bytes")
    try:
        frame = _frames.decode(data)
    except msgspec.ValidationError as error:
        return _misshapen(data, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedError(Rejection.NOT_JSON, str(error)) from None
    # An ack carries "type":"orders" too, so a payload decides what is data.
    if frame.action is None and frame.type == CHANNEL and frame.payload is not None:
        return _orders(frame)
    return _other(frame)


def top_of_book(book: str, bids: Side, asks: Side) -> Quote:
    """Find the best bid (the highest) and the best ask (the lowest), whatever the order.

    Prices are plain decimal strings and are compared as decimals; the amounts of the best
    price are added up.

    Raises:
        RejectedError: a side is empty, a price is not a positive plain decimal, or the best
            bid is not below the best ask.
    """
    if not bids.prices or not asks.prices:
        reason = Rejection.ONE_SIDED if bids.prices or asks.prices else Rejection.EMPTY
        raise RejectedError(reason, f"{len(bids.prices)} bids, {len(asks.prices)} asks", book)
    try:
        bid, bid_amount = _best(bids, max)
        ask, ask_amount = _best(asks, min)
    except ValueError as error:
        raise RejectedError(Rejection.BAD_PRICE, str(error), book) from None
    if bid >= ask:
        reason = Rejection.CROSSED if bid > ask else Rejection.LOCKED
        raise RejectedError(reason, f"best bid {bid}, best ask {ask}", book)
    return Quote(book, bid, ask, bid_amount, ask_amount)


def _best(side: Side, pick: Callable[[Iterable[Any]], Any]) -> tuple[Decimal, Decimal | None]:
    prices, amount_of, is_cut = side
    numbers = list(map(_number_of, prices))
    best = pick(numbers)
    first = numbers.index(best)
    count = numbers.count(best)
    # Orders that a frame has no room for may stand at this price too.
    if amount_of is None or (is_cut and count == len(prices)):
        amount_of = _untold
    if count == 1:
        return Decimal(prices[first]), _amount(amount_of(first))
    # Several orders may share a price: 20 of them stood at 6 to 20 prices on the wire. And floats
    # only narrow the choice: rounding keeps the order but can make two prices equal.
    tied = [index for index, number in enumerate(numbers) if number == best]
    price: Decimal = pick(Decimal(prices[index]) for index in tied)
    amounts = [_amount(amount_of(i)) for i in tied if Decimal(prices[i]) == price]
    known = [amount for amount in amounts if amount is not None]
    return price, sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _untold(_: int) -> None:
    return None


def _amount(text: object) -> Decimal | None:
    # What stands at the top mostly stood there in the frame before.
    return _amount_read(text) if isinstance(text, str) else None


@lru_cache(maxsize=4096)
def _amount_read(text: str) -> Decimal | None:
    return Decimal(text) if PLAIN_DECIMAL.fullmatch(text) else None


class _Numbers(dict[str, float]):
    """Prices as numbers, those that have been read before.

    A frame differs from the one before it in an order or two. Reading only what is new in it
    halves the time that decoding takes.
    """

    def __missing__(self, price: str) -> float:
        whole, _, fraction = price.partition(".")
        digits = whole + fraction
        # Shuts out signs, exponents, blanks, underscores, nan and inf, all of which float() takes.
        if not (digits.isdigit() and digits.isascii()):
            raise ValueError("a price is not a plain decimal")
        number = float(price)
        if not 0 < number < math.inf:
            raise ValueError("a price is zero or out of range")
        if len(self) >= _MOST_NUMBERS:
            self.clear()
        self[price] = number
        return number


# 54 books have about 1,500 prices at a time.
_MOST_NUMBERS = 4096
_number_of = _Numbers().__getitem__


def _orders(frame: _Frame) -> Orders:
    if frame.book is None or not isinstance(frame.payload, _Book):
        raise RejectedError(Rejection.BAD_SHAPE, "an orders frame without a book", frame.book)
    quote = top_of_book(frame.book, _side(frame.payload.bids), _side(frame.payload.asks))
    sent = frame.sent
    return Orders(quote, sent if type(sent) is int and sent in _SENT_MS else None)


def _side(orders: list[_Order]) -> Side:
    prices = [order.r for order in orders]
    return Side(prices, lambda index: orders[index].a, len(orders) >= ORDERS_A_SIDE)


def _other(frame: _Frame) -> Message:
    if frame.error is not None:
        text = frame.error if isinstance(frame.error, str) else str(frame.error)
        return Refusal(text, frame.book or _named_in(text))
    if frame.action is not None:
        return Ack(frame.action, frame.book, frame.type)
    if frame.type == KEEP_ALIVE:
        return KeepAlive()
    return Unknown(frame.type)


def _named_in(text: str) -> str | None:
    # "This book is not supported - nope_usd"; a refused channel is named in the same way.
    said, _, name = text.rpartition(" - ")
    return name.strip() or None if "book" in said else None


def _misshapen(data: bytes, why: str) -> Message:
    """Tell a message of a type that nobody asked for, which may look like anything, from junk."""
    try:
        envelope = _envelopes.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        envelope = _Envelope()
    if isinstance(envelope.type, str) and envelope.type not in _KNOWN_TYPES:
        return Unknown(envelope.type)
    book = envelope.book if isinstance(envelope.book, str) else None
    raise RejectedError(Rejection.BAD_SHAPE, why, book)
