"""What the feed's messages make known, told to its listener one by one: no sockets, no time."""

import logging
from collections import Counter

import pytest

from bitso_spread.exchange import wire
from bitso_spread.exchange.feed import Cause, Ended
from bitso_spread.exchange.feed_side import FeedSide
from bitso_spread.exchange.standing import Link, RestView, Rules, Standing, Word, stand
from bitso_spread.exchange.wire import Ack, KeepAlive, Orders, Refusal, RejectedError, Rejection
from bitso_spread.model import State
from tests.exchange.support import quote

SUBSCRIBED = Ack("subscribe", "btc_mxn", "orders")
LOST = Ended(Cause.LOST, "it was cut")
EPOCH_MS = 1_790_126_714_262


class Side:
    """A feed of two books, and a clock that is told the time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.counts: Counter[str] = Counter()
        self.changes = 0
        self.feed = FeedSide(
            "ws://127.0.0.1:1",
            ["btc_mxn", "usd_mxn"],
            rules=Rules(),
            counts=self.counts,
            clock=lambda: self.now,
            changed=self._changed,
        )

    def _changed(self) -> None:
        self.changes += 1

    def after(self, seconds: float) -> "Side":
        self.now += seconds
        return self

    def up(self) -> None:
        self.feed.on_up(self.counts["connections"] + 1)

    def tell(self, *messages: wire.Message) -> None:
        for message in messages:
            self.feed.on_message(message, self.now)
        self.feed.on_alive(self.now)

    def reject(self, reason: Rejection = Rejection.CROSSED, book: str | None = "btc_mxn") -> None:
        self.feed.on_rejected(RejectedError(reason, "of a test", book), self.now)

    def standing(self, book: str = "btc_mxn", *told: Word) -> Standing:
        view = self.feed.view(book)
        return stand(book, view, RestView(told), self.feed.link, self.now, Rules())


@pytest.fixture
def side() -> Side:
    return Side()


def frame(
    bid: object, ask: object, book: str = "btc_mxn", sent_ms: int | None = None
) -> wire.Message:
    return Orders(quote(bid, ask, book), sent_ms)


def test_a_frame_is_the_book_and_its_link_vouches_for_it(side: Side) -> None:
    side.up()
    side.tell(SUBSCRIBED, frame(99, 100))
    assert side.standing().state is State.FRESH
    side.after(2).tell()
    standing = side.standing()
    assert (standing.quote, standing.state) == (quote(99, 100), State.QUIET)
    assert (standing.vouched, standing.age_s) == (True, 2)
    assert side.standing("usd_mxn").state is State.UNKNOWN


def test_the_exchange_s_time_is_that_of_its_last_valid_word(side: Side) -> None:
    side.up()
    side.tell(SUBSCRIBED, frame(99, 100, sent_ms=EPOCH_MS))
    side.after(1).tell(frame(99, 100, sent_ms=EPOCH_MS + 1000))
    side.after(1).reject()
    assert side.standing().exchange_ms == EPOCH_MS + 1000
    side.after(90)
    assert (side.standing().state, side.standing().exchange_ms) == (State.UNKNOWN, EPOCH_MS + 1000)
    side.tell(frame(99, 100))
    assert side.standing().exchange_ms is None


def test_a_new_connection_vouches_for_nothing_that_an_old_one_said(side: Side) -> None:
    side.up()
    side.tell(SUBSCRIBED, frame(99, 100))
    side.feed.on_down(LOST, side.after(1).now)
    assert side.standing().reason == "no link: lost: it was cut"
    side.after(1).up()
    assert side.standing().reason == "not subscribed yet"
    side.tell(SUBSCRIBED)
    standing = side.standing()
    assert (standing.quote, standing.state) == (quote(99, 100), State.HELD)
    assert standing.reason == "not confirmed since the link came up"
    side.after(2).tell()
    assert side.standing().state is State.UNKNOWN
    side.tell(frame(98, 100))
    assert side.standing().vouched


def test_a_reply_vouches_if_it_was_asked_for_after_the_ack(side: Side) -> None:
    side.up()
    before = Word(side.now, side.now, quote(97, 98), "rest")
    side.after(1).tell(SUBSCRIBED)
    after = Word(side.now, side.now, quote(97, 98), "rest")
    side.after(10).tell()
    assert not side.standing("btc_mxn", before).vouched
    assert side.standing("btc_mxn", after).vouched


def test_an_ack_without_a_book_may_be_that_of_any_so_the_last_one_counts(side: Side) -> None:
    side.up()
    side.tell(Ack("subscribe", None, "orders"))
    early = Word(side.now, side.now, quote(97, 98), "rest")
    side.after(0.1).tell(Ack("subscribe", None, "orders"))
    late = Word(side.now, side.now, quote(97, 98), "rest")
    assert not side.standing("btc_mxn", early).vouched
    assert side.standing("btc_mxn", late).vouched


def test_a_book_that_is_subscribed_anew_has_to_vouch_anew(side: Side) -> None:
    side.up()
    side.tell(SUBSCRIBED, frame(99, 100))
    side.tell(Ack("unsubscribe", "btc_mxn", "orders"))
    assert side.standing().reason == "not subscribed yet"
    side.tell(SUBSCRIBED)
    assert not side.standing().vouched
    side.tell(frame(99, 100))
    assert side.standing().vouched


def test_a_keep_alive_says_nothing_of_any_book(side: Side) -> None:
    side.up()
    side.tell(SUBSCRIBED, frame(99, 100))
    view, changes = side.feed.view("btc_mxn"), side.changes
    side.after(5).tell(KeepAlive(), KeepAlive())
    assert side.feed.view("btc_mxn") == view
    assert side.standing().age_s == 5
    assert side.changes == changes
    assert side.counts["keepalives"] == 2


def test_a_frame_of_a_book_that_is_not_followed_is_counted_and_passed_over(side: Side) -> None:
    side.up()
    side.tell(frame(99, 100, "eth_mxn"))
    assert side.counts == {"connections": 1, "rejected_unknown_book": 1}
    with pytest.raises(KeyError):
        side.feed.view("eth_mxn")


def test_a_rejected_frame_puts_its_book_in_doubt_and_no_other(side: Side) -> None:
    side.up()
    side.tell(frame(99, 100), frame(18, 19, "usd_mxn"))
    changes = side.changes
    side.after(10).tell()
    side.reject()
    standing = side.standing()
    assert (standing.quote, standing.state) == (quote(99, 100), State.HELD)
    assert standing.reason == "rejected: crossed: of a test (btc_mxn)"
    assert side.standing("usd_mxn").vouched
    assert side.counts["rejected_crossed"] == 1
    # REST is to look at it.
    assert side.changes == changes + 1
    side.after(3.1).tell()
    assert side.standing().quote is None
    side.tell(frame(99, 101))
    assert side.standing().vouched


def test_a_rejected_frame_that_names_no_book_of_ours_is_only_counted(side: Side) -> None:
    side.up()
    side.tell(frame(99, 100))
    side.reject(Rejection.NOT_JSON, None)
    side.reject(Rejection.CROSSED, "eth_mxn")
    side.reject(Rejection.CROSSED, "")
    assert side.standing().vouched
    assert side.counts["rejected_not_json"] == 1
    assert side.counts["rejected_crossed"] == 2


def test_a_long_row_of_rejected_frames_is_said_once(
    side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    side.up()
    side.tell(frame(99, 100))
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            side.after(0.1).reject()
    assert len(caplog.records) == 1
    assert side.counts["rejected_crossed"] == 50
    assert side.standing().quote is None


def test_a_refusal_is_kept_for_its_book_as_one_printable_line(
    side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    side.up()
    side.tell(Refusal("This book is not supported\x1b[2J\n - usd_mxn", "usd_mxn"))
    assert side.feed.view("usd_mxn").refused == "This book is not supported [2J - usd_mxn"
    assert side.standing("usd_mxn").reason == "This book is not supported [2J - usd_mxn"
    assert side.feed.view("btc_mxn").refused is None
    assert "\x1b" not in caplog.text
    side.tell(Refusal("invalid message", None), Refusal("no", "eth_mxn"))
    assert side.counts["refusals"] == 3
    # A book that is taken after all is no longer refused.
    side.tell(Ack("subscribe", "usd_mxn", "orders"))
    assert side.feed.view("usd_mxn").refused is None


def test_a_frame_that_is_late_tells_how_the_book_stood_when_it_was_sent(side: Side) -> None:
    side.up()
    side.tell(frame(99, 100, sent_ms=EPOCH_MS))
    side.after(6).tell(frame(98, 100, sent_ms=EPOCH_MS + 3500))
    standing = side.standing()
    assert (standing.quote, standing.age_s) == (quote(98, 100), 2.5)
    assert standing.vouched
    assert side.feed.link.lag_s == 2.5
    assert side.counts["lagging"] == 1


def test_a_link_that_lags_too_far_vouches_for_no_book_until_it_has_caught_up(side: Side) -> None:
    side.up()
    side.tell(frame(99, 100, sent_ms=EPOCH_MS), frame(18, 19, "usd_mxn", sent_ms=EPOCH_MS))
    changes = side.changes
    for _ in range(3):
        side.after(4).tell(frame(98, 100, sent_ms=EPOCH_MS))
        assert side.standing().state is State.UNKNOWN
        assert side.standing("usd_mxn").state is State.UNKNOWN
    # It is one lag, however many frames there are in it, and REST is to look once.
    assert side.counts["lagging"] == 1
    assert side.changes == changes + 1
    side.tell(frame(97, 100, sent_ms=EPOCH_MS + 12_000))
    assert side.standing().state is State.FRESH
    assert side.standing("usd_mxn").state is State.QUIET


def test_a_lag_ends_with_its_connection(side: Side) -> None:
    side.up()
    side.tell(frame(99, 100, sent_ms=EPOCH_MS))
    side.after(5).tell(frame(99, 100, sent_ms=EPOCH_MS))
    assert side.feed.link.lag_s == 5
    side.feed.on_down(LOST, side.now)
    side.up()
    assert side.feed.link.lag_s == 0


def test_a_lag_ends_with_silence_once_a_ping_that_came_after_it_was_answered(side: Side) -> None:
    side.up()
    side.tell(SUBSCRIBED, frame(99, 100, sent_ms=EPOCH_MS))
    side.after(5).tell(frame(98, 100, sent_ms=EPOCH_MS))
    lagged = side.now
    changes = side.changes
    # A frame that lags as much may still be on its way.
    side.after(4.9).feed.on_pong(side.now)
    side.after(3).feed.on_pong(lagged)
    assert side.feed.link.lag_s == 5
    side.feed.on_pong(side.now)
    assert side.feed.link.lag_s == 0
    assert side.changes == changes + 1
    # What the exchange itself may have held back, REST has to tell.
    side.tell()
    standing = side.standing()
    assert standing.reason == "not confirmed since the link came up"
    side.after(1).tell()
    assert side.standing("btc_mxn", Word(side.now, side.now, quote(97, 98), "rest")).vouched
    # And the next one is counted as another.
    side.after(5).tell(frame(98, 100, sent_ms=EPOCH_MS))
    assert side.counts["lagging"] == 2


def test_a_link_in_doubt_still_vouches_and_rest_is_to_look(side: Side) -> None:
    side.up()
    side.tell(SUBSCRIBED, frame(99, 100))
    changes = side.changes
    for doubtful in (False, True, True, False):
        side.after(1).feed.on_alive(side.now, doubtful=doubtful)
        assert side.feed.link.doubtful == doubtful
        assert side.standing().vouched
    assert side.changes == changes + 2
    side.feed.on_alive(side.now, doubtful=True)
    side.feed.on_down(LOST, side.now)
    side.up()
    assert not side.feed.link.doubtful


def test_the_link_is_up_from_on_up_to_on_down_and_while_it_is_looked_at(side: Side) -> None:
    assert side.feed.link == Link()
    side.up()
    began = side.now
    side.after(2).tell()
    link = side.feed.link
    assert [link.up(began + after) for after in (-0.1, 0, 2, 5, 5.1)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    side.feed.on_down(LOST, side.now)
    assert side.feed.link.cause == "lost: it was cut"
    assert not side.feed.link.up(side.now)
    assert side.counts["disconnects"] == 1


def test_a_book_that_is_taken_up_begins_with_nothing_and_the_others_keep_what_they_have(
    side: Side,
) -> None:
    side.up()
    side.tell(frame(99, 100), frame(18, 19, "usd_mxn"))
    side.feed.set_books(["btc_mxn", "eth_mxn"])
    assert side.standing().vouched
    assert side.standing("eth_mxn").state is State.UNKNOWN
    # One that is left and taken up again has nothing left of its first time.
    side.feed.set_books(["btc_mxn", "usd_mxn"])
    assert side.standing("usd_mxn").state is State.UNKNOWN
