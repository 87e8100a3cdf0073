"""The JSON of the simulated exchange, true to what was recorded of Bitso. Pure.

What is known of each shape is in the docstring of its function; who asks for it, and
whether it is sent, is the job of `rest` and `feed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby, islice

from bitso_spread.sim.ladder import TOP
from bitso_spread.sim.market import AMOUNT_DECIMALS, Depth, Order
from bitso_spread.sim.specs import BookSpec, decimal_text

KEEP_ALIVE = '{"type":"ka"}'
NO_TRADES = '{"payload":[],"success":true}'
THROTTLED = (
    '{"success":false,"error":{"code":"0801","message":"You have hit the request rate-limit"}}'
)
_LEVELS = 50


def compact(value: object) -> str:
    """Write JSON without whitespace, as Bitso does."""
    return json.dumps(value, separators=(",", ":"))


def orders_payload(bids: Iterable[Order], asks: Iterable[Order]) -> str:
    """Give the payload of an `orders` frame: the best 20 single orders of each side."""
    sides = (",".join(order.entry for order in islice(side, TOP)) for side in (bids, asks))
    return '{{"bids":[{}],"asks":[{}]}}'.format(*sides)


def orders_frame(book: str, payload: str, sent_ms: int) -> str:
    """Put the envelope around a payload: no sequence number, the sending time last."""
    return f'{{"payload":{payload},"sent":{sent_ms},"book":"{book}","type":"orders"}}'


def order_book(depth: Depth, now_s: float, *, aggregate: bool) -> str:
    """Give REST's order book: 50 price levels a side, or every order with its `oid`.

    `updated_at` is the second of the reply, whenever the book last changed.
    """
    shape = _levels if aggregate else _single_orders
    payload = {
        "updated_at": timestamp(now_s),
        "sequence": str(depth.sequence),
        "bids": shape(depth.book, depth.bids),
        "asks": shape(depth.book, depth.asks),
    }
    return compact({"success": True, "payload": payload})


def _levels(book: str, orders: Sequence[Order]) -> list[dict[str, str]]:
    levels = groupby(orders, key=lambda order: (order.ticks, order.price))
    return [
        {"book": book, "price": price, "amount": _amount(ticks, sum(o.lots for o in level))}
        for (ticks, price), level in islice(levels, _LEVELS)
    ]


def _single_orders(book: str, orders: Sequence[Order]) -> list[dict[str, str]]:
    return [
        {"book": book, "price": o.price, "amount": _amount(o.ticks, o.lots), "oid": o.oid}
        for o in orders
    ]


def _amount(ticks: int, lots: int) -> str:
    # One reply of the real exchange holds both "0.8" and "0.00048690".
    return decimal_text(lots, AMOUNT_DECIMALS, padded=ticks % 3 == 0)


def ticker(spec: BookSpec, depth: Depth, now_s: float) -> dict[str, object]:
    """Give a book's ticker; its bid and ask are the top of the order book, with 12 zeros."""
    bid, ask = Decimal(depth.bids[0].price), Decimal(depth.asks[0].price)
    day = spec.price_text(spec.ticks(ask * Decimal("1.01")))
    return {
        "high": day,
        "last": depth.bids[0].price,
        "created_at": timestamp(now_s),
        "book": spec.book,
        "volume": "14.39116430",
        "vwap": f"{(bid + ask) / 2:.10f}",
        "low": spec.price_text(spec.ticks(bid * Decimal("0.99"))),
        "ask": f"{ask:.12f}",
        "bid": f"{bid:.12f}",
        "change_24": spec.price_text(spec.ticks(bid * Decimal("0.004"))),
        "rolling_average_change": {"6": "0.1878"},
    }


def available_book(spec: BookSpec) -> dict[str, object]:
    """Give a book's row of `available_books`: eleven fields, all limits as strings."""
    return {
        "default_chart": "tradingview",
        "fees": {
            "flat_rate": {"maker": "0.003", "taker": "0.0036"},
            "structure": [
                {"volume": "1500000", "maker": "0.003", "taker": "0.0036"},
                {"volume": "9999999999", "maker": "0.0004", "taker": "0.0005"},
            ],
        },
        "margin_enabled": False,
        "book": spec.book,
        **spec.limits,
    }


def unknown_order_book(book: str | None) -> str:
    """Give the body of `order_book`'s 400."""
    message = f"Unknown order book {book or 'missing'}"
    error = {"code": "0301", "details": [], "message": message}
    return compact({"error": error, "success": False})


def unknown_ticker_book(book: str) -> str:
    """Give the body of `ticker`'s 400: a numeric code and no `success`."""
    return compact({"error": {"code": 20, "message": f"Unknown OrderBook {book}"}})


def success(payload: object) -> str:
    """Put the envelope of a success around a payload."""
    return compact({"success": True, "payload": payload})


def timestamp(now_s: float) -> str:
    """Write a time as REST does, in whole seconds: ``2025-06-05T13:32:36+00:00``."""
    return f"{datetime.fromtimestamp(now_s, UTC):%Y-%m-%dT%H:%M:%S+00:00}"
