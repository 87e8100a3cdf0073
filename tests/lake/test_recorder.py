"""Rows are durable within their second, and become files, whatever the disk does."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bitso_spread.errors import LakeError
from bitso_spread.lake import worker
from bitso_spread.lake.journal import Batch, Outage
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.recorder import Entry, LeftBehind, Recorder
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from tests.lake.support import (
    NOON,
    a_batch,
    eventually,
    once,
    rows_of,
    table_files,
    table_rows,
)


class Recording:
    """A recorder at work on a lake, and the files it has told of."""

    def __init__(self, lake: Path) -> None:
        self.lake = lake
        self.filed: list[tuple[Path, Batch, int]] = []
        self.recorder = Recorder(
            lake, TABLE, on_file=lambda path, batch, rows: self.filed.append((path, batch, rows))
        )
        self.state = LakeState(state_file(lake, TABLE))
        self.recorder.start()

    def put(self, batch: Batch, count: int = 5, *, ends: bool = True) -> None:
        self.recorder.put(Entry(rows_of(batch, count), ended=[batch] if ends else []))

    def recorded(self, batch: Batch) -> int:
        return len(self.state.rows(batch))

    def in_sql(self, statement: str) -> None:
        with closing(sqlite3.connect(state_file(self.lake, TABLE))) as db:
            db.executescript(statement)

    def refuse_rows(self) -> None:
        self.in_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON sample BEGIN SELECT RAISE(ABORT, 'no'); END"
        )

    def take_rows(self) -> None:
        self.in_sql("DROP TRIGGER refuse")


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    monkeypatch.setattr(worker, "RETRY_S", 0.005)
    recording = Recording(tmp_path)
    yield recording
    recording.state.close()


def block(lake: Path, book: str) -> Path:
    """Put a file where the book's folder should be: not even root can write below it."""
    path = lake / TABLE / "date=20260921" / f"order_book={book}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def test_rows_are_durable_within_their_second(recording: Recording) -> None:
    recording.put(a_batch(), 1, ends=False)
    eventually(lambda: recording.recorded(a_batch()) == 1)
    assert recording.state.marks() == {"btc_mxn": NOON}
    recording.recorder.stop()


def test_an_ended_batch_becomes_a_file_and_is_told(tmp_path: Path, recording: Recording) -> None:
    recording.put(a_batch())
    recording.put(a_batch("usd_mxn"), ends=False)
    assert recording.recorder.stop() == LeftBehind(0, 0)
    (told,) = recording.filed
    assert told == (table_files(tmp_path)[0], a_batch(), 5)
    assert table_rows(tmp_path) == once(rows_of(a_batch()))
    # The batch that has not ended is in the journal, for the next collection.
    assert recording.recorded(a_batch("usd_mxn")) == 5


def test_a_batch_that_ends_without_rows_makes_no_file(tmp_path: Path, recording: Recording) -> None:
    recording.recorder.put(Entry(ended=[a_batch()]))
    assert recording.recorder.stop() == LeftBehind(0, 0)
    assert recording.filed == []
    assert table_files(tmp_path) == []


def test_outages_are_recorded_with_their_rows(recording: Recording) -> None:
    outage = Outage("btc_mxn", "the link is down", NOON, None)
    recording.recorder.put(Entry(rows_of(a_batch(), 1), [outage]))
    recording.recorder.stop()
    assert recording.state.outages() == [outage]


