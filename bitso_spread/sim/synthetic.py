"""A market that never was: seeded books whose spread and rhythm match the real data.

Calibrated on one batch (600 rows) each of btc_mxn and usd_mxn of 2024-07-26 and on what is
known of 40 minutes around it: the top of a book changes in 38 % of seconds (0.39 and 0.42
in the batches), it stands still for up to 47 s, after a second with a change another
follows in 57-67 %, after one without in 24-27 %; the bid moves twice as often as the ask,
mostly by a tick or two and at most by 0.1 %; the spread lies between 0.02 and 0.5 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType

from bitso_spread.errors import UsageError
from bitso_spread.sim.ladder import Ladder
from bitso_spread.sim.market import Depth
from bitso_spread.sim.specs import BookSpec, catalogue, spec_of

MOST_BOOKS = 10_000
"""Some two hundred times what Bitso has; far more would take all memory."""
DEFAULT_BOOKS = 12
DEFAULT_FRAMES_PER_SECOND = 4.0

# Waits between two changes of the top: bursts, calm, and long calm, as (weight, mean in s).
_RHYTHM = ((0.88, 0.75), (0.09, 5.0), (0.03, 15.0))
_LONGEST_WAIT_S = 46.5
_TOP_CHANGES_PER_S = 1 / sum(weight * mean for weight, mean in _RHYTHM)
# The spread, as fractions of the ask: where it lies, and what it is drawn to.
_NARROWEST = (2, 10_000)
_WIDEST = (5, 1_000)
_USUAL = 0.0019
_WIDEST_MOVE = 0.001
# A market that nobody looks at for longer stands still, instead of catching up on hours.
_UNWATCHED_MS = 60_000


class TopOfBook:
    """The best bid and ask of one book, in ticks, change by change."""

    def __init__(self, spec: BookSpec, seed: int) -> None:
        self._rng = Random(f"{seed}:{spec.book}:top")  # noqa: S311  (a market, not a secret)
        self._anchor = spec.ticks(spec.price)
        self._widest_move = max(2, int(self._anchor * _WIDEST_MOVE))
        self.bid = round(self._anchor * self._rng.uniform(0.99, 1.01))
        self.ask = self.bid
        self._set_ask(round(self.bid * (1 + _USUAL)))

    def wait_ms(self) -> int:
        """Draw the time to the next change."""
        weights, means = zip(*_RHYTHM, strict=True)
        (mean,) = self._rng.choices(means, weights)
        return 1 + int(1000 * min(self._rng.expovariate(1 / mean), _LONGEST_WAIT_S))

    def change(self) -> None:
        """Move the bid, the ask, or both."""
        rng = self._rng
        before = (self.bid, self.ask)
        while before == (self.bid, self.ask):
            self._move(2 if rng.random() < 0.1 else 1)

    def _move(self, sides: int) -> None:
        rng = self._rng
        # Above the usual spread it rather narrows, below it rather widens.
        pull = math.log((self.ask - self.bid) / self.ask / _USUAL)
        widens = rng.random() < min(0.9, max(0.1, 0.5 - 0.2 * pull))
        # Far from where the book belongs, the side is chosen that brings it back.
        drift = min(1.0, max(-1.0, math.log(self.ask / self._anchor) / 0.05)) * 0.25
        moves_bid = rng.random() < 0.62 + (drift if widens else -drift)
        for side in range(sides):
            step = min(int(rng.paretovariate(1.1)), self._widest_move)
            if moves_bid != bool(side):
                self._set_bid(self.bid - step if widens else self.bid + step)
            else:
                self._set_ask(self.ask + step if widens else self.ask - step)

    def _set_bid(self, bid: int) -> None:
        (narrow, of_narrow), (wide, of_wide) = _NARROWEST, _WIDEST
        highest = self.ask * (of_narrow - narrow) // of_narrow
        lowest = -(-self.ask * (of_wide - wide) // of_wide)
        self.bid = min(highest, max(lowest, bid))

    def _set_ask(self, ask: int) -> None:
        (narrow, of_narrow), (wide, of_wide) = _NARROWEST, _WIDEST
        lowest = -(-self.bid * of_narrow // (of_narrow - narrow))
        highest = self.bid * of_wide // (of_wide - wide)
        self.ask = min(highest, max(lowest, ask))


class SyntheticMarket:
    """Any number of seeded books.

    The events of a book, their order and the time between them follow from the seed and
    the book's name alone; they begin when the book is first looked at. The course of its
    top does not depend on `frames_per_second`.

    Args:
        books: names, or how many of the names that Bitso has or had, then invented ones.
        seed: another seed is another market.
        frames_per_second: about how many `orders` frames a book makes, changes of the top
            included (0.6 a second); the real btc_mxn makes 17.

    Raises:
        UsageError: these are more than `MOST_BOOKS`.
    """

    def __init__(
        self,
        books: Sequence[str] | int = DEFAULT_BOOKS,
        *,
        seed: int = 0,
        frames_per_second: float = DEFAULT_FRAMES_PER_SECOND,
    ) -> None:
        if isinstance(books, int) and books > MOST_BOOKS:
            raise UsageError(f"{books} books are too many: take {MOST_BOOKS:,} at most")
        names = catalogue(books) if isinstance(books, int) else list(dict.fromkeys(books))
        stirs = max(0.0, frames_per_second - _TOP_CHANGES_PER_S)
        self._books = {name: _Book(spec_of(name), seed, stirs) for name in names}
        self._specs = MappingProxyType({name: spec_of(name) for name in names})

    @property
    def specs(self) -> Mapping[str, BookSpec]:
        """The books there are, by name."""
        return self._specs

    def subscribed(self, now_ms: int) -> None:
        """Do nothing: this market does not wait for anybody."""

    def depth(self, book: str, now_ms: int) -> Depth:
        """Give the book as it stands, after all events up to now."""
        return self._books[book].depth(now_ms)

    def next_change_ms(self, book: str) -> int | None:
        """Give the time of the next event; None before the first look at the book."""
        return self._books[book].next_change_ms()


class _Book:
    def __init__(self, spec: BookSpec, seed: int, stirs_per_second: float) -> None:
        self._top = TopOfBook(spec, seed)
        self._rng = Random(f"{seed}:{spec.book}:orders")  # noqa: S311  (a market, not a secret)
        self._ladder = Ladder(spec, self._rng)
        self._stirs_per_second = stirs_per_second
        self._depth: Depth | None = None
        self._looked_ms = 0
        self._next_top_ms = 0
        self._next_stir_ms: float = math.inf

    def next_change_ms(self) -> int | None:
        return None if self._depth is None else int(min(self._next_top_ms, self._next_stir_ms))

    def depth(self, now_ms: int) -> Depth:
        depth = self._open(now_ms) if self._depth is None else self._depth
        away = now_ms - self._looked_ms
        if abs(away) > _UNWATCHED_MS:
            self._next_top_ms += away
            self._next_stir_ms += away
        self._looked_ms = now_ms
        while (due := int(min(self._next_top_ms, self._next_stir_ms))) <= now_ms:
            depth = self._event(due)
        self._depth = depth
        return depth

    def _open(self, now_ms: int) -> Depth:
        self._looked_ms = now_ms
        self._next_top_ms = now_ms + self._top.wait_ms()
        self._next_stir_ms = now_ms + self._stir_wait_ms()
        return self._ladder.move(self._top.bid, self._top.ask, now_ms)

    def _event(self, due: int) -> Depth:
        if due < self._next_top_ms:
            self._next_stir_ms += self._stir_wait_ms()
            return self._ladder.stir(due)
        self._next_top_ms += self._top.wait_ms()
        self._top.change()
        return self._ladder.move(self._top.bid, self._top.ask, due)

    def _stir_wait_ms(self) -> float:
        if not self._stirs_per_second:
            return math.inf
        return 1 + 1000 * self._rng.expovariate(self._stirs_per_second)
