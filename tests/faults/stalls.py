"""When this machine stood still, so that nobody is blamed for it.

A virtual machine may be stopped for seconds. What a collector makes of that is right, rows that
say `missed`, and no fault of a scenario. Only a stop in which this process did not run counts:
one that it causes itself is a fault.
"""

from __future__ import annotations

import threading
import time

_NAP_S = 0.05
# Below it no tick is missed.
_STALL_S = 0.8

stalls: list[tuple[float, float]] = []
"""From when to when, in seconds since the epoch."""

_watching = threading.Lock()


def watch() -> None:
    """Begin to look out for stalls, once in a process."""
    if _watching.acquire(blocking=False):
        threading.Thread(target=_watch, name="stalls", daemon=True).start()


def _watch() -> None:
    before, cpu_before = time.time(), time.process_time()
    while True:
        time.sleep(_NAP_S)
        now, cpu = time.time(), time.process_time()
        if now - before > _STALL_S and cpu - cpu_before < (now - before) / 2:
            stalls.append((before, now))
        before, cpu_before = now, cpu
