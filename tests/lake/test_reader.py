"""Which partitions a question opens, and what comes out of them."""

from __future__ import annotations

import logging
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake import layout
from bitso_spread.lake.columns import SCHEMA
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.reader import Lake

BROKEN = "this is no row\n"


def put(
    lake: Path, date: int, book: str, minutes: int, content: str | None = None, name: str = ""
) -> Path:
    """Put a file into a partition; left to itself it is ours, with one row at its start."""
    moment = datetime.strptime(f"{date}", "%Y%m%d").replace(tzinfo=UTC)
    tick = int(moment.timestamp()) + 60 * minutes
    when = datetime.fromtimestamp(tick, UTC)
    folder = lake / layout.TABLE / f"date={date}" / f"order_book={book}" / f"minutes={minutes}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or layout.file_name("production", book, tick, "csv"))
    path.write_text(f"{when:%Y-%m-%dT%H:%M:%S}Z,{book},1,2,50\n" if content is None else content)
    return path


def seen(lake: Lake, frame: pl.DataFrame) -> list[tuple[str, str]]:
    assert lake.table == layout.TABLE
    time = frame["orderbook_timestamp"].dt.to_string("%Y-%m-%d %H:%M")
    return list(zip(time.to_list(), frame["book"].to_list(), strict=True))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two days of two books, two batches each."""
    for date in (20240725, 20240726):
        for book in ("usd_mxn", "btc_mxn"):
            for minutes in (10, 195):
                put(tmp_path, date, book, minutes)
    return tmp_path


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that are listed, by name, in order."""
    names: list[str] = []
    scandir = os.scandir

    def spy(folder: Path) -> os._ScandirIterator[str]:
        names.append(Path(folder).name)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", spy)
    return names


def test_a_lake_tells_its_days_and_books(root: Path) -> None:
    put(root, 20240727, "eth_mxn", 0)
    lake = Lake(root)
    assert lake.dates() == [20240725, 20240726, 20240727]
    assert lake.books() == ["btc_mxn", "eth_mxn", "usd_mxn"]
    assert lake.books(date="20240727") == ["eth_mxn"]
    assert lake.books(book="mxn_eth,btc_mxn") == ["btc_mxn", "eth_mxn"]


def test_a_lake_is_read_by_its_folder_and_by_its_tables(root: Path) -> None:
    assert Lake(root).read().height == 8
    assert Lake(str(root / layout.TABLE)).read().height == 8
    assert Lake(root / layout.TABLE).root == root


def test_rows_come_by_time_and_then_by_book(root: Path) -> None:
    lake = Lake(root)
    assert seen(lake, lake.read(date="2024-07-26")) == [
        ("2024-07-26 00:10", "btc_mxn"),
        ("2024-07-26 00:10", "usd_mxn"),
        ("2024-07-26 03:15", "btc_mxn"),
        ("2024-07-26 03:15", "usd_mxn"),
    ]


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ({}, 8),
        ({"date": "..2024-07-25"}, 4),
        ({"date": "2024-07-26.."}, 4),
        ({"date": 20240724}, 0),
        ({"book": "usd_mxn"}, 4),
        ({"book": ["BTC-MXN", "usd/mxn"]}, 8),
        ({"minutes": "11.."}, 4),
        ({"minutes": 10, "book": "btc_mxn", "date": "20240726"}, 1),
        ({"start": "2024-07-25T03:15", "end": "2024-07-26T00:10"}, 2),
        ({"start": "2024-07-26T03:15:01"}, 0),
        ({"start": "2024-07-25T21:15", "tz": "America/Mexico_City"}, 2),
    ],
)
def test_conditions_choose_rows(root: Path, question: dict[str, object], rows: int) -> None:
    frame = Lake(root).read(**question)  # type: ignore[arg-type]  # as a table of cases
    assert frame.height == rows
    assert frame.schema == SCHEMA


def test_only_what_a_question_names_is_listed(root: Path, listed: list[str]) -> None:
    Lake(root).read(date="2024-07-26", book="btc_mxn", minutes="100..200")
    # Whether there are compacted days takes one look.
    folders = [
        layout.TABLE,
        layout.DAILY_TABLE,
        "date=20240726",
        "order_book=btc_mxn",
        "minutes=195",
    ]
    assert list(dict.fromkeys(listed)) == folders


