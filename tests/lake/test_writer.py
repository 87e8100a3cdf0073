"""What a batch's file holds, and where it goes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.lake import layout
from bitso_spread.lake.journal import Batch
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import BatchWriter, encode
from bitso_spread.model import Sample, State
from tests.lake.support import DAY, NOON, a_batch, once, rows_of, table_files, table_rows

PRICES = st.floats(min_value=1e-12, max_value=1e15)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[LakeState]:
    with LakeState(state_file(tmp_path, TABLE)) as state:
        yield state


@pytest.fixture
def writer(tmp_path: Path, state: LakeState) -> BatchWriter:
    return BatchWriter(tmp_path, TABLE, state)


ROWS = [
    Sample(1_721_964_340, "btc_mxn", 1233830.0, 1236250.5, 0.19575328614762386, State.FRESH),
    Sample(1_721_964_341, "btc_mxn", 0.00000001, 123456789.125, 0.1 + 0.2, State.HELD),
    Sample.blank(1_721_964_342, "btc_mxn", State.UNKNOWN),
    Sample.blank(1_721_964_343, "btc_mxn", State.MISSED),
]


def test_a_csv_file_byte_for_byte() -> None:
    assert encode(ROWS, "csv") == (
        b"orderbook_timestamp,book,bid,ask,spread\n"
        b"2024-07-26T03:25:40+00:00,btc_mxn,1233830.0,1236250.5,0.19575328614762386\n"
        b"2024-07-26T03:25:41+00:00,btc_mxn,1e-8,123456789.125,0.30000000000000004\n"
        b"2024-07-26T03:25:42+00:00,btc_mxn,,,\n"
        b"2024-07-26T03:25:43+00:00,btc_mxn,,,\n"
    )


def test_a_csv_file_of_which_nothing_is_known() -> None:
    assert encode(ROWS[2:], "csv").decode().splitlines()[1:] == [
        "2024-07-26T03:25:42+00:00,btc_mxn,,,",
        "2024-07-26T03:25:43+00:00,btc_mxn,,,",
    ]


def test_a_parquet_file_has_utc_microseconds_and_64_bit_floats() -> None:
    data = encode(ROWS, "parquet")
    frame = pl.read_parquet(io.BytesIO(data))
    assert frame.schema == {
        "orderbook_timestamp": pl.Datetime("us", "UTC"),
        "book": pl.String,
        "bid": pl.Float64,
        "ask": pl.Float64,
        "spread": pl.Float64,
    }
    assert frame.rows() == [
        (datetime.fromtimestamp(row.tick, UTC), row.book, row.bid, row.ask, row.spread)
        for row in ROWS
    ]


def test_a_parquet_file_is_compressed_with_zstd() -> None:
    frame_magic = b"\x28\xb5\x2f\xfd"
    assert frame_magic in encode(ROWS, "parquet")


def test_a_parquet_file_of_which_nothing_is_known_keeps_its_types() -> None:
    frame = pl.read_parquet(io.BytesIO(encode(ROWS[2:], "parquet")))
    assert frame.schema["bid"] == frame.schema["spread"] == pl.Float64
    assert frame["bid"].null_count() == 2


@given(bid=PRICES, ask=PRICES, percent=PRICES, tick=st.integers(0, 4_000_000_000))
def test_values_come_back_from_both_formats_as_they_were(
    bid: float, ask: float, percent: float, tick: int
) -> None:
    row = Sample(tick, "btc_mxn", bid, ask, percent, State.FRESH)
    _, line = csv.reader(io.StringIO(encode([row], "csv").decode()))
    moment = datetime.fromtimestamp(tick, UTC)
    assert line[0] == moment.isoformat()
    assert [float(text) for text in line[2:]] == [bid, ask, percent]
    frame = pl.read_parquet(io.BytesIO(encode([row], "parquet")))
    assert frame.rows() == [(moment, "btc_mxn", bid, ask, percent)]


def write(state: LakeState, writer: BatchWriter, batch: Batch, count: int = 5) -> Path:
    state.record(rows_of(batch, count))
    written = writer.write(batch)
    assert written is not None
    assert written.rows == count
    return written.path


@pytest.mark.parametrize(
    ("batch", "path"),
    [
        (
            a_batch(first_tick=DAY),
            "date=20260921/order_book=btc_mxn/minutes=0/btc_mxn-20260921T000000Z.csv",
        ),
        (
            a_batch("usd_mxn", DAY + 86_399, interval=60),
            "date=20260921/order_book=usd_mxn/minutes=1439/usd_mxn-20260921T235959Z.csv",
        ),
        (
            a_batch(first_tick=NOON + 59, environment="sim", format="parquet"),
            "date=20260921/order_book=btc_mxn/minutes=720/sim-btc_mxn-20260921T120059Z.parquet",
        ),
    ],
)
def test_a_file_lies_in_the_partition_of_its_first_tick(
    tmp_path: Path, state: LakeState, writer: BatchWriter, batch: Batch, path: str
) -> None:
    assert write(state, writer, batch) == tmp_path / TABLE / path
    assert table_files(tmp_path) == [tmp_path / TABLE / path]
    assert table_rows(tmp_path) == once(rows_of(batch))


def test_what_is_written_is_noted_with_its_checksum(
    tmp_path: Path, state: LakeState, writer: BatchWriter
) -> None:
    import hashlib

    path = write(state, writer, a_batch(interval=2), 7)
    (file,) = state.files()
    assert file.path == path.relative_to(tmp_path / TABLE).as_posix()
    assert (file.book, file.first_tick, file.last_tick) == ("btc_mxn", NOON, NOON + 12)
    assert (file.rows, file.interval) == (7, 2)
    assert file.bytes == path.stat().st_size
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_written_is_no_longer_in_the_journal_nor_beside_the_table(
    tmp_path: Path, state: LakeState, writer: BatchWriter
) -> None:
    write(state, writer, a_batch())
    assert state.batches() == []
    assert state.rows(a_batch()) == []
    assert list(layout.staging_folder(tmp_path, TABLE).iterdir()) == []


def test_a_batch_without_rows_makes_no_file(
    tmp_path: Path, state: LakeState, writer: BatchWriter
) -> None:
    assert writer.write(a_batch()) is None
    write(state, writer, a_batch())
    assert writer.write(a_batch()) is None
    assert table_rows(tmp_path) == once(rows_of(a_batch()))


def test_a_name_that_is_taken_by_other_bytes_gets_a_suffix(
    tmp_path: Path, state: LakeState, writer: BatchWriter
) -> None:
    folder = tmp_path / TABLE / layout.Partition.of("btc_mxn", NOON).path
    folder.mkdir(parents=True)
    (folder / "btc_mxn-20260921T120000Z.csv").write_text("somebody's\n")
    (folder / "btc_mxn-20260921T120000Z-2.csv").write_text("somebody else's\n")
    assert write(state, writer, a_batch()) == folder / "btc_mxn-20260921T120000Z-3.csv"
    assert (folder / "btc_mxn-20260921T120000Z.csv").read_text() == "somebody's\n"
    assert (folder / "btc_mxn-20260921T120000Z-2.csv").read_text() == "somebody else's\n"
    assert [file.path.rpartition("/")[2] for file in state.files()] == [
        "btc_mxn-20260921T120000Z-3.csv"
    ]


def test_the_same_bytes_under_the_name_are_left_as_they_are(
    tmp_path: Path, state: LakeState, writer: BatchWriter
) -> None:
    folder = tmp_path / TABLE / layout.Partition.of("btc_mxn", NOON).path
    folder.mkdir(parents=True)
    path = folder / "btc_mxn-20260921T120000Z.csv"
    path.write_bytes(encode([row for _, row in rows_of(a_batch())], "csv"))
    before = path.stat()
    assert write(state, writer, a_batch()) == path
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert table_files(tmp_path) == [path]
    assert [file.rows for file in state.files()] == [5]


def test_a_filesystem_without_links_gets_its_files_too(
    tmp_path: Path, state: LakeState, writer: BatchWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = write(state, writer, a_batch())
    assert table_rows(tmp_path) == once(rows_of(a_batch()))
    assert list(layout.staging_folder(tmp_path, TABLE).iterdir()) == []
    assert path.stat().st_nlink == 1


def test_a_partition_that_refuses_leaves_the_rows_in_the_journal(
    tmp_path: Path, state: LakeState, writer: BatchWriter
) -> None:
    # A file where the book's folder should be: nobody, not even root, can write below it.
    folder = tmp_path / TABLE / "date=20260921"
    folder.mkdir(parents=True)
    (folder / "order_book=btc_mxn").write_text("")
    state.record(rows_of(a_batch()))
    for _ in range(2):
        with pytest.raises(OSError, match="order_book=btc_mxn"):
            writer.write(a_batch())
        assert len(state.rows(a_batch())) == 5
        assert state.batches() == [a_batch()]
    (folder / "order_book=btc_mxn").unlink()
    assert writer.write(a_batch()) is not None
    assert table_rows(tmp_path) == once(rows_of(a_batch()))
