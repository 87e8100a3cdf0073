"""An examination: all checks of the exchange, and what one of them needs of another.

The checks themselves are in the modules beside this one, and their order is `order`'s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from bitso_spread.clock import Clock
from bitso_spread.doctor import agreement, feed, rest
from bitso_spread.doctor.finding import Finding, Outcome, Timings, failed, ms, ok, skip_all, skipped
from bitso_spread.doctor.look import DEEP, Looked, look, requests_of
from bitso_spread.doctor.network import reach
from bitso_spread.doctor.replies import (
    Questions,
    check_clock,
    check_latency,
    check_times,
    offset_of,
)
from bitso_spread.doctor.session import Session
from bitso_spread.doctor.told import told
from bitso_spread.doctor.transcript import Said
from bitso_spread.errors import ExchangeError
from bitso_spread.exchange import wire
from bitso_spread.exchange.environment import Environment
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_errors import BadReplyError, BitsoError, printable
from bitso_spread.exchange.rest_models import BookInfo
from bitso_spread.model import Quote

REPLY = "REST reply"
# Those of the books on offer, of all tickers, and of a book that does not exist.
_REQUESTS = 3
_SETTINGS = "check SSL_CERT_FILE, HTTPS_PROXY and ALL_PROXY (socks needs: pip install httpx[socks])"


class Examination:
    """What is known so far, and what need not be asked any more since something else failed."""

    def __init__(
        self, environment: Environment, names: list[str], timings: Timings, clock: Clock
    ) -> None:
        self.books = names
        """As the exchange names them once it was asked; empty where all are meant till then."""
        self._environment = environment
        self._timings = timings
        self._clock = clock
        self._no_rest: str | None = None
        self._no_feed: str | None = None
        self._questions: Questions | None = None
        self._session: Session | None = None
        self._listing: list[BookInfo] = []
        self._tickers: dict[str, Quote] = {}

    def ways(self) -> Iterator[Finding]:
        """Check the way to both hosts."""
        exchange, timeout_s = self._environment, self._timings.timeout_s
        if not (yield from reach("REST", exchange.rest_url, timeout_s)):
            self._no_rest = f"{exchange.rest_host} cannot be reached"
        if exchange.ws_url is None:
            self._no_feed = f"Bitso documents no WebSocket host for {exchange.name}"
            yield from skip_all(["WebSocket host", "WebSocket connection"], self._no_feed)
        elif not (yield from reach("WebSocket", exchange.ws_url, timeout_s)):
            self._no_feed = "the WebSocket host cannot be reached"

    def rest(self, closing: ExitStack) -> Iterator[Finding]:
        """Check the budget, that REST answers, and that it offers the books."""
        if self._no_rest is not None:
            yield from skip_all([rest.BUDGET, REPLY, rest.OFFER], self._no_rest)
            return
        try:
            client = closing.enter_context(self._client())
        except (OSError, ImportError, ValueError) as error:
            self._no_rest = "REST could not be asked"
            yield failed(REPLY, f"no client can be made: {printable(str(error))}", _SETTINGS)
            yield from skip_all([rest.BUDGET, rest.OFFER], self._no_rest)
            return
        self._questions = Questions(client, self._clock)
        needed = _REQUESTS + requests_of(len(self.books) or DEEP)
        finding, enough = rest.check_budget(client.budget, needed)
        yield finding
        if not enough:
            self._no_rest = "REST may not be asked now"
        unreadable: BadReplyError | None = None
        try:
            if self._no_rest is None:
                self._listing = self._questions.ask(lambda client: client.available_books()).value
        except BadReplyError as error:
            unreadable = error
        except ExchangeError as error:
            yield self._refused(REPLY, error, stop=True)
            yield skipped(rest.OFFER, "REST gives no data")
            return
        yield self._asked(REPLY, self._check_reply)
        if unreadable is not None:
            yield self._refused(rest.OFFER, unreadable)
            return
        yield self._asked(rest.OFFER, self._check_offer)

    def subscriptions(self, closing: ExitStack) -> Iterator[Finding]:
        """Check that the feed lets one in and takes subscriptions."""
        url = self._environment.ws_url
        if not self.books:
            self._no_feed = self._no_feed or "no book is known to subscribe to"
        if self._no_feed is not None or url is None:
            yield from skip_all([feed.HANDSHAKE, feed.ACKS], self._no_feed or "")
            return
        timeout_s = self._timings.timeout_s
        try:
            session = Session(url, self.books, clock=self._clock, timeout_s=timeout_s)
        except ConnectionError as error:
            self._no_feed = "there is no connection"
            advice = "check --ws-url; if it is right, try again in a minute"
            yield failed(feed.HANDSHAKE, str(error), advice)
            yield skipped(feed.ACKS, self._no_feed)
            return
        self._session = closing.enter_context(session)
        heard = session.transcript
        yield ok(feed.HANDSHAKE, f"open after {ms(session.took_s)}")
        session.until(
            lambda heard: all(map(heard.answered, heard.books)),
            heard.opened + timeout_s,
        )
        yield feed.check_acks(heard, self._timings)
        if heard.is_silent:
            self._no_feed = "nothing at all came over the connection"

    def answers(self) -> Iterator[Finding]:
        """Check what else REST gives, while the feed is listened to."""
        yield self._asked(rest.TICKERS, self._check_tickers)
        yield self._asked(rest.REFUSAL, lambda: rest.check_refusal(self._ask()))

    def keepalive(self) -> Iterator[Finding]:
        """Listen for as long as is needed, and check that the keep-alive comes."""
        session, timings = self._session, self._timings
        if self._no_feed is not None or session is None:
            yield skipped(feed.KEEPALIVE, self._no_feed or "")
            return
        opened = session.transcript.opened
        session.until(lambda _: False, opened + timings.listen_s)
        session.send(wire.subscribe(rest.NO_BOOK))
        limit = opened + timings.keepalive_s + timings.margin_s
        session.until(lambda heard: heard.keepalives, limit)
        yield feed.check_keepalive(session.transcript, timings)
        limit = self._clock.monotonic() + timings.margin_s
        session.until(lambda heard: heard.answered(rest.NO_BOOK), limit)

    def comparisons(self) -> Iterator[Finding]:
        """Look at the books by REST once more, and judge what was heard and seen."""
        looked = self._look()
        self._subscribe_again()
        replies = [] if self._questions is None else self._questions.replies
        session, blocked, max_stale_s = self._session, self._no_feed, self._timings.max_stale_s
        if session is None or blocked is not None:
            yield from skip_all([*feed.HEARD, feed.DELAY], blocked or "")
            delay = None
        else:
            heard = session.transcript
            moved = {
                book: book in looked.quotes and looked.quotes[book] != quote
                for book, quote in self._tickers.items()
            }
            yield feed.check_first(heard, moved)
            yield feed.check_frames(heard)
            yield feed.check_sent(heard)
            yield feed.check_pings(heard)
            yield feed.check_refusal(heard, rest.NO_BOOK)
            yield feed.check_again(heard)
            yield feed.check_link(heard, self._clock.monotonic())
            delay = feed.check_delay(heard, offset_of(replies), max_stale_s)
            yield delay
        late = delay is not None and delay.outcome is Outcome.FAILED
        yield from self._compared(looked, late=late)
        yield self._asked(rest.GRID, lambda: self._check_grid(looked))
        yield check_times(looked.stated, replies)
        yield check_latency(replies, max_stale_s)
        yield check_clock(replies)

    def _compared(self, looked: Looked, *, late: bool) -> Iterator[Finding]:
        for book in self.books[:DEEP]:
            name = f"agreement {book}"
            if book in looked.order_books:
                yield rest.check_order_book(book, looked.order_books[book])
            elif book in looked.errors:
                yield self._refused(f"order book {book}", looked.errors[book])
            else:
                yield skipped(f"order book {book}", self._no_rest or "it was not asked for")
            if late:
                yield skipped(name, "the feed is late")
            elif looked.no_tickers is not None and self._tickers:
                yield self._refused(name, looked.no_tickers)
            elif book in looked.comparisons:
                yield agreement.check_agreement(book, looked.comparisons[book], looked.looks)
            else:
                yield skipped(name, self._no_rest or "it was not asked for")
        others = {book: looked.comparisons.get(book) for book in self.books[DEEP:]}
        compared = {book: each for book, each in others.items() if each is not None}
        if compared and not late:
            yield agreement.check_others(compared, looked.looks)

    def _look(self) -> Looked:
        if self._no_rest is not None:
            return Looked()
        session, timings = self._session, self._timings

        def settle() -> None:
            until = self._clock.monotonic() + timings.settle_s
            if session is None or not session.until(lambda _: False, until):
                self._clock.wait(threading.Event(), until - self._clock.monotonic())

        def said(book: str) -> Sequence[Said]:
            # After its end a feed stands still, and says nothing of now.
            if session is None or session.transcript.ended is not None:
                return ()
            return session.transcript.said.get(book, ())

        return look(self._ask(), self.books, said, settle=settle, settle_s=timings.settle_s)

    def _client(self) -> RestClient:
        timeout_s = self._timings.timeout_s
        # One attempt: what the recorder would ask again is to be seen here.
        return RestClient(self._environment, timeout_s=timeout_s, patience_s=timeout_s, attempts=1)

    def _subscribe_again(self) -> None:
        session = self._session
        if session is None or self._no_feed is not None:
            return
        # Last of all: what changes in between is not heard.
        session.send(wire.unsubscribe(self.books[0]))
        session.send(wire.subscribe(self.books[0]))
        limit = self._clock.monotonic() + self._timings.margin_s
        session.until(lambda heard: heard.left and heard.renewed, limit)

    def _check_reply(self) -> Finding:
        reply = self._ask().replies[-1]
        return ok(REPLY, f"HTTP {reply.status} in {ms(reply.took_s)}")

    def _check_offer(self) -> Finding:
        client = self._ask().client
        finding, self.books = rest.check_offer(self.books, self._listing, client.rejected.total())
        return finding

    def _check_tickers(self) -> Finding:
        client = self._ask().client
        before = client.rejected.total()
        answer = self._ask().ask(lambda client: client.tickers())
        unreadable = client.rejected.total() - before
        finding, self._tickers = rest.check_tickers(self.books, answer, unreadable, self._listing)
        return finding

    def _check_grid(self, looked: Looked) -> Finding:
        said = {} if self._session is None else self._session.transcript.said
        return rest.check_grid(self._listing, self.books, looked.prices(said))

    def _ask(self) -> Questions:
        if self._questions is None:
            raise AssertionError("REST is asked though it cannot be")
        return self._questions

    def _asked(self, name: str, check: Callable[[], Finding]) -> Finding:
        if self._no_rest is not None:
            return skipped(name, self._no_rest)
        try:
            return check()
        except ExchangeError as error:
            return self._refused(name, error)

    def _refused(self, name: str, error: ExchangeError, *, stop: bool = False) -> Finding:
        what, advice = told(error)
        # What is Bitso's own no, or no data, concerns this question; all else concerns any.
        if stop or not isinstance(error, BitsoError | BadReplyError):
            self._no_rest = "REST could not be asked"
        return failed(name, what, advice)
