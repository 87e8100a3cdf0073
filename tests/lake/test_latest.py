"""The rows of a running collector are seen once each, in the journal or in files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitso_spread.errors import LakeError
from bitso_spread.lake.heartbeat import BookBeat, Heartbeat, HeartbeatFile, Phase
from bitso_spread.lake.latest import Latest
from bitso_spread.lake.layout import TABLE, heartbeats_folder, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import BatchWriter
from bitso_spread.model import Sample, State
from tests.lake.support import NOON, a_batch, a_row, rows_of


class Recording:
    """A collector's journal and files, without the collector."""

    def __init__(self, lake: Path) -> None:
        self.lake = lake
        self.state = LakeState(state_file(lake, TABLE))
        self.writer = BatchWriter(lake, TABLE, self.state)

    def put(self, first: int, count: int = 5, book: str = "btc_mxn", form: str = "csv") -> None:
        self.state.record(rows_of(a_batch(book, first, format=form), count))

    def file(self, first: int, book: str = "btc_mxn", form: str = "csv") -> None:
        assert self.writer.write(a_batch(book, first, format=form)) is not None


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    made = Recording(tmp_path)
    yield made
    made.state.close()


def ticks(rows: list[Sample], book: str = "btc_mxn") -> list[int]:
    return [row.tick - NOON for row in rows if row.book == book]


def test_rows_come_once_each_as_they_are_in_the_journal(recording: Recording) -> None:
    recording.put(NOON)
    latest = Latest(recording.lake, TABLE, after=NOON + 1)
    first = latest.look()
    assert first == [a_row(tick) for tick in range(NOON + 2, NOON + 5)]
    assert latest.look() == []
    recording.put(NOON + 5, 2)
    assert ticks(latest.look()) == [5, 6]


def test_rows_that_became_files_before_they_were_seen_are_read_from_there(
    recording: Recording,
) -> None:
    recording.put(NOON)
    latest = Latest(recording.lake, TABLE, after=NOON - 100)
    assert ticks(latest.look()) == [0, 1, 2, 3, 4]
    # Of the first of these batches two rows have been seen, and of the second none.
    recording.put(NOON + 5, 2)
    assert ticks(latest.look()) == [5, 6]
    recording.put(NOON + 5, 5)
    recording.put(NOON + 10, 5)
    for first in (NOON, NOON + 5, NOON + 10):
        recording.file(first)
    recording.put(NOON + 15, 1)
    rows = latest.look()
    assert ticks(rows) == [7, 8, 9, 10, 11, 12, 13, 14, 15]
    assert [row.bid for row in rows] == [a_row(row.tick).bid for row in rows]
    assert latest.look() == []


def test_what_is_in_files_alone_from_the_start_is_read_too(recording: Recording) -> None:
    recording.put(NOON)
    recording.file(NOON)
    rows = Latest(recording.lake, TABLE, after=NOON - 600).look()
    assert ticks(rows) == [0, 1, 2, 3, 4]
    # Five columns do not tell how they came to be known: nothing is made up.
    assert {(row.state, row.age_ms) for row in rows} == {(State.HELD, None)}


def test_a_row_of_a_file_is_as_the_collector_said_that_it_is(recording: Recording) -> None:
    recording.put(NOON)
    recording.file(NOON)
    book = BookBeat("btc_mxn", NOON + 4, "quiet", 1.5)
    beat = Heartbeat(
        at=NOON + 4.5, host="box", pid=1, version="0", environment="production", interval=1,
        since=NOON, phase=Phase.RECORDING, last_tick=NOON + 4, ticks=5, books=(book,),
        names=("btc_mxn",), reconnects=0, rejected={}, rows_in_memory=0, rows_in_journal=0,
    )  # fmt: skip
    HeartbeatFile(heartbeats_folder(recording.lake, TABLE), "box", 1).write(beat)
    last = Latest(recording.lake, TABLE, after=NOON - 600).look()[-1]
    assert (last.state, last.age_ms) == (State.QUIET, 1500)


