"""Keeps the heartbeat file of a running collector, on a thread that no tick waits for."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bitso_spread import __version__
from bitso_spread.complaint import Complaint
from bitso_spread.errors import LakeError
from bitso_spread.health import MARGIN_S
from bitso_spread.lake import heartbeat
from bitso_spread.lake.heartbeat import BookBeat, Heartbeat, HeartbeatFile, Phase, PublishBeat
from bitso_spread.lifetime import Running
from bitso_spread.model import Sample

if TYPE_CHECKING:
    from bitso_spread.collector import Collector

log = logging.getLogger("bitso_spread.lake")

_FAILING = "the heartbeat cannot be written, and bitso-spread status may take this for dead"
# Half a second after a tick is as far from the next one.
_AFTER_TICK_S = 0.5
_SOON_S = 0.1
# A disk that hangs must not keep the collector from ending.
_END_S = 5.0


class Pulse(Running):
    """Says once a second how a collector is, until it ends in order: then the file goes."""

    def __init__(self, collector: Collector, folder: Path) -> None:
        self._collector = collector
        self._folder = folder
        self._file = HeartbeatFile(folder, socket.gethostname(), os.getpid())
        self._stop = threading.Event()
        self._complaint = Complaint()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and remove the file."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def bury(self, books: frozenset[str]) -> None:
        """Remove what killed collectors of these books left; whoever holds the books may do so."""
        for path in heartbeat.paths(self._folder):
            if path == self._file.path:
                continue
            try:
                other = heartbeat.read(path)
            except (OSError, LakeError):
                continue
            # One that stands by holds no book, and may live: it would write its file again.
            silent = time.time() - other.at > MARGIN_S
            if books.intersection(other.names) and (silent or other.phase is not Phase.STANDBY):
                path.unlink(missing_ok=True)

    def holders(self, books: tuple[str, ...]) -> str:
        """Say who records some of these books, for a person."""
        found = []
        for path in heartbeat.paths(self._folder):
            if path == self._file.path:
                continue
            try:
                other = heartbeat.read(path)
            except (OSError, LakeError):
                continue
            lives = time.time() - other.at <= MARGIN_S
            if lives and other.phase is not Phase.STANDBY and set(books).intersection(other.names):
                found.append(f"the collector {other.pid} on {other.host}")
        return " and ".join(found) or "another collector"

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._beat()
                self._stop.wait(until_next(time.time()))
        finally:
            self._file.remove()

    def _beat(self) -> None:
        try:
            self._file.write(take_pulse(self._collector))
        except Exception as error:  # noqa: BLE001  (a thread that dies would pass for a dead collector)
            if self._complaint.due(_FAILING):
                log.warning("%s: %s", _FAILING, error)
        else:
            self._complaint.over()


def until_next(now: float) -> float:
    """Say how long to wait for the next beat: about a second, and away from any tick."""
    wait_s = (_AFTER_TICK_S - now) % 1.0
    return wait_s if wait_s > _SOON_S else wait_s + 1.0


def take_pulse(collector: Collector) -> Heartbeat:
    """Say how a collector is now."""
    # Copies are made in one go: other threads write the originals.
    counts = {} if collector.client is None else dict(collector.client.counts)
    samples = dict(collector.samples)
    return Heartbeat(
        at=time.time(),
        host=socket.gethostname(),
        pid=os.getpid(),
        version=__version__,
        environment=collector.environment.name,
        interval=collector.plan.interval,
        since=collector.since,
        phase=collector.phase,
        last_tick=collector.summary.last_tick or None,
        ticks=collector.summary.ticks,
        books=tuple(_book(sample) for book in collector.books if (sample := samples.get(book))),
        names=collector.books,
        reconnects=max(0, counts.get("connections", 0) - 1),
        rejected={
            name.removeprefix("rejected_"): count
            for name, count in sorted(counts.items())
            if name.startswith("rejected_")
        },
        rows_in_memory=collector.rows_in_memory,
        rows_in_journal=collector.rows_in_journal,
        publishing=_publishing(collector),
        store=collector.store,
        missed=collector.summary.missed,
    )


def _publishing(collector: Collector) -> PublishBeat | None:
    if collector.publisher is None:
        return None
    now = collector.publisher.now
    return PublishBeat(now.address, now.topic, now.waiting, now.since, now.why)


def _book(sample: Sample) -> BookBeat:
    age_s = None if sample.age_ms is None else sample.age_ms / 1000
    return BookBeat(sample.book, sample.tick, sample.state.value, age_s)
