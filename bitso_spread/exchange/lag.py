"""How far behind the feed is: its frames' delay beyond the shortest of the last ten minutes.

The exchange's clock may be off by any amount, and what is constant in the difference cancels
out. Receive times are monotonic, so that a step of this machine's clock is no lag either.
"""

from __future__ import annotations

import math

WINDOW_S = 600
_BUCKET_S = 60
LAGGING_S = 2.0


class LagMeter:
    """Keeps the shortest delay of each of the last ten minutes."""

    def __init__(self) -> None:
        self._minima: dict[int, float] = {}
        self._minute = -1
        self._least = math.inf

    def measure(self, received: float, sent_ms: int | None) -> float:
        """Give the lag of a frame in seconds: 0.0 for the fastest, or if it says no time."""
        if sent_ms is None:
            return 0.0
        delay = received - sent_ms / 1000
        minute = int(received // _BUCKET_S)
        if minute != self._minute:
            self._minute = minute
            oldest = minute - WINDOW_S // _BUCKET_S
            self._minima = {at: least for at, least in self._minima.items() if at > oldest}
            self._minima[minute] = delay
            self._least = min(self._minima.values())
        elif delay < self._minima[minute]:
            self._minima[minute] = delay
            self._least = min(self._least, delay)
        return delay - self._least
