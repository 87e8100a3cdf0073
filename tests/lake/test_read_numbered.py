"""Rows of many files at once, each with its file's number."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitso_spread.errors import LakeError
from bitso_spread.lake.columns import TIME
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.files import FILE, is_whole, read_files, read_numbered
from bitso_spread.lake.layout import Partition
from bitso_spread.model import Sample, State
from tests.lake.audit_support import TICKS, foreign, rows_at


def put(lake: Path, name: str, rows: list[Sample]) -> DataFile:
    path = foreign(lake, rows, name, at=TICKS[0])
    return DataFile(Partition.of("btc_mxn", TICKS[0]), path, path.stat().st_size)


def numbered(files: list[DataFile]) -> list[tuple[int, int]]:
    frame = read_numbered(files, [file.path.read_bytes() for file in files])
    assert frame.drop(FILE).sort(TIME).equals(read_files(files).sort(TIME))
    return list(zip(frame[FILE], frame[TIME].dt.epoch("s") - TICKS[0], strict=True))


def test_rows_come_in_the_order_of_their_files_whatever_the_format(tmp_path: Path) -> None:
    files = [
        put(tmp_path, "0.parquet", rows_at(TICKS[5:7])),
        put(tmp_path, "1.csv", rows_at(TICKS[3:5])),
        put(tmp_path, "2.csv", []),
        put(tmp_path, "3.parquet", rows_at(TICKS[0:2], state=State.UNKNOWN)),
        put(tmp_path, "4.csv", rows_at(TICKS[2:3])),
    ]
    expected = [(0, 5), (0, 6), (1, 3), (1, 4), (3, 0), (3, 1), (4, 2)]
    assert numbered(files) == expected


def test_csv_with_and_without_a_header_keep_their_numbers(tmp_path: Path) -> None:
    bare = put(tmp_path, "0.csv", rows_at(TICKS[:3]))
    bare.path.write_bytes(bare.path.read_bytes().partition(b"\n")[2])
    with_header = put(tmp_path, "1.csv", rows_at(TICKS[3:5]))
    more = put(tmp_path, "2.csv", rows_at(TICKS[5:6]))
    more.path.write_bytes(more.path.read_bytes().partition(b"\n")[2])
    files = [bare, with_header, more]
    assert numbered(files) == [(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (2, 5)]


def test_parquet_files_that_differ_in_their_columns_keep_their_numbers(tmp_path: Path) -> None:
    import polars as pl

    ours = put(tmp_path, "0.parquet", rows_at(TICKS[:2]))
    other = put(tmp_path, "1.parquet", rows_at(TICKS[2:4]))
    frame = pl.read_parquet(other.path).with_columns(pl.lit("x").alias(FILE), pl.lit(1).alias("n"))
    frame.cast({"bid": pl.Float32}).write_parquet(other.path)
    assert numbered([ours, other]) == [(0, 0), (0, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_file_that_cannot_be_read_is_named(tmp_path: Path, form: str) -> None:
    good = put(tmp_path, f"0.{form}", rows_at(TICKS[:2]))
    bad = put(tmp_path, f"1.{form}", rows_at(TICKS[2:4]))
    bad.path.write_bytes(bad.path.read_bytes()[:-5])
    contents = [file.path.read_bytes() for file in (good, bad)]
    with pytest.raises(LakeError, match=rf"1\.{form}"):
        read_numbered([good, bad], contents)
    assert [is_whole(*pair) for pair in zip((good, bad), contents, strict=True)] == [True, False]


def test_no_file_has_no_row() -> None:
    assert read_numbered([], []).height == 0
