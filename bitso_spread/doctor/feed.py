"""The checks of the feed: what a connection's transcript says of it. Pure.

Gathering the transcript is the job of `bitso_spread.doctor.session`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bitso_spread.counting import many
from bitso_spread.doctor.finding import (
    Finding,
    Timings,
    failed,
    listed,
    ms,
    ok,
    skipped,
    warning,
)
from bitso_spread.doctor.replies import Offset
from bitso_spread.doctor.transcript import TOP, Transcript
from bitso_spread.exchange.feed import DEAD_WITH_PONGS_S, DEAD_WITHOUT_PONGS_S
from bitso_spread.exchange.lag import LAGGING_S, LagMeter
from bitso_spread.exchange.rest_errors import printable

HANDSHAKE = "WebSocket handshake"
ACKS = "acknowledgement"
FIRST = "first frames"
KEEPALIVE = "keep-alive"
PINGS = "pings"
REFUSAL = "unknown book by the feed"
FRAMES = "frames"
SENT = "time of frames"
DELAY = "delay of frames"
AGAIN = "subscribing again"
LINK = "WebSocket link"
HEARD = (FIRST, FRAMES, SENT, PINGS, REFUSAL, AGAIN, LINK)
"""The checks of what is heard on an open connection, in their order; `DELAY` follows the clock."""

_REPORT = "it was another way when this was written: please report it"
# So soon after its acknowledgement a frame would be a snapshot and not a change.
_AT_ONCE_S = 0.05


def check_acks(heard: Transcript, timings: Timings) -> Finding:
    """Tell whether each subscription was acknowledged, by the name of its book."""
    refused = {refusal.book: refusal.text for refusal in heard.refusals}
    if texts := [printable(refused[book]) for book in heard.books if book in refused]:
        advice = "bitso-spread books lists those that REST knows; leave out what the feed refuses"
        return failed(ACKS, "; ".join(texts[:3]), advice)
    if missing := [book for book in heard.books if book not in heard.acks]:
        of = f"{len(missing)} of {len(heard.books)}"
        if heard.ended is not None:
            return failed(ACKS, f"{of} had none when the link ended: {heard.ended}", _LINK_ADVICE)
        return failed(
            ACKS,
            f"{of} have none after {timings.timeout_s:g} s: {listed(missing)}",
            "the connection is open, but the exchange does not answer on it: a proxy on the way "
            "may hold back what comes; check --ws-url, or try again later",
        )
    within = ms(max(heard.acks[book] for book in heard.books) - heard.opened)
    detail = f"{len(heard.books)} of {len(heard.books)} within {within} of the connection"
    if heard.nameless_acks:
        advice = f"the recorder copes, but may trust a book a moment too early; {_REPORT}"
        return warning(ACKS, f"{detail}; {heard.nameless_acks} name no book", advice)
    return ok(ACKS, f"{detail}, each by its book's name")


def check_first(heard: Transcript, moved: Mapping[str, bool]) -> Finding:
    """Tell whether frames of each book come.

    `moved` says of a book whether REST saw its best bid or ask change since the subscription:
    then its silence is not that of a quiet book.
    """
    spoken = {
        book: said[0].at - heard.acks.get(book, heard.opened) for book, said in heard.said.items()
    }
    silent = [book for book in heard.books if book not in spoken and book in heard.acks]
    if not spoken and not silent:
        return skipped(FIRST, "no subscription was acknowledged")
    # What has ended says nothing of what REST sees after it.
    if heard.ended is None and (mute := [book for book in silent if moved.get(book)]):
        return failed(
            FIRST,
            f"none of {listed(mute)}, though REST saw a price change meanwhile",
            "the feed is mute: the recorder would find out by REST, after --refresh-after (60 s); "
            "run again, and if it stays, use a shorter --refresh-after",
        )
    detail = ""
    if spoken:
        slowest = max(spoken, key=spoken.__getitem__)
        at_once = sum(after < _AT_ONCE_S for after in spoken.values())
        detail = (
            f"of {len(spoken)} of {many(len(heard.books), 'book')} within {ms(spoken[slowest])} "
            f"({slowest}); {at_once or 'none'} came at once, as a snapshot would"
        )
    if silent:
        return warning(
            FIRST,
            "; ".join(filter(None, [detail, f"none of {listed(silent)} yet"])),
            "a quiet book says nothing (41 s was seen), and until it speaks the recorder lives by "
            "REST: run again if it should be busy",
        )
    return ok(FIRST, detail)


def check_keepalive(heard: Transcript, timings: Timings) -> Finding:
    """Tell whether the keep-alive came in time."""
    if heard.keepalives:
        after = heard.keepalives[0] - heard.opened
        return ok(KEEPALIVE, f"after {after:.1f} s; one is due every {timings.keepalive_s:g} s")
    if heard.ended is not None:
        return skipped(KEEPALIVE, f"the connection had ended: {heard.ended}")
    waited = timings.keepalive_s + timings.margin_s
    return failed(
        KEEPALIVE,
        f"none in {waited:g} s; one is due every {timings.keepalive_s:g} s",
        f"without pongs it is the only sign of life of a quiet link: the recorder would reconnect "
        f"after each {DEAD_WITHOUT_PONGS_S:.0f} s of silence; {_REPORT}",
    )


def check_pings(heard: Transcript) -> Finding:
    """Tell whether the exchange answers pings, which nobody knows of Bitso."""
    if heard.pongs and heard.pings:
        took = ms(max(0.0, heard.pongs[0] - heard.pings[0]))
        dead = f"{DEAD_WITH_PONGS_S:.0f} s"
        return ok(PINGS, f"answered in {took}: a half-open link is noticed after {dead}")
    return warning(
        PINGS,
        f"none of {len(heard.pings)} was answered",
        f"a half-open link stays unnoticed for {DEAD_WITHOUT_PONGS_S:.0f} s, and quiet books are "
        "recorded as unchanged until then; nothing can be done about it here",
    )


def check_refusal(heard: Transcript, book: str) -> Finding:
    """Tell whether a book that does not exist is refused by a text that names it."""
    if texts := [refusal.text for refusal in heard.refusals if refusal.book == book]:
        return ok(REFUSAL, f"{book} is refused: {printable(texts[0])}")
    others = [refusal.text for refusal in heard.refusals if refusal.book not in heard.books]
    if others:
        advice = f"the recorder learns from REST that a book is unknown; {_REPORT}"
        text = printable(others[0])
        return warning(
            REFUSAL, f"{book} is refused by a text that does not name it: {text}", advice
        )
    if heard.ended is not None:
        return skipped(REFUSAL, f"the connection had ended: {heard.ended}")
    what = "acknowledged" if book in heard.acks else "not answered"
    advice = f"the recorder learns from REST that a book is unknown; {_REPORT}"
    return failed(REFUSAL, f"the subscription of {book} is {what}", advice)


def check_again(heard: Transcript) -> Finding:
    """Tell whether a subscription can be ended and made anew, which Bitso does not document."""
    if heard.left and heard.renewed:
        return ok(AGAIN, "unsubscribe and subscribe are acknowledged")
    if heard.ended is not None:
        return skipped(AGAIN, f"the connection had ended: {heard.ended}")
    return warning(
        AGAIN,
        f"{'subscribe' if heard.left else 'unsubscribe'} is not acknowledged",
        f"a book whose frames stop coming may stay mute, and lives by REST; {_REPORT}",
    )


def check_frames(heard: Transcript) -> Finding:
    """Tell whether frames are as they are believed to be."""
    rejected = heard.rejected.total()
    if not rejected and not heard.frames and not heard.foreign:
        return skipped(FRAMES, "no frame came")
    if rejected:
        return failed(
            FRAMES,
            f"{rejected} of {heard.frames + rejected} are rejected: {_counted(heard.rejected)}",
            "a book whose frames are rejected is recorded as unknown unless a valid one follows "
            "within --max-stale; run again, and if it goes on, look at the book on bitso.com",
        )
    odd = Counter({what: times for what, times in heard.odd.items() if "`sent`" not in what})
    odd += heard.foreign
    if odd:
        detail = f"{heard.frames} came, of them {_counted(odd)}"
        return warning(FRAMES, detail, f"the recorder copes; {_REPORT}")
    return ok(
        FRAMES, f"{heard.frames} came, at most {TOP} orders a side, best first, bids below asks"
    )


def check_sent(heard: Transcript) -> Finding:
    """Tell whether frames say when they were sent."""
    if not heard.frames:
        return skipped(SENT, "no frame came")
    delays = [
        said.wall - said.sent_ms / 1000
        for book in heard.said.values()
        for said in book
        if said.sent_ms is not None
    ]
    if missing := heard.frames - len(delays):
        advice = f"frames that come late cannot be told by it, and are taken as new; {_REPORT}"
        return warning(SENT, f"{missing} of {heard.frames} do not say `sent`", advice)
    least = min(delays)
    return ok(
        SENT, f"`sent` is there; the fastest frame came {least:+.3f} s after it by this clock"
    )


def check_delay(heard: Transcript, offset: Offset | None, max_stale_s: float) -> Finding:
    """Tell how late frames come: beyond the fastest of them, and by the exchange's own clock.

    The recorder measures the first alone: a delay that never changes would go unnoticed.
    """
    frames = sorted(
        (said for book in heard.said.values() for said in book if said.sent_ms is not None),
        key=lambda said: said.at,
    )
    if not frames:
        return skipped(DELAY, "no frame came that says when it was sent")
    meter = LagMeter()
    worst = max(meter.measure(said.at, said.sent_ms) for said in frames)
    detail = f"at most {ms(worst)} behind the fastest"
    constant = 0.0
    if offset is not None:
        fastest = min(said.wall - (said.sent_ms or 0) / 1000 for said in frames)
        # What is sure, whichever instant of its second a `Date` was made at.
        constant = max(0.0, fastest - offset.most)
        at_most = max(0.0, fastest - offset.least)
        detail += f", which came {constant:.1f} to {at_most:.1f} s after `sent`"
    late = max(worst, constant)
    if late > max_stale_s:
        return failed(
            DELAY,
            detail,
            "rows would be late by as much, or empty: the line, a proxy on the way or this "
            "machine is too slow for the feed; record fewer books, or from elsewhere",
        )
    if late > LAGGING_S:
        return warning(DELAY, detail, f"above {max_stale_s:g} s books are recorded as unknown")
    return ok(DELAY, detail)


def check_link(heard: Transcript, now: float) -> Finding:
    """Tell whether the connection held."""
    if heard.ended is not None:
        return failed(LINK, f"it ended: {heard.ended}", _LINK_ADVICE)
    return ok(LINK, f"held for {now - heard.opened:.0f} s")


def _counted(what: Counter[str]) -> str:
    return ", ".join(f"{times} {name}" for name, times in what.most_common(3))


_LINK_ADVICE = (
    "the recorder reconnects, but each time some seconds are known by REST alone: run again, and "
    "if it goes on, look for what cuts connections on the way"
)
