"""Many short lives of a recorder, each a process that may be killed; run by `process_killed`.

For each line on stdin a process is forked, which costs a hundredth of a start from nothing. It
records batches of seven ticks of two books as fast as the disk takes them, and writes down each
row whose commit has returned. Its number goes to stdout, and how it ended.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from bitso_spread.lake.batching import Batcher
from bitso_spread.lake.journal import Batch, Identity, Outage
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.recorder import Entry, Recorder
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from bitso_spread.model import Sample, State

BOOKS = ("btc_mxn", "usd_mxn")
START = 1_789_948_700
"""A hundred seconds before midnight, UTC: 2026-09-21."""
IDENTITY = Identity("production", "bitso.com", "csv", "five", 1)
_BATCH = 7


def bid_of(tick: int) -> float:
    """Give the bid of a tick; each has its own."""
    return 1_000_000 + tick % 1_000_000 + 0.25


def live(lake: Path) -> None:
    """Recover what is there, and record until killed."""
    with Table(lake) as table:
        table.lock(BOOKS)
        table.recover(lambda *_: None)
        table.claim(IDENTITY)
        tick = max(table.marks().values(), default=START)
        recorder = Recorder(table.lake, TABLE, on_file=lambda *_: None)
        recorder.start()
        batcher = Batcher(_BATCH, 1)
        while True:
            tick += 1
            recorder.put(_entry(batcher, tick))
            time.sleep(0.002)


def _entry(batcher: Batcher, tick: int) -> Entry:
    rows, ended = [], []
    for book in BOOKS:
        first_tick, ends = batcher.place(book, tick)
        batch = Batch(book, first_tick, *_of_batches())
        bid = bid_of(tick)
        rows.append((batch, Sample(tick, book, bid, bid + 10, 1000 / (bid + 10), State.FRESH)))
        ended += [batch] if ends else []
    return Entry(rows, ended=ended)


def _of_batches() -> tuple[str, str, str, int]:
    return IDENTITY.environment, IDENTITY.format, IDENTITY.columns, IDENTITY.interval


def write_down_commits(told: int) -> None:
    """Write down what a commit has taken as soon as it has returned."""
    record = LakeState.record

    def record_and_tell(
        self: LakeState, rows: Iterable[tuple[Batch, Sample]], outages: Iterable[Outage] = ()
    ) -> None:
        pairs = list(rows)
        record(self, pairs, outages)
        os.write(told, "".join(f"{row.tick} {row.book}\n" for _, row in pairs).encode())

    LakeState.record = record_and_tell  # type: ignore[method-assign]


def main() -> None:
    lake, told = Path(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write_down_commits(told)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            live(lake)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else "ended by itself", flush=True)


if __name__ == "__main__":
    main()
