"""What REST is asked for while books are mute: in simulated time, with no thread and no socket."""

import math
from collections import Counter, deque
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import pytest

from bitso_spread.exchange.feed import Cause, Ended
from bitso_spread.exchange.feed_side import FeedSide
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_errors import BudgetExhausted, TransportError, throttled
from bitso_spread.exchange.rest_side import RestSide
from bitso_spread.exchange.standing import Rules, Standing, stand
from bitso_spread.exchange.wire import Ack, Orders
from bitso_spread.model import Quote

RULES = Rules(refresh_after_s=10)
LATENCY_S = 0.2
STEP_S = 0.05
LIMIT = 60


class Reply:
    """A ticker, or an order book."""

    def __init__(self, quote: Quote) -> None:
        self.book = quote.book
        self.created_at = self.updated_at = datetime.fromtimestamp(0, UTC)
        self._quote = quote

    def quote(self) -> Quote:
        return self._quote


class Play:
    """Books that change every 2 s, a feed that acknowledges and tells nothing, and REST."""

    def __init__(self, count: int, *, moves: bool = True) -> None:
        self.now = 1000.0
        self.moves = moves
        self.fails: Exception | None = None
        self.books = [f"book{index}_mxn" for index in range(count)]
        self.requests: list[float] = []
        self.asked_anew: Counter[str] = Counter()
        self.unknown: list[tuple[str, float]] = []
        self._acks: deque[tuple[float, Ack]] = deque()
        self._next_tick = math.ceil(self.now)
        options: dict[str, Any] = {
            "rules": RULES,
            "counts": Counter(),
            "clock": lambda: self.now,
        }
        self.feed = FeedSide("ws://127.0.0.1:1", self.books, changed=lambda: None, **options)
        self.feed.resubscribe = self._resubscribe
        self.rest = RestSide(cast("RestClient", self), self.books, self.feed, **options)
        self.feed.on_up(1)
        for book in self.books:
            self._hear(Ack("subscribe", book, "orders"))
            self.speak(book)

    def speak(self, book: str) -> None:
        """Let a frame of a book come."""
        self._hear(Orders(self.quote(book), None))

    def cut(self) -> None:
        """Let the connection be cut."""
        self.feed.on_down(Ended(Cause.LOST, "it was cut"), self.now)

    def reconnect(self, ack_every_s: float) -> None:
        """Let the connection be cut and made anew, and subscriptions be taken one by one."""
        self.cut()
        self.feed.on_up(2)
        for index, book in enumerate(self.books):
            self._acks.append((self.now + index * ack_every_s, Ack("subscribe", book, "orders")))

    def quote(self, book: str) -> Quote:
        bid = Decimal(1000 + int(self.now / 2 + len(book)) * self.moves)
        return Quote(book, bid, bid + 1)

    def standing(self, book: str, at: float) -> Standing:
        fed, told = self.feed.view(book), self.rest.view(book)
        return stand(book, fed, told, self.feed.link, at, RULES)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            if self.rest.turn() > 0:
                self._pass(STEP_S)

    def tickers(self) -> list[Reply]:
        self._request()
        return [Reply(self.quote(book)) for book in self.books]

    def order_book(self, book: str) -> Reply:
        self._request()
        return Reply(self.quote(book))

    def _request(self) -> None:
        recent = [at for at in self.requests if at > self.now - 61]
        if len(recent) >= LIMIT:
            raise BudgetExhausted("all requests are used", recent[0] + 61 - self.now)
        self.requests.append(self.now)
        self._pass(LATENCY_S)
        if self.fails is not None:
            raise self.fails

    def _hear(self, message: Ack | Orders) -> None:
        self.feed.on_message(message, self.now)

    def _resubscribe(self, book: str) -> None:
        # The feed's thread sends within a second; one book's is the last of one look, and the
        # next book's the first of the next.
        self.asked_anew[book] += 1
        at = self.now + 0.1 + (self.books.index(book) * 7 % 54) / 54
        self._acks.append((at, Ack("unsubscribe", book, "orders")))
        self._acks.append((at + 0.01, Ack("subscribe", book, "orders")))

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self._acks = deque(sorted(self._acks, key=lambda due: due[0]))
        while self._acks and self._acks[0][0] <= self.now:
            self._hear(self._acks.popleft()[1])
        self.feed.on_alive(self.now)
        while self._next_tick <= self.now:
            self.unknown += [
                (book, self._next_tick)
                for book in self.books
                if self.standing(book, self._next_tick).quote is None
            ]
            self._next_tick += 1