def test_a_row_of_which_nothing_is_known_is_unknown_from_a_file_too(recording: Recording) -> None:
    recording.state.record([(a_batch(), Sample.blank(NOON, "btc_mxn", State.UNKNOWN))])
    recording.file(NOON)
    (row,) = Latest(recording.lake, TABLE, after=NOON - 600).look()
    assert (row.state, row.spread) == (State.UNKNOWN, None)


def test_only_the_books_that_are_asked_for_come(recording: Recording) -> None:
    recording.put(NOON)
    recording.file(NOON)
    recording.put(NOON, book="usd_mxn")
    recording.file(NOON, book="usd_mxn")
    recording.put(NOON + 5, book="btc_mxn")
    recording.put(NOON + 5, book="usd_mxn")
    rows = Latest(recording.lake, TABLE, after=NOON).look(["usd_mxn"])
    assert ticks(rows, "usd_mxn") == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert {row.book for row in rows} == {"usd_mxn"}


def test_a_gap_between_two_runs_is_not_looked_for_again_and_again(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording.put(NOON + 500)
    latest = Latest(recording.lake, TABLE, after=NOON)
    assert ticks(latest.look()) == [500, 501, 502, 503, 504]
    # Files are not even opened where the journal has all that follows.
    monkeypatch.setattr(latest, "_lake", None)
    recording.put(NOON + 505)
    assert ticks(latest.look()) == [505, 506, 507, 508, 509]


def test_when_the_last_collector_ends_its_last_rows_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording(tmp_path)
    recording.put(NOON)
    latest = Latest(tmp_path, TABLE, after=NOON - 1)
    latest.look()
    recording.put(NOON + 5)
    recording.file(NOON)
    recording.file(NOON + 5)
    recording.state.close()
    before = sorted(path.name for path in state_file(tmp_path, TABLE).parent.iterdir())
    assert ticks(latest.look()) == [5, 6, 7, 8, 9]
    # Nor are files opened as long as nobody records.
    monkeypatch.setattr(latest, "_lake", None)
    assert latest.look() == []
    # It only looks: nothing is made beside the table.
    assert sorted(path.name for path in state_file(tmp_path, TABLE).parent.iterdir()) == before


def test_a_file_that_cannot_be_read_is_passed_over_and_said(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    recording.put(NOON)
    recording.file(NOON)
    (file,) = (recording.lake / TABLE).rglob("*.csv")
    file.write_bytes(b"\xff\xfe nonsense")
    latest = Latest(recording.lake, TABLE, after=NOON - 1)
    assert latest.look() == latest.look() == []
    recording.put(NOON + 5)
    assert ticks(latest.look()) == [5, 6, 7, 8, 9]
    assert len([message for message in caplog.messages if str(file) in message]) == 1


def test_a_journal_that_is_none_is_one_line(recording: Recording) -> None:
    latest = Latest(recording.lake, TABLE, after=0)
    recording.state.close()
    path = state_file(recording.lake, TABLE)
    path.write_bytes(b"no database at all" * 100)
    path.with_name(path.name + "-shm").write_bytes(b"")
    with pytest.raises(LakeError, match=r"BitsoSpreadMonitor\.sqlite3 cannot be read"):
        latest.look()
    path.unlink()
    with pytest.raises(LakeError, match=r"BitsoSpreadMonitor\.sqlite3 cannot be read"):
        latest.look()
    # And none is made.
    assert not path.exists()


def test_it_is_quick_enough_to_look_every_second(recording: Recording) -> None:
    for number in range(54):
        recording.put(NOON, 600, book=f"b{number}_mxn")
    latest = Latest(recording.lake, TABLE, after=NOON + 590)
    assert len(latest.look()) == 54 * 9
    for number in range(54):
        recording.put(NOON + 600, 1, book=f"b{number}_mxn")
    began = time.process_time()
    assert len(latest.look()) == 54
    assert time.process_time() - began < 0.2
