"""Where a scenario of the fault matrix plays: an exchange, collectors, a lake, and what must hold.

`Stage.check` is the point of it all: every tick of each book is there once, no row says what was
not true, nothing that could be known is unknown, and the files agree with what was noted of them.
What may be otherwise, and when, a scenario says with `Stage.fault`. How one is written is in the
docstring of `matrix`.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from bitso_spread.collector import Collector, Plan
from bitso_spread.exchange.environment import environment
from bitso_spread.lake import layout
from bitso_spread.lake.audit import audit
from bitso_spread.lake.findings import Report
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.sim.server import SimulatedExchange
from tests.faults.market import StagedMarket
from tests.faults.program import Process
from tests.faults.proxy import Proxy
from tests.faults.recording import Recording, eventually
from tests.faults.stalls import stalls, watch

__all__ = ["BOOKS", "MAX_STALE_S", "ROOM_S", "Process", "Recording", "Row", "Stage", "eventually"]

BOOKS = ("btc_mxn", "usd_mxn")
MAX_STALE_S = 3.0
"""`--max-stale`, as it is unless a plan says otherwise."""

# From a change of a book to the frame that tells it: 15 to 50 ms, and more on a busy machine.
_TRANSIT_S = 1.0
# The clocks are read one after the other, and a thread may lose its turn in between.
_EARLY_S = 0.1
# How long after a fault ended things may need to be as before: connecting, one REST reply.
ROOM_S = 3.0


class Row(NamedTuple):
    """A row of the lake; what is not known is None."""

    tick: int
    bid: float | None
    ask: float | None


@dataclass(frozen=True, slots=True)
class Fault:
    """A time in which something was wrong, in seconds since the epoch, and what that excuses."""

    start: float
    end: float
    books: tuple[str, ...] | None
    loses: bool
    stale_s: float
    absent: bool

    def covers(self, book: str, tick: int) -> bool:
        """Tell whether it excuses what a row says."""
        return self.start <= tick <= self.end and (self.books is None or book in self.books)


class Stage:
    """A lake of its own, an exchange whose every quote was in force once, and collectors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Of this scenario alone."""
        self.lake = folder / "lake"
        self.market = StagedMarket(*BOOKS)
        """Of the last exchange that was made."""
        self._faults: list[Fault] = []
        watch()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def exchange(
        self, *books: str, period_ms: int | None = 300, ahead_s: float = 0.0, **options: Any
    ) -> SimulatedExchange:
        """Start an exchange, whose clock may be ahead; options are those of `SimulatedExchange`."""
        self.market = StagedMarket(*(books or BOOKS), period_ms=period_ms, ahead_s=ahead_s)
        exchange = SimulatedExchange(self.market, wall=lambda: time.time() + ahead_s, **options)
        return self._open.enter_context(exchange)

    def proxy(self, url: str) -> Proxy:
        """Put a proxy before the host of a URL; its own `ws_url` leads there."""
        return self._open.enter_context(Proxy(url))

    @contextmanager
    def collect(
        self,
        exchange: SimulatedExchange,
        *books: str,
        ws_url: str | None = None,
        rest_url: str | None = None,
        wait: bool = True,
        **plan: Any,
    ) -> Iterator[Recording]:
        """Record books, or all of them, until the block ends; the first tick was taken before.

        `plan` is `Plan`'s; batches are of four ticks unless it says otherwise.
        """
        where = environment("sim", rest_url or exchange.rest_url, ws_url or exchange.ws_url)
        defaults: dict[str, Any] = {
            "books": books or tuple(exchange.market.specs),
            "lake": self.lake,
            "batch_size": 4,
            "max_wait_s": 30.0,
        }
        recording = Recording(
            lambda on_tick: Collector(where, Plan(**defaults | plan), on_tick=on_tick)
        )
        recording.start()
        try:
            if wait:
                recording.wait(1)
            yield recording
        finally:
            recording.stop()

    def process(self, exchange: SimulatedExchange, *arguments: str, **environ: str) -> Process:
        """Start ``bitso-spread collect`` on this lake as a process of its own."""
        command = [sys.executable, "-m", "bitso_spread", "collect", *here(exchange)]
        return self.run([*command, "--lake", str(self.lake), *arguments], **environ)

    def run(self, command: list[str], **environ: str) -> Process:
        """Start any process, which is killed at the end if it still runs."""
        clean = {name: text for name, text in os.environ.items() if not name.startswith("BITSO_")}
        state = str(self.folder / "state")
        process = Process(
            command, {**clean, "HOME": state, "XDG_STATE_HOME": state, **environ}, self.folder
        )
        self._open.callback(process.kill)
        return process

    @contextmanager
    def fault(
        self,
        *books: str,
        loses: bool = False,
        stale_s: float = MAX_STALE_S,
        absent: bool = False,
        room_s: float = ROOM_S,
    ) -> Iterator[None]:
        """Say that something is wrong during the block, and `room_s` after it.

        Rows may tell quotes that were in force up to `stale_s` before. With `loses`, they may be
        unknown; with `absent`, they need not be there. Without books, that is so of all.
        """
        start = time.time()
        try:
            yield
        finally:
            self.excuse(
                start, time.time() + room_s, *books, loses=loses, stale_s=stale_s, absent=absent
            )

    def excuse(
        self,
        start: float,
        end: float,
        *books: str,
        loses: bool = False,
        stale_s: float = MAX_STALE_S,
        absent: bool = False,
    ) -> None:
        """Say what `fault` says of a time that is known by its start and end."""
        self._faults.append(Fault(start, end, books or None, loses, stale_s, absent))

    def rows(self) -> dict[str, list[Row]]:
        """Give all rows that are in files, by book, as they follow one another."""
        frame = Lake(self.lake).read()
        ticks = frame["orderbook_timestamp"].dt.epoch("s").to_list()
        found: dict[str, list[Row]] = {book: [] for book in sorted(set(frame["book"]))}
        for book, *row in zip(frame["book"], ticks, frame["bid"], frame["ask"], strict=True):
            found[book].append(Row(*row))
        return found

    def journalled(self, book: str) -> list[int]:
        """Give the ticks of a book that are in the journal and in no file yet."""
        path = layout.state_file(self.lake, layout.TABLE)
        if not path.exists():
            return []
        with LakeState(path) as state:
            batches = [batch for batch in state.batches() if batch.book == book]
            return [row.tick for batch in batches for row in state.rows(batch)]

    def unknown(self, book: str) -> list[int]:
        """Give the ticks of a book whose rows are empty."""
        return [row.tick for row in self.rows()[book] if row.bid is None]

    def causes(self, book: str) -> list[str]:
        """Give the causes that were noted of a book's outages, in order."""
        with LakeState(layout.state_file(self.lake, layout.TABLE)) as state:
            return [outage.cause for outage in state.outages() if outage.book == book]

    def check(self) -> Report:
        """Fail unless the lake says what was true, and all that could be known.

        To be called when all collectors have ended. Gives what an audit of the lake found.
        """
        rows = self.rows()
        assert rows, "there are no rows"
        for book, of_book in rows.items():
            self.check_grid(book, of_book)
            self.check_prices(book, of_book)
        return self.check_files(rows)

    def check_grid(self, book: str, rows: list[Row]) -> None:
        """Fail unless each tick from first to last is there once, in order."""
        ticks = [row.tick for row in rows]
        twice = [tick for tick, count in Counter(ticks).items() if count > 1]
        assert not twice, f"{book}: twice {twice}"
        assert ticks == sorted(ticks), f"{book}: out of order"
        absent = [
            tick
            for tick in sorted(set(range(ticks[0], ticks[-1] + 1)) - set(ticks))
            if not any(fault.absent for fault in self._covering(book, tick))
        ]
        assert not absent, f"{book}: lost {absent}"

    def check_prices(self, book: str, rows: list[Row]) -> None:
        """Fail unless what is known was true, and nothing is unknown without an excuse."""
        for tick, bid, ask in rows:
            faults = self._covering(book, tick)
            if bid is None or ask is None:
                assert bid is None and ask is None, f"{book}: half a row at {tick}"  # noqa: PT018  (one statement)
                assert any(fault.loses for fault in faults), f"{book}: unknown at {tick}"
                continue
            stale_s = _TRANSIT_S + max((fault.stale_s for fault in faults), default=0.0)
            assert self.market.was(book, bid, ask, tick - stale_s, tick + _EARLY_S), (
                f"{book}: the quote of {tick} came into force at "
                f"{self.market.since(book, bid):.3f}, and is older than {stale_s:g} s"
            )

    def check_files(self, rows: dict[str, list[Row]]) -> Report:
        """Fail unless an audit finds no contradiction, and counts what was read."""
        report = audit(Lake(self.lake))
        assert report.findings == (), report.findings
        assert report.files == report.checksums > 0
        read = [row for of_book in rows.values() for row in of_book]
        totals = report.totals
        assert (totals.known, totals.twice) == (sum(row.bid is not None for row in read), 0)
        assert totals.unknown + totals.missed == sum(row.bid is None for row in read)
        return report

    def _covering(self, book: str, tick: int) -> list[Fault]:
        # A machine that stood still has missed ticks, and what it knew has grown old.
        stood = [
            Fault(start, end + ROOM_S, None, loses=True, stale_s=end - start + 1, absent=False)
            for start, end in stalls
        ]
        return [fault for fault in self._faults + stood if fault.covers(book, tick)]


def here(exchange: SimulatedExchange) -> list[str]:
    """Give the options that lead to a simulated exchange."""
    return ["-e", "sim", "--rest-url", exchange.rest_url, "--ws-url", exchange.ws_url]