@pytest.mark.parametrize("count", [1, 2, 10, 11, 54])
def test_books_that_are_all_mute_cost_no_row_and_a_third_of_the_request_limit(count: int) -> None:
    play = Play(count)
    play.run(300)
    assert play.unknown == []
    # Whatever goes wrong next finds the requests that it needs.
    busiest = max(sum(start <= at < start + 61 for at in play.requests) for start in play.requests)
    assert busiest <= LIMIT / 3
    assert set(play.asked_anew) == set(play.books)


def test_a_mute_book_is_subscribed_anew_now_and_then_and_looked_at_more_often() -> None:
    play = Play(2)
    play.run(300)
    assert play.asked_anew == dict.fromkeys(play.books, 9)
    gaps = [after - before for before, after in pairwise(play.requests[3:])]
    assert max(gaps) < 6


def test_a_book_whose_frames_come_again_and_stop_again_is_subscribed_anew_at_once() -> None:
    play = Play(2)
    play.run(15)
    for book in play.books:
        play.speak(book)
    play.run(15)
    assert play.asked_anew == dict.fromkeys(play.books, 2)


def test_a_reply_that_is_ahead_of_the_feed_makes_no_book_mute() -> None:
    play = Play(2)
    for _ in range(10):
        play.run(RULES.refresh_after_s + 0.5)
        for book in play.books:
            play.speak(book)
    assert len(play.requests) >= 10
    assert not play.asked_anew


def test_a_new_connection_is_not_suspected_of_what_the_old_one_withheld() -> None:
    play = Play(2)
    play.run(10.5)
    play.moves = False
    play.reconnect(ack_every_s=0.01)
    play.run(60)
    assert len(play.requests) > 5
    assert not play.asked_anew


def test_subscriptions_that_are_taken_one_by_one_are_confirmed_together() -> None:
    play = Play(54, moves=False)
    play.run(5)
    assert play.requests == []
    play.reconnect(ack_every_s=0.1)
    play.run(7)
    assert len(play.requests) <= 8
    assert all(play.standing(book, play.now).vouched for book in play.books)


def test_rest_that_failed_is_asked_again_as_soon_as_there_is_a_connection() -> None:
    play = Play(2)
    play.cut()
    play.fails = TransportError("no answer")
    # Until a long pause has just begun.
    while len(play.requests) < 10 or play.rest.turn() < 2:
        play.run(STEP_S)
    play.run(STEP_S)
    play.fails = None
    asked = len(play.requests)
    play.reconnect(ack_every_s=0.01)
    play.run(1 + LATENCY_S)
    assert len(play.requests) > asked


def test_rest_that_is_locked_out_stays_silent_though_there_is_a_connection() -> None:
    play = Play(2)
    play.cut()
    play.fails = throttled("127.0.0.1", 420, 60)
    while not play.requests:
        play.run(STEP_S)
    play.reconnect(ack_every_s=0.01)
    play.run(55)
    assert len(play.requests) == 1


def test_rest_that_fails_is_asked_often_enough_to_be_back_within_seconds() -> None:
    play = Play(2)
    play.cut()
    play.fails = TransportError("no answer")
    play.run(600)
    gaps = [after - before for before, after in pairwise(play.requests)]
    assert max(gaps) < 5 + 2 * LATENCY_S
    assert len(play.requests) < 600 / 2
