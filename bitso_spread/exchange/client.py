"""The order-book client: REST and feed together give what is known of each book.

REST seeds each book, the feed keeps it, REST confirms a book that has been quiet and carries
all of them while there is no link. What each side makes known is kept by that side; the rules
that read both are in `bitso_spread.exchange.standing`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from bitso_spread.clock import monotonic
from bitso_spread.errors import UnknownBookError, UsageError
from bitso_spread.exchange.environment import PRODUCTION, Environment
from bitso_spread.exchange.feed_side import FeedSide
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_side import RestSide
from bitso_spread.exchange.standing import Link, Rules, Standing, stand
from bitso_spread.lifetime import Running
from bitso_spread.model import Quote, parse_book, parse_books

_POLL_S = 0.02


class OrderBookClient(Running):
    """Knows the best bid and ask of some of Bitso's books, and how well it knows them.

    Starts two threads of its own in `start`, one for the feed and one for REST, and ends them
    in `stop`; as a context manager it does both. Books are named as Bitso names them.

    Raises:
        UsageError: no book is named, a name is not a book's, or the environment has no
            WebSocket host.
    """

    def __init__(
        self,
        books: str | Iterable[str] = ("btc_mxn", "usd_mxn"),
        environment: Environment = PRODUCTION,
        *,
        rules: Rules | None = None,
        rest: RestClient | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        ws_url = feed_url(environment)
        self.environment = environment
        self.rules = rules or Rules()
        self.counts: Counter[str] = Counter()
        """What happened, by name; each name is counted by one thread alone."""
        self._clock = clock
        self._books = tuple(parse_books(books))
        if not self._books:
            raise UsageError("no book is named: give some, such as btc_mxn")
        self._stopped = threading.Event()
        self._feed = FeedSide(
            ws_url,
            self._books,
            rules=self.rules,
            counts=self.counts,
            clock=clock,
            changed=self._look_again,
        )
        self._rest = RestSide(
            # Trying again, and waiting for a slot of the budget, is planned book by book.
            rest or RestClient(environment, attempts=1, patience_s=0.0),
            self._books,
            self._feed,
            rules=self.rules,
            counts=self.counts,
            clock=clock,
        )

    def start(self) -> None:
        """Connect, and ask for the first data, in the background."""
        self._rest.start()
        self._feed.start()

    def stop(self) -> None:
        """End both threads and close every connection, within a second.

        A request under way, or a connection that is being made, is left to time out.
        """
        self._stopped.set()
        self._feed.stop()
        self._rest.stop()

    @property
    def books(self) -> tuple[str, ...]:
        """The books that are followed."""
        return self._books

    def set_books(self, books: Iterable[str]) -> None:
        """Follow these books from now on."""
        names = tuple(parse_books(books))
        self._feed.set_books(names)
        self._rest.set_books(names)
        self._books = names

    @property
    def link(self) -> Link:
        """The state of the feed's connection, as an immutable value."""
        return self._feed.link

    def standing(self, book: str, at: float | None = None) -> Standing:
        """Say what was known of a book at a monotonic instant of the last seconds (now).

        Raises:
            UnknownBookError: the book is not followed.
        """
        if book not in self._books:
            name = parse_book(book)
            if name not in self._books:
                raise UnknownBookError(f"{book} is not among the books that are followed")
            book = name
        instant = self._clock() if at is None else at
        fed, told = self._feed.view(book), self._rest.view(book)
        return stand(book, fed, told, self.link, instant, self.rules)

    def quote(self, book: str) -> Quote | None:
        """Give the best bid and ask of a book now; None if they are not known.

        Raises:
            UnknownBookError: the book is not followed.
        """
        return self.standing(book).quote

    def refusal(self, book: str) -> str | None:
        """Say why the exchange refuses this book; None if it does not."""
        return self._feed.view(book).refused or self._rest.view(book).refused

    def trouble(self, book: str) -> str:
        """Say why nothing vouches for a book, from what the feed and REST last said."""
        said = [self.standing(book).reason, self._rest.view(book).failure]
        return "; ".join(part for part in said if part) or "no word yet"

    def wait_until_known(self, timeout: float) -> bool:
        """Wait until every book is known; False if that took longer than `timeout` seconds."""
        deadline = self._clock() + timeout
        while not all(self.quote(book) for book in self._books):
            if self._clock() >= deadline or self._stopped.wait(_POLL_S):
                return False
        return True

    def _look_again(self) -> None:
        self._rest.wake()


def feed_url(environment: Environment) -> str:
    """Give the WebSocket URL of an environment.

    Raises:
        UsageError: none is known; Bitso documents none for stage.
    """
    if environment.ws_url is None:
        raise UsageError(
            f"Bitso documents no WebSocket host for {environment.name}: "
            "give one with --ws-url, or use bitso-spread snapshot, which needs none"
        )
    return environment.ws_url