def test_only_what_a_question_names_is_opened(root: Path) -> None:
    put(root, 20240724, "btc_mxn", 195, BROKEN)
    put(root, 20240726, "eth_mxn", 195, BROKEN)
    put(root, 20240726, "btc_mxn", 194, BROKEN)
    lake = Lake(root)
    assert lake.read(date="20240726", book="btc_mxn", minutes="195").height == 1
    with pytest.raises(LakeError, match=r"date=20240724.*cannot be read"):
        lake.read(date="20240724")
    with pytest.raises(LakeError, match=r"order_book=eth_mxn.*cannot be read"):
        lake.read(date="20240726", book="eth_mxn")


def test_instants_spare_days_and_batches(root: Path) -> None:
    put(root, 20240723, "btc_mxn", 1439, BROKEN)  # two days before: never asked
    put(root, 20240724, "btc_mxn", 1439, BROKEN)  # the day before, but ours
    put(root, 20240725, "btc_mxn", 600, BROKEN)  # starts at the end
    put(root, 20240726, "btc_mxn", 0, BROKEN)  # a day later
    frame = Lake(root).read(start="2024-07-25T00:00", end="2024-07-25T10:00", book="btc_mxn")
    assert frame.height == 2


def test_a_foreign_batch_of_the_day_before_gives_its_rows_past_midnight(root: Path) -> None:
    rows = "2024-07-25T23:59:00Z,btc_mxn,1,2,50\n2024-07-26T00:03:00Z,btc_mxn,3,4,25\n"
    put(root, 20240725, "btc_mxn", 1435, rows, "part-0.csv")
    lake = Lake(root)
    frame = lake.read(start="2024-07-26", end="2024-07-26T00:10")
    assert seen(lake, frame) == [("2024-07-26 00:03", "btc_mxn")]
    # A day is a folder: the row belongs to the partition it lies in.
    assert ("2024-07-26 00:03", "btc_mxn") in seen(lake, lake.read(date="20240725"))
    assert ("2024-07-26 00:03", "btc_mxn") not in seen(lake, lake.read(date="20240726"))


def test_partitions_and_files_are_given_without_opening_one(root: Path) -> None:
    put(root, 20240726, "btc_mxn", 300, BROKEN, "sim-btc_mxn-20240726T050000Z.csv")
    lake = Lake(root)
    found = list(lake.partitions(date="20240726", minutes="100.."))
    assert found == [
        Partition(20240726, 195, "btc_mxn"),
        Partition(20240726, 195, "usd_mxn"),
        Partition(20240726, 300, "btc_mxn"),
    ]
    simulated = [file.environment for file in lake.files(date="20240726", minutes="100..")]
    assert simulated == ["production", "production", "sim"]


def test_a_book_is_found_reversed_only_where_the_lake_has_none_as_written(root: Path) -> None:
    lake = Lake(root)
    assert lake.read(book="mxn_btc", date="20240726").height == 2
    put(root, 20240725, "mxn_btc", 0)
    # It exists now, if on another day.
    assert lake.read(book="mxn_btc", date="20240726").height == 0
    assert lake.read(book="mxn_btc").height == 1
    assert lake.read(book="btc_mxn", date="20240726").height == 2


