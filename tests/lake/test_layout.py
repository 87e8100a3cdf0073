from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bitso_spread.lake import layout
from bitso_spread.lake.layout import Partition


def tick(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_a_partition_is_named_by_the_utc_day_and_minute_of_its_first_tick() -> None:
    partition = Partition.of("btc_mxn", tick("2024-07-26T03:15:39"))
    assert partition == Partition(20240726, 195, "btc_mxn")
    assert partition.path == Path("date=20240726/order_book=btc_mxn/minutes=195")


@pytest.mark.parametrize(
    ("moment", "date", "minutes"),
    [
        ("2024-07-26T00:00:00", 20240726, 0),
        ("2024-07-26T00:00:59", 20240726, 0),
        ("2024-07-26T23:59:59", 20240726, 1439),
        ("2024-02-29T12:00:00", 20240229, 720),
    ],
)
def test_minutes_are_counted_from_utc_midnight(moment: str, date: int, minutes: int) -> None:
    assert Partition.of("usd_mxn", tick(moment)) == Partition(date, minutes, "usd_mxn")


def test_partitions_sort_by_time_and_then_by_book() -> None:
    shuffled = [
        Partition(20240726, 5, "btc_mxn"),
        Partition(20240725, 1000, "usd_mxn"),
        Partition(20240725, 1000, "btc_mxn"),
        Partition(20240725, 9, "usd_mxn"),
    ]
    assert sorted(shuffled) == [shuffled[3], shuffled[2], shuffled[1], shuffled[0]]


def test_a_folder_name_gives_the_value_of_its_own_key_only() -> None:
    assert layout.key_of("date=20240726", "date") == "20240726"
    assert layout.key_of("order_book=btc_mxn", "date") is None
    assert layout.key_of("_temporary", "minutes") is None


@pytest.mark.parametrize(
    ("environment", "file_format", "name"),
    [
        ("production", "csv", "btc_mxn-20240726T031539Z.csv"),
        ("production", "parquet", "btc_mxn-20240726T031539Z.parquet"),
        ("sim", "csv", "sim-btc_mxn-20240726T031539Z.csv"),
        ("localhost-8080", "csv", "localhost-8080-btc_mxn-20240726T031539Z.csv"),
    ],
)
def test_a_file_name_tells_where_its_rows_come_from(
    environment: str, file_format: str, name: str
) -> None:
    made = layout.file_name(environment, "btc_mxn", tick("2024-07-26T03:15:39"), file_format)
    assert made == name
    assert layout.environment_of(name) == environment
    assert layout.environment_of(layout.numbered(name, 2)) == environment


def test_a_numbered_name_keeps_its_suffix() -> None:
    assert layout.numbered("btc_mxn-20240726T031539Z.csv", 2) == "btc_mxn-20240726T031539Z-2.csv"


def test_the_file_of_another_writer_counts_as_production() -> None:
    assert layout.environment_of("part-00000-19f54739-c000.csv") == layout.PRODUCTION


@pytest.mark.parametrize(
    ("name", "is_data"),
    [
        ("part-00000-19f54739-c000.csv", True),
        ("btc_mxn-20240726T031539Z.parquet", True),
        ("_SUCCESS", False),
        ("._SUCCESS.crc", False),
        (".part-00000.csv.crc", False),
        (".hidden.csv", False),
        ("_staged.csv", False),
        ("_temporary", False),
        ("notes.txt", False),
    ],
)
def test_debris_of_other_writers_is_no_data(name: str, is_data: bool) -> None:
    assert layout.is_data_file(name) is is_data


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("BitsoSpreadMonitor", True),
        ("spreads-2.v1", True),
        ("", False),
        ("..", False),
        (".hidden", False),
        ("_hidden", False),
        ("a/b", False),
        ("/absolute", False),
        ("a b", False),
    ],
)
def test_a_table_is_a_plain_folder_that_readers_do_not_skip(name: str, plain: bool) -> None:
    assert layout.is_table_name(name) is plain


def test_a_lake_is_found_by_its_own_folder_and_by_that_of_its_table(tmp_path: Path) -> None:
    table = tmp_path / layout.TABLE
    table.mkdir()
    assert layout.locate(tmp_path, layout.TABLE) == tmp_path
    assert layout.locate(table, layout.TABLE) == tmp_path


def test_a_lake_that_is_called_like_its_table_is_still_a_lake(tmp_path: Path) -> None:
    lake = tmp_path / layout.TABLE
    (lake / layout.TABLE).mkdir(parents=True)
    assert layout.locate(lake, layout.TABLE) == lake


def test_a_relative_lake_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert layout.locate(Path("lake"), layout.TABLE) == tmp_path / "lake"


def test_what_is_not_data_lies_beside_the_table(tmp_path: Path) -> None:
    state = layout.state_folder(tmp_path)
    assert state.parent == tmp_path
    assert state != tmp_path / layout.TABLE


def test_a_compacted_day_is_a_file_in_a_table_of_its_own_marked_as_batches_are() -> None:
    assert layout.daily_table(layout.TABLE) == "BitsoSpreadDaily"
    assert layout.daily_table("Mine") == "MineDaily"
    assert layout.day_path(20240725, "btc_mxn") == Path("date=20240725", "order_book=btc_mxn")
    for environment in ("production", "sim", "stage", "api-example-com"):
        name = layout.daily_name(environment, "btc_mxn", 20240725)
        assert layout.is_daily_name(name)
        assert layout.environment_of(name) == environment
        # Its rows may cross midnight: what it covers tells.
        assert not layout.is_own_name(name)
    assert name == "api-example-com-btc_mxn-20240725.parquet"
    assert not layout.is_daily_name("btc_mxn-20240725T000000Z.parquet")
