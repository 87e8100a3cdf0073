"""How late ticks were taken: the figures that a recorder is judged by."""

from __future__ import annotations

import math
from collections import deque

# A day of seconds: what is older says nothing of how it runs now.
_KEPT = 86_400


class Lateness:
    """Keeps the lateness of the last day's ticks, and the worst of all."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_KEPT)
        self.max_s = 0.0
        """The greatest lateness ever, in seconds."""

    def add(self, late_s: float) -> None:
        """Note how late a tick was taken, in seconds."""
        self._last.append(late_s)
        self.max_s = max(self.max_s, late_s)

    def percentile(self, percent: float) -> float:
        """Give the lateness, in seconds, that so many percent of ticks did not pass.

        0.0 where no tick was taken.
        """
        ordered = sorted(self._last)
        if not ordered:
            return 0.0
        return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]
