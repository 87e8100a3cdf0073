"""Which books REST must be asked for, and when: a plan, as a function of what is known.

REST gives the first data, confirms a book that has been quiet, settles a doubt, and carries
every book while there is no link. All of that shares one budget, so the book that has waited
longest comes first. Asking is `bitso_spread.exchange.client`'s business.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bitso_spread.exchange.standing import FeedView, Link, Rules, Standing

# One `ticker` request without a book gives the top of every book. Where more books than this are
# followed it is the only question asked: it confirms all of them, so that 54 quiet books cost one
# request a minute, and not each of them its own.
TICKER_ABOVE = 10
# While REST carries the books each one is due every 1.5 s. Two books asked for in turn would be
# 80 requests a minute, and the limit is 60, so one request has to bring them all.
TICKER_ABOVE_WHEN_CARRYING = 1
# A word is good for `max_stale_s` from when it was asked for; the next one is asked for this
# long before, which leaves room for a slow reply.
CARRY_MARGIN_S = 1.5
# The same book is not asked for again sooner, whatever the need.
MIN_GAP_S = 1.0
# A book whose frames had stopped coming is looked at this often until one comes again.
MUTE_S = 5.0
# All 54 books were acknowledged within 184 ms on the wire. Whoever has not been by now may never
# be, as on a link that says nothing at all, and is not seeded but carried.
UNANSWERED_S = 1.0
# REST may be ahead of the feed, whose frames are sent 5 to 160 ms after the event: only a book
# that has said nothing by then is mute.
SUSPECT_S = 1.0
# It is subscribed anew once, and no sooner again: each time it has to be confirmed once more.
RESUBSCRIBE_S = 30.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the REST thread remembers of its own requests for one book."""

    last: float = -math.inf
    """When the last one was sent."""
    not_before: float = -math.inf
    """The exchange refused the last one: asking again sooner would change nothing."""
    mute: float | None = None
    """When REST last checked a book whose frames had stopped coming; None for the others."""
    subscribed: float = -math.inf
    """When such a book was last subscribed anew; never where it is only suspected."""


@dataclass(frozen=True, slots=True)
class Need:
    """A book that REST is to be asked for, from `due` on."""

    book: str
    due: float
    carried: bool = False
    """Whether the feed has nothing on this book, and REST must stand in for it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask now."""

    books: tuple[str, ...] = ()
    """The books to ask for, the one that has waited longest first."""
    ticker: bool = False
    """Whether one request for all books is the cheaper way."""
    wait_s: float = math.inf
    """If there is nothing to ask: how long until there is, unless something changes."""


def need(
    standing: Standing, feed: FeedView, link: Link, asked: Asked, at: float, rules: Rules
) -> Need:
    """Say when REST must next be asked for a book."""
    known_since = -math.inf if standing.age_s is None else at - standing.age_s
    if carrying(link, at, rules) or feed.acked is None:
        # As old as it may get before the reply to the next request is here.
        due = known_since + max(rules.max_stale_s - CARRY_MARGIN_S, rules.max_stale_s / 2)
    elif not standing.vouched:
        due = known_since
    elif asked.mute is not None:
        due = asked.mute + (MUTE_S if math.isfinite(asked.subscribed) else SUSPECT_S)
    else:
        due = known_since + rules.refresh_after_s
    carried = asked.mute is not None or feed.refused is not None or _unanswered(feed, link, at)
    return Need(standing.book, max(due, asked.last + MIN_GAP_S, asked.not_before), carried)


def _unanswered(feed: FeedView, link: Link, at: float) -> bool:
    """Tell whether a subscription should have been acknowledged by now."""
    return feed.acked is None and link.since is not None and at - link.since > UNANSWERED_S


def carrying(link: Link, at: float, rules: Rules) -> bool:
    """Tell whether REST must stand in for the feed.

    It does so before a link that may be dead is found to be: the next tick may be too close.
    """
    return not link.up(at) or link.doubtful or link.lag_s > rules.max_stale_s


def plan(needs: Iterable[Need], at: float, *, carried: bool, tickers: bool = True) -> Plan:
    """Choose what to ask now; `tickers` is False where the exchange refuses that request."""
    waiting = sorted(needs, key=lambda need: need.due)
    due = tuple(need.book for need in waiting if need.due <= at)
    if not due:
        return Plan(wait_s=waiting[0].due - at if waiting else math.inf)
    # The first book to be due takes the others along, or they would come due one by one for ever.
    together = carried or sum(need.carried for need in waiting) > TICKER_ABOVE_WHEN_CARRYING
    above = TICKER_ABOVE_WHEN_CARRYING if together else TICKER_ABOVE
    return Plan(due, ticker=tickers and len(waiting) > above)
