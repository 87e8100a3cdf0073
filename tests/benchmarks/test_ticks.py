"""How late ticks are taken, and what a thousand frames a second cost meanwhile.

The recorder runs as it is run, with an exchange in another process. The alternative paces itself
as the predecessor does, by sleeping for a second after each pass, here over nothing at all: what
it is late by at the end is the least that such a loop can be, for its lateness adds up.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.collecting import STARTED_S, collecting
from tests.benchmarks.exchange import exchange
from tests.benchmarks.measure import say

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(400),
    pytest.mark.skipif(sys.platform != "linux", reason="reads CPU time from /proc"),
]

# Enough for the p99 not to be the maximum.
TICKS = 120
BOOKS = 54
# A little above, for a busy exchange falls a little behind.
FRAMES_PER_SECOND = 1_000 / BOOKS * 1.03


def test_ticks_are_on_time_while_the_feed_is_idle(tmp_path: Path) -> None:
    options = ("-b", "all", "--duration", f"{TICKS}s")
    with exchange(BOOKS, 0) as idle, collecting(idle, tmp_path, *options) as recorder:
        drift_ms = _drift_of_sleeping(TICKS) * 1000
        report = recorder.finish()
    say(
        f"lateness over {TICKS} s, idle: p99 {report.p99_ms:.2f} ms (under 1), "
        f"max {report.worst_ms:.2f} ms, {report.missed} missed; "
        f"sleep(1) after each pass: {drift_ms:.1f} ms late at the end"
    )
    assert (report.rows, report.missed, report.unknown) == (TICKS * BOOKS, 0, 0)
    assert report.p99_ms < 1
    assert report.p99_ms < drift_ms


def test_ticks_are_on_time_at_a_thousand_frames_a_second(tmp_path: Path) -> None:
    options = ("-b", "all", "--duration", f"{TICKS}s")
    with (
        exchange(BOOKS, FRAMES_PER_SECOND) as busy,
        collecting(busy, tmp_path, *options) as recorder,
    ):
        time.sleep(STARTED_S)
        seconds = TICKS - 2 * STARTED_S
        cpu_s, frames = recorder.cpu_s(), busy.frames()
        drift_ms = _drift_of_sleeping(seconds) * 1000
        cores, rate = (recorder.cpu_s() - cpu_s) / seconds, (busy.frames() - frames) / seconds
        report = recorder.finish()
    say(
        f"lateness over {TICKS} s at {rate:,.0f} frames a second of {BOOKS} books: "
        f"p99 {report.p99_ms:.2f} ms (under 5), max {report.worst_ms:.2f} ms, "
        f"{report.missed} missed; {cores:.1%} of a core (under 10 %); "
        f"sleep(1) after each pass: {drift_ms:.1f} ms late at the end"
    )
    assert rate >= 990
    assert (report.rows, report.missed, report.unknown) == (TICKS * BOOKS, 0, 0)
    assert report.p99_ms < 5
    assert report.p99_ms < drift_ms
    assert cores < 0.1


def _drift_of_sleeping(seconds: float) -> float:
    """Give how late the last of so many passes is that lie a sleep of one second apart."""
    passes = int(seconds)
    start = time.perf_counter()
    for _ in range(passes):
        time.sleep(1)
    return time.perf_counter() - start - passes
