"""What the disk holds already: a file under a batch's own name, a newer version's journal."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from bitso_spread.lake import layout
from bitso_spread.lake.layout import TABLE, Partition
from bitso_spread.lake.writer import encode
from bitso_spread.model import Quote, Sample, State
from tests.faults.matrix import row
from tests.faults.stage import Row, Stage, eventually

_BOOK = "btc_mxn"
_BATCH = 4


def _next_file(stage: Stage, ahead: int) -> tuple[Path, int]:
    """Give the path and first tick that a batch to come will have, once one is in the table."""
    first = stage.rows()[_BOOK][0].tick
    tick = first + (int(time.time() - first) // _BATCH + ahead) * _BATCH
    name = layout.file_name(layout.SIMULATED, _BOOK, tick, "csv")
    path = stage.lake / TABLE / Partition.of(_BOOK, tick).path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path, tick


@row(injected="a partition that already holds a file: same name, other bytes", lost="nothing")
def other_bytes(stage: Stage) -> None:
    exchange = stage.exchange(_BOOK)
    header = encode([], "csv")
    with stage.collect(exchange, _BOOK) as recording:
        recording.wait(_BATCH + 1)
        eventually(lambda: recording.summary.files.total() >= 1, what="a file")
        path, tick = _next_file(stage, 2)
        path.write_bytes(header)
        recording.wait(3 * _BATCH)
    # It is left as it is, and the batch lies beside it.
    assert path.read_bytes() == header
    beside = path.with_name(f"{path.stem}-2.csv")
    assert beside.read_text().splitlines()[1].startswith(time.strftime("%FT%T", time.gmtime(tick)))
    path.unlink()
    stage.check()


@row(injected="a partition that already holds a file: same name, same bytes", lost="nothing")
def same_bytes(stage: Stage) -> None:
    exchange = stage.exchange(_BOOK, period_ms=None)
    with stage.collect(exchange, _BOOK, format="csv") as recording:
        recording.wait(_BATCH + 1)
        eventually(lambda: recording.summary.files.total() >= 1, what="a file")
        sample = recording.ticks[0].samples[0]
        quote = recording.ticks[0].standings[_BOOK].quote
        assert isinstance(quote, Quote)
        path, tick = _next_file(stage, 2)
        rows = [Sample.of(tick + i, quote, State.FRESH) for i in range(_BATCH)]
        path.write_bytes(encode(rows, "csv"))
        before = path.stat()
        recording.wait(3 * _BATCH)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(path.parent.glob("*-2.csv")) == []
    assert Row(tick, sample.bid, sample.ask) in stage.rows()[_BOOK]
    # The grid shows that the batch is there once.
    stage.check()


@row(
    injected="a journal written by a newer version, with rows that are in no file",
    lost="nothing: it is set aside with its rows, and recording goes on",
    takes=16,
)
def newer_journal(stage: Stage) -> None:
    exchange = stage.exchange()
    journal = layout.state_file(stage.lake, TABLE)
    newer = stage.process(exchange, "-b", "all", "--batch-size", "3")
    eventually(lambda: "btc_mxn" in newer.out, what="a file")
    eventually(lambda: len(stage.journalled(_BOOK)) >= 1, what="a row in the journal")
    stopped_at = time.time()
    newer.end(signal.SIGKILL)
    left = {book: set(stage.journalled(book)) for book in exchange.market.specs}
    filed = stage.rows()
    with closing(sqlite3.connect(journal)) as db:
        db.execute("CREATE TABLE tomorrow (x)")
        db.execute("PRAGMA user_version = 99")
    this = stage.process(exchange, "-b", "all", "--batch-size", "3", "--duration", "5s")
    assert this.wait() == 0, this.err
    began_at = stage.rows()[_BOOK][-1].tick - 4
    aside = journal.with_name(f"{TABLE}.version-99.sqlite3")
    assert f"is set aside as {aside.name}: recording goes on with a new journal" in this.err
    # What the newer version had in files is there as it was, and not one row of it again.
    assert all(stage.rows()[book][: len(rows)] == rows for book, rows in filed.items())
    with closing(sqlite3.connect(aside)) as db:
        kept = db.execute("SELECT book, tick FROM sample").fetchall()
    assert {book: {tick for name, tick in kept if name == book} for book in left} == left
    # The rows that wait in there, and the seconds between the two.
    stage.excuse(stopped_at - 4, began_at, absent=True)
    for book, rows in stage.rows().items():
        stage.check_grid(book, rows)
        stage.check_prices(book, rows)
