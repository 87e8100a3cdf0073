"""One look at many books at once, each with when it was seen, or why it was not.

For whoever wants the books now and once; keeping up with them is bitso_spread.exchange.client's
job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bitso_spread.clock import SYSTEM_CLOCK, Clock
from bitso_spread.errors import ExchangeError
from bitso_spread.exchange.confirm import TICKER_ABOVE
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_errors import BadReplyError
from bitso_spread.exchange.rest_models import OrderBook, Ticker
from bitso_spread.model import Quote

_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a book; without a quote, `error` says why."""

    book: str
    received: float
    """When the reply, or the failure, was there: seconds since the epoch, UTC."""
    received_monotonic: float
    """The same on the monotonic clock, for its age."""
    quote: Quote | None = None
    order_book: OrderBook | None = None
    """The price levels, where they were asked for."""
    error: ExchangeError | None = None


def look(
    client: RestClient,
    books: Sequence[str],
    *,
    levels: bool = False,
    clock: Clock = SYSTEM_CLOCK,
) -> list[Look]:
    """Look at the books, in their order; no failure of one hides another.

    Up to ten books are asked for side by side, so that they are of one moment. More are taken
    from the one request that gives the top of every book, unless their `levels` are wanted.
    """
    if len(books) > TICKER_ABOVE and not levels:
        return _by_ticker(client, books, clock)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda book: _by_order_book(client, book, clock), books))


def _by_order_book(client: RestClient, book: str, clock: Clock) -> Look:
    try:
        order_book = client.order_book(book)
    except ExchangeError as error:
        return _look(book, None, error, clock)
    return _look(book, order_book, None, clock)


def _by_ticker(client: RestClient, books: Iterable[str], clock: Clock) -> list[Look]:
    try:
        tickers = {ticker.book: ticker for ticker in client.tickers()}
    except ExchangeError as error:
        return [_look(book, None, error, clock) for book in books]
    missing = BadReplyError("the list of tickers does not have it; try again later")
    return [_look(book, tickers.get(book), missing, clock) for book in books]


def _look(
    book: str,
    seen: OrderBook | Ticker | None,
    error: ExchangeError | None,
    clock: Clock,
) -> Look:
    at = clock.wall(), clock.monotonic()
    if seen is None:
        return Look(book, *at, error=error)
    order_book = seen if isinstance(seen, OrderBook) else None
    try:
        return Look(book, *at, seen.quote(), order_book)
    except ExchangeError as reason:
        return Look(book, *at, None, order_book, reason)
