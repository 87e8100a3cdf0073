"""The one-second grid, and the sampler on it.

Ticks lie on whole multiples of the interval since the epoch, and all books are sampled at
the same tick. What is known of a book is asked of a source; what becomes of the rows is the
caller's business.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from bitso_spread.clock import SYSTEM_CLOCK, Clock, check_interval
from bitso_spread.counting import word
from bitso_spread.errors import ExchangeError
from bitso_spread.exchange.standing import Standing
from bitso_spread.model import Sample, State

log = logging.getLogger("bitso_spread.sampling")

# A tick taken later than this was not taken: the process was stopped, and so was whatever
# would have received the quotes of that second.
LATE_S = 1.0
# A stop of more ticks than this leaves a gap instead of rows that say "missed".
MISSED_LIMIT = 600
# Once one book is known, the others are given so long before recording starts without them.
OTHERS_S = 10.0
# How often a wait that may be long says again why.
SAY_AGAIN_S = 60.0
# A wait is cut into pieces, since the wall clock may step while it lasts.
PIECE_S = 1.0


class Source(Protocol):
    """What knows the books, such as an `OrderBookClient`."""

    def standing(self, book: str, at: float | None = None) -> Standing:
        """Say what was known of a book at a monotonic instant."""

    def refusal(self, book: str) -> str | None:
        """Say why the exchange refuses a book; None if it does not."""

    def trouble(self, book: str) -> str:
        """Say why nothing vouches for a book."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The rows of one tick."""

    time: int
    """Whole seconds since the epoch, UTC."""
    samples: tuple[Sample, ...]
    standings: Mapping[str, Standing]
    """What each sample was made from; empty where the tick was missed."""
    late_s: float | None
    """How long after its time the tick was taken; None where it was missed."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Ticks that leave no rows, since the recorder stood still for too long."""

    first: int
    last: int


class NothingKnownError(ExchangeError):
    """No book could be had, so that there is nothing to record."""


