"""What REST makes known: a thread that asks for the books that need it, as `confirm` plans.

Everything here is written by the REST thread alone, as immutable values that are swapped by
reference; any thread may read them.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from bitso_spread.backoff import Backoff
from bitso_spread.complaint import Complaint
from bitso_spread.exchange import confirm, wire
from bitso_spread.exchange.confirm import Asked
from bitso_spread.exchange.feed_side import FeedSide
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_errors import (
    BitsoError,
    BudgetExhausted,
    Throttled,
    UnknownOrderBookError,
)
from bitso_spread.exchange.standing import (
    FeedView,
    Link,
    RestView,
    Rules,
    Standing,
    Word,
    doubted,
    remember,
    stand,
)
from bitso_spread.model import Quote

log = logging.getLogger("bitso_spread.rest")

# The longest sleep without looking again, whatever the plan says.
_LOOK_S = 5.0
# A request may take ten seconds to time out; whoever stops should not wait for that.
_END_S = 0.4
# While REST fails it is asked every 2.5 s on average, which leaves the budget of 60 a minute room
# for others. Its first good reply ends an outage, and a row is lost for each second that it waits.
_BACKOFF_CAP_S = 5.0


class RestSide:
    """Seeds, confirms and carries some books by REST."""

    def __init__(
        self,
        rest: RestClient,
        books: Iterable[str],
        feed: FeedSide,
        *,
        rules: Rules,
        counts: Counter[str],
        clock: Callable[[], float],
    ) -> None:
        self._rest = rest
        self._books = tuple(books)
        self._feed = feed
        self._rules = rules
        self._counts = counts
        self._clock = clock
        self._views = {book: RestView() for book in self._books}
        self._asked = {book: Asked() for book in self._books}
        self._tickers = True
        self._complaint = Complaint(clock)
        self._backoff = Backoff(at_once=True, cap_s=_BACKOFF_CAP_S)
        # Until when it pauses, and after when a new connection ends the pause: never where the
        # exchange's limit is the reason.
        self._rests_until = -math.inf
        self._failed_at = math.inf
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rest", daemon=True)

    def start(self) -> None:
        """Ask for the first data in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the connections; a request under way is left to time out."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)
        self._rest.close()

    def wake(self) -> None:
        """Look again at what is needed: something has changed."""
        self._wake.set()

    def view(self, book: str) -> RestView:
        """Give what REST has said of a book.

        Raises:
            KeyError: the book is not followed.
        """
        return self._views[book]

    def set_books(self, books: Iterable[str]) -> None:
        """Follow these books from now on."""
        names = tuple(books)
        for book in set(names) - set(self._books):
            self._views[book], self._asked[book] = RestView(), Asked()
        self._books = names
        self._wake.set()

    def turn(self) -> float:
        """Ask for what is due; give for how many seconds nothing is, unless something changes.

        For the REST thread, which does this again and again.
        """
        now = self._clock()
        if now < self._rests_until and not self._is_back():
            return self._rests_until - now
        asked = self._books
        try:
            plan = self._plan(now)
            if not plan.books:
                return plan.wait_s
            asked = plan.books
            self._ask_all() if plan.ticker else self._ask(asked[0])
        except (BudgetExhausted, Throttled) as error:
            self._failed(asked, error)
            if isinstance(error, Throttled):
                self._counts["rest_throttles"] += 1
            wait_s = error.wait_s if isinstance(error, BudgetExhausted) else error.silence_s
            self._failed_at = math.inf
        except Exception as error:  # noqa: BLE001  (a thread that dies would confirm nothing)
            self._failed(asked, error)
            self._failed_at = self._clock()
            wait_s = self._backoff.next()
        else:
            self._backoff.reset()
            return 0.0
        self._rests_until = self._clock() + wait_s
        return wait_s

    def _is_back(self) -> bool:
        """Tell whether a connection has come since REST failed: the way to the exchange is open."""
        since = self._feed.link.since
        return since is not None and since > self._failed_at

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(min(self.turn(), _LOOK_S))
            # After the wait: what is set before this, the stop too, is looked at after it.
            self._wake.clear()

    def _plan(self, now: float) -> confirm.Plan:
        link = self._feed.link
        needs = []
        for book in self._books:
            fed, asked = self._feed.view(book), self._asked[book]
            if asked.mute is not None and _is_cleared(fed, link, asked.mute):
                asked = self._asked[book] = replace(asked, mute=None, subscribed=-math.inf)
            standing = stand(book, fed, self._views[book], link, now, self._rules)
            needs.append(confirm.need(standing, fed, link, asked, now, self._rules))
        # Before the first connection there is nothing to carry: each book is seeded.
        begun = link.since is not None or link.cause is not None
        carried = begun and confirm.carrying(link, now, self._rules)
        return confirm.plan(needs, now, carried=carried, tickers=self._tickers)

    def _ask(self, book: str) -> None:
        sent = self._note_asked((book,))
        try:
            snapshot = self._rest.order_book(book)
        except BitsoError as error:
            if error.is_passing:
                raise
            # Bitso's own no will be the same a second later.
            self._not_before(book, sent + self._rules.refresh_after_s)
            self._failed((book,), error)
            if isinstance(error, UnknownOrderBookError):
                self._views[book] = replace(self._views[book], refused=str(error))
            return
        self._take(book, snapshot.quote, snapshot.updated_at, sent)

    def _ask_all(self) -> None:
        # The reply brings all books, also those that are not due yet.
        sent = self._note_asked(self._books)
        try:
            tickers = {ticker.book: ticker for ticker in self._rest.tickers()}
        except BitsoError as error:
            if error.is_passing:
                raise
            # The book is documented as required: be ready for the day that it is.
            log.warning("no ticker of all books: %s; asking for one book at a time", error)
            self._tickers = False
            return
        for book in self._books:
            if (ticker := tickers.get(book)) is not None:
                self._take(book, ticker.quote, ticker.created_at, sent)
            else:
                self._not_before(book, sent + self._rules.refresh_after_s)
                self._views[book] = replace(self._views[book], failure="not among the tickers")

    def _note_asked(self, books: tuple[str, ...]) -> float:
        sent = self._clock()
        for book in books:
            self._asked[book] = replace(self._asked[book], last=sent)
        self._counts["rest_requests"] += 1
        return sent

    def _not_before(self, book: str, at: float) -> None:
        self._asked[book] = replace(self._asked[book], not_before=at)

    def _take(self, book: str, quote: Callable[[], Quote], made: datetime, sent: float) -> None:
        now = self._clock()
        view = self._views[book]
        try:
            made_ms = round(made.timestamp() * 1000)
            told = quote()
            word = Word(now, sent, told, "rest", exchange_ms=made_ms)
        except wire.RejectedError as error:
            log.warning("REST: a book was rejected, %s", error)
            if not self._heard_since(book, sent):
                word = doubted(view.words, now, "rest", str(error))
                words = remember(view.words, word)
                self._views[book] = replace(view, words=words, failure=str(error))
            self._pause_if_lost(book, sent, now)
            # Counted last, as failures are.
            self._counts[f"rest_rejected_{error.reason.value}"] += 1
            return
        before = self._standing(book, now)
        if told.bid_amount is None and before.vouched and before.quote == told:
            # A ticker tells no amounts, but it has just borne out what the feed told of them.
            word = replace(word, quote=before.quote)
        self._views[book] = RestView(remember(view.words, word))
        if self._heard_since(book, sent):
            return
        fed, carried = self._feed.view(book), self._carried(now)
        if not carried:
            self._watch(book, now, changed=before.vouched and before.quote != word.quote)
        could_vouch = fed.acked is not None and sent >= fed.acked
        if could_vouch and not carried:
            self._pause_if_lost(book, sent, now)

    def _carried(self, now: float) -> bool:
        return confirm.carrying(self._feed.link, now, self._rules)

    def _watch(self, book: str, now: float, *, changed: bool) -> None:
        """Suspect a book that changed and the feed has not said so; the next time, it is mute."""
        asked = self._asked[book]
        if asked.mute is None:
            if changed:
                self._asked[book] = replace(asked, mute=now)
            return
        suspected = not math.isfinite(asked.subscribed)
        if suspected:
            self._counts["mute"] += 1
        if suspected or (changed and now - asked.subscribed > confirm.RESUBSCRIBE_S):
            log.warning("%s changed and the feed did not say so: subscribing again", book)
            self._feed.resubscribe(book)
            asked = replace(asked, subscribed=now)
        self._asked[book] = replace(asked, mute=now)

    def _standing(self, book: str, at: float) -> Standing:
        fed, told = self._feed.view(book), self._views[book]
        return stand(book, fed, told, self._feed.link, at, self._rules)

    def _pause_if_lost(self, book: str, sent: float, now: float) -> None:
        # While the quote stands, the next reply may settle the doubt in time. Once it is lost,
        # a book that every reply leaves in doubt, as among crossed frames, must not be asked
        # for every second: others share the budget.
        if self._standing(book, now).quote is None:
            self._not_before(book, sent + confirm.MUTE_S)

    def _heard_since(self, book: str, sent: float) -> bool:
        words = self._feed.view(book).words
        return bool(words) and words[-1].as_of >= sent

    def _failed(self, books: tuple[str, ...], error: Exception) -> None:
        if self._stop.is_set():
            return
        for book in books:
            self._views[book] = replace(self._views[book], failure=str(error))
        # Counted last: who sees the count rise finds the reason beside it.
        self._counts["rest_failures"] += 1
        log.log(
            logging.WARNING if self._complaint.due(str(error)) else logging.DEBUG, "REST: %s", error
        )


def _is_cleared(fed: FeedView, link: Link, mute: float) -> bool:
    """Tell whether a frame has come, or there is a new connection, which is not suspected."""
    spoke = bool(fed.words) and fed.words[-1].received > mute
    return spoke or (link.since is not None and link.since > mute)
