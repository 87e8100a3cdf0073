"""The orders of one book below a given top: 60 price levels and more a side, best first.

Who holds a ladder says where the best bid and ask are; the ladder keeps everything below
plausible. When that happens is the market's job.
"""

from __future__ import annotations

import string
import zlib
from bisect import insort
from collections.abc import Callable
from random import Random

from bitso_spread.sim.market import AMOUNT_DECIMALS, Depth, Order
from bitso_spread.sim.specs import BookSpec, decimal_text

BID, ASK = 0, 1
TOP = 20
"""How many single orders of a side the `orders` channel shows."""

_LETTERS = string.ascii_letters + string.digits
# REST shows 50 levels; some in reserve, so that most moves need no new ones at the bottom.
_LEVELS = 60
_MOST_ORDERS = 200
_SEQUENCE_BASE = 4_500_000_000
# One order in three joins a price that is taken: on real books 20 orders cover 6-20 prices.
_JOINS = 0.35
# A level lies on average 0.01 % of the price below the one before it.
_GAP = 0.0001


def _by_bid(order: Order) -> int:
    return -order.ticks


def _by_ask(order: Order) -> int:
    return order.ticks


_RANK: tuple[Callable[[Order], int], ...] = (_by_bid, _by_ask)
_AWAY = (-1, 1)


class Ladder:
    """A book's resting orders, changed by events; all that is random comes from `rng`."""

    def __init__(self, spec: BookSpec, rng: Random) -> None:
        self._book = spec.book
        self._decimals = spec.decimals
        self._tick_units = int(spec.tick.scaleb(spec.decimals))
        self._rng = rng
        self._sides: tuple[list[Order], list[Order]] = ([], [])
        self._sequence = _SEQUENCE_BASE + zlib.crc32(spec.book.encode())

    def move(self, bid: int, ask: int, at_ms: int) -> Depth:
        """Put the best bid and ask, in ticks, where they are said to be."""
        for side, best in ((BID, bid), (ASK, ask)):
            self._set_best(side, best, at_ms)
        return self.depth()

    def stir(self, at_ms: int) -> Depth:
        """Replace one order of a top 20 by another, leaving the best prices alone."""
        side = self._rng.choice((BID, ASK))
        orders = self._sides[side]
        visible = min(TOP, len(orders))
        model = orders[self._rng.randrange(visible)].ticks
        if self._rng.random() >= _JOINS:
            model = max(1, model + _AWAY[side] * self._gap(model))
        if visible > 1:
            del orders[self._rng.randrange(1, visible)]
        self._place(side, model, at_ms)
        self._fill(side, at_ms)
        self._sequence += 2
        return self.depth()

    def depth(self) -> Depth:
        """Give the book as it stands."""
        bids, asks = self._sides
        return Depth(self._book, self._sequence, tuple(bids), tuple(asks))

    def _set_best(self, side: int, best: int, at_ms: int) -> None:
        orders = self._sides[side]
        gone = 0
        while gone < len(orders) and (orders[gone].ticks - best) * _AWAY[side] < 0:
            gone += 1
        del orders[:gone]
        if not orders or orders[0].ticks != best:
            self._place(side, best, at_ms)
        self._sequence += gone + 1
        self._fill(side, at_ms)
        if len(orders) > _MOST_ORDERS:
            del orders[_MOST_ORDERS * 3 // 4 :]

    def _fill(self, side: int, at_ms: int) -> None:
        orders = self._sides[side]
        missing = _LEVELS - len({order.ticks for order in orders})
        last = orders[-1].ticks
        for _ in range(missing):
            last += _AWAY[side] * self._gap(last)
            if last < 1:
                break
            self._place(side, last, at_ms)
            while self._rng.random() < _JOINS:
                self._place(side, last, at_ms)

    def _gap(self, ticks: int) -> int:
        return 1 + int(self._rng.expovariate(1.0) * ticks * _GAP)

    def _place(self, side: int, ticks: int, at_ms: int) -> None:
        insort(self._sides[side], self._order(side, ticks, at_ms), key=_RANK[side])

    def _order(self, side: int, ticks: int, at_ms: int) -> Order:
        rng = self._rng
        units = ticks * self._tick_units
        price = decimal_text(units, self._decimals)
        # Worth 10 to 40,000 of the minor currency; people like round amounts, machines don't.
        lots = int(10 ** (rng.uniform(1.0, 4.6) + AMOUNT_DECIMALS) / float(price)) + 1
        if rng.random() < 0.4:
            step = 10 ** (len(str(lots)) - rng.randint(1, 3) if lots >= 1000 else 0)
            lots -= lots % step
        oid = "".join(rng.choices(_LETTERS, k=16))
        amount = decimal_text(lots, AMOUNT_DECIMALS)
        value = decimal_text(units * lots, self._decimals + AMOUNT_DECIMALS)
        entry = (
            f'{{"a":"{amount}","d":{at_ms},"o":"{oid}","r":"{price}",'
            f'"s":"undefined","t":{side},"v":"{value}"}}'
        )
        return Order(oid, ticks, price, lots, at_ms, entry)
