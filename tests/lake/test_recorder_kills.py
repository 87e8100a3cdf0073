"""A recorder that is killed at any instant: what it had committed is in the table once."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.table import Table
from tests.lake.support import a_row, python, table_rows

KILLS = 15
BOOKS = ["btc_mxn", "usd_mxn"]

# Batches of seven ticks, as fast as the disk takes them; each commit is told when it has returned.
RECORD = """
import os, sys, time
from collections.abc import Iterable
from pathlib import Path
from bitso_spread.lake.batching import Batcher
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.recorder import Entry, Recorder
from bitso_spread.lake.table import Table
from tests.lake.support import DAY, a_batch, a_row

books = ["btc_mxn", "usd_mxn"]
with Table(Path(sys.argv[1])) as table:
    table.lock(books)
    table.recover(lambda *_: None)
    tick = max(table.marks().values(), default=DAY - 100)
    recorder = Recorder(table.lake, TABLE, on_file=lambda *_: None)
    record = recorder._journal.record

    def record_and_tell(rows, outages=()):
        record(rows, outages)
        told = "".join(f"{row.tick} {row.book}\\n" for _, row in rows)
        os.write(1, told.encode())

    recorder._journal.record = record_and_tell
    recorder.start()
    batcher = Batcher(7, 1)
    while True:
        tick += 1
        rows, ended = [], []
        for book in books:
            first, ends = batcher.place(book, tick)
            batch = a_batch(book, first, format=sys.argv[2])
            rows.append((batch, a_row(tick, book)))
            ended += [batch] if ends else []
        recorder.put(Entry(rows, ended=ended))
        time.sleep(0.001)
"""


def test_what_was_committed_before_a_kill_is_in_the_table_exactly_once(tmp_path: Path) -> None:
    draw = random.Random(2024)  # noqa: S311  (no secret)
    told: Counter[tuple[int, str]] = Counter()
    for i in range(KILLS):
        with python(RECORD, tmp_path, ["csv", "parquet"][i % 2]) as child:
            assert child.stdout is not None
            # So many at least, however slow the disk is; and then at any instant.
            first = "".join(child.stdout.readline() for _ in range(draw.randint(1, 25)))
            time.sleep(draw.uniform(0, 0.1))
            child.kill()
            rest = child.stdout.read()
        # The kill may have cut the last line.
        for line in (first + rest).split("\n")[:-1]:
            tick, book = line.split()
            told[int(tick), book] += 1
        # Half of what is left behind is found by another process, half by the next recorder.
        if i % 2:
            with Table(tmp_path) as table:
                table.lock(BOOKS)
                table.recover(lambda *_: None)
    with Table(tmp_path) as table:
        table.recover(lambda *_: None)
        assert table._state.batches() == []
        marks = table.marks()
    found = table_rows(tmp_path)
    assert set(told.values()) == {1}
    assert set(found.values()) == {1}
    assert set(told) <= {(tick, book) for tick, book, _ in found}
    assert all(bid == a_row(tick).bid for tick, _, bid in found)
    # What was committed when the kill came, and not yet told, is there as well; nothing else is.
    assert {tick for tick, _, _ in found} == set(range(min(told)[0], max(marks.values()) + 1))
    assert {book for _, book, _ in found} == set(BOOKS)
    assert len(told) > 10 * KILLS
    assert {path.suffix for path in (tmp_path / TABLE).rglob("*.*")} == {".csv", ".parquet"}
