"""REST replies: bytes in, values of rest_models out. Pure, no I/O.

Whether a reply is data at all is bitso_spread.exchange.rest_errors' question. A single order
book or ticker is taken whole or not at all; of a list, a row that cannot be read costs only
itself. Fields that nobody here needs are passed over, so that new ones do no harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from bitso_spread.errors import UsageError
from bitso_spread.exchange.rest_errors import BadReplyError
from bitso_spread.exchange.rest_models import BookInfo, Level, OrderBook, Ticker
from bitso_spread.exchange.wire import PLAIN_DECIMAL, RejectedError, Rejection
from bitso_spread.model import parse_book

# A 64-bit integer: btc_mxn is past 2^32.
_SEQUENCE = re.compile(r"[0-9]{1,19}")

T = TypeVar("T")


class _Reply(msgspec.Struct):
    payload: msgspec.Raw


class _Level(msgspec.Struct):
    price: str
    amount: str
    book: str | None = None


class _OrderBook(msgspec.Struct):
    bids: list[_Level]
    asks: list[_Level]
    sequence: int | str
    updated_at: str


class _Ticker(msgspec.Struct):
    book: str
    bid: str
    ask: str
    created_at: str


class _BookInfo(msgspec.Struct):
    book: str
    tick_size: str | None = None
    minimum_amount: str | None = None
    maximum_amount: str | None = None
    minimum_price: str | None = None
    maximum_price: str | None = None
    minimum_value: str | None = None
    maximum_value: str | None = None


def read_order_book(body: bytes, book: str) -> OrderBook:
    """Read the reply to ``/order_book/?book=``.

    Raises:
        BadReplyError: it is not an order book, or that of another book.
    """
    return _whole(lambda: _order_book(_payload(body, _OrderBook), book), f"order book of {book}")


def read_ticker(body: bytes, book: str) -> Ticker:
    """Read the reply to ``/ticker/?book=``.

    Raises:
        BadReplyError: it is not a ticker, or that of another book.
    """

    def read() -> Ticker:
        ticker = _ticker(_payload(body, msgspec.Raw))
        if ticker.book != book:
            raise RejectedError(Rejection.BAD_SHAPE, f"it is that of {ticker.book!r}")
        return ticker

    return _whole(read, f"ticker of {book}")


def read_tickers(body: bytes) -> tuple[list[Ticker], list[RejectedError]]:
    """Read the reply to ``/ticker/``: what could be read, and why the rest could not.

    Raises:
        BadReplyError: it is no list at all.
    """
    return _rows(body, _ticker, "list of tickers")


def read_available_books(body: bytes) -> tuple[list[BookInfo], list[RejectedError]]:
    """Read the reply to ``/available_books/``: what could be read, and why the rest could not.

    Raises:
        BadReplyError: it is no list at all.
    """
    return _rows(body, _book_info, "list of books")


def plain_decimal(text: str) -> Decimal:
    """Read a number as Bitso writes it: digits, and perhaps a point and digits.

    Raises:
        RejectedError: anything else, so also signs, exponents, blanks, underscores and NaN.
    """
    if not PLAIN_DECIMAL.fullmatch(text):
        raise RejectedError(Rejection.BAD_PRICE, f"{text[:40]!r} is not a plain decimal")
    return Decimal(text)


def instant(text: str) -> datetime:
    """Read a time with its offset: ``…:36+00:00``, ``…:31.000+00:00`` and ``…:01+0000``.

    Raises:
        RejectedError: it is no time, or does not say where.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise RejectedError(Rejection.BAD_SHAPE, f"{text[:40]!r} is not a time with an offset")


def _payload(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(msgspec.json.decode(body, type=_Reply).payload, type=kind)
    except msgspec.ValidationError as error:
        raise RejectedError(Rejection.BAD_SHAPE, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedError(Rejection.NOT_JSON, str(error)) from None


def _whole(read: Callable[[], T], what: str) -> T:
    try:
        return read()
    except RejectedError as error:
        raise BadReplyError(f"the reply is no {what}: {error}; try again later") from None


def _rows(
    body: bytes,
    read: Callable[[msgspec.Raw], T],
    what: str,
) -> tuple[list[T], list[RejectedError]]:
    rows: list[T] = []
    rejected: list[RejectedError] = []
    for raw in _whole(lambda: _payload(body, list[msgspec.Raw]), what):
        try:
            rows.append(read(raw))
        except RejectedError as error:
            rejected.append(error)
    return rows, rejected


def _row(raw: msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RejectedError(Rejection.BAD_SHAPE, str(error)) from None


def _order_book(payload: _OrderBook, book: str) -> OrderBook:
    sequence = str(payload.sequence)
    if not _SEQUENCE.fullmatch(sequence):
        raise RejectedError(Rejection.BAD_SHAPE, f"{sequence[:40]!r} is not a sequence number")
    return OrderBook(
        book,
        _levels(payload.bids, book),
        _levels(payload.asks, book),
        int(sequence),
        instant(payload.updated_at),
    )


def _levels(levels: Iterable[_Level], book: str) -> tuple[Level, ...]:
    read = []
    for level in levels:
        if level.book not in {None, book}:
            raise RejectedError(Rejection.BAD_SHAPE, f"a level is of {level.book!r}")
        read.append(Level(plain_decimal(level.price), plain_decimal(level.amount)))
    return tuple(read)


def _ticker(raw: msgspec.Raw) -> Ticker:
    row = _row(raw, _Ticker)
    return Ticker(
        _canonical(row.book),
        plain_decimal(row.bid),
        plain_decimal(row.ask),
        instant(row.created_at),
    )


def _book_info(raw: msgspec.Raw) -> BookInfo:
    row = msgspec.structs.asdict(_row(raw, _BookInfo))
    book = _canonical(row.pop("book"))
    limits: dict[str, Any] = {
        name: None if text is None else plain_decimal(text) for name, text in row.items()
    }
    return BookInfo(book, **limits)


def _canonical(book: str) -> str:
    # Names become folders of the lake, so a foreign one must be a name and nothing else.
    try:
        if parse_book(book) == book:
            return book
    except UsageError:
        pass
    raise RejectedError(Rejection.BAD_SHAPE, f"{book[:40]!r} is not the name of a book")
