"""What goes on failing is said at once, when it changes, and then once a minute."""

from __future__ import annotations

import math
from collections.abc import Callable

from bitso_spread.clock import monotonic

SAY_AGAIN_S = 60.0


class Complaint:
    """Remembers what was said of one trouble, and when."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._said: str | None = None
        self._at = -math.inf

    def due(self, text: str) -> bool:
        """Tell whether this is to be said now, and take it as said."""
        now = self._clock()
        if text == self._said and now - self._at < SAY_AGAIN_S:
            return False
        self._said, self._at = text, now
        return True

    def over(self) -> bool:
        """Note that the trouble has passed; True if there was any."""
        was, self._said = self._said is not None, None
        return was
