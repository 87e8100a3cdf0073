"""What is known of a book at an instant: the rules, as functions of values.

A book's *word* is a valid `orders` frame or a REST reply. The feed's thread and the REST
thread each keep their own words of a book in an immutable value; `stand` reads both, and the
link, and says what may be claimed. Nothing here knows a socket, a thread or a clock: every
time is a number of monotonic seconds that somebody else read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bitso_spread.model import Quote, State

# A tick that is taken late is read from the words that had come by then, so words are kept
# for longer than the sampler may be late (one second) plus a wide margin.
HISTORY_S = 5.0

# The feed's thread looks at its link at least once a second. If it has not done so for this
# long it is stuck or the process was stopped, and its link vouches for nothing.
LINK_CHECKED_S = 3.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a word stands, in seconds."""

    interval_s: float = 1.0
    """A word is fresh within the last interval."""
    refresh_after_s: float = 60.0
    """A quiet book is confirmed by REST; twice as long, and the link's word is not enough."""
    max_stale_s: float = 3.0
    """A word that nothing vouches for. On real data a quote is wrong in 61 % of seconds by then."""


@dataclass(frozen=True, slots=True)
class Word:
    """What one message, valid or rejected, made known of a book.

    A rejected message leaves the quote of the word before it, and puts it in doubt.
    """

    received: float
    """When the message came."""
    as_of: float
    """Since when the quote may be out of date: when it came, or for REST when it was asked for,
    earlier where the link lags."""
    quote: Quote | None
    source: str
    doubt: float | None = None
    """Since when rejected messages have followed the quote; None if none has."""
    reason: str | None = None
    """Why the last message was rejected."""
    exchange_ms: int | None = None
    """The exchange's own time of the quote, ms since the epoch; None if it did not say."""


@dataclass(frozen=True, slots=True)
class FeedView:
    """What the feed has said of one book. Written by the feed's thread alone."""

    words: tuple[Word, ...] = ()
    """The last one, and those of the last `HISTORY_S` before it; oldest first."""
    acked: float | None = None
    """When this connection's subscription was acknowledged."""
    spoke: float | None = None
    """When the first valid frame of this connection came."""
    refused: str | None = None
    """What the exchange said when it refused the subscription."""


@dataclass(frozen=True, slots=True)
class RestView:
    """What REST has said of one book. Written by the REST thread alone."""

    words: tuple[Word, ...] = ()
    failure: str | None = None
    """Why the last request failed; None if it did not."""
    refused: str | None = None
    """What the exchange said when it knew no such book."""


@dataclass(frozen=True, slots=True)
class Link:
    """The feed's connection. Written by the feed's thread alone."""

    since: float | None = None
    """When it came up; None if it is down."""
    checked: float = -math.inf
    """When the feed's thread last found it alive."""
    lag_s: float = 0.0
    """How far the last frame was behind; above `max_stale_s`, the link vouches for nothing."""
    doubtful: bool = False
    """Whether a sign of life is overdue: it still vouches, but REST looks what has changed."""
    cause: str | None = None
    """Why it is down; None until the first connection has ended or failed."""

    def up(self, at: float) -> bool:
        """Tell whether there was a live link at this instant."""
        return self.since is not None and self.since <= at <= self.checked + LINK_CHECKED_S


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a book at an instant."""

    book: str
    state: State
    quote: Quote | None
    """None if, and only if, the state is unknown."""
    age_s: float | None
    """Seconds since the last valid word, also where that is too old to stand; None without one."""
    source: str | None
    """``feed`` or ``rest``: where the last valid word came from."""
    vouched: bool
    """Whether a live link vouches that nothing has changed since."""
    reason: str | None
    """Why nothing vouches for the quote, for a person; None where something does."""
    exchange_ms: int | None = None
    """The exchange's own time of the last valid word: when a frame was sent, or a reply made."""


def remember(words: tuple[Word, ...], word: Word) -> tuple[Word, ...]:
    """Add a word, and forget those that no late tick can need."""
    horizon = word.received - HISTORY_S
    for index, kept in enumerate(words):
        if kept.received > horizon:
            # The one before the horizon still stands at the start of the history.
            return (*words[max(0, index - 1) :], word)
    return (*words[-1:], word)


