"""The exchange of the soak, in a process of its own: busy and quiet books, faults, and a diary.

``python -m tests.faults.soak_exchange DIARY SEED`` prints its REST URL and the WebSocket URL of a
proxy, and then answers each line on stdin, a JSON list, with one on stdout: ``["set", "mute",
"all"]`` sets a switch of `Faults`, ``["do", "drop_connections"]`` calls one of its actions,
``["proxy", "refuse"]`` one of the proxy's, and ``["counts"]`` asks what it has seen. It ends with
its stdin. Every best bid and ask that a book ever has goes into the diary with its time, so that
each row can be held against what was true.
"""

from __future__ import annotations

import csv
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from bitso_spread.sim.market import Depth
from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.specs import BookSpec, catalogue
from bitso_spread.sim.synthetic import SyntheticMarket
from tests.faults.proxy import Proxy

BOOKS = catalogue(54)
BUSY, QUIET = BOOKS[::2], BOOKS[1::2]
"""Half make 36 frames a second; the others one with each change of the top, and no other."""
FRAMES_PER_SECOND = 1000.0
"""Of all books together."""
_QUIET_PER_S = 0.6


class Diary:
    """A market that writes down each best bid and ask that its books ever have."""

    def __init__(self, seed: int, file: TextIO) -> None:
        rate = (FRAMES_PER_SECOND - _QUIET_PER_S * len(QUIET)) / len(BUSY)
        busy = SyntheticMarket(BUSY, seed=seed, frames_per_second=rate)
        quiet = SyntheticMarket(QUIET, seed=seed, frames_per_second=0)
        self._halves = {book: busy if book in BUSY else quiet for book in BOOKS}
        self._specs = {book: half.specs[book] for book, half in self._halves.items()}
        self._tops: dict[str, tuple[str, str]] = {}
        self._file = file
        self._rows = csv.writer(file)

    @property
    def specs(self) -> Mapping[str, BookSpec]:
        """The books there are."""
        return self._specs

    def subscribed(self, now_ms: int) -> None:
        """Do nothing: this market does not wait for anybody."""

    def depth(self, book: str, now_ms: int) -> Depth:
        """Give the book as it stands, after each of its events, also where nobody looked."""
        half = self._halves[book]
        while (due := half.next_change_ms(book)) is not None and due < now_ms:
            self._note(half.depth(book, due), due)
        depth = half.depth(book, now_ms)
        self._note(depth, now_ms)
        return depth

    def next_change_ms(self, book: str) -> int | None:
        """Give the time of the next event."""
        return self._halves[book].next_change_ms(book)

    def flush(self) -> None:
        """Bring all that was written so far to the file."""
        self._file.flush()

    def _note(self, depth: Depth, at_ms: int) -> None:
        top = (depth.bids[0].price, depth.asks[0].price)
        if self._tops.get(depth.book) != top:
            self._tops[depth.book] = top
            self._rows.writerow((depth.book, at_ms, *top))


def _answer(line: str, exchange: SimulatedExchange, proxy: Proxy, diary: Diary) -> Any:
    match json.loads(line):
        case ["set", name, value]:
            setattr(exchange.faults, name, set(value) if isinstance(value, list) else value)
        case ["do", name, *arguments]:
            getattr(exchange.faults, name)(*arguments)
        case ["proxy", name, *arguments]:
            getattr(proxy, name)(*arguments)
        case ["counts"]:
            diary.flush()
            counts = exchange.counts
            return {
                "frames": counts.frames.total(),
                "connections": counts.connections,
                "requests": counts.requests.total(),
                "throttled": counts.throttled,
            }
    return None


def main(path: Path, seed: int) -> None:
    """Run until stdin ends, which it does with whoever started it."""
    # asyncio complains of each frame that is written to a client that has just gone.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with path.open("w", newline="") as file:
        diary = Diary(seed, file)
        with SimulatedExchange(diary) as exchange, Proxy(exchange.ws_url) as proxy:
            print(exchange.rest_url, proxy.ws_url, flush=True)
            for line in sys.stdin:
                print(json.dumps(_answer(line, exchange, proxy, diary)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
