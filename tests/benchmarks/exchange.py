"""A simulated exchange in a process of its own, so that it takes no time from what is measured.

``python -m tests.benchmarks.exchange BOOKS FRAMES_PER_SECOND``: invented books that make so many
frames a second each, or none at all for 0. It is lavish with REST, so that no benchmark waits.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bitso_spread.exchange.environment import Environment, environment
from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket


@contextmanager
def exchange(books: int, frames_per_second: float) -> Iterator[Environment]:
    """Give the environment of an exchange that ends with the block."""
    module = "tests.benchmarks.exchange"
    command = [sys.executable, "-m", module, str(books), str(frames_per_second)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        rest_url, ws_url = process.stdout.readline().split()
        try:
            yield environment("sim", rest_url, ws_url)
        finally:
            process.stdin.close()


def main(books: int, frames_per_second: float) -> None:
    """Run until stdin ends, which it does with whoever started it."""
    market = SyntheticMarket(books, frames_per_second=frames_per_second)
    with SimulatedExchange(market, requests_per_minute=10_000) as running:
        if not frames_per_second:
            running.faults.mute = "all"
        print(running.rest_url, running.ws_url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
