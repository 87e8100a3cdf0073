"""How late ticks were taken: the figures that a recorder is judged by."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque

# A day of seconds: what is older says nothing of how it runs now.
_KEPT = 86_400
BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper ends of the ranges in which all ticks are counted: a tick later than the last is missed."""


class Lateness:
    """Keeps the lateness of the last day's ticks, and the worst of all."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_KEPT)
        self.max_s = 0.0
        """The greatest lateness ever, in seconds."""
        self.sum_s = 0.0
        """The lateness of all ticks together, in seconds."""
        self.counts = [0] * (len(BOUNDS_S) + 1)
        """How many ticks there were in each range of `BOUNDS_S`, and beyond the last."""

    def add(self, late_s: float) -> None:
        """Note how late a tick was taken, in seconds."""
        self._last.append(late_s)
        self.max_s = max(self.max_s, late_s)
        self.sum_s += late_s
        self.counts[bisect_left(BOUNDS_S, late_s)] += 1

    def percentile(self, percent: float) -> float:
        """Give the lateness, in seconds, that so many percent of ticks did not pass.

        0.0 where no tick was taken.
        """
        ordered = sorted(self._last)
        if not ordered:
            return 0.0
        return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]
