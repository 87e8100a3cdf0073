"""Keeps the heartbeat file of a running collector, on a thread that no tick waits for."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bitso_spread.complaint import Complaint
from bitso_spread.errors import LakeError
from bitso_spread.health import MARGIN_S
from bitso_spread.lake import heartbeat
from bitso_spread.lake.heartbeat import Heartbeat, HeartbeatFile, Phase
from bitso_spread.lifetime import Running

log = logging.getLogger("bitso_spread.lake")

_FAILING = "the heartbeat cannot be written, and bitso-spread status may take this for dead"
# Half a second after a tick is as far from the next one.
_AFTER_TICK_S = 0.5
_SOON_S = 0.1
# A disk that hangs must not keep the collector from ending.
_END_S = 5.0


class Pulse(Running):
    """Says once a second how a collector is, until it ends in order: then the file goes.

    Args:
        beat: gives how it is.
        folder: that of the files of all collectors of its table.
    """

    def __init__(self, beat: Callable[[], Heartbeat], folder: Path) -> None:
        self._take = beat
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
            self._file.write(self._take())
        except Exception as error:  # noqa: BLE001  (a thread that dies would pass for a dead collector)
            if self._complaint.due(_FAILING):
                log.warning("%s: %s", _FAILING, error)
        else:
            self._complaint.over()


def until_next(now: float) -> float:
    """Say how long to wait for the next beat: about a second, and away from any tick."""
    wait_s = (_AFTER_TICK_S - now) % 1.0
    return wait_s if wait_s > _SOON_S else wait_s + 1.0
