"""What REST gives: order books, tickers and the books on offer, as values.

Fetching them is bitso_spread.exchange.rest's job, reading them rest_replies'. Prices and
amounts are decimal text on the wire, mixed in their zero padding (``0.8``, ``0.00048690``,
``2023010.000000000000``), and stay decimals here.

Sources: recorded replies of 2017 to 2026, and docs.bitso.com (list-order-book, ticker,
list-available-books).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from bitso_spread.exchange.wire import Side, top_of_book
from bitso_spread.model import Quote


@dataclass(frozen=True, slots=True)
class Level:
    """A price and what is offered at it: summed over its orders, or that of one order."""

    price: Decimal
    """In the minor currency."""
    amount: Decimal
    """In the major currency."""


@dataclass(frozen=True, slots=True)
class DepthLevel:
    """A price level and what is offered at it and at better prices together."""

    price: Decimal
    amount: Decimal
    cumulative: Decimal


@dataclass(frozen=True, slots=True)
class OrderBook:
    """A book as one reply gave it: up to 50 price levels a side, or every single order."""

    book: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: int
    """Counts the book's changes; the same counter as that of the `diff-orders` channel."""
    updated_at: datetime
    """UTC, whole seconds: when the reply was made, and not when the book last changed."""

    def quote(self) -> Quote:
        """Give the best bid and ask, whatever the order of the levels.

        Raises:
            RejectedError: a side is empty, or the best bid is not below the best ask.
        """
        return top_of_book(self.book, _side(self.bids), _side(self.asks))

    def bid_depth(self, levels: int) -> list[DepthLevel]:
        """Give the best `levels` prices that buyers offer, the highest first."""
        return _depth(sorted(self.bids, key=_price, reverse=True), levels)

    def ask_depth(self, levels: int) -> list[DepthLevel]:
        """Give the best `levels` prices that sellers ask, the lowest first."""
        return _depth(sorted(self.asks, key=_price), levels)


@dataclass(frozen=True, slots=True)
class Ticker:
    """The best bid and ask of a book, without the rest of it."""

    book: str
    bid: Decimal
    ask: Decimal
    created_at: datetime
    """UTC, whole seconds: when the reply was made, and not when a price last changed."""

    def quote(self) -> Quote:
        """Give best bid and ask as a quote.

        Raises:
            RejectedError: a price is zero, or the bid is not below the ask.
        """
        return top_of_book(self.book, Side([f"{self.bid:f}"]), Side([f"{self.ask:f}"]))


@dataclass(frozen=True, slots=True)
class BookInfo:
    """A book that can be traded, and so recorded. What a reply does not say is None."""

    book: str
    tick_size: Decimal | None
    """The step of prices, in the minor currency; replies of 2017 lack it."""
    minimum_amount: Decimal | None
    """In the major currency, as is the maximum."""
    maximum_amount: Decimal | None
    minimum_price: Decimal | None
    """In the minor currency, as is the maximum."""
    maximum_price: Decimal | None
    minimum_value: Decimal | None
    """Of an order, price times amount, in the minor currency, as is the maximum."""
    maximum_value: Decimal | None


def _price(level: Level) -> Decimal:
    return level.price


def _side(levels: Sequence[Level]) -> Side:
    # str() would write 0.00000001 as 1E-8.
    prices = [f"{level.price:f}" for level in levels]
    return Side(prices, lambda index: f"{levels[index].amount:f}")


def _depth(best_first: Iterable[Level], levels: int) -> list[DepthLevel]:
    cumulative = Decimal(0)
    depth: list[DepthLevel] = []
    for price, orders in groupby(best_first, key=_price):
        if len(depth) == levels:
            break
        amount = sum((order.amount for order in orders), Decimal(0))
        cumulative += amount
        depth.append(DepthLevel(price, amount, cumulative))
    return depth
