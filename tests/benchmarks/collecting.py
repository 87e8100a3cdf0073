"""The recorder as it is run, a process of its own, and what Linux knows of that process."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.exchange import Exchange
from tests.benchmarks.measure import BITSO_SPREAD

# Until then it imports, asks for the books and waits for the first data.
STARTED_S = 5.0
_END_S = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    """What the recorder says of itself at its end."""

    p99_ms: float
    """The lateness that 99 % of its ticks did not pass."""
    worst_ms: float
    rows: int
    unknown: int
    missed: int


class Collecting:
    """A running ``bitso-spread collect``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._proc = Path("/proc", str(process.pid))

    def cpu_s(self) -> float:
        """Give the CPU time that it has taken so far, in user and system mode."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Give its resident memory, shared libraries included, in millions of bytes."""
        status = (self._proc / "status").read_text()
        kib = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert kib is not None
        return int(kib[1]) * 1024 / 1e6

    def finish(self) -> Report:
        """Wait for its end, and read what it says."""
        _, said = self._process.communicate(timeout=_END_S)
        assert self._process.returncode == 0, said
        late = re.search(r"lateness of ticks: .*p99 ([\d.]+) ms, max ([\d.]+) ms", said)
        assert late is not None, said
        counted = [
            [int(number) for number in found]
            for found in re.findall(r"(\d+) SIMULATED rows, \d+ known, (\d+) unknown, (\d+)", said)
        ]
        rows, unknown, missed = map(sum, zip(*counted, strict=True))
        return Report(float(late[1]), float(late[2]), rows, unknown, missed)


@contextmanager
def collecting(exchange: Exchange, lake: Path, *options: str) -> Iterator[Collecting]:
    """Record until the options say to end, or the block does."""
    command = [BITSO_SPREAD, "collect", *exchange.options, "--lake", str(lake), *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield Collecting(process)
        finally:
            process.kill()