def test_handing_over_does_not_wait_for_a_journal_that_is_busy(recording: Recording) -> None:
    with closing(sqlite3.connect(state_file(recording.lake, TABLE), isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        for i in range(20):
            recording.put(a_batch(first_tick=NOON + 5 * i))
        # Each would wait for seconds.
        assert time.monotonic() - began < 10
        assert recording.state.batches() == []
        db.execute("COMMIT")
    assert recording.recorder.stop() == LeftBehind(0, 0)
    assert sum(table_rows(recording.lake).values()) == 100


def test_rows_that_the_disk_refuses_stay_in_memory_and_are_written_later(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    recording.refuse_rows()
    recording.put(a_batch(), 3)
    recording.put(a_batch("usd_mxn"), 4, ends=False)
    assert recording.recorder.waiting == 7
    eventually(lambda: len(caplog.messages) == 1)
    assert recording.state.batches() == []
    assert caplog.messages[0].startswith("the journal cannot be written, rows stay in memory: no")
    recording.take_rows()
    eventually(lambda: recording.recorder.waiting == 0)
    assert recording.recorder.stop() == LeftBehind(0, 0)
    assert table_rows(recording.lake) == once(rows_of(a_batch(), 3))
    assert recording.recorded(a_batch("usd_mxn")) == 4


def test_how_long_the_oldest_row_waits_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RETRY_S", 0.005)
    now = [100.0]
    recorder = Recorder(tmp_path, TABLE, on_file=lambda *_: None, clock=lambda: now[0])
    # Before it is started, nothing is written.
    assert recorder.waiting_s == 0
    recorder.put(Entry(rows_of(a_batch(), 2)))
    now[0] = 103.0
    recorder.put(Entry(rows_of(a_batch("usd_mxn"), 1)))
    recorder.put(Entry())
    now[0] = 110.0
    assert recorder.waiting_s == 10
    recorder.start()
    eventually(lambda: recorder.waiting == 0)
    eventually(lambda: recorder.waiting_s == 0)
    recorder.put(Entry())
    assert recorder.waiting_s == 0
    assert recorder.stop() == LeftBehind(0, 0)
    assert recorder.lost == {}


def test_rows_that_were_refused_to_the_end_are_counted(recording: Recording) -> None:
    recording.put(a_batch(), 2, ends=False)
    eventually(lambda: recording.recorded(a_batch()) == 2)
    recording.refuse_rows()
    recording.put(a_batch(first_tick=NOON + 2), 3)
    began = time.monotonic()
    recording.put(a_batch("usd_mxn"), 2)
    assert recording.recorder.stop(give_up_s=0.1) == LeftBehind(5, 0)
    assert recording.recorder.lost == {"btc_mxn": 3, "usd_mxn": 2}
    assert time.monotonic() - began < 20
    assert table_files(recording.lake) == []
    # What had been committed before is still there, and nothing of what had not.
    assert recording.recorded(a_batch()) == 2
    assert recording.state.marks() == {"btc_mxn": NOON + 1}


def test_a_partition_that_refuses_does_not_hold_up_other_books(
    tmp_path: Path, recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    blocking = block(tmp_path, "btc_mxn")
    recording.put(a_batch("btc_mxn"))
    recording.put(a_batch("usd_mxn"))
    eventually(lambda: [batch.book for _, batch, _ in recording.filed] == ["usd_mxn"])
    recording.put(a_batch("eth_mxn"))
    eventually(lambda: len(recording.filed) == 2)
    assert recording.state.batches() == [a_batch("btc_mxn")]
    assert "the lake cannot be written, batches stay in the journal" in caplog.messages[0]
    blocking.unlink()
    eventually(lambda: len(recording.filed) == 3)
    assert recording.recorder.stop() == LeftBehind(0, 0)
    books = ("btc_mxn", "usd_mxn", "eth_mxn")
    assert table_rows(tmp_path) == once([row for book in books for row in rows_of(a_batch(book))])


def test_a_batch_that_cannot_be_made_a_file_does_not_hold_up_others(
    tmp_path: Path, recording: Recording
) -> None:
    recording.put(a_batch("btc_mxn"), ends=False)
    eventually(lambda: recording.recorded(a_batch("btc_mxn")) == 5)
    recording.in_sql("UPDATE sample SET state = 'of another version'")
    recording.recorder.put(Entry(ended=[a_batch("btc_mxn")]))
    recording.put(a_batch("usd_mxn"))
    assert recording.recorder.stop(give_up_s=0.1) == LeftBehind(0, 1)
    assert table_rows(tmp_path) == once(rows_of(a_batch("usd_mxn")))


def test_batches_that_were_refused_to_the_end_are_counted_and_written_by_the_next(
    tmp_path: Path, recording: Recording
) -> None:
    blocking = block(tmp_path, "btc_mxn")
    recording.put(a_batch("btc_mxn"))
    recording.put(a_batch("usd_mxn"))
    assert recording.recorder.stop(give_up_s=0.1) == LeftBehind(0, 1)
    blocking.unlink()
    with Table(tmp_path) as table:
        table.recover(lambda *_: None)
    assert table_rows(tmp_path) == once(rows_of(a_batch("btc_mxn")) + rows_of(a_batch("usd_mxn")))


def test_whoever_is_told_of_a_file_may_fail_and_the_recording_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RETRY_S", 0.005)

    def fail(*_: object) -> None:
        raise RuntimeError("nobody listens")

    recorder = Recorder(tmp_path, TABLE, on_file=fail)
    recorder.start()
    for book in ("btc_mxn", "usd_mxn"):
        recorder.put(Entry(rows_of(a_batch(book)), ended=[a_batch(book)]))
    recorder.stop(give_up_s=30)
    assert table_rows(tmp_path) == once(rows_of(a_batch("btc_mxn")) + rows_of(a_batch("usd_mxn")))


def test_a_lake_that_cannot_keep_a_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with pytest.raises(LakeError, match="cannot keep a journal in"):
        Recorder(tmp_path / "lake", TABLE, on_file=lambda *_: None)
