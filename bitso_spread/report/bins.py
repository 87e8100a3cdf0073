"""How often the spread was how wide: equal bins up to the 99th percentile, and one above. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

_BINS = 50
_ROUND = (1, 2, 5, 10)
# Of a width. A spread that stands on the edge of a bin is above it, where a float of it, or of the
# edge, is a little below.
_EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of the same width, and a last one for all that is wider."""

    start: float = 0.0
    """In percent, as is the width."""
    width: float = 1.0
    count: int = 0
    """Without the last one."""
    counts: tuple[int, ...] = ()
    """Ticks in each, the last one included."""

    @classmethod
    def of(cls, statistics: Mapping[str, float | None]) -> Bins:
        """Lay bins from the smallest spread of a book to its 99th percentile."""
        low, high = statistics.get("min"), statistics.get("p99")
        if low is None or high is None or not math.isfinite(high - low):
            return cls()
        # The width of a book whose spread stands still: what differs in its eighth digit.
        width = _rounded_up(max((high - low) / _BINS, abs(high) * 1e-8, 1e-9))
        start = math.floor(low / width + _EDGE) * width
        return cls(start, width, math.floor((high - start) / width + _EDGE) + 1)

    @property
    def places(self) -> int:
        """How many bins there are, with the last one."""
        return self.count + 1

    def number(self, spread: pl.Expr) -> pl.Expr:
        """Give the number of the bin that a spread lies in."""
        number = ((spread - self.start) / self.width + _EDGE).floor()
        return number.cast(pl.Int64).clip(0, self.count)

    def with_counts(self, counts: Sequence[int]) -> Bins:
        """Give these bins with so many ticks in each."""
        return replace(self, counts=tuple(counts))


def _rounded_up(width: float) -> float:
    """Give the next number of the form 1, 2 or 5 times a power of ten."""
    power: float = 10.0 ** math.floor(math.log10(width))
    return next(each * power for each in _ROUND if each * power >= width * (1 - 1e-12))
