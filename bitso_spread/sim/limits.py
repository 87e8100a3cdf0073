"""Bitso's request limit: 60 requests in any 60 seconds per address, then a lock-out.

Documented (general-concepts, throttling-errors-08) and not recorded: whether requests during
the lock-out make it longer is unknown, and here they do not.
"""

from __future__ import annotations

from collections import defaultdict, deque

_WINDOW_S = 60.0


class RequestLimit:
    """Counts the requests of each address; times are monotonic seconds."""

    def __init__(self, requests_per_minute: int, lockout_s: float) -> None:
        self._most = requests_per_minute
        self._lockout_s = lockout_s
        self._requests: defaultdict[str, deque[float]] = defaultdict(deque)
        self._locked_until: dict[str, float] = {}
        self._all_locked_until = float("-inf")

    def allows(self, address: str, now: float) -> bool:
        """Count a request; tell whether it is answered or refused."""
        if now < max(self._all_locked_until, self._locked_until.get(address, now)):
            return False
        recent = self._requests[address]
        while recent and recent[0] <= now - _WINDOW_S:
            recent.popleft()
        if len(recent) >= self._most:
            recent.clear()
            self._locked_until[address] = now + self._lockout_s
            return False
        recent.append(now)
        return True

    def lock_out(self, now: float) -> None:
        """Refuse everybody for the length of a lock-out, from now."""
        self._all_locked_until = now + self._lockout_s
