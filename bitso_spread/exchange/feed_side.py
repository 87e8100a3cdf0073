"""What the feed makes known: it takes the feed's messages and keeps the words of each book.

Everything here is written by the feed's thread alone, as immutable values that are swapped
by reference; any thread may read them.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from bitso_spread.exchange import wire
from bitso_spread.exchange.feed import Cause, Ended, Feed
from bitso_spread.exchange.lag import LAGGING_S, LagMeter
from bitso_spread.exchange.rest_errors import printable
from bitso_spread.exchange.standing import FeedView, Link, Rules, Word, doubted, remember

log = logging.getLogger("bitso_spread.feed")


class FeedSide:
    """Listens to the feed of some books."""

    def __init__(
        self,
        url: str,
        books: Iterable[str],
        *,
        rules: Rules,
        counts: Counter[str],
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._books = tuple(books)
        self._views = {book: FeedView() for book in self._books}
        self._max_lag_s = rules.max_stale_s
        self._counts = counts
        self._clock = clock
        self._changed = changed
        self._url = url
        self._link = Link()
        self._checked = self._link.checked
        self._lag_s = 0.0
        self._doubtful = False
        self._lag = LagMeter()
        # When the last frame of any book came.
        self._heard = -math.inf
        self._feed = Feed(url, list(self._books), self, clock=clock)
        self.start, self.stop = self._feed.start, self._feed.stop
        self.resubscribe = self._feed.resubscribe

    @property
    def link(self) -> Link:
        """The state of the connection."""
        return replace(
            self._link, checked=self._checked, lag_s=self._lag_s, doubtful=self._doubtful
        )

    def view(self, book: str) -> FeedView:
        """Give what the feed has said of a book.

        Raises:
            KeyError: the book is not followed.
        """
        return self._views[book]

    def set_books(self, books: Iterable[str]) -> None:
        """Follow these books from now on."""
        names = tuple(books)
        for book in set(names) - set(self._books):
            self._views[book] = FeedView()
        self._books = names
        self._feed.set_books(list(names))

    def on_up(self, number: int) -> None:
        """Take note of a new connection, which vouches for nothing yet."""
        now = self._clock()
        self._counts["connections"] = number
        for book in self._books:
            self._views[book] = FeedView(self._views[book].words)
        self._lag_s = 0.0
        self._doubtful = False
        self._checked = now
        self._link = Link(since=now, cause=self._link.cause)
        log.info("feed connected to %s", self._url)
        self._changed()

    def on_alive(self, now: float, *, doubtful: bool = False) -> None:
        """Take note that the link lives, as far as can be told."""
        self._checked = now
        if doubtful != self._doubtful:
            self._doubtful = doubtful
            self._changed()

    def on_pong(self, pinged: float) -> None:
        """End a lag that silence has followed, once a ping was answered since.

        What lagged as much as the last frame has come by the time that the ping was sent, and
        what was sent before the answer came before it.
        """
        if self._lag_s > LAGGING_S and pinged >= self._heard + self._lag_s:
            log.info("feed lags no longer: nothing came for longer than it lagged")
            self._lag_s = 0.0
            for book, view in list(self._views.items()):
                if view.acked is not None:
                    # What the exchange itself may have held back, REST has to tell.
                    self._views[book] = FeedView(view.words, pinged)
            self._changed()

    def on_down(self, ended: Ended, now: float) -> None:  # noqa: ARG002  (the listener's form)
        """Take note that there is no link."""
        self._counts["disconnects"] += 1
        if ended.cause is not Cause.STOPPED:
            self._counts[f"down_{ended.cause.value}"] += 1
        self._link = Link(cause=ended.text)
        self._changed()

    def on_message(self, message: wire.Message, now: float) -> None:
        """Take a valid message of the current connection."""
        match message:
            case wire.Orders():
                self._frame(message, now)
            case wire.Ack():
                self._acknowledged(message, now)
            case wire.Refusal():
                self._refused(message)
            case wire.KeepAlive():
                self._counts["keepalives"] += 1
            case wire.Unknown():
                self._counts["unknown_messages"] += 1

    def on_rejected(self, error: wire.RejectedError, now: float) -> None:
        """Count a message that cannot be taken; it puts the book that it names in doubt."""
        self._counts[f"rejected_{error.reason.value}"] += 1
        view = self._views.get(error.book or "")
        if view is None or error.book is None:
            log.debug("feed: %s", error)
            return
        if not view.words or view.words[-1].doubt is None:
            log.warning("feed: a frame was rejected, %s", error)
        word = doubted(view.words, now, "feed", str(error))
        self._views[error.book] = replace(view, words=remember(view.words, word))
        self._changed()

    def _frame(self, message: wire.Orders, now: float) -> None:
        book = message.quote.book
        view = self._views.get(book)
        if view is None:
            self._counts[f"rejected_{wire.Rejection.UNKNOWN_BOOK.value}"] += 1
            return
        self._counts["frames"] += 1
        lag = self._lag.measure(now, message.sent_ms)
        if lag > LAGGING_S >= self._lag_s:
            self._counts["lagging"] += 1
            log.warning("feed lags by %.1f s", lag)
        trusted = self._lag_s <= self._max_lag_s
        self._lag_s = lag
        self._heard = now
        # A late frame tells how the book stood when it was sent.
        as_of = now - lag if lag > LAGGING_S else now
        word = Word(now, as_of, message.quote, "feed", exchange_ms=message.sent_ms)
        spoke = now if view.spoke is None else view.spoke
        self._views[book] = FeedView(remember(view.words, word), view.acked, spoke)
        if trusted and lag > self._max_lag_s:
            self._changed()

    def _acknowledged(self, ack: wire.Ack, now: float) -> None:
        # Bitso's documentation shows acks without a book: then each open one may be meant.
        books = self._books if ack.book is None else (ack.book,)
        acked = now if ack.action == wire.SUBSCRIBE else None
        for book in books:
            if (view := self._views.get(book)) is not None:
                # A subscription made anew has to vouch anew.
                self._views[book] = FeedView(view.words, acked)
        self._changed()

    def _refused(self, refusal: wire.Refusal) -> None:
        self._counts["refusals"] += 1
        text = printable(refusal.text)
        log.warning("the exchange refuses: %s", text)
        if refusal.book is not None and (view := self._views.get(refusal.book)) is not None:
            self._views[refusal.book] = replace(view, refused=text)
