"""What REST replies tell beside their data: how slow they are, and what time it is.

`Questions` asks; the checks of what it has kept are pure. What the data says is the job of
`bitso_spread.doctor.rest` and `agreement`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Generic, TypeVar

from bitso_spread.clock import Clock
from bitso_spread.doctor.finding import Finding, failed, ms, ok, skipped, warning
from bitso_spread.exchange.confirm import CARRY_MARGIN_S
from bitso_spread.exchange.rest import RestClient

T = TypeVar("T")

CLOCK_OFF_S = 2.0
# From here on the partition `minutes` of a batch is wrong as well.
CLOCK_WRONG_S = 60.0
# A `Date` header is cut to whole seconds, and so is a reply's own time.
_CUT_S = 1.0
_SAME_TIME_S = 2.0


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A reply, with when it was asked for and when it came (monotonic seconds)."""

    value: T
    sent: float
    received: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply said beside its data."""

    status: int
    took_s: float
    wall: float
    """When it had come, by this machine's clock: seconds since the epoch."""
    server: float | None
    """Its `Date`, cut to whole seconds; None without one."""


@dataclass(frozen=True, slots=True)
class Offset:
    """How far this machine's clock is ahead of the exchange's: between two bounds, in seconds."""

    least: float
    most: float

    @property
    def middle(self) -> float:
        """The best guess."""
        return (self.least + self.most) / 2

    @property
    def sure(self) -> float:
        """How far off it is at the very least, whichever way."""
        return max(0.0, self.least, -self.most)


class Questions:
    """Asks REST, and keeps what each reply says beside its data."""

    def __init__(self, client: RestClient, clock: Clock) -> None:
        self.client = client
        self._clock = clock
        self.replies: list[Reply] = []

    def ask(self, question: Callable[[RestClient], T]) -> Answer[T]:
        """Ask once.

        Raises:
            ExchangeError: as the client does.
        """
        before, sent = self.client.last_reply, self._clock.monotonic()
        try:
            value = question(self.client)
        finally:
            last = self.client.last_reply
            if last is not None and last is not before:
                wall = self._clock.wall()
                self.replies.append(Reply(last.status, last.took_s, wall, _seconds(last.date)))
        return Answer(value, sent, self._clock.monotonic())


def offset_of(replies: Sequence[Reply]) -> Offset | None:
    """Narrow down the clock's offset from all replies that say their time; None if none does."""
    dated = [(reply, reply.server) for reply in replies if reply.server is not None]
    if not dated:
        return None
    # A reply is dated at some instant between its request and its arrival.
    least = max(reply.wall - reply.took_s - server - _CUT_S for reply, server in dated)
    most = min(reply.wall - server for reply, server in dated)
    # Where they contradict each other, one of the clocks has stepped or the hosts differ.
    return Offset(min(least, most), max(least, most))


def check_clock(replies: Sequence[Reply]) -> Finding:
    """Compare this machine's clock with the exchange's."""
    name = "clock"
    offset = offset_of(replies)
    if offset is None:
        return skipped(name, "no reply said the exchange's time (`Date`)")
    half = (offset.most - offset.least) / 2
    way = "ahead of" if offset.middle > 0 else "behind"
    detail = (
        f"{abs(offset.middle):.1f} s {way} the exchange's, give or take {half:.1f} s "
        "(`Date` has whole seconds)"
    )
    advice = "rows are stamped by this clock: let NTP or chrony set it (timedatectl shows whether)"
    if offset.sure > CLOCK_WRONG_S:
        return failed(name, detail, advice)
    return warning(name, detail, advice) if offset.sure > CLOCK_OFF_S else ok(name, detail)


def check_latency(replies: Sequence[Reply], max_stale_s: float) -> Finding:
    """Tell whether REST is fast enough to stand in for the feed."""
    name = "REST latency"
    if not replies:
        return skipped(name, "there was no reply")
    took = sorted(reply.took_s for reply in replies)
    median, slowest = took[len(took) // 2], took[-1]
    detail = f"{ms(median)} in the middle and {ms(slowest)} at most, of {len(took)} replies"
    if slowest > max_stale_s:
        advice = (
            f"a word older than {max_stale_s:g} s is void, so while the feed is down rows will be "
            "empty: look for a faster line, or give collect a longer --max-stale"
        )
        return failed(name, detail, advice)
    if slowest > CARRY_MARGIN_S:
        return warning(name, detail, "while the feed is down, REST may leave rows empty")
    return ok(name, detail)


def check_times(stated: Sequence[tuple[str, datetime]], replies: Sequence[Reply]) -> Finding:
    """Tell whether `updated_at` and `created_at` are the time of the reply, as is believed.

    `stated` has what each reply said, the field's name first. Nothing depends on it: the
    recorder takes neither for the age of a price.
    """
    name = "times in replies"
    servers = [reply.server for reply in replies if reply.server is not None]
    if not stated or not servers:
        return skipped(name, "no reply said a time")
    earliest, latest = min(servers) - _SAME_TIME_S, max(servers) + _SAME_TIME_S
    other = {
        field: moment for field, moment in stated if not earliest <= moment.timestamp() <= latest
    }
    if other:
        field, moment = next(iter(other.items()))
        return warning(
            name,
            f"{field} is {moment:%Y-%m-%dT%H:%M:%SZ} and not the time of the reply",
            "nothing depends on it, but it was another way when this was written: please report it",
        )
    fields = " and ".join(sorted({field for field, _ in stated}))
    return ok(name, f"{fields} are when the reply was made, and say nothing of a price's age")


def _seconds(date: str | None) -> float | None:
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