def test_a_book_that_is_not_there_gives_no_rows(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(root)
    with caplog.at_level(logging.WARNING, "bitso_spread.lake"):
        assert lake.read(book="eth_mxn").height == 0
        assert not caplog.records
        assert lake.read(book="eth_mxn,btc_mxn").height == 4
    assert [record.getMessage() for record in caplog.records] == [
        f"the lake {root} has no book eth_mxn"
    ]


def test_what_is_no_partition_and_no_data_is_passed_over(root: Path) -> None:
    table = root / layout.TABLE
    day = table / "date=20240726"
    batch = day / "order_book=btc_mxn" / "minutes=195"
    for name in ("_SUCCESS", "._SUCCESS.crc", ".part-0.csv.crc", "_part.csv", "notes.txt"):
        (batch / name).write_text(BROKEN)
    attempt = batch / "_temporary" / "0"
    attempt.mkdir(parents=True)
    (attempt / "part-0.csv").write_text(BROKEN)
    (batch / "folder.csv").mkdir()
    (table / "_SUCCESS").write_text("")
    (table / "date=20240801").write_text("a file")
    for stray in (
        table / "date=2024" / "order_book=btc_mxn" / "minutes=1",
        table / "date=20240230" / "order_book=btc_mxn" / "minutes=1",
        table / "book=btc_mxn",
        day / "order_book=" / "minutes=1",
        day / "order_book=btc_mxn" / "minutes=x",
        day / "order_book=btc_mxn" / "minutes=1440",
    ):
        stray.mkdir(parents=True)
        (stray / "part-0.csv").write_text(BROKEN)
    lake = Lake(root)
    assert lake.dates() == [20240725, 20240726]
    assert lake.read().height == 8


def test_a_folder_of_no_book_is_no_book_and_is_read_where_none_is_named(root: Path) -> None:
    put(root, 20240726, "BTC MXN", 600)
    lake = Lake(root)
    assert lake.misnamed() == {20240726: ["BTC MXN"]}
    assert lake.misnamed(date="20240725") == {}
    assert lake.books() == ["btc_mxn", "usd_mxn"]
    assert lake.books_by_day(date="20240726") == {20240726: {"btc_mxn", "usd_mxn"}}
    assert lake.read(book="BTC MXN").height < lake.read().height == 9


def test_simulated_rows_are_announced_before_they_come(root: Path) -> None:
    put(root, 20240726, "btc_mxn", 300, name="sim-btc_mxn-20240726T050000Z.csv")
    environments: list[str] = []
    lake = Lake(root)
    next(lake.stream(date="20240726", on_environment=environments.append))
    assert sorted(environments) == ["production", "sim"]
    environments.clear()
    lake.read(date="20240726", end="2024-07-26T04:00", on_environment=environments.append)
    assert environments == ["production"]


def test_a_limit_counts_rows_over_all_frames(root: Path) -> None:
    lake = Lake(root)
    assert [lake.read(limit=limit).height for limit in (0, 1, 7, 8, 9)] == [0, 1, 7, 8, 8]
    with pytest.raises(UsageError, match="0 or more"):
        lake.stream(limit=-1)


def test_a_limit_of_nothing_opens_nothing(root: Path) -> None:
    put(root, 20240725, "btc_mxn", 0, BROKEN)
    assert Lake(root).read(limit=0).schema == SCHEMA


def test_a_stream_without_rows_still_tells_its_columns(root: Path) -> None:
    frames = list(Lake(root).stream(date="20200101"))
    assert [frame.schema for frame in frames] == [SCHEMA]
    assert frames[0].height == 0


def test_a_question_that_makes_no_sense_fails_before_anything_is_read(root: Path) -> None:
    with pytest.raises(UsageError):
        Lake(root).stream(date="someday")


def test_no_lake_is_an_error_with_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LakeError, match=re.escape(f"there is no lake at {tmp_path}/nowhere: ")):
        Lake("nowhere")
    with pytest.raises(UsageError, match=r"'\.\./other' is not the name of a table"):
        Lake(tmp_path, table="../other")


def test_a_lake_whose_first_batch_is_not_finished_is_empty(tmp_path: Path) -> None:
    journal = layout.state_file(tmp_path, layout.TABLE)
    journal.parent.mkdir(parents=True)
    journal.touch()
    lake = Lake(tmp_path)
    assert lake.dates() == []
    assert lake.books() == []
    assert lake.read().height == 0
    with pytest.raises(LakeError, match="no folder Another"):
        Lake(tmp_path, table="Another")


def test_a_partition_that_goes_away_meanwhile_is_named(root: Path) -> None:
    found = Lake(root).files(date="20240725", book="btc_mxn")
    first = next(found)
    later = first.path.parents[1] / "minutes=195"
    for path in later.iterdir():
        path.unlink()
    later.rmdir()
    with pytest.raises(LakeError, match="minutes=195 is gone"):
        next(found)


@pytest.mark.parametrize("book", ["btc_mxn", "usd_mxn"])
def test_the_predecessors_lake_gives_its_600_rows(shared: Path, book: str) -> None:
    lake = Lake(shared / "lake-2024-07-26")
    frame = lake.read(book=book, date="2024-07-26")
    assert frame.height == 600
    assert frame["book"].unique().to_list() == [book]
    assert frame["orderbook_timestamp"].is_sorted()
    assert frame.null_count().sum_horizontal().item() == 0
    difference = (frame["ask"] - frame["bid"]) * 100 / frame["ask"] - frame["spread"]
    assert difference.abs().max() < 1e-5  # type: ignore[operator]  # 32-bit floats


def test_the_predecessors_lost_batch_has_no_rows(shared: Path) -> None:
    lake = Lake(shared / "lake-2024-07-26")
    assert lake.dates() == [20240726]
    assert [partition.minutes for partition in lake.partitions(book="mxn_btc")] == [195, 235]
    assert lake.read(minutes="235").height == 0
    assert lake.read().height == 1200