def doubted(words: tuple[Word, ...], at: float, source: str, reason: str) -> Word:
    """Make the word of a rejected message: the last quote, in doubt since the first rejection."""
    if not words:
        return Word(at, -math.inf, None, source, doubt=at, reason=reason)
    last = words[-1]
    doubt = at if last.doubt is None else last.doubt
    return replace(last, received=at, doubt=doubt, reason=reason)


def latest(words: tuple[Word, ...], at: float) -> Word | None:
    """Give the last word that had come at an instant."""
    for word in reversed(words):
        if word.received <= at:
            return word
    return None


def stand(
    book: str, feed: FeedView, rest: RestView, link: Link, at: float, rules: Rules
) -> Standing:
    """Say what is known of a book at an instant, and who vouches for it.

    Known is: a live link vouches and the last word is at most twice `refresh_after_s` old; or
    the last word is at most `max_stale_s` old. A rejected message that no valid word has
    followed within `max_stale_s` makes the book unknown.
    """
    said, told = latest(feed.words, at), latest(rest.words, at)
    word = _newer(said, told)
    doubt = _doubt(said, told, word)
    reason = _unvouched(feed, told, link, at, rules, doubt)
    vouched = reason is None
    if word is None or word.quote is None:
        # Nothing has ever been said, which no link can vouch for.
        why = reason or rest.failure or "no word yet"
        return Standing(book, State.UNKNOWN, None, None, None, vouched=False, reason=why)
    age = at - word.as_of
    # Doubt alone does not void a quote at once: one bad frame among good ones is common.
    backed = vouched or (doubt is not None and _backed(feed, told, link, at, rules))
    stands = (backed and age <= 2 * rules.refresh_after_s) or age <= rules.max_stale_s
    if doubt is not None and doubt.doubt is not None:
        stands = stands and at - doubt.doubt <= rules.max_stale_s
    if not stands:
        why = reason or f"no word for {age:.0f} s"
        return Standing(book, State.UNKNOWN, None, age, word.source, False, why, word.exchange_ms)
    if age <= rules.interval_s and doubt is None:
        state = State.FRESH
    else:
        state = State.QUIET if vouched else State.HELD
    return Standing(book, state, word.quote, age, word.source, vouched, reason, word.exchange_ms)


def _newer(said: Word | None, told: Word | None) -> Word | None:
    """Choose between the feed's and REST's last quote.

    A REST reply is dropped where a frame came after its request was sent: the frame may be
    newer than the snapshot. For a frame that lags, the time when it was true counts.
    """
    if said is None or said.quote is None:
        return told if told is not None and told.quote is not None else said
    if told is None or told.quote is None or said.as_of >= told.as_of:
        return said
    return told


def _doubt(said: Word | None, told: Word | None, word: Word | None) -> Word | None:
    """Give the word that doubts the chosen one, unless a valid word has settled it since."""
    for doubting, settling in ((said, told), (told, said)):
        if doubting is None or doubting.doubt is None:
            continue
        # Valid, from the other side, and known to be later than the last rejected message.
        settled = (
            settling is not None
            and settling is word
            and settling.doubt is None
            and settling.as_of >= doubting.received
        )
        if not settled:
            return doubting
    return None


def _backed(feed: FeedView, told: Word | None, link: Link, at: float, rules: Rules) -> bool:
    return _unvouched(feed, told, link, at, rules, None) is None


def _unvouched(
    feed: FeedView, told: Word | None, link: Link, at: float, rules: Rules, doubt: Word | None
) -> str | None:
    """Say why the link does not vouch for the book; None if it does.

    It vouches once one of its own frames of the book has come, or a REST reply that was asked
    for after the subscription's acknowledgement: Bitso sends no snapshot on subscribing, so
    what changed while the link was down is not seen otherwise.
    """
    if not link.up(at):
        return f"no link: {link.cause or 'not connected yet'}"
    if link.lag_s > rules.max_stale_s:
        return f"the feed lags by {link.lag_s:.1f} s"
    if doubt is not None:
        return f"rejected: {doubt.reason}"
    if feed.spoke is not None and feed.spoke <= at:
        return None
    if feed.acked is None:
        return feed.refused or "not subscribed yet"
    if told is not None and told.doubt is None and told.as_of >= feed.acked:
        return None
    return "not confirmed since the link came up"
