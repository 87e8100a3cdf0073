"""What the tests of the order-book client share: frames, a market by hand, and patience."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Protocol

from bitso_spread.exchange.client import OrderBookClient
from bitso_spread.model import Quote
from bitso_spread.sim.ladder import Ladder
from bitso_spread.sim.market import Depth
from bitso_spread.sim.specs import BookSpec, spec_of

Serve = Callable[..., str]
"""Starts a WebSocket server with a handler of the test's own, and gives its URL."""


class Connect(Protocol):
    """Starts a client of the exchange; it is stopped when the test ends."""

    def __call__(self, *books: str, **rules: float) -> OrderBookClient:
        """Follow these books (btc_mxn) by these rules."""


def eventually(condition: Callable[[], object], *, within: float = 30.0) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


def quote(bid: object, ask: object, book: str = "btc_mxn") -> Quote:
    """Give a quote of prices written in any way."""
    return Quote(book, Decimal(str(bid)), Decimal(str(ask)))


def order(price: object, t: int = 0) -> dict[str, object]:
    """Give an order as the `orders` channel shows it."""
    return {
        "a": "0.17311818",
        "d": 1790126712169,
        "o": "1vyCiAiOuSjO7CND",
        "r": price,
        "s": "undefined",
        "t": t,
        "v": "14994.11180616",
    }


def orders_frame(
    bids: Sequence[object],
    asks: Sequence[object],
    *,
    book: object = "btc_mxn",
    sent: object = 1790126714262,
    **fields: object,
) -> bytes:
    """Give a frame of the `orders` channel, with prices as they are given."""
    payload = {
        "bids": [order(price) for price in bids],
        "asks": [order(price, 1) for price in asks],
    }
    message = {"payload": payload, "sent": sent, "book": book, "type": "orders", **fields}
    return json.dumps(message, separators=(",", ":")).encode()


class HandMarket:
    """A market that moves when a test says so, and stands still otherwise."""

    def __init__(self, *tops: Quote) -> None:
        self._specs = {top.book: spec_of(top.book) for top in tops}
        self._ladders = {
            book: Ladder(spec, Random(0))  # noqa: S311  (a market, not a secret)
            for book, spec in self._specs.items()
        }
        self._next = {top.book: top for top in tops}
        self._depths: dict[str, Depth] = {}

    @property
    def specs(self) -> Mapping[str, BookSpec]:
        """The books there are."""
        return self._specs

    def move(self, top: Quote) -> None:
        """Let a book change; from any thread."""
        self._next[top.book] = top

    def subscribed(self, now_ms: int) -> None:
        """Do nothing."""

    def depth(self, book: str, now_ms: int) -> Depth:
        """Give the book with the top it was last given."""
        if (top := self._next.pop(book, None)) is not None:
            bid, ask = (self._specs[book].ticks(price) for price in (top.bid, top.ask))
            self._depths[book] = self._ladders[book].move(bid, ask, now_ms)
        return self._depths[book]

    def next_change_ms(self, book: str) -> int | None:
        """Give a time long past where a change waits."""
        return 0 if book in self._next else None
