"""Whether the collectors of a lake are well, from what they last said of themselves.

Judged by the age of the last tick, and never by whether a process is there: its number means
nothing across containers, and one that hangs is there as well. Light to import, since a health
check does so every few seconds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from shlex import quote

from bitso_spread.counting import many
from bitso_spread.errors import LakeError
from bitso_spread.lake import heartbeat, layout
from bitso_spread.lake.heartbeat import Heartbeat, Phase

MARGIN_S = 10.0
"""How much later than expected a tick, or a sign of life, may be: a tick may come a second late,
a sign once a second, and a disk whose sync takes seconds delays both."""
AHEAD_S = 2.0
"""How far ahead of the clock a tick may be: clocks of two hosts, or one that is being set."""
IN_MEMORY_S = 15.0
"""How long a row may be in memory alone: where a sync takes five seconds, it waits for two."""

# One that gave a sign so lately lives, and has another trouble than being dead.
_LIVES_S = 3.0


class Verdict(StrEnum):
    """How a collector is."""

    RECORDING = "recording"
    STANDBY = "standby"
    STARTING = "starting"
    ENDING = "ending"
    LATE = "late"
    """It gives signs of life, and no ticks."""
    UNWRITTEN = "unwritten"
    """It takes ticks, and its disk none of their rows."""
    DEAD = "dead"
    """It gives no sign of life: it was killed, or stands still."""
    AHEAD = "ahead"
    """Its last tick is in the future: the clock was set back."""
    LEFT = "left"
    """It has ended in order, and files are on its host that are not in the store."""
    UNREADABLE = "unreadable"


_ILL = {
    Verdict.LATE,
    Verdict.UNWRITTEN,
    Verdict.DEAD,
    Verdict.AHEAD,
    Verdict.LEFT,
    Verdict.UNREADABLE,
}


@dataclass(frozen=True, slots=True)
class Collector:
    """One collector of a table, as it is judged."""

    path: Path | str
    """Its file, or the URL of its object."""
    beat: Heartbeat | None
    """None where its file cannot be read."""
    verdict: Verdict
    reason: str | None
    """What is wrong, and what to do about it; None where nothing is."""

    @property
    def is_ill(self) -> bool:
        """Whether somebody should look after it."""
        # One that only stood by is missed by nobody who is recorded for.
        idle = self.beat is not None and self.beat.phase is Phase.STANDBY
        return self.verdict in _ILL and not (idle and self.verdict is Verdict.DEAD)


@dataclass(frozen=True, slots=True)
class Health:
    """The collectors of a table, oldest first."""

    lake: Path | str
    """Absolute, or a URL."""
    table: str
    at: float
    """When this was judged, in seconds since the epoch."""
    collectors: tuple[Collector, ...]

    @property
    def is_well(self) -> bool:
        """Whether somebody records, and all who should do."""
        return not self.complaints

    @property
    def complaints(self) -> list[str]:
        """What is wrong, a line each."""
        said = [one.reason for one in self.collectors if one.is_ill and one.reason]
        verdicts = {one.verdict for one in self.collectors}
        if said or Verdict.RECORDING in verdicts:
            return said
        there = sorted(verdict.value for verdict in verdicts)
        but = f" ({', '.join(there)})" if there else ""
        what = f"no collector records into {self.lake}{but}"
        return [f"{what}: start one with bitso-spread collect --lake {quote(str(self.lake))}"]

    @property
    def remarks(self) -> list[str]:
        """What is to be known though all may be well: nothing is lost while files wait."""
        return [
            remark
            for one in self.collectors
            if one.beat is not None and (remark := waiting_for_store(one.beat)) is not None
        ]


def examine(lake: Path | str, table: str = layout.TABLE, *, now: float | None = None) -> Health:
    """Look at each collector of a table; those that ended in order are not there any more.

    `now` is the time to judge by, in seconds since the epoch.
    """
    root = layout.locate(Path(lake), table)
    found = []
    at = time.time() if now is None else now
    for path in heartbeat.paths(layout.heartbeats_folder(root, table)):
        try:
            beat = heartbeat.read(path)
        except FileNotFoundError:
            continue
        except LakeError as error:
            found.append(Collector(path, None, Verdict.UNREADABLE, f"{error}; or remove it"))
            continue
        # The clock was read before the file: without this a fresh file would be ahead of it.
        verdict, reason = judge(beat, time.time() if now is None else now)
        if verdict is Verdict.DEAD:
            reason = f"{reason}; start it again, or remove {path}"
        found.append(Collector(path, beat, verdict, reason))
    found.sort(key=lambda one: one.beat.since if one.beat else 0.0)
    return Health(root, table, at, tuple(found))


def judge(beat: Heartbeat, now: float) -> tuple[Verdict, str | None]:
    """Say how a collector is by its last sign of life, and what is wrong with it."""
    who = f"the collector of {named(beat.names)} ({beat.host}, pid {beat.pid})"
    silent = now - beat.at
    dead = Verdict.DEAD, f"{who} has given no sign of life for {_span(silent)}"
    if silent > 1.0 + MARGIN_S:
        return dead
    last = beat.at if beat.last_tick is None else max(beat.at, beat.last_tick)
    if last - now > AHEAD_S:
        return Verdict.AHEAD, (
            f"{who} has recorded up to {_span(last - now)} from now: it waits until the clock, "
            "which was set back, has passed that"
        )
    if beat.phase is not Phase.RECORDING or beat.last_tick is None:
        return Verdict(beat.phase.value), None
    age = now - beat.last_tick
    if age > beat.interval + MARGIN_S:
        if silent > _LIVES_S:
            return dead
        return Verdict.LATE, f"{who} lives, and has taken no tick for {_span(age)}: restart it"
    if beat.oldest_in_memory_s > IN_MEMORY_S:
        rows = many(beat.rows_in_memory, "row")
        return Verdict.UNWRITTEN, (
            f"{who} has {rows} in memory alone, since its disk has taken none for "
            f"{_span(beat.oldest_in_memory_s)}: make room, or see to the disk; a restart before "
            "that loses them"
        )
    return Verdict.RECORDING, None


def judge_afar(beat: Heartbeat, now: float, sign_s: float) -> tuple[Verdict, str | None]:
    """Say how a collector is that gives a sign every `sign_s` seconds, on any host.

    Its ticks are judged by its own clock; only how old its sign is, by two clocks.
    """
    return judge(beat, now if now - beat.at > sign_s + MARGIN_S else beat.at)


def waiting_for_store(beat: Heartbeat) -> str | None:
    """Say how many files wait for a lake in object storage, since when and why, if it is known."""
    store = beat.store
    # That another one has its books is what a standby is there for.
    if (
        store is None
        or beat.phase is Phase.STANDBY
        or (store.trouble is None and not store.unleased)
    ):
        return None
    reason = store.trouble or f"another recorder has {named(store.unleased)} there"
    since = "" if store.since is None else f" since {_minute(store.since)}"
    files = many(store.files, "file", ("waits", "wait"))
    return f"{files} on {beat.host} for {store.url}{since}: {reason}"


def _minute(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%MZ}"


def named(books: tuple[str, ...]) -> str:
    """Name books, of many only the first."""
    if len(books) > 3:
        return f"{', '.join(books[:2])} and {len(books) - 2} more"
    return ", ".join(books)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
