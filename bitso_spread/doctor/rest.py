"""The checks of REST: the budget, the books on offer, tickers, order books, refusals.

Each takes `Questions` and gives a finding with what it learnt; an ExchangeError goes through,
and `bitso_spread.doctor.examination` makes a finding of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from bitso_spread.doctor.finding import Finding, failed, listed, ms, ok, skipped, warning
from bitso_spread.doctor.replies import Answer, Questions
from bitso_spread.doctor.told import told
from bitso_spread.errors import UnknownBookError
from bitso_spread.exchange.budget import RequestBudget
from bitso_spread.exchange.rest_errors import BitsoError, UnknownOrderBookError
from bitso_spread.exchange.rest_models import BookInfo, OrderBook, Ticker
from bitso_spread.exchange.wire import RejectedError
from bitso_spread.model import Quote, resolve_book

BUDGET = "request budget"
OFFER = "books on offer"
TICKERS = "tickers of all books"
REFUSAL = "unknown book by REST"
GRID = "price grid"
# A name that is well-formed, and that no exchange would give to a book.
NO_BOOK = "nope_nope"
_ELSEWHERE = "check --rest-url; if that is right, Bitso has changed its API, so please report it"
# api.md: an aggregated book has at most so many price levels a side.
_LEVELS = 50


def check_budget(budget: RequestBudget, needed: int) -> tuple[Finding, bool]:
    """Tell how many requests are free now, and whether REST may be asked."""
    free, requests, silence_s = budget.room()
    if silence_s > 0:
        detail = f"the exchange has said that there were too many: silent for {silence_s:.0f} s yet"
        return failed(BUDGET, detail, "try again then; see what else asks Bitso from here"), False
    detail = f"{free} of {requests} requests a minute are free; this run makes {needed}"
    if free < needed:
        advice = "another process of yours asks Bitso: try again in a minute"
        return failed(BUDGET, detail, advice), False
    return ok(BUDGET, f"{detail}, or a few more where prices seem to differ"), True


def check_offer(
    names: Sequence[str], listing: Sequence[BookInfo], unreadable: int
) -> tuple[Finding, list[str]]:
    """Tell whether the books are on offer; gives those that are, all of them for no name."""
    available = {info.book for info in listing}
    if not available:
        which = (
            f"none of {unreadable} that are listed can be read" if unreadable else "none is listed"
        )
        # As the recorder does: a feed that works need not wait for REST.
        return failed(OFFER, f"{which}; names are taken as written", _ELSEWHERE), list(names)
    books, missing = [], []
    for name in names or sorted(available):
        try:
            books.append(resolve_book(name, available))
        except UnknownBookError as error:
            missing.append(str(error))
    books = list(dict.fromkeys(books))
    if missing:
        advice = "bitso-spread books lists those that there are; a halted book is not among them"
        return failed(OFFER, "; ".join(missing[:3]), advice), books
    detail = f"{len(available)} are listed, with {listed(books)}"
    if unreadable:
        return warning(
            OFFER,
            f"{detail}; {unreadable} cannot be read",
            "a book that cannot be read is not recorded with --book all: please report it",
        ), books
    return ok(OFFER, detail), books


def check_tickers(
    books: Sequence[str],
    answer: Answer[list[Ticker]],
    unreadable: int,
    listing: Sequence[BookInfo],
) -> tuple[Finding, dict[str, Quote]]:
    """Tell whether one request gives the best bid and ask of every book."""
    tickers = {ticker.book: ticker for ticker in answer.value}
    quotes, wrong = {}, []
    for book in books:
        try:
            quotes[book] = tickers[book].quote()
        except KeyError:
            wrong.append(f"{book} is missing")
        except RejectedError as error:
            wrong.append(f"{book}: {error}")
    detail = f"{len(tickers)} in one reply of {ms(answer.received - answer.sent)}"
    advice = "while the feed is down REST carries the books by this reply: rows would be empty"
    if wrong:
        return failed(TICKERS, f"{detail}; {'; '.join(wrong[:3])}", advice), quotes
    if unreadable:
        return warning(TICKERS, f"{detail}; {unreadable} cannot be read", advice), quotes
    if missing := {info.book for info in listing} - set(tickers):
        return warning(TICKERS, f"{detail}, and none of {listed(missing)}", advice), quotes
    return ok(TICKERS, f"{detail}, with {listed(books)}"), quotes


def check_refusal(questions: Questions) -> Finding:
    """Tell whether a book that does not exist is refused in so many words.

    Raises:
        ExchangeError: it could not be asked.
    """
    advice = "a name that was mistyped may never be told from a quiet book: please report it"
    try:
        questions.ask(lambda client: client.order_book(NO_BOOK))
    except UnknownOrderBookError as error:
        return ok(REFUSAL, f"{NO_BOOK} is refused: HTTP {error.status}, code {error.code}")
    except BitsoError as error:
        if error.is_passing:
            raise
        what, _ = told(error)
        return failed(REFUSAL, f"{NO_BOOK} is refused in other words: {what}", advice)
    return failed(REFUSAL, f"{NO_BOOK} was answered with an order book", advice)


def check_order_book(book: str, answer: Answer[OrderBook]) -> Finding:
    """Tell whether an order book is as it is believed to be.

    That prices and amounts are decimal strings and the sequence is a number, the client has
    seen to: it would have refused the reply.
    """
    name = f"order book {book}"
    found = answer.value
    try:
        found.quote()
    except RejectedError as error:
        advice = "rows stay empty while it is so: look at the book on bitso.com, and run again"
        return failed(name, str(error), advice)
    bids = [level.price for level in found.bids]
    asks = [level.price for level in found.asks]
    took = ms(answer.received - answer.sent)
    detail = f"{len(bids)} bids and {len(asks)} asks, sequence {found.sequence}, in {took}"
    odd = []
    if bids != sorted(bids, reverse=True) or asks != sorted(asks):
        odd.append("not best first")
    if max(len(bids), len(asks)) > _LEVELS:
        odd.append(f"more than {_LEVELS} levels")
    if odd:
        return warning(
            name,
            f"{detail}; {' and '.join(odd)}",
            "nothing depends on it, but it was another way when this was written: please report it",
        )
    return ok(name, f"{detail}, best first")


def check_grid(
    listing: Sequence[BookInfo], books: Sequence[str], prices: Mapping[str, set[Decimal]]
) -> Finding:
    """Tell whether each book has a tick size, and all prices seen are whole multiples of it."""
    ticks = {info.book: info.tick_size for info in listing if info.book in books}
    if not ticks:
        return skipped(GRID, "no tick size is known")
    without = [book for book, tick in ticks.items() if not tick]
    off = {
        f"{book} {price.normalize():f} (tick {tick})"
        for book, tick in ticks.items()
        for price in prices.get(book, ())
        if tick and price % tick
    }
    if off or without:
        parts = [f"off the grid: {listed(off)}"] if off else []
        parts += [f"without a tick size: {listed(without)}"] if without else []
        advice = "recording does not depend on it; prices are kept as they come: please report it"
        return warning(GRID, "; ".join(parts), advice)
    seen = sum(len(prices.get(book, ())) for book in ticks)
    few = ", ".join(f"{book} {tick}" for book, tick in sorted(ticks.items())[:3])
    return ok(GRID, f"{seen} prices are whole multiples of the tick: {few}")
