"""What a market is to the simulated exchange: the book of X at a time, and when it changes.

The values (orders, depth) and the protocol that the synthetic and the replayed market
follow. How they become JSON is the job of `payloads`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bitso_spread.sim.specs import BookSpec

AMOUNT_DECIMALS = 8
"""Amounts are counted in lots of 1e-8 of the major currency, as Bitso pads them."""


class Order(NamedTuple):
    """One resting order."""

    oid: str
    """16 letters and digits."""
    ticks: int
    """Its price in ticks of its book."""
    price: str
    lots: int
    """Its amount in 1e-8 of the major currency."""
    created_ms: int
    """When it was placed; immutable, so that a change of its amount is another order."""
    entry: str
    """The order as the `orders` channel shows it, in JSON. Written once: an order stays in
    the top 20 for many frames."""


@dataclass(frozen=True, slots=True)
class Depth:
    """A book at one instant: its individual orders, best first, several at one price."""

    book: str
    sequence: int
    """Grows with each event of the book; above 2**32, as on the real btc_mxn."""
    bids: tuple[Order, ...]
    asks: tuple[Order, ...]


class Market(Protocol):
    """Where the books of the simulated exchange come from. Times are ms since the epoch."""

    @property
    def specs(self) -> Mapping[str, BookSpec]:
        """The books there are, by name, in the order in which they are listed."""

    def subscribed(self, now_ms: int) -> None:
        """Take note that a client has subscribed to a book, for markets that wait for it."""

    def depth(self, book: str, now_ms: int) -> Depth:
        """Give the book as it stands; time never goes back, whatever is asked for."""

    def next_change_ms(self, book: str) -> int | None:
        """Give when the book changes next, after the latest depth; None is never."""
