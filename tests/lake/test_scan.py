"""A lake as a LazyFrame: what comes out of it, and what it opens for that."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from operator import and_, or_
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake import scan, units
from bitso_spread.lake.columns import FULL, SCHEMA, SCHEMAS
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.pruning import KEYS, Condition
from bitso_spread.lake.reader import Lake
from tests.lake.support import put_batch

MIDNIGHT = datetime(2024, 7, 25, tzinfo=UTC)
DATE, BOOK, MINUTES = pl.col("date"), pl.col("order_book"), pl.col("minutes")
TIME, SPREAD = pl.col("orderbook_timestamp"), pl.col("spread")
BOOKS = ("btc_mxn", "usd_mxn")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three days of two books in both formats, and a foreign file that crosses a midnight."""
    root = tmp_path_factory.mktemp("lake")
    for day in range(3):
        for minutes in (0, 10, 725):
            for book in BOOKS:
                start = MIDNIGHT + timedelta(days=day, minutes=minutes)
                form = "parquet" if book == "usd_mxn" and day else "csv"
                put_batch(root, book, start, form)
    folder = root / TABLE / "date=20240725" / "order_book=btc_mxn" / "minutes=1439"
    folder.mkdir(parents=True)
    (folder / "part-0000.csv").write_text(
        "2024-07-25T23:59:59Z,btc_mxn,1,2,50\n2024-07-26T00:00:01Z,btc_mxn,1,2,50\n"
    )
    return Lake(root)


@pytest.fixture(scope="module")
def whole(lake: Lake) -> pl.DataFrame:
    """All rows, each with the keys of its file, found without any condition."""
    return lake.scan().collect()


def opened(lake: Lake, condition: pl.Expr) -> list[tuple[int, str, int]]:
    partitions = [file.partition for file in lake.where(Condition(condition))]
    return [(each.date % 100, each.book, each.minutes) for each in partitions]


def test_the_keys_of_the_partition_come_to_the_five_columns(
    lake: Lake, whole: pl.DataFrame
) -> None:
    assert whole.schema == {**SCHEMA, **KEYS} == lake.scan().collect_schema()
    assert whole.height == 3 * 3 * 2 * 10 + 2
    first = whole.row(1, named=True)
    assert (first["date"], first["order_book"], first["minutes"]) == (20240725, "btc_mxn", 0)
    crossing = whole.filter(MINUTES == 1439)["orderbook_timestamp"].dt.date().to_list()
    assert crossing == [date(2024, 7, 25), date(2024, 7, 26)]
    assert whole.drop(KEYS).sort("orderbook_timestamp", "book").equals(lake.read())


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (
            (DATE == 20240726) & (BOOK == "btc_mxn") & (MINUTES <= 300),
            [(26, "btc_mxn", 0), (26, "btc_mxn", 10)],
        ),
        (
            DATE.is_in([20240727]) & (pl.col("book") == "usd_mxn") & ~(MINUTES > 10) & (SPREAD > 1),
            [(27, "usd_mxn", 0), (27, "usd_mxn", 10)],
        ),
        ((DATE == 20240724) | (SPREAD.is_null() & (DATE == 20240723)), []),
        # The foreign file of the day before may reach into this one.
        (
            TIME.is_between(MIDNIGHT + timedelta(days=1), MIDNIGHT + timedelta(days=1, minutes=5)),
            [(25, "btc_mxn", 1439), (26, "btc_mxn", 0), (26, "usd_mxn", 0)],
        ),
        (
            (pl.lit(MIDNIGHT + timedelta(days=2, hours=12)) < TIME) & (BOOK != "btc_mxn"),
            [(27, "usd_mxn", 0), (27, "usd_mxn", 10), (27, "usd_mxn", 725)],
        ),
        (
            (TIME.dt.date() == date(2024, 7, 27)) & (MINUTES == 725),
            [(27, "btc_mxn", 725), (27, "usd_mxn", 725)],
        ),
    ],
)
def test_a_condition_opens_no_more_than_it_needs(
    lake: Lake, condition: pl.Expr, expected: list[tuple[int, str, int]]
) -> None:
    assert opened(lake, condition) == expected


def test_what_says_nothing_of_partitions_opens_all(lake: Lake) -> None:
    everything = 3 * 3 * 2 + 1
    for condition in (SPREAD.is_null(), TIME.cast(pl.String) > "2024-07-27", SPREAD > MINUTES):
        assert len(opened(lake, condition)) == everything


