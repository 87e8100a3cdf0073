"""What came of a soak: each row of the lake held against the exchange's diary. No processes but
``verify``; what was done, and when, is `soak`'s to know."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bitso_spread.lake.reader import Lake
from tests.faults.soak import MAX_STALE_S, REFRESH_AFTER_S, Blind, Soak, Window, program
from tests.faults.soak_exchange import BOOKS, BUSY

# How long after its end a fault may still be felt: reconnecting, and the longest backoff.
_ROOM_S = 12.0
# From a change of a book to the frame that tells it, on a busy machine.
_TRANSIT_S = 1.0
_CLOCK_S = 0.01
_RECONNECT_S = 1.0
# A frame is sent 15 ms after the event, and comes later where the machine is busy.
_FRAME_S = 0.3
# A tick that was taken this shortly before a kill may not have reached the disk.
_IN_HAND_S = 0.5
# For so long back a quote is looked for in the diary.
_LOOK_BACK_S = 60.0


@dataclass(slots=True)
class Report:
    """Rows, counted for all books together, and what the system and the two programs say."""

    minutes: float
    seed: int
    faults: Mapping[str, int]
    """How often each was done."""
    expected: int = 0
    """From the first to the last tick of each book."""
    known: int = 0
    unknown: int = 0
    missed: int = 0
    absent: int = 0
    """Without a row, while there was no collector."""
    lost: int = 0
    """Without a row, while there was one."""
    twice: int = 0
    invented: int = 0
    """Known, and the book never had such a bid and ask in the minute before, or not yet."""
    stale: int = 0
    """Known, and the quote was in force too long before for what was wrong then."""
    unknowable: int = 0
    """Ticks at which a book could not be known by the rules: the injected outages."""
    unexplained: int = 0
    """Unknown, and neither could the book not be known nor had it just become knowable again."""
    unexplained_at: list[str] = field(default_factory=list)
    unknown_by_fault: dict[str, int] = field(default_factory=dict)
    """Unknown and missed rows, by the last fault before them."""
    behind: dict[str, int] = field(default_factory=dict)
    """Known rows by how long before the tick their quote had been replaced."""
    memory_early_mb: float = 0.0
    """Resident at minute 5, or after 40 % of a shorter run."""
    memory_end_mb: float = 0.0
    memory_most_mb: float = 0.0
    cpu_share: float = 0.0
    """Of one core."""
    connections: int = 0
    requests: int = 0
    throttled: int = 0
    frames: int = 0
    """What the exchange counted."""
    lateness: str = ""
    """Of the last process."""
    files: int = 0
    status: int | None = None
    """The collector's, at its end."""
    verify_status: int = 0
    findings: list[str] = field(default_factory=list)

    def as_text(self) -> str:
        """Give it for a person, a line each."""
        return "\n".join(f"  {name:18}{value}" for name, value in asdict(self).items())


@dataclass(frozen=True, slots=True)
class _Truth:
    """What a book's best bid and ask were, from when to when."""

    times: list[float]
    tops: list[tuple[float, float]]

    def last_change(self, until: float) -> float:
        """Give the time of the last change before an instant."""
        index = bisect_right(self.times, until) - 1
        return self.times[index] if index >= 0 else 0.0

    def behind(self, tick: int, top: tuple[float, float]) -> float | None:
        """Say how long before the tick a quote was replaced, 0 if not; None if it never was."""
        index = bisect_right(self.times, tick + _CLOCK_S) - 1
        replaced = float(tick)
        while index >= 0 and replaced >= tick - _LOOK_BACK_S:
            if self.tops[index] == top:
                return tick - replaced
            replaced = min(replaced, self.times[index])
            index -= 1
        return None


def report(soak: Soak, minutes: float, seed: int) -> Report:
    """Read the lake, the diary and what was measured."""
    told = Report(minutes, seed, dict(Counter(window.name for window in soak.windows)))
    counts = soak.tell("counts")
    told.connections, told.requests = counts["connections"], counts["requests"]
    told.throttled, told.frames = counts["throttled"], counts["frames"]
    _count(told, soak, _truths(soak.diary))
    _verify(told, soak.lake)
    _measure(told, soak, minutes)
    return told


def _truths(diary: Path) -> dict[str, _Truth]:
    truths = {book: _Truth([], []) for book in BOOKS}
    with diary.open(newline="") as file:
        for book, at_ms, bid, ask in csv.reader(file):
            truths[book].times.append(int(at_ms) / 1000)
            truths[book].tops.append((float(bid), float(ask)))
    return truths


