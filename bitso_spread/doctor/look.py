"""Looking at the books by REST while the feed goes on, until both agree or clearly do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from bitso_spread.doctor.agreement import Comparison, Glance, compare
from bitso_spread.doctor.replies import Answer, Questions
from bitso_spread.doctor.transcript import Said
from bitso_spread.errors import ExchangeError
from bitso_spread.exchange.rest_models import OrderBook, Ticker
from bitso_spread.exchange.wire import RejectedError
from bitso_spread.model import Quote

# The order book is asked for of so many books; of more, the ticker will do.
DEEP = 5
# Between two questions the market moves: only who differs in each of so many looks differs.
LOOKS = 3


def requests_of(books: int) -> int:
    """Give how many requests a look makes."""
    return 1 + min(books, DEEP)


@dataclass(slots=True)
class Looked:
    """What the looks at some books found."""

    looks: int = 0
    order_books: dict[str, Answer[OrderBook]] = field(default_factory=dict)
    """The last one of each book."""
    tickers: dict[str, Answer[Ticker]] = field(default_factory=dict)
    errors: dict[str, ExchangeError] = field(default_factory=dict)
    """Why there is no order book of these."""
    no_tickers: ExchangeError | None = None
    """Why there are no tickers."""
    comparisons: dict[str, Comparison] = field(default_factory=dict)

    @property
    def quotes(self) -> dict[str, Quote]:
        """The best bid and ask of each ticker that has them."""
        return {
            book: quote for book, answer in self.tickers.items() if (quote := _quote(answer.value))
        }

    @property
    def stated(self) -> list[tuple[str, datetime]]:
        """The time that each reply gave, and its field."""
        books = [("updated_at", answer.value.updated_at) for answer in self.order_books.values()]
        tickers = [("created_at", answer.value.created_at) for answer in self.tickers.values()]
        return books + tickers

    def prices(self, said: Mapping[str, Sequence[Said]]) -> dict[str, set[Decimal]]:
        """Give all prices that were seen of each book, by the feed too."""
        seen: dict[str, set[Decimal]] = {}
        for book in self.comparisons:
            prices = seen.setdefault(book, set())
            if (deep := self.order_books.get(book)) is not None:
                prices |= {level.price for level in (*deep.value.bids, *deep.value.asks)}
            for frame in said.get(book, ()):
                prices |= {frame.quote.bid, frame.quote.ask}
        for book, quote in self.quotes.items():
            seen.setdefault(book, set()).update((quote.bid, quote.ask))
        return seen


def look(
    questions: Questions,
    books: Sequence[str],
    said: Callable[[str], Sequence[Said]],
    *,
    settle: Callable[[], object],
    settle_s: float,
) -> Looked:
    """Look until each book agrees, at most `LOOKS` times.

    `said` gives the valid frames of a book so far, and `settle` waits until the frames of what
    REST has just said have come.
    """
    looked = Looked()
    pending = list(books)
    while pending and looked.looks < LOOKS:
        looked.looks += 1
        _ask(questions, pending, books[:DEEP], looked)
        settle()
        for book in pending:
            looked.comparisons[book] = compare(_glances(book, looked), said(book), settle_s)
        pending = [book for book in pending if looked.comparisons[book].differs is not None]
    return looked


def _ask(questions: Questions, pending: Sequence[str], deep: Sequence[str], looked: Looked) -> None:
    try:
        answer = questions.ask(lambda client: client.tickers())
    except ExchangeError as error:
        looked.tickers, looked.no_tickers = {}, error
    else:
        looked.tickers = {
            ticker.book: Answer(ticker, answer.sent, answer.received)
            for ticker in answer.value
            if ticker.book in pending
        } | {book: kept for book, kept in looked.tickers.items() if book not in pending}
    for book in deep:
        if book not in pending:
            continue
        try:
            looked.order_books[book] = _order_book(questions, book)
        except ExchangeError as error:
            looked.errors[book] = error
            looked.order_books.pop(book, None)


def _order_book(questions: Questions, book: str) -> Answer[OrderBook]:
    return questions.ask(lambda client: client.order_book(book))


def _glances(book: str, looked: Looked) -> list[Glance]:
    answers: list[tuple[str, Answer[OrderBook] | Answer[Ticker] | None]] = [
        ("order book", looked.order_books.get(book)),
        ("ticker", looked.tickers.get(book)),
    ]
    return [
        Glance(source, quote, answer.sent, answer.received)
        for source, answer in answers
        if answer is not None and (quote := _quote(answer.value)) is not None
    ]


def _quote(seen: OrderBook | Ticker) -> Quote | None:
    try:
        return seen.quote()
    except RejectedError:
        return None
