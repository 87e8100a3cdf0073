import math
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.exchange.standing import (
    FeedView,
    Link,
    RestView,
    Rules,
    Standing,
    Word,
    doubted,
    latest,
    remember,
    stand,
)
from bitso_spread.model import Quote, State

# The instant that everything is told from: an event happened so many seconds before it.
NOW = 10_000.0
RULES = Rules(interval_s=1.0, refresh_after_s=60.0, max_stale_s=3.0)
FRAMED = Quote("btc_mxn", Decimal(100), Decimal(101))
TOLD = Quote("btc_mxn", Decimal(98), Decimal(99))
UP = Link(since=NOW - 1000, checked=NOW)
DOWN = Link(cause="lost: it was cut")
NOTHING = FeedView()


def frame(ago: float, quote: Quote = FRAMED, *, lag: float = 0.0) -> Word:
    return Word(NOW - ago, NOW - ago - lag, quote, "feed")


def reply(asked: float, came: float | None = None, quote: Quote = TOLD) -> Word:
    return Word(NOW - (asked if came is None else came), NOW - asked, quote, "rest")


def rejected(*words: Word, ago: float, source: str = "feed") -> tuple[Word, ...]:
    return (*words, doubted(words, NOW - ago, source, "crossed"))


def feed(*words: Word, acked: float | None = 500, spoke: float | None = None) -> FeedView:
    """Give the view of a connection: acknowledged, and perhaps heard of, so many seconds ago."""
    return FeedView(
        words,
        None if acked is None else NOW - acked,
        None if spoke is None else NOW - spoke,
    )


def rest(*words: Word) -> RestView:
    return RestView(words)


@dataclass(frozen=True)
class Case:
    name: str
    state: State
    quote: Quote | None
    feed: FeedView = NOTHING
    rest: RestView = field(default_factory=RestView)
    link: Link = UP
    vouched: bool = False
    reason: str | None = None


