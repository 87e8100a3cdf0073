"""How long to wait before trying again: capped, jittered, without end.

Only counts and draws; the waiting is its caller's.
"""

from __future__ import annotations

import random
from collections.abc import Callable

BASE_S = 0.5
CAP_S = 10.0


class Backoff:
    """Full jitter: each delay is drawn evenly from zero to a bound that doubles up to a cap.

    The jitter survives at the cap, so that many clients that lost the same server do not
    come back at the same instant. With `at_once`, the first retry is immediate.
    """

    def __init__(
        self,
        *,
        base_s: float = BASE_S,
        cap_s: float = CAP_S,
        at_once: bool = False,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._at_once = at_once
        self._draw = draw
        self._tries = 0

    def reset(self) -> None:
        """Start over: the other side has shown that it works."""
        self._tries = 0

    def next(self) -> float:
        """Give the seconds to wait before the next try."""
        doublings = self._tries - self._at_once
        self._tries += 1
        if doublings < 0:
            return 0.0
        # 2 ** 1024 overflows a float; the cap is reached long before.
        bound = min(self._cap_s, self._base_s * 2.0 ** min(doublings, 30))
        return self._draw() * bound