class Sampler:
    """Takes one sample of each book at each tick, until it is stopped.

    Raises:
        UsageError: the interval is not a whole number of seconds that divides a day.
    """

    def __init__(
        self,
        source: Source,
        books: Iterable[str],
        *,
        interval: int = 1,
        after: Mapping[str, int] | None = None,
        max_wait: float = 60.0,
        stop: threading.Event | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check_interval(interval)
        self.books = tuple(books)
        """The books that are sampled; may be replaced between two ticks."""
        self.interval = interval
        self._source = source
        self._marks = dict(after or {})
        self._max_wait = max_wait
        self._stop = stop or threading.Event()
        self._clock = clock
        self._said = -math.inf

    def keep_after(self, marks: Mapping[str, int]) -> None:
        """Give no tick of a book at or below its mark, the last tick that is recorded of it."""
        self._marks.update(marks)

    def ticks(self) -> Generator[Tick | Gap]:
        """Wait for the start, then give each tick when its time has come.

        Every tick comes once and in order, and none at or below a book's mark in `after`.
        Lateness never accumulates, and a tick that could not be taken is given as missed.

        Raises:
            NothingKnownError: no book is known after `max_wait`, or the exchange refuses one.
        """
        first = self._wait_for_start()
        if first is None:
            return
        time = first
        while True:
            yield self._taken(time)
            time += self.interval
            while (now := self._wait_until(time)) is not None and now - time > LATE_S:
                last = self._last_tick(now)
                yield from self._missing(time, last)
                time = last + self.interval
            if now is None:
                return

    def _wait_for_start(self) -> int | None:
        """Give the first tick: at which all books are known, or the first has been for 10 s."""
        began = self._clock.monotonic()
        known_since: float | None = None
        recorded = min((self._marks.get(book, 0) for book in self.books), default=0)
        # Looked at every second, also where ticks are further apart: bad news should not wait.
        while (time := self._next_second()) is not None:
            at = self._clock.monotonic()
            self._check_refusals()
            unknown = [book for book in self.books if self._standing(book, time).quote is None]
            if len(unknown) < len(self.books) and known_since is None:
                known_since = at
            if known_since is None and at - began >= self._max_wait:
                raise NothingKnownError(self._nothing_known())
            if time <= recorded:
                self._say_behind(recorded + self.interval - time)
                continue
            waited = known_since is not None and at - known_since >= OTHERS_S
            if time % self.interval == 0 and (waited or not unknown):
                self._say_without(unknown, time)
                return time
        return None

    def _next_second(self) -> int | None:
        """Wait for the wall clock's next whole second, and give it; None if stopped.

        Nothing is recorded yet, so that a clock that steps is followed at once.
        """
        while True:
            now = self._clock.wall()
            time = int(now) + 1
            if self._clock.wait(self._stop, time - now):
                return None
            if 0 <= self._clock.wall() - time <= LATE_S:
                return time

    def _say_without(self, unknown: Iterable[str], time: int) -> None:
        for book in unknown:
            log.warning("recording starts without %s: %s", book, self._source.trouble(book))
        for book in self.books:
            if self._marks.get(book, 0) >= time:
                away = self._marks[book] - time
                log.warning(
                    "recording starts without %s: the clock is %d s behind what is already "
                    "recorded of it",
                    book,
                    away,
                )

    def _check_refusals(self) -> None:
        for book in self.books:
            if (refusal := self._source.refusal(book)) is not None:
                raise NothingKnownError(f"{book} cannot be recorded: {refusal}")

    def _nothing_known(self) -> str:
        reasons: dict[str, list[str]] = {}
        for book in self.books:
            reasons.setdefault(self._source.trouble(book), []).append(book)
        said = "; ".join(f"{', '.join(books)}: {why}" for why, books in reasons.items())
        return f"no book could be had in {self._max_wait:.0f} s; {said}"

    def _taken(self, time: int) -> Tick:
        late_s = self._clock.wall() - time
        standings = {
            book: self._standing(book, time)
            for book in self.books
            if time > self._marks.get(book, time - 1)
        }
        samples = tuple(_sample(time, standing) for standing in standings.values())
        return Tick(time, samples, standings, late_s)

    def _standing(self, book: str, time: int) -> Standing:
        # The tick's instant on the monotonic clock: a tick taken late reads what was known then.
        late_s = self._clock.wall() - time
        return self._source.standing(book, self._clock.monotonic() - late_s)

    def _missing(self, first: int, last: int) -> Iterator[Tick | Gap]:
        count = (last - first) // self.interval + 1
        is_gap = count > MISSED_LIMIT
        log.warning(
            "%d %s missed%s: the recorder was stopped, or the machine asleep",
            *(count, word(count, "tick", ("was", "were"))),
            ", too many for rows of them" if is_gap else "",
        )
        if is_gap:
            yield Gap(first, last)
            return
        for time in range(first, last + 1, self.interval):
            books = [book for book in self.books if time > self._marks.get(book, time - 1)]
            samples = tuple(Sample.blank(time, book, State.MISSED) for book in books)
            yield Tick(time, samples, {}, None)

    def _last_tick(self, now: float) -> int:
        return int(now // self.interval) * self.interval

    def _wait_until(self, time: int) -> float | None:
        """Wait until the wall clock shows `time`, and give what it shows; None if stopped.

        When the clock has stepped back the wait is long: no tick is ever recorded twice.
        """
        while not self._stop.is_set():
            now = self._clock.wall()
            if now >= time:
                return now
            away = time - now
            self._say_behind(away)
            self._clock.wait(self._stop, min(away, PIECE_S))
        return None

    def _say_behind(self, away: float) -> None:
        at = self._clock.monotonic()
        if away > 2 * self.interval and at - self._said >= SAY_AGAIN_S:
            self._said = at
            log.warning("the clock is %.0f s behind what is already recorded: waiting for it", away)


def _sample(time: int, standing: Standing) -> Sample:
    """Make the row of a tick that was taken."""
    if standing.quote is None:
        row = Sample.blank(time, standing.book, State.UNKNOWN)
    else:
        row = Sample.of(time, standing.quote, standing.state)
    return replace(
        row,
        exchange_ms=standing.exchange_ms,
        age_ms=None if standing.age_s is None else round(standing.age_s * 1000),
        source=standing.source,
    )