CASES = [
    Case("nothing was ever said", State.UNKNOWN, None, reason="not subscribed yet"),
    # What vouches: an own frame, or a reply that was asked for after the acknowledgement.
    Case("an own frame just now", State.FRESH, FRAMED, feed(frame(0.5), spoke=9), vouched=True),
    Case("an own frame", State.QUIET, FRAMED, feed(frame(30), spoke=30), vouched=True),
    Case(
        "a frame of an earlier connection",
        State.UNKNOWN,
        None,
        feed(frame(30)),
        reason="not confirmed",
    ),
    Case("a reply", State.QUIET, TOLD, feed(acked=40), rest(reply(39)), vouched=True),
    Case(
        "a reply asked for at the ack",
        State.QUIET,
        TOLD,
        feed(acked=40),
        rest(reply(40)),
        vouched=True,
    ),
    Case(
        "a reply asked for before the ack and come after it",
        State.UNKNOWN,
        None,
        feed(acked=40),
        rest(reply(41, 39)),
        reason="not confirmed",
    ),
    Case(
        "a reply before any ack",
        State.UNKNOWN,
        None,
        feed(acked=None),
        rest(reply(30)),
        reason="not subscribed",
    ),
    Case("a young reply that cannot vouch", State.HELD, TOLD, feed(acked=1), rest(reply(2, 1.5))),
    # Which word counts.
    Case(
        "a reply after the frame",
        State.QUIET,
        TOLD,
        feed(frame(30), spoke=30),
        rest(reply(20, 19)),
        vouched=True,
    ),
    Case(
        "a frame after the reply's request",
        State.QUIET,
        FRAMED,
        feed(frame(20), spoke=90),
        rest(reply(20.1, 19)),
        vouched=True,
    ),
    Case(
        "a lagging frame that came after the request and was sent before it",
        State.QUIET,
        TOLD,
        feed(frame(20, lag=2.5), spoke=90),
        rest(reply(21, 19)),
        vouched=True,
    ),
    # How long a word stands.
    Case(
        "a vouched word near its end",
        State.QUIET,
        FRAMED,
        feed(frame(120), spoke=500),
        vouched=True,
    ),
    Case(
        "a vouched word past its end",
        State.UNKNOWN,
        None,
        feed(frame(120.1), spoke=500),
        reason="no word for 120 s",
    ),
    Case("no link, a word of this second", State.FRESH, FRAMED, feed(frame(1)), link=DOWN),
    Case("no link, a word of 3 s ago", State.HELD, FRAMED, feed(frame(3)), link=DOWN),
    Case(
        "no link, an older word",
        State.UNKNOWN,
        None,
        feed(frame(3.1), spoke=3.1),
        link=DOWN,
        reason="no link: lost",
    ),
    Case("a reply ages from its request", State.HELD, TOLD, rest=rest(reply(3, 0.1)), link=DOWN),
    Case("a slow reply", State.UNKNOWN, None, rest=rest(reply(3.1, 0.1)), link=DOWN),
    Case("no link ever", State.UNKNOWN, None, link=Link(), reason="no link: not connected yet"),
    # A link that is there and cannot be trusted.
    Case(
        "a link nobody looked at for 3 s",
        State.QUIET,
        FRAMED,
        feed(frame(30), spoke=30),
        link=Link(since=0, checked=NOW - 3),
        vouched=True,
    ),
    Case(
        "a link nobody looked at for longer",
        State.UNKNOWN,
        None,
        feed(frame(30), spoke=30),
        link=Link(since=0, checked=NOW - 3.1),
        reason="no link",
    ),
    Case(
        "a link that lags a little",
        State.QUIET,
        FRAMED,
        feed(frame(30), spoke=30),
        link=Link(since=0, checked=NOW, lag_s=3.0),
        vouched=True,
    ),
    Case(
        "a link that lags too far, a young word",
        State.HELD,
        FRAMED,
        feed(frame(2), spoke=30),
        link=Link(since=0, checked=NOW, lag_s=3.1),
        reason="lags by 3.1 s",
    ),
    Case(
        "a link that lags too far",
        State.UNKNOWN,
        None,
        feed(frame(0.1, lag=3.1), spoke=30),
        link=Link(since=0, checked=NOW, lag_s=3.1),
        reason="lags by 3.1 s",
    ),
    Case(
        "a link that lags too far, a reply",
        State.HELD,
        TOLD,
        feed(frame(0.1, lag=9), spoke=30),
        rest(reply(2, 1)),
        link=Link(since=0, checked=NOW, lag_s=9),
    ),
    # Doubt.
    Case(
        "a quiet book in doubt",
        State.HELD,
        FRAMED,
        feed(*rejected(frame(30), ago=1), spoke=30),
        reason="rejected: crossed",
    ),
    Case(
        "a fresh book in doubt",
        State.HELD,
        FRAMED,
        feed(*rejected(frame(0.5), ago=0.2), spoke=30),
        reason="rejected: crossed",
    ),
    Case(
        "a doubt near its end",
        State.HELD,
        FRAMED,
        feed(*rejected(frame(30), ago=3), spoke=30),
        reason="rejected: crossed",
    ),
    Case(
        "a doubt that was not settled",
        State.UNKNOWN,
        None,
        feed(*rejected(frame(30), ago=3.1), spoke=30),
        reason="rejected: crossed",
    ),
    Case(
        "a doubt counts from the first rejected frame",
        State.UNKNOWN,
        None,
        feed(*rejected(*rejected(frame(30), ago=3.1), ago=0.1), spoke=30),
        reason="rejected: crossed",
    ),
    Case(
        "a doubt settled by a frame",
        State.QUIET,
        FRAMED,
        feed(*rejected(frame(30), ago=9), frame(8), spoke=30),
        vouched=True,
    ),
    Case(
        "a doubt settled by a reply",
        State.QUIET,
        TOLD,
        feed(*rejected(frame(30), ago=9), spoke=30),
        rest(reply(9, 8)),
        vouched=True,
    ),
    Case(
        "a doubt that the reply does not settle, being asked for before it",
        State.UNKNOWN,
        None,
        feed(*rejected(frame(30), ago=9), spoke=30),
        rest(reply(9.1, 8)),
        reason="rejected: crossed",
    ),
    Case(
        "a doubt after the reply",
        State.HELD,
        TOLD,
        feed(*rejected(frame(30), ago=1), spoke=30),
        rest(reply(9, 8)),
        reason="rejected: crossed",
    ),
    Case(
        "a doubt of a rejected reply",
        State.UNKNOWN,
        None,
        feed(frame(30), spoke=30),
        rest(*rejected(ago=4, source="rest")),
        reason="rejected: crossed",
    ),
    Case(
        "a rejected reply, and a frame after it",
        State.QUIET,
        FRAMED,
        feed(frame(3.5), spoke=30),
        rest(*rejected(ago=4, source="rest")),
        vouched=True,
    ),
    Case("the first frame was rejected", State.UNKNOWN, None, feed(*rejected(ago=1))),
    Case(
        "the first frame was rejected, and the reply came before it",
        State.HELD,
        TOLD,
        feed(*rejected(ago=1)),
        rest(reply(2, 1.5)),
        reason="rejected: crossed",
    ),
    Case(
        "in doubt without a link", State.HELD, FRAMED, feed(*rejected(frame(2), ago=1)), link=DOWN
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_known(case: Case) -> None:
    standing = stand("btc_mxn", case.feed, case.rest, case.link, NOW, RULES)
    assert (standing.state, standing.quote) == (case.state, case.quote)
    assert standing.vouched is case.vouched
    assert (standing.reason is None) is case.vouched
    assert (case.reason or "") in (standing.reason or "")


def test_the_age_is_told_also_where_the_word_is_too_old_to_stand() -> None:
    standing = stand("btc_mxn", feed(frame(30)), RestView(), DOWN, NOW, RULES)
    assert (standing.age_s, standing.source) == (30, "feed")
    standing = stand("btc_mxn", NOTHING, rest(reply(3, 1)), DOWN, NOW, RULES)
    assert (standing.age_s, standing.source) == (3, "rest")
    assert stand("btc_mxn", NOTHING, RestView(), DOWN, NOW, RULES).age_s is None


def test_a_book_that_rest_fails_to_give_says_so_where_nothing_was_ever_said() -> None:
    vouching = feed(spoke=30)
    failing = RestView(failure="cannot reach 127.0.0.1")
    standing = stand("btc_mxn", vouching, failing, UP, NOW, RULES)
    assert (standing.state, standing.reason) == (State.UNKNOWN, "cannot reach 127.0.0.1")


def test_a_refused_book_says_so() -> None:
    refused = FeedView(refused="This book is not supported - btc_mxn")
    standing = stand("btc_mxn", refused, RestView(), UP, NOW, RULES)
    assert standing.reason == "This book is not supported - btc_mxn"


def test_a_longer_interval_makes_a_word_fresh_for_longer() -> None:
    minutes = Rules(interval_s=60, refresh_after_s=60, max_stale_s=3)
    view = feed(frame(50), spoke=90)
    assert stand("btc_mxn", view, RestView(), UP, NOW, minutes).state is State.FRESH
    assert stand("btc_mxn", view, RestView(), DOWN, NOW, minutes).state is State.UNKNOWN


def test_a_tick_that_is_taken_late_reads_the_quote_of_then() -> None:
    later = Quote("btc_mxn", Decimal(90), Decimal(91))
    view = feed(frame(1.2), frame(0.6, later), spoke=90)

    def quote(ago: float) -> Quote | None:
        return stand("btc_mxn", view, RestView(), UP, NOW - ago, RULES).quote

    assert quote(0) == later
    assert quote(0.6) == later
    assert quote(0.61) == FRAMED
    # Before either had come there was nothing, and nothing is made up.
    assert quote(1.21) is None


def test_a_late_tick_does_not_know_of_a_link_that_came_up_after_it() -> None:
    link = Link(since=NOW - 0.5, checked=NOW)
    view = feed(frame(30), acked=0.4, spoke=0.3)
    assert stand("btc_mxn", view, RestView(), link, NOW, RULES).vouched
    assert not stand("btc_mxn", view, RestView(), link, NOW - 0.4, RULES).vouched


def test_a_late_tick_finds_its_word_among_many() -> None:
    words: tuple[Word, ...] = ()
    for count in range(2000):
        # 17 frames a second, as those of btc_mxn.
        words = remember(words, Word(count / 17, count / 17, FRAMED, "feed"))
    last = words[-1].received
    assert len(words) < 100
    for late in (0.0, 0.5, 1.0, 4.9):
        word = latest(words, last - late)
        assert word is not None
        assert 0 <= last - late - word.received < 1 / 17


def test_the_word_before_a_long_silence_is_kept_for_a_late_tick() -> None:
    words = remember((), frame(60))
    words = remember(words, frame(30))
    words = remember(words, frame(3))
    words = remember(words, frame(0.5))
    assert latest(words, NOW - 1) == frame(3)
    assert latest(words, NOW - 4) == frame(30)
    assert frame(60) not in words


# From here on: rules that hold whatever has happened.

seconds = st.floats(0, 40, allow_nan=False).map(lambda value: round(value, 2))


@st.composite
def heard(draw: st.DrawFn) -> tuple[Word, ...]:
    """Draw what the feed has said: valid and rejected frames, some of them lagging."""
    words: tuple[Word, ...] = ()
    for ago in sorted(draw(st.lists(seconds, max_size=5)), reverse=True):
        if draw(st.booleans()):
            bid = draw(st.integers(1, 9))
            quote = Quote("btc_mxn", Decimal(bid), Decimal(bid + 1))
            word = frame(ago, quote, lag=draw(st.sampled_from([0.0, 2.5, 5.0])))
        else:
            word = doubted(words, NOW - ago, "feed", "crossed")
        words = remember(words, word)
    return words


@st.composite
def answered(draw: st.DrawFn) -> tuple[Word, ...]:
    """Draw what REST has said, each reply some time after its request."""
    words: tuple[Word, ...] = ()
    for came in sorted(draw(st.lists(seconds, max_size=3)), reverse=True):
        if draw(st.booleans()):
            bid = draw(st.integers(11, 19))
            quote = Quote("btc_mxn", Decimal(bid), Decimal(bid + 1))
            word = reply(came + draw(st.floats(0, 5)), came, quote)
        else:
            word = doubted(words, NOW - came, "rest", "crossed")
        words = remember(words, word)
    return words


links = st.builds(
    Link,
    since=st.none() | seconds.map(lambda ago: NOW - ago),
    checked=seconds.map(lambda ago: NOW - ago / 8),
    lag_s=st.sampled_from([0.0, 2.5, 5.0]),
)
instants = st.none() | seconds.map(lambda ago: NOW - ago)
views = st.builds(FeedView, heard(), acked=instants, spoke=instants)
rests = st.builds(RestView, answered())
rules = st.builds(
    Rules,
    interval_s=st.sampled_from([1.0, 10.0]),
    refresh_after_s=st.sampled_from([1.0, 5.0, 60.0]),
    max_stale_s=st.sampled_from([0.5, 3.0, 10.0]),
)
ats = st.floats(-5, 5).map(lambda offset: NOW + round(offset, 2))


@given(views, rests, links, ats, rules)
def test_a_quote_was_always_said_by_somebody_and_for_a_reason_that_holds(
    fed: FeedView, told: RestView, link: Link, at: float, rules: Rules
) -> None:
    standing = stand("btc_mxn", fed, told, link, at, rules)
    assert (standing.state is State.UNKNOWN) is (standing.quote is None)
    assert standing.vouched is (standing.reason is None)
    if standing.vouched:
        assert link.up(at)
        assert link.lag_s <= rules.max_stale_s
    if standing.quote is None:
        return
    said = [word for word in (*fed.words, *told.words) if word.quote == standing.quote]
    assert any(word.received <= at for word in said)
    assert standing.age_s is not None
    assert any(word.as_of == pytest.approx(at - standing.age_s) for word in said)
    assert standing.age_s <= rules.max_stale_s or (
        standing.age_s <= 2 * rules.refresh_after_s and link.up(at)
    )
    if standing.state is State.FRESH:
        assert standing.age_s <= rules.interval_s


@given(views, rests, links, ats, rules)
def test_what_comes_later_changes_nothing_of_an_earlier_instant(
    fed: FeedView, told: RestView, link: Link, at: float, rules: Rules
) -> None:
    def until(words: tuple[Word, ...]) -> tuple[Word, ...]:
        return tuple(word for word in words if word.received <= at)

    earlier = FeedView(until(fed.words), fed.acked, fed.spoke), RestView(until(told.words))
    assert stand("btc_mxn", fed, told, link, at, rules) == stand(
        "btc_mxn", *earlier, link, at, rules
    )


@given(views, rests, links, rules, st.floats(0, 10))
def test_without_news_a_book_only_becomes_less_known(
    fed: FeedView, told: RestView, link: Link, rules: Rules, later: float
) -> None:
    def standing(at: float) -> Standing:
        return stand("btc_mxn", fed, told, link, at, rules)

    if standing(NOW).quote is None and (link.since is None or link.since <= NOW):
        assert standing(NOW + later).quote is None


def test_a_doubt_that_began_at_the_zero_of_the_clock_began_there() -> None:
    first = doubted((), 0.0, "feed", "crossed")
    assert doubted((first,), 5.0, "feed", "crossed").doubt == 0.0
    assert first.as_of == -math.inf
