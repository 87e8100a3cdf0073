"""A long run in real time: a collector, an exchange, and a fault every minute.

`Soak` owns the two processes and knows what was done to them and when; what the faults are is
`soak_faults`' business, what came of it `soak_report`'s.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, Self

COLLECT = ("-b", "all", "--format", "parquet", "--batch-size", "120")
REFRESH_AFTER_S = 20.0
"""Shorter than usual, so that REST has something to do within a minute."""
MAX_STALE_S = 3.0
_LOOK_S = 5.0
_END_S = 60.0


class Blind(Enum):
    """What cannot be had while a fault lasts."""

    NOTHING = auto()
    REST = auto()
    """REST; and the connection was cut when it began, so that a book is known by its next frame."""
    BOTH = auto()
    """Neither feed nor REST."""


@dataclass(frozen=True, slots=True)
class Window:
    """A fault, when it was, in seconds since the epoch, and what it excuses."""

    name: str
    start: float
    end: float
    blind: Blind
    stale_s: float
    """How old the quote of a known row may be: a dead link is found after so long."""
    absent: bool
    """Whether there was no collector."""


@dataclass(slots=True)
class Measured:
    """What the system knows of the collector's processes."""

    resident_mb: list[tuple[float, float]] = field(default_factory=list)
    """Resident memory in millions of bytes, and after how many seconds it was so."""
    cpu_s: float = 0.0
    """Of all processes that have ended."""
    status: int | None = None
    """The last one's exit status."""
    said: str = ""
    """What the last one wrote to stderr."""


class Soak:
    """An exchange and a collector, each a process of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.lake = folder / "lake"
        self.diary = folder / "diary.csv"
        self.windows: list[Window] = []
        """What was done, in order."""
        self.measured = Measured()
        self.began = time.time()
        self._seed = seed
        self._ended = threading.Event()
        self._collectors = 0

    def __enter__(self) -> Self:
        command = ["-m", "tests.faults.soak_exchange", str(self.diary), str(self._seed)]
        root = Path(__file__).parents[2]
        pipe = subprocess.PIPE
        self._exchange = subprocess.Popen(
            [sys.executable, *command], stdin=pipe, stdout=pipe, text=True, cwd=root
        )
        assert self._exchange.stdout is not None
        self._rest_url, self._ws_url = self._exchange.stdout.readline().split()
        self.start_collector()
        threading.Thread(target=self._measure, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._collector.poll() is None:
            self._collector.kill()
        self._collector.wait()
        # It ends with its stdin, which this closes.
        self._exchange.communicate(timeout=_END_S)

    def tell(self, *words: Any) -> Any:
        """Tell the exchange what to do; gives its answer."""
        assert self._exchange.stdin is not None
        assert self._exchange.stdout is not None
        self._exchange.stdin.write(json.dumps(words) + "\n")
        self._exchange.stdin.flush()
        return json.loads(self._exchange.stdout.readline())

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(max(0.0, seconds))

    @contextmanager
    def fault(
        self,
        name: str,
        blind: Blind = Blind.NOTHING,
        *,
        stale_s: float = MAX_STALE_S,
        absent: bool = False,
    ) -> Iterator[None]:
        """Note that something is wrong during the block."""
        start = time.time()
        try:
            yield
        finally:
            self.windows.append(Window(name, start, time.time(), blind, stale_s, absent))

    def start_collector(self) -> None:
        """Begin to collect, or go on after a kill."""
        state = str(self.folder / "state")
        clean = {name: text for name, text in os.environ.items() if not name.startswith("BITSO_")}
        self._log = self.folder / f"collector-{self._collectors}.log"
        self._collectors += 1
        where = ("-e", "sim", "--rest-url", self._rest_url, "--ws-url", self._ws_url)
        options = (*COLLECT, "--refresh-after", str(REFRESH_AFTER_S), "--lake", str(self.lake))
        with self._log.open("wb") as log:
            self._collector = subprocess.Popen(
                [*program(), "collect", *where, *options, *_columns()],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**clean, "HOME": state, "XDG_STATE_HOME": state},
            )

    def kill_collector(self) -> None:
        """Kill -9."""
        self.measured.cpu_s += _cpu_s(self._collector.pid)
        self._collector.kill()
        self._collector.wait()

    def signal_collector(self, number: signal.Signals) -> None:
        """Send the collector a signal."""
        self._collector.send_signal(number)

    def stop_collector(self) -> None:
        """End the collection in order."""
        self.measured.cpu_s += _cpu_s(self._collector.pid)
        self.measured.resident_mb.append(self._resident())
        self._collector.terminate()
        self.measured.status = self._collector.wait(_END_S)
        self.measured.said = self._log.read_text(encoding="utf-8")

    def wait_for_rows(self) -> None:
        """Wait until the collector has taken its first ticks."""
        state = self.lake / ".bitso-spread"
        deadline = time.monotonic() + _END_S
        while not list(state.glob("*.sqlite3")):
            assert time.monotonic() < deadline, self._log.read_text(encoding="utf-8")
            self.pause(0.2)

    def _resident(self) -> tuple[float, float]:
        status = Path("/proc", str(self._collector.pid), "status").read_text()
        kib = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        return time.time() - self.began, int(kib[1]) * 1024 / 1e6 if kib else 0.0

    def _measure(self) -> None:
        while not self._ended.wait(_LOOK_S):
            try:
                self.measured.resident_mb.append(self._resident())
            except OSError:
                continue


def program() -> list[str]:
    """Give the command line's beginning."""
    return [sys.executable, "-m", "bitso_spread"]


def run(
    soak: Soak,
    minutes: float,
    faults: Iterator[tuple[str, Callable[[Soak], None]]],
    *,
    every_s: float,
) -> None:
    """Do a fault every so often, and end the collection in order; leaves quiet at both ends."""
    soak.wait_for_rows()
    end = soak.began + minutes * 60
    at = soak.began + 20
    while at + 60 <= end:
        soak.pause(at - time.time())
        name, act = next(faults)
        print(f"  {time.time() - soak.began:6.1f} s  {name}", flush=True)
        act(soak)
        at = max(at + every_s, time.time() + 5)
    soak.pause(end - time.time())
    soak.stop_collector()


def _columns() -> list[str]:
    """Ask for every column, where there is a choice."""
    command = [*program(), "collect", "--help"]
    wide = {**os.environ, "COLUMNS": "200"}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=wide).stdout
    return ["--columns", "full"] if "--columns" in said else []


def _cpu_s(pid: int) -> float:
    """Give the CPU time that a process has taken so far, in user and system mode."""
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
