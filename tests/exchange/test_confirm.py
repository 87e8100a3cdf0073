import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from bitso_spread.exchange import confirm
from bitso_spread.exchange.confirm import Asked, Need, Plan, need, plan
from bitso_spread.exchange.standing import (
    FeedView,
    Link,
    RestView,
    Rules,
    Standing,
    Word,
    remember,
    stand,
)
from bitso_spread.model import Quote, State

NOW = 10_000.0
RULES = Rules()
UP = Link(since=NOW - 1000, checked=NOW)
DOWN = Link(cause="lost")
LAGGING = Link(since=NOW - 1000, checked=NOW, lag_s=3.5)
QUOTE = Quote("btc_mxn", Decimal(1), Decimal(2))
SUBSCRIBED = FeedView(acked=NOW - 900)


def known(age: float | None, *, vouched: bool = True) -> Standing:
    state = State.UNKNOWN if age is None else State.QUIET
    quote = None if age is None else QUOTE
    return Standing("btc_mxn", state, quote, age, "feed", vouched=vouched, reason=None)


def due(
    standing: Standing,
    *,
    feed: FeedView = SUBSCRIBED,
    link: Link = UP,
    asked: Asked = Asked(),  # noqa: B008  (frozen)
) -> float:
    """Say how many seconds from now REST is to be asked; negative for how long it has been due."""
    return need(standing, feed, link, asked, NOW, RULES).due - NOW


def test_a_book_that_was_never_heard_of_is_asked_for_at_once() -> None:
    assert due(known(None, vouched=False), feed=FeedView(), link=Link()) == -math.inf


def test_a_quiet_book_is_confirmed_after_a_minute() -> None:
    assert due(known(20)) == 40
    assert due(known(61)) == -1


def test_a_book_that_nothing_vouches_for_is_asked_for_at_once() -> None:
    assert due(known(20, vouched=False)) == -20
    assert due(known(0, vouched=False)) == 0


@pytest.mark.parametrize(
    "link", [DOWN, LAGGING, replace(UP, checked=NOW - 3.1), replace(UP, doubtful=True)]
)
def test_without_a_link_to_trust_a_word_is_renewed_before_it_is_too_old(link: Link) -> None:
    assert due(known(0.5), link=link) == pytest.approx(RULES.max_stale_s - 1.5 - 0.5)


def test_a_book_that_is_not_subscribed_yet_is_carried_too() -> None:
    assert due(known(0.5), feed=FeedView()) == pytest.approx(RULES.max_stale_s - 1.5 - 0.5)


def test_however_short_a_word_may_stand_there_is_time_between_two_requests() -> None:
    short = Rules(max_stale_s=1.0)
    assert need(known(0), SUBSCRIBED, DOWN, Asked(), NOW, short).due == NOW + 0.5
    assert need(known(0), SUBSCRIBED, DOWN, Asked(last=NOW), NOW, short).due == NOW + 1.0


def test_a_book_whose_frames_had_stopped_is_looked_at_every_five_seconds() -> None:
    assert due(known(2), asked=Asked(mute=NOW - 2, subscribed=NOW - 20)) == 3


def test_a_book_that_may_have_gone_mute_is_looked_at_a_second_later() -> None:
    assert due(known(0.2), asked=Asked(mute=NOW - 0.2)) == pytest.approx(0.8)


def test_the_same_book_is_not_asked_for_twice_in_a_second() -> None:
    assert due(known(20, vouched=False), asked=Asked(last=NOW - 0.25)) == 0.75


def test_a_refused_request_is_not_repeated_before_its_time() -> None:
    assert due(known(20, vouched=False), asked=Asked(last=NOW - 9, not_before=NOW + 7)) == 7


def needs(*dues: float) -> list[Need]:
    return [Need(f"book{index}_mxn", NOW + due) for index, due in enumerate(dues)]


def test_the_book_that_has_waited_longest_comes_first() -> None:
    assert plan(needs(-1, -9, 5, -4), NOW, carried=False).books == (
        "book1_mxn",
        "book3_mxn",
        "book0_mxn",
    )


def test_a_book_without_any_word_comes_before_all_others() -> None:
    assert plan(needs(-500, -math.inf), NOW, carried=False).books[0] == "book1_mxn"


def test_with_nothing_due_it_says_how_long_there_is_nothing() -> None:
    assert plan(needs(7, 3, 60), NOW, carried=False) == Plan(wait_s=3)
    assert plan([], NOW, carried=False) == Plan(wait_s=math.inf)


