"""What is in one file, or in many: the forms that are read, and those that are refused."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.errors import LakeError
from bitso_spread.lake.columns import SCHEMA
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.files import read_files
from bitso_spread.lake.layout import Partition

HEADER = "orderbook_timestamp,book,bid,ask,spread\n"
ROW = "2024-07-26T03:15:40+00:00,btc_mxn,1.5,2.5,40.0\n"
BLANK = "2024-07-26T03:15:41+00:00,btc_mxn,,,\n"
MOMENT = datetime(2024, 7, 26, 3, 15, 40, tzinfo=UTC)
FRAME = pl.DataFrame(
    {"orderbook_timestamp": [MOMENT], "book": "btc_mxn", "bid": 1.5, "ask": 2.5, "spread": 40.0},
    schema=SCHEMA,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(paths: Iterable[Path]) -> pl.DataFrame:
    partition = Partition(20240726, 195, "btc_mxn")
    return read_files(DataFile(partition, path, path.stat().st_size) for path in paths)


def text(folder: Path, content: str, name: str = "part-0.csv") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def parquet(folder: Path, frame: pl.DataFrame, name: str = "part-0.parquet") -> Path:
    path = folder / name
    frame.write_parquet(path)
    return path


def test_csv_is_read_with_its_header_and_without(folder: Path) -> None:
    with_header = read([text(folder, HEADER + ROW)])
    assert with_header.equals(FRAME)
    assert read([text(folder, ROW)]).equals(with_header)


def test_columns_are_found_by_their_names(folder: Path) -> None:
    shuffled = "state,ask,bid,spread,book,orderbook_timestamp\n"
    row = "fresh,2.5,1.5,40.0,btc_mxn,2024-07-26T03:15:40+00:00\n"
    assert read([text(folder, shuffled + row)]).equals(FRAME)


def test_a_header_alone_has_no_rows(folder: Path) -> None:
    rows = read([text(folder, HEADER)])
    assert rows.height == 0
    assert rows.schema == SCHEMA


def test_quoted_fields_and_windows_line_ends_are_read(folder: Path) -> None:
    quoted = '"2024-07-26T03:15:40+00:00","btc_mxn","1.5","2.5","40.0"\r\n'
    assert read([text(folder, quoted)]).equals(FRAME)


def test_a_quote_left_open_does_not_swallow_the_next_file(folder: Path) -> None:
    broken = text(folder, ROW.replace("btc_mxn", '"btc_mxn'), "a.csv")
    with pytest.raises(LakeError, match=r"a\.csv cannot be read"):
        read([broken, text(folder, ROW.replace("btc_mxn", 'btc_"mxn'), "b.csv")])


@pytest.mark.parametrize("first", [True, False])
def test_prices_that_are_all_empty_stay_numbers(folder: Path, first: bool) -> None:
    paths = [text(folder, HEADER + BLANK, "a.csv"), text(folder, HEADER + ROW, "b.csv")]
    rows = read(paths if first else paths[::-1])
    assert rows.schema == SCHEMA
    assert sorted(rows["bid"].to_list(), key=str) == [1.5, None]


@pytest.mark.parametrize(
    "time",
    [
        "2024-07-26T03:15:40+00:00",
        "2024-07-26T03:15:40Z",
        "2024-07-26T03:15:40.000+00:00",
        "2024-07-26T03:15:40+0000",
        "2024-07-26T03:15:40.000+0000",
        "2024-07-25T21:15:40-06:00",
    ],
)
def test_a_timestamp_may_be_written_in_any_of_iso_8601s_ways(folder: Path, time: str) -> None:
    other = text(folder, f"{time},btc_mxn,1.5,2.5,40.0\n", "a.csv")
    # Together with a file of ours, whose form is tried first.
    rows = read([other, text(folder, HEADER + ROW, "b.csv")])
    assert rows.equals(pl.concat([FRAME, FRAME]))


def test_a_fraction_of_a_second_is_kept(folder: Path) -> None:
    rows = read([text(folder, ROW.replace(":40+", ":40.123456+"))])
    assert rows["orderbook_timestamp"].to_list() == [MOMENT.replace(microsecond=123456)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ROW + ROW[:-5], "cut short"),
        (HEADER[:-1], "cut short"),
        ("\0" * 64, "cut short"),
        (ROW + "2024-07-26T03:15:41+00:00,btc_mxn,1.5\n", "not every line has 5 fields"),
        (ROW + "\n", "not every line has 5 fields"),
        (ROW.replace("1.5", "1,5"), "not every line has 5 fields"),
        (ROW.replace("1.5", "1.5x"), "could not parse `1.5x`"),
        (ROW.replace("+00:00", ""), "conversion from `str` to `datetime"),
        (ROW.replace("2024-07-26T03:15:40+00:00", ""), "no timestamp"),
        (HEADER.replace(",spread", "") + ROW, "no column spread"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(folder: Path, content: str, reason: str) -> None:
    whole = text(folder, ROW, "whole.csv")
    broken = text(folder, content, "broken.csv")
    with pytest.raises(LakeError, match=rf"broken\.csv.*{reason}") as caught:
        read([whole, broken, whole])
    assert "\n" not in str(caught.value)


def test_an_empty_file_has_no_rows_and_a_warning_names_it(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    empty = text(folder, "", "empty.csv")
    with caplog.at_level(logging.WARNING, "bitso_spread.lake"):
        rows = read([empty, text(folder, "", "empty.parquet"), text(folder, ROW, "whole.csv")])
    assert rows.equals(FRAME)
    assert [record.getMessage().split()[0] for record in caplog.records] == [
        str(empty),
        str(folder / "empty.parquet"),
    ]


def test_a_file_that_has_gone_meanwhile_is_named(folder: Path) -> None:
    path = text(folder, ROW)
    file = DataFile(Partition(20240726, 195, "btc_mxn"), path, 1)
    path.unlink()
    with pytest.raises(LakeError, match=r"part-0\.csv is gone"):
        read_files([file])


def other_parquets() -> dict[str, pl.DataFrame]:
    time = pl.col("orderbook_timestamp")
    return {
        "milliseconds": FRAME.with_columns(time.dt.cast_time_unit("ms")),
        "without a zone": FRAME.with_columns(time.dt.replace_time_zone(None)),
        "another zone": FRAME.with_columns(time.dt.convert_time_zone("America/Mexico_City")),
        "text": FRAME.with_columns(time.dt.to_string("%Y-%m-%dT%H:%M:%SZ")),
        "32-bit floats": FRAME.with_columns(pl.col("bid", "ask", "spread").cast(pl.Float32)),
        "a further column": FRAME.with_columns(state=pl.lit("fresh")),
        "another order": FRAME.select(reversed(FRAME.columns)),
    }


@pytest.mark.parametrize("kind", list(other_parquets()))
def test_parquet_of_other_writers_takes_our_types(folder: Path, kind: str) -> None:
    other = parquet(folder, other_parquets()[kind], "other.parquet")
    assert read([other]).equals(FRAME)
    own = parquet(folder, FRAME, "own.parquet")
    assert read([own, other]).equals(pl.concat([FRAME, FRAME]))


def test_parquet_whose_prices_are_all_null_is_read_with_the_rest(folder: Path) -> None:
    nothing = parquet(folder, FRAME.with_columns(bid=None, ask=None, spread=None), "a.parquet")
    rows = read([nothing, parquet(folder, FRAME, "b.parquet")])
    assert rows.schema == SCHEMA
    assert rows["bid"].to_list() == [None, 1.5]


def test_csv_and_parquet_are_read_together(folder: Path) -> None:
    rows = read([parquet(folder, FRAME), text(folder, ROW)])
    assert rows.equals(pl.concat([FRAME, FRAME]))


@pytest.mark.parametrize("damage", ["cut", "not parquet", "no book", "dates", "null time"])
def test_broken_parquet_is_named(folder: Path, damage: str) -> None:
    time = pl.col("orderbook_timestamp")
    damaged = {
        "no book": FRAME.drop("book"),
        "dates": FRAME.with_columns(time.dt.date()),
        "null time": FRAME.with_columns(
            pl.lit(None, SCHEMA["orderbook_timestamp"]).alias("orderbook_timestamp")
        ),
    }
    path = parquet(folder, damaged.get(damage, FRAME), "broken.parquet")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    if damage == "not parquet":
        path.write_text(HEADER + ROW)
    whole = parquet(folder, FRAME, "whole.parquet")
    with pytest.raises(LakeError, match=r"broken\.parquet cannot be read: \S+"):
        read([whole, path])


def test_only_names_of_our_own_promise_not_to_cross_midnight() -> None:
    partition = Partition(20240726, 195, "btc_mxn")
    names = {
        "btc_mxn-20240726T031539Z.csv": True,
        "btc_mxn-20240726T031539Z-2.parquet": True,
        "sim-btc_mxn-20240726T031539Z.csv": True,
        "part-00000-19f54739-c000.csv": False,
        "btc_mxn.csv": False,
    }
    for name, own in names.items():
        assert DataFile(partition, Path(name), 0).is_own is own
