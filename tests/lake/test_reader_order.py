"""The order of rows whose files overlap, and how much is held to find it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.lake.columns import SCHEMA
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.files import read_files
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.merge import in_order

MIDNIGHT = datetime(2024, 7, 26, tzinfo=UTC)


def batch(folder: Path, book: str, minutes: int, seconds: Sequence[int]) -> DataFile:
    """Make a batch of rows so many seconds after its own start."""
    path = folder / f"{book}-{minutes}.csv"
    start = MIDNIGHT + timedelta(minutes=minutes)
    times = [start + timedelta(seconds=second) for second in seconds]
    lines = [f"{time:%Y-%m-%dT%H:%M:%S}+00:00,{book},1.0,2.0,50.0\n" for time in times]
    path.write_text("".join(lines))
    return DataFile(Partition(20240726, minutes, book), path, 1)


def keys(frame: pl.DataFrame) -> list[tuple[int, str]]:
    since = (frame["orderbook_timestamp"] - MIDNIGHT).dt.total_seconds()
    return list(zip(since.to_list(), frame["book"].to_list(), strict=True))


def test_rows_of_overlapping_files_come_by_time_and_then_by_book(tmp_path: Path) -> None:
    files = [
        batch(tmp_path, "usd_mxn", 0, range(0, 150, 50)),
        batch(tmp_path, "btc_mxn", 1, range(0, 150, 30)),
        batch(tmp_path, "eth_mxn", 2, [0, 30]),
    ]
    frames = list(in_order(files, read_files, portion_bytes=1))
    rows = [key for frame in frames for key in keys(frame)]
    assert rows == sorted(rows)
    assert len(rows) == 3 + 5 + 2
    assert len(frames) == 3


def test_what_comes_out_does_not_depend_on_how_it_is_portioned(tmp_path: Path) -> None:
    books = ("btc_mxn", "eth_mxn", "usd_mxn")
    files = [batch(tmp_path, b, m, range(7, 400, 11)) for m in range(0, 20, 2) for b in books]
    whole = pl.concat(list(in_order(files, read_files, portion_bytes=10**9)))
    for size in (1, 4, 7):
        assert pl.concat(list(in_order(files, read_files, portion_bytes=size))).equals(whole)


def test_rows_that_lie_in_disorder_in_a_file_are_sorted(tmp_path: Path) -> None:
    frames = list(in_order([batch(tmp_path, "btc_mxn", 5, [9, 3, 7, 3])], read_files))
    assert [second for second, _ in keys(pl.concat(frames))] == [303, 303, 307, 309]


def test_a_long_file_waits_for_those_that_start_within_it(tmp_path: Path) -> None:
    long = batch(tmp_path, "btc_mxn", 0, range(0, 7200, 600))
    short = [batch(tmp_path, "usd_mxn", minutes, [0]) for minutes in (15, 45, 115)]
    frames = list(in_order([long, *short], read_files, portion_bytes=1))
    rows = [key for frame in frames for key in keys(frame)]
    assert rows == sorted(rows)
    assert len(rows) == 12 + 3


def test_batches_that_start_together_are_read_together(tmp_path: Path) -> None:
    files = [batch(tmp_path, book, m, [0]) for m in (0, 1) for book in ("btc_mxn", "usd_mxn")]
    portions: list[int] = []

    def read(portion: Sequence[DataFile]) -> pl.DataFrame:
        portions.append(len(portion))
        return read_files(portion)

    list(in_order(files, read, portion_bytes=1))
    assert portions == [2, 2]


def test_a_portion_is_read_only_when_it_is_asked_for(tmp_path: Path) -> None:
    first = batch(tmp_path, "btc_mxn", 0, [0])
    broken = batch(tmp_path, "btc_mxn", 10, [0])
    broken.path.write_text("broken")
    frames = in_order([first, broken], read_files, portion_bytes=1)
    assert keys(next(frames)) == [(0, "btc_mxn")]


def test_duplicates_are_kept(tmp_path: Path) -> None:
    file = batch(tmp_path, "btc_mxn", 0, [0, 1])
    assert pl.concat(list(in_order([file, file], read_files))).height == 4


def test_rows_earlier_than_their_folder_come_late_and_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [
        batch(tmp_path, "btc_mxn", 0, [0]),
        batch(tmp_path, "btc_mxn", 10, [0]),
        batch(tmp_path, "btc_mxn", 20, [-1000, 0]),
    ]
    with caplog.at_level(logging.WARNING, "bitso_spread.lake"):
        rows = pl.concat(list(in_order(files, read_files, portion_bytes=1)))
    assert [second for second, _ in keys(rows)] == [0, 600, 200, 1200]
    (record,) = caplog.records
    assert record.getMessage().startswith(f"1 of the rows under {tmp_path} and later batches")


def test_files_without_rows_give_no_frame(tmp_path: Path) -> None:
    assert list(in_order([], read_files)) == []
    empty = [batch(tmp_path, "btc_mxn", minutes, [0]) for minutes in (0, 10)]
    nothing = pl.DataFrame(schema=SCHEMA)
    assert list(in_order(empty, lambda _: nothing, portion_bytes=1)) == []