INSTANTS = st.integers(-2, 3 * 24 * 60 + 2).map(lambda minute: MIDNIGHT + timedelta(minutes=minute))
COMPARISONS: list[Callable[[pl.Expr, pl.Expr], pl.Expr]] = [
    pl.Expr.__lt__, pl.Expr.__le__, pl.Expr.__gt__, pl.Expr.__ge__, pl.Expr.__eq__, pl.Expr.__ne__,
]  # fmt: skip


def compared(column: pl.Expr, values: st.SearchStrategy[object]) -> st.SearchStrategy[pl.Expr]:
    """Conditions on one column."""
    literals = values.map(pl.lit)
    return st.one_of(
        st.builds(lambda how, value: how(column, value), st.sampled_from(COMPARISONS), literals),
        st.builds(lambda how, value: how(value, column), st.sampled_from(COMPARISONS), literals),
        st.lists(values, max_size=3).map(column.is_in),
        st.tuples(values, values).map(
            lambda ends: column.is_between(pl.lit(ends[0]), pl.lit(ends[1]))
        ),
        st.just(column.is_null()),
    )


LEAVES = st.one_of(
    compared(DATE, st.sampled_from([20240724, 20240725, 20240726, 20240727])),
    compared(BOOK, st.sampled_from([*BOOKS, "eth_mxn"])),
    compared(pl.col("book"), st.sampled_from(BOOKS)),
    compared(MINUTES, st.sampled_from([0, 5, 10, 725, 1439])),
    compared(TIME, INSTANTS),
    compared(TIME.dt.date(), INSTANTS.map(datetime.date)),
    compared(SPREAD, st.sampled_from([0.0, 46.0, 50.0])),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda condition: ~condition),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: reduce(and_, parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: reduce(or_, parts)),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(CONDITIONS)
def test_no_row_is_lost_whatever_the_condition(
    lake: Lake, whole: pl.DataFrame, condition: pl.Expr
) -> None:
    asked = lake.scan().filter(condition).collect()
    assert asked.equals(whole.filter(condition))


def test_only_the_columns_that_are_needed_are_read(lake: Lake, whole: pl.DataFrame) -> None:
    for names in (["minutes"], ["spread", "order_book"], ["orderbook_timestamp"]):
        assert lake.scan().select(names).collect().equals(whole.select(names))
    assert lake.scan().select(pl.len()).collect().item() == whole.height
    by_book = lake.scan().filter(MINUTES == 10).group_by("book").agg(pl.col("bid").mean())
    assert sorted(by_book.collect().rows()) == [
        ("btc_mxn", pytest.approx(733 / 7)),
        ("usd_mxn", pytest.approx(733 / 7)),
    ]