def test_a_book_is_due_at_its_time_and_not_only_after_it() -> None:
    assert plan(needs(0), NOW, carried=False).books == ("book0_mxn",)


def test_above_ten_books_one_request_brings_them_all() -> None:
    assert not plan(needs(*[-1] * 10), NOW, carried=False).ticker
    assert plan(needs(*[-1] * 11), NOW, carried=False).ticker
    # It confirms those that are not due yet, too.
    assert plan(needs(-1, *[5] * 40), NOW, carried=False).ticker


def test_where_the_exchange_refuses_that_request_each_book_is_asked_for() -> None:
    assert not plan(needs(*[-1] * 50), NOW, carried=False, tickers=False).ticker
    assert not plan(needs(-1, -1), NOW, carried=True, tickers=False).ticker


def test_books_that_are_carried_are_asked_for_together() -> None:
    assert plan(needs(-1, -1), NOW, carried=True).ticker
    assert plan(needs(-1, 1), NOW, carried=True).ticker
    assert not plan(needs(-1), NOW, carried=True).ticker
    assert plan(needs(1, 2), NOW, carried=True) == Plan(wait_s=1)


def test_books_whose_subscription_is_refused_or_not_answered_are_asked_for_together() -> None:
    def needed(feed: FeedView, link: Link) -> Need:
        return need(known(5, vouched=False), feed, link, Asked(), NOW, RULES)

    refused = needed(FeedView(refused="no"), UP)
    # Just opened: each is seeded.
    young = needed(FeedView(), replace(UP, since=NOW - 0.9))
    silent = needed(FeedView(), replace(UP, since=NOW - 1.1))
    assert plan([refused, refused], NOW, carried=False).ticker
    assert plan([silent, silent], NOW, carried=False).ticker
    assert not plan([young, young], NOW, carried=False).ticker
    assert not plan([silent, needed(SUBSCRIBED, UP)], NOW, carried=False).ticker


class Outage:
    """Books without a feed, and REST that answers as the plan has it; no thread, no clock."""

    def __init__(self, ages: Sequence[float], latency: float) -> None:
        self.latency = latency
        self.words: dict[str, tuple[Word, ...]] = {
            f"book{index}_mxn": (Word(NOW - age, NOW - age, QUOTE, "feed"),)
            for index, age in enumerate(ages)
        }
        self.asked = dict.fromkeys(self.words, Asked())
        self.requests: list[float] = []
        self.unknown: list[tuple[str, float]] = []
        # A book that the feed alone vouched for is unknown until the first reply.
        self._tick = math.ceil(NOW + latency)

    def run(self, seconds: float) -> None:
        at = NOW
        while at < NOW + seconds:
            wanted = [
                need(self.standing(book, at), SUBSCRIBED, DOWN, self.asked[book], at, RULES)
                for book in self.words
            ]
            todo = plan(wanted, at, carried=confirm.carrying(DOWN, at, RULES))
            if not todo.books:
                at += todo.wait_s
            else:
                at = self.ask(self.words if todo.ticker else todo.books[:1], at)
            self.take_ticks(at)

    def ask(self, books: Iterable[str], at: float) -> float:
        self.requests.append(at)
        came = at + self.latency
        # What is read while the reply is on its way is read without it.
        self.take_ticks(came)
        for book in books:
            self.asked[book] = Asked(last=at)
            self.words[book] = remember(self.words[book], Word(came, at, QUOTE, "rest"))
        return came

    def take_ticks(self, until: float) -> None:
        while self._tick < until:
            for book in self.words:
                if self.standing(book, self._tick).quote is None:
                    self.unknown.append((book, self._tick))
            self._tick += 1

    def standing(self, book: str, at: float) -> Standing:
        return stand(book, FeedView(), RestView(self.words[book]), DOWN, at, RULES)


@pytest.mark.parametrize("latency", [0.02, 0.2, 0.6, 1.2])
@pytest.mark.parametrize(
    "ages",
    [[0.1], [0.1, 0.1], [0.1, 0.8], [0.1, 30], [50, 0.3, 1.1, 9], [0.1 * n for n in range(54)]],
)
def test_an_outage_of_the_feed_costs_no_row_and_keeps_within_the_request_limit(
    ages: list[float], latency: float
) -> None:
    outage = Outage(ages, latency)
    outage.run(300)
    assert outage.unknown == []
    times = outage.requests
    busiest = max(sum(start <= time < start + 61 + latency for time in times) for start in times)
    assert busiest <= 60
