"""The two clocks of the recorder, and waiting on them, so that tests can bring their own.

The wall clock says which tick it is. The monotonic clock measures ages and waits, and must
go on counting while the machine sleeps: otherwise a quote would look fresh after a night
with the lid closed.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Protocol

from bitso_spread.errors import UsageError

# Where the processor has gone to sleep meanwhile, a wait ends up to some milliseconds late. So it
# is made to end early, and the rest passes in naps too short to go to sleep.
_EARLY_S = 0.005
_NAP_S = 0.0002


DAY_S = 86_400
"""Seconds of a UTC day: the epoch's clock has no leap seconds."""


def check_interval(interval: int) -> None:
    """Check that ticks of this interval fall on midnight.

    Raises:
        UsageError: they do not.
    """
    if interval < 1 or DAY_S % interval:
        raise UsageError(
            f"an interval of {interval} s does not divide a day: use 1, 2, 5, 10, 30, 60 …"
        )


class Clock(Protocol):
    """What the time is, and how to wait."""

    def wall(self) -> float:
        """Give the seconds since the epoch, UTC; may step either way."""

    def monotonic(self) -> float:
        """Give seconds that never step, and that count while the machine sleeps."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set (True) or so many seconds have passed (False)."""


class SystemClock:
    """The machine's own clocks."""

    def wall(self) -> float:
        """Give the system's time."""
        return time.time()

    def monotonic(self) -> float:
        """Give the monotonic time since boot, sleep included."""
        return monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait on the event; the end of the time is met to a fraction of a millisecond."""
        end = monotonic() + seconds
        if event.wait(max(0.0, seconds - _EARLY_S)):
            return True
        while (left := end - monotonic()) > 0:
            if event.wait(min(left, _NAP_S)):
                return True
        return event.is_set()


if sys.platform == "linux":

    def monotonic() -> float:
        """Give CLOCK_BOOTTIME: on Linux, time.monotonic() stands still while asleep."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

elif sys.platform == "darwin":

    def monotonic() -> float:
        """Give CLOCK_MONOTONIC: on macOS it counts while asleep, and time.monotonic() does not."""
        return time.clock_gettime(time.CLOCK_MONOTONIC)

else:
    monotonic = time.monotonic

SYSTEM_CLOCK = SystemClock()