def test_a_limit_opens_no_file_beyond_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    seen = lake.where

    def where(condition: Condition) -> object:
        for file in seen(condition):
            read.append(file.path.name)
            yield file

    monkeypatch.setattr(lake, "where", where)
    assert lake.scan().head(10).collect().height == 10
    # The second tells that the first is a portion.
    assert len(read) <= 2
    read.clear()
    found = lake.scan().filter(SPREAD > 1).head(5).collect(engine="streaming")
    assert found.height == 5
    # polars asks for up to two portions ahead of what it needs.
    assert len(read) <= 4


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions of one file each, so that a few files are as many portions as a year has."""
    monkeypatch.setattr(scan, "_PORTION_FILES", 1)


def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def read_rows(files: Sequence[DataFile], *args: Any, **kwargs: Any) -> pl.DataFrame:
        names.extend(file.path.name for file in files)
        return units.read_rows(files, *args, **kwargs)

    monkeypatch.setattr(scan, "read_rows", read_rows)
    return names


@pytest.mark.usefixtures("small_portions")
def test_rows_come_by_day_then_book_then_batch_also_where_portions_are_read_at_once(
    lake: Lake, whole: pl.DataFrame
) -> None:
    assert whole["date"].is_sorted()
    for day in whole.partition_by("date"):
        assert day["order_book"].is_sorted()
        assert all(book["minutes"].is_sorted() for book in day.partition_by("order_book"))
    assert lake.scan().collect().equals(whole)
    without = [name for name in whole.columns if name != "minutes"]
    assert lake.scan().select(without).collect().equals(whole.select(without))


def test_files_of_several_forms_in_one_day_keep_their_order(tmp_path: Path) -> None:
    for number, form in enumerate(["csv", "parquet"] * 4):
        put_batch(tmp_path, "btc_mxn", MIDNIGHT + timedelta(minutes=10 * number), form)
    rows = Lake(tmp_path).scan().select("orderbook_timestamp", "date").collect()
    assert rows["orderbook_timestamp"].is_sorted()
    assert rows.height == 80


@pytest.mark.usefixtures("small_portions")
def test_a_file_that_is_read_ahead_and_cannot_be_is_named(tmp_path: Path) -> None:
    for minutes in range(12):
        put_batch(tmp_path, "btc_mxn", MIDNIGHT + timedelta(minutes=minutes))
    (bad,) = (tmp_path / TABLE).rglob("minutes=9/*")
    bad.write_text(bad.read_text()[:-3])
    with pytest.raises(LakeError, match=f"{bad.name} is cut short"):
        Lake(tmp_path).scan().select("spread").collect()


@pytest.mark.usefixtures("small_portions")
def test_a_question_that_is_given_up_leaves_the_rest_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minutes in range(40):
        put_batch(tmp_path, "btc_mxn", MIDNIGHT + timedelta(minutes=minutes))
    read = opened_files(monkeypatch)
    portions = Lake(tmp_path).scan().select("spread").collect_batches(lazy=True, chunk_size=10)
    for _ in range(8):
        next(portions)
    del portions
    gc.collect()
    assert len(read) < 30


def test_no_more_than_one_portion_is_listed_ahead_and_what_is_wrong_comes_in_its_place() -> None:
    listed: list[int] = []
    second = Event()

    def portions() -> Iterator[list[DataFile]]:
        for number in range(1, 4):
            if number == 3:
                raise LakeError("the folder is gone")
            listed.append(number)
            if number == 2:
                second.set()
            yield []

    ahead = scan._listed_ahead(portions())
    next(ahead)
    assert second.wait(30)
    assert listed == [1, 2]
    next(ahead)
    with pytest.raises(LakeError, match="the folder is gone"):
        next(ahead)


def test_full_columns_come_where_the_latest_file_has_them(tmp_path: Path) -> None:
    put_batch(tmp_path, "btc_mxn", MIDNIGHT)
    assert Lake(tmp_path).scan().collect_schema().names() == [*SCHEMA, *KEYS]
    for form, days in (("csv", 1), ("parquet", 2)):
        put_batch(tmp_path, "btc_mxn", MIDNIGHT + timedelta(days=days), form, FULL)
        rows = Lake(tmp_path).scan().collect()
        assert rows.schema == {**SCHEMAS[FULL], **KEYS}
        assert rows["age_ms"].null_count() == rows.height - 10 * days + 3 * days
        assert rows["state"].null_count() == 10
    assert Lake(tmp_path).scan(columns="five").collect_schema().names() == [*SCHEMA, *KEYS]
    with pytest.raises(UsageError, match="--columns 'six'"):
        Lake(tmp_path).scan(columns="six")


def test_a_file_that_cannot_be_read_is_named_or_passed_over(tmp_path: Path) -> None:
    for minutes in (0, 10, 20):
        put_batch(tmp_path, "btc_mxn", MIDNIGHT + timedelta(minutes=minutes))
    (bad,) = (tmp_path / TABLE).rglob("minutes=10/*")
    bad.write_text(bad.read_text()[:-3])
    lake = Lake(tmp_path)
    with pytest.raises(LakeError, match="cut short"):
        lake.scan().collect()
    assert lake.scan().filter(MINUTES != 10).collect().height == 20
    told: list[LakeError] = []
    assert lake.scan(on_bad=told.append).collect()["minutes"].unique().to_list() == [0, 20]
    assert [str(error) for error in told] == [f"{bad} is cut short: its last line has no end"]


def test_the_latest_file_may_be_the_one_that_cannot_be_read(tmp_path: Path) -> None:
    for minutes in (0, 10):
        put_batch(tmp_path, "btc_mxn", MIDNIGHT + timedelta(minutes=minutes), "parquet", FULL)
    (bad,) = (tmp_path / TABLE).rglob("minutes=10/*")
    bad.write_bytes(bad.read_bytes()[:500])
    with pytest.raises(LakeError, match=bad.name):
        Lake(tmp_path).scan().collect()
    told: list[LakeError] = []
    rows = Lake(tmp_path).scan(on_bad=told.append).collect()
    assert (rows.height, len(told)) == (10, 1)
    assert "state" in rows.columns


def test_a_lake_without_a_row_still_has_its_columns(tmp_path: Path) -> None:
    (tmp_path / TABLE).mkdir()
    assert Lake(tmp_path).scan().collect().schema == {**SCHEMA, **KEYS}
