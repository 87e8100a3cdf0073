"""A simulated exchange in a process of its own, so that it takes no time from what is measured.

``python -m tests.benchmarks.exchange BOOKS FRAMES_PER_SECOND``: invented books that make so many
frames a second each, or none at all for 0. It is lavish with REST, so that no benchmark waits,
and answers each line on stdin with the number of frames that it has sent.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange that runs elsewhere."""

    rest_url: str
    ws_url: str
    process: subprocess.Popen[str]

    @property
    def options(self) -> list[str]:
        """What the command line must be told to use it."""
        return ["-e", "sim", "--rest-url", self.rest_url, "--ws-url", self.ws_url]

    def frames(self) -> int:
        """Give how many frames it has sent so far."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def exchange(books: int, frames_per_second: float) -> Iterator[Exchange]:
    """Run an exchange until the end of the block; `frames_per_second` is of each book."""
    module = "tests.benchmarks.exchange"
    command = [sys.executable, "-m", module, str(books), str(frames_per_second)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        rest_url, ws_url = process.stdout.readline().split()
        try:
            yield Exchange(rest_url, ws_url, process)
        finally:
            process.stdin.close()


def main(books: int, frames_per_second: float) -> None:
    """Run until stdin ends, which it does with whoever started it."""
    market = SyntheticMarket(books, frames_per_second=frames_per_second)
    began = time.time()
    # Where time stands still, no book ever changes.
    wall = time.time if frames_per_second else lambda: began
    with SimulatedExchange(market, requests_per_minute=10_000, wall=wall) as running:
        print(running.rest_url, running.ws_url, flush=True)
        for _ in sys.stdin:
            print(running.counts.frames.total(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