def _count(told: Report, soak: Soak, truths: Mapping[str, _Truth]) -> None:
    frame = Lake(soak.lake).read()
    ticks = frame["orderbook_timestamp"].dt.epoch("s").to_list()
    rows: dict[str, dict[int, tuple[float, float] | None]] = defaultdict(dict)
    behind: Counter[str] = Counter()
    for book, tick, bid, ask in zip(frame["book"], ticks, frame["bid"], frame["ask"], strict=True):
        told.twice += tick in rows[book]
        rows[book][tick] = None if bid is None or ask is None else (bid, ask)
    for book in BOOKS:
        of_book = rows[book]
        for tick in range(min(of_book), max(of_book) + 1):
            told.expected += 1
            unknowable = any(_unknowable(w, book, tick, truths[book]) for w in soak.windows)
            told.unknowable += unknowable
            if tick not in of_book:
                gone = any(_gone(window, tick) for window in soak.windows)
                told.absent += gone
                told.lost += not gone
            elif (top := of_book[tick]) is None:
                if not _count_unknown(told, soak.windows, tick, unknowable=unknowable):
                    told.unexplained_at.append(f"{book} {tick}")
            else:
                told.known += 1
                late = truths[book].behind(tick, top)
                behind[_class_of(late)] += 1
                told.invented += late is None
                told.stale += late is not None and late > _allowed_s(soak.windows, tick)
    told.behind = {name: behind[name] for name in _CLASSES if behind[name]}


_CLASSES = ("in force", "0.1 s", "1 s", "3 s", "10 s", "60 s", "never")


def _class_of(late: float | None) -> str:
    limits = (0.0, 0.1, 1.0, 3.0, 10.0, _LOOK_BACK_S + 1)
    if late is None:
        return _CLASSES[-1]
    return next(name for name, limit in zip(_CLASSES, limits, strict=False) if late <= limit)


def _count_unknown(told: Report, windows: list[Window], tick: int, *, unknowable: bool) -> bool:
    """Count a row without a quote; tell whether it is explained."""
    before = [window for window in windows if window.start <= tick + 1]
    name = before[-1].name if before else "none"
    told.unknown_by_fault[name] = told.unknown_by_fault.get(name, 0) + 1
    excused = unknowable or any(_recovers(window, tick) for window in windows)
    told.unexplained += not excused
    return excused


def _unknowable(window: Window, book: str, tick: int, truth: _Truth) -> bool:
    """Tell whether nothing could vouch for a book, and its last word was too old to stand."""
    if window.blind is Blind.NOTHING or not window.start < tick <= window.end:
        return False
    if window.blind is Blind.BOTH:
        # A busy book made a frame at the last moment.
        word = window.start if book in BUSY else truth.last_change(window.start)
        return tick - word > MAX_STALE_S
    word = truth.last_change(tick - _FRAME_S)
    if tick - word > 2 * REFRESH_AFTER_S:
        # The link's word is not enough for ever, and REST's cannot be had.
        return True
    # The connection was cut when it began: one frame of the new one, and the book is known.
    # What changed as it was cut, and before the new one had subscribed, no frame tells.
    if word >= window.start + _RECONNECT_S or book in BUSY:
        return False
    return tick - truth.last_change(window.start - _FRAME_S) > MAX_STALE_S


def _recovers(window: Window, tick: int) -> bool:
    blind = window.blind is not Blind.NOTHING or window.name == "SIGSTOP" or window.absent
    start = window.start if window.name == "SIGSTOP" or window.absent else window.end
    return blind and start - 1 <= tick <= window.end + _ROOM_S


def _gone(window: Window, tick: int) -> bool:
    return window.absent and window.start - _IN_HAND_S <= tick <= window.end


def _allowed_s(windows: list[Window], tick: int) -> float:
    covering = (w.stale_s for w in windows if w.start <= tick <= w.end + _ROOM_S)
    return max(covering, default=MAX_STALE_S) + _TRANSIT_S


def _verify(told: Report, lake: Path) -> None:
    command = [*program(), "verify", "--lake", str(lake), "--format", "json"]
    done = subprocess.run(
        [*command, "--max-missing", str(10**9)], capture_output=True, text=True, check=False
    )
    said: dict[str, Any] = json.loads(done.stdout)
    told.verify_status = done.returncode
    told.findings = [f"{each['kind']}: {each['text']}" for each in said["findings"]]
    told.unknown, told.missed, told.files = said["unknown"], said["missed"], said["files"]


def _measure(told: Report, soak: Soak, minutes: float) -> None:
    measured = soak.measured
    early_s = min(300.0, minutes * 60 * 0.4)
    told.memory_early_mb = next(mb for at, mb in measured.resident_mb if at >= early_s)
    told.memory_end_mb = measured.resident_mb[-1][1]
    told.memory_most_mb = max(mb for _, mb in measured.resident_mb)
    told.cpu_share = round(measured.cpu_s / (minutes * 60), 3)
    late = re.search(r"lateness of ticks: (.*)", measured.said)
    told.lateness = late[1] if late else "not said"
    told.status = measured.status
