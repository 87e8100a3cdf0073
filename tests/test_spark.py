"""A lake as Spark sees it, on a real local Spark: the same rows as `query`, and pruned."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from bitso_spread.errors import LakeError
from bitso_spread.lake.columns import SCHEMAS
from bitso_spread.lake.layout import DAILY_TABLE, TABLE
from bitso_spread.lake.pruning import KEYS
from bitso_spread.lake.reader import Lake
from tests.lake.compact_support import batch, compacted, daily_files, sorted_rows
from tests.lake.support import put_batch

pytest.importorskip("pyspark", reason="pyspark is not installed: it is the extra spark")

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = [
    pytest.mark.timeout(300),  # a Java machine that starts on a busy one
    pytest.mark.skipif(
        shutil.which("java") is None and "JAVA_HOME" not in os.environ,
        reason="there is no Java, which Spark runs on",
    ),
]

PREDECESSORS = (
    f"SELECT * FROM {TABLE} WHERE date = 20240725 AND order_book = 'btc_mxn' AND minutes <= 300"
)
NIGHT = datetime(2024, 7, 25, tzinfo=UTC)


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "512m",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.adaptive.enabled": "false",  # so that a plan is the one that is run
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        # A job for each few folders takes longer than listing them.
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
    gateway: Any = SparkContext._gateway
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=60)
    SparkContext._gateway = SparkContext._jvm = None


def frame_of(spark: SparkSession, lake: Path, **options: Any) -> DataFrame:
    from bitso_spread.spark import read_lake

    return read_lake(spark, lake, **options)


def rows_of(frame: DataFrame) -> list[tuple[Any, ...]]:
    """All rows in one order; instants as microseconds since the epoch, whatever the zone."""
    from pyspark.sql import functions as F  # noqa: N812  (its users call it so)

    instants = [name for name, kind in frame.dtypes if kind == "timestamp"]
    numbers = frame.withColumns({name: F.unix_micros(name) for name in instants})
    return sorted((tuple(row) for row in numbers.collect()), key=repr)


def expected(frame: pl.LazyFrame | pl.DataFrame) -> list[tuple[Any, ...]]:
    return sorted_rows(frame.lazy().with_columns(pl.col(pl.Datetime).dt.epoch("us")).collect())


def scans_of(frame: DataFrame) -> list[Any]:
    """What opens files in the plan of a frame."""
    leaves = frame._jdf.queryExecution().executedPlan().collectLeaves()
    found = [leaves.apply(index) for index in range(leaves.size())]
    return [leaf for leaf in found if "FileSourceScan" in leaf.getClass().getSimpleName()]


def files_read(frame: DataFrame) -> int:
    """How many files each scan of a frame that was collected has read, by Spark's own count."""
    return sum(scan.metrics().apply("numFiles").value() for scan in scans_of(frame))


def four_days(lake: Path, form: str, columns: str = "five") -> None:
    """Batches at three times of three days, of two books, one batch with nothing known."""
    for day in (24, 25, 26):
        for hour in (0, 5, 6):
            for book in ("btc_mxn", "usd_mxn"):
                start = datetime(2024, 7, day, hour, tzinfo=UTC)
                put_batch(lake, book, start, form, columns, known=(day, hour) != (25, 5))


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_predecessors_sql_gives_the_rows_of_query_from_the_files_asked_for(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    four_days(tmp_path, form)
    frame_of(spark, tmp_path).createOrReplaceTempView(TABLE)
    found = spark.sql(PREDECESSORS)
    rows = rows_of(found)

    query = [sys.executable, "-m", "bitso_spread", "query", "--lake", str(tmp_path)]
    output = tmp_path / "found.parquet"
    subprocess.run([*query, "--sql", PREDECESSORS, "--output", output], check=True)
    assert len(rows) == 20
    assert rows == expected(pl.read_parquet(output))

    found.collect()
    (scan,) = scans_of(found)
    filters = str(scan.partitionFilters().mkString(" "))
    assert "20240725" in filters
    assert "btc_mxn" in filters
    assert "300" in filters
    assert files_read(found) == 2


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("columns", ["five", "full"])
def test_every_column_has_its_type_and_its_value(
    spark: SparkSession, tmp_path: Path, form: str, columns: str
) -> None:
    four_days(tmp_path, form, columns)
    frame = frame_of(spark, tmp_path)
    names = [*SCHEMAS[columns], *KEYS]
    assert frame.columns == names
    types = dict(frame.dtypes)
    assert [types[name] for name in KEYS] == ["int", "string", "int"]
    assert [types[name] for name in names[:5]] == ["timestamp", "string", *["double"] * 3]
    if columns == "full":
        assert (types["age_ms"], types["exchange_time"]) == ("bigint", "timestamp")
    assert rows_of(frame) == expected(Lake(tmp_path).scan())


def test_a_lake_of_both_formats_and_both_kinds_of_columns(
    spark: SparkSession, tmp_path: Path
) -> None:
    put_batch(tmp_path, "btc_mxn", NIGHT, "csv", "five")
    put_batch(tmp_path, "usd_mxn", NIGHT, "csv", "full")
    put_batch(tmp_path, "btc_mxn", NIGHT.replace(hour=1), "parquet", "five")
    put_batch(tmp_path, "usd_mxn", NIGHT.replace(hour=1), "parquet", "full")
    for columns in ("five", "full"):
        found = frame_of(spark, tmp_path, columns=columns)
        assert rows_of(found) == expected(Lake(tmp_path).scan(columns=columns))
    one = frame_of(spark, tmp_path).where("minutes = 60 AND order_book = 'usd_mxn'")
    assert len(one.collect()) == 10
    assert files_read(one) == 1


def test_csv_of_others_with_and_without_a_header_in_any_order(
    spark: SparkSession, tmp_path: Path
) -> None:
    texts = {
        0: "2024-07-25T00:00:00Z,btc_mxn,1,2,50\n",
        1: '"ask","bid","book","spread","more","orderbook_timestamp"\r\n'
        '"2","1","btc_mxn","50","x","2024-07-25T00:01:00.25+0000"\r\n',
        2: "orderbook_timestamp,book,bid,ask,spread\n",
        3: "2024-07-24T18:03:00-06:00,btc_mxn,,,\n",
        4: "",
    }
    folder = tmp_path / TABLE / "date=20240725" / "order_book=btc_mxn"
    for minutes, text in texts.items():
        (folder / f"minutes={minutes}").mkdir(parents=True)
        (folder / f"minutes={minutes}" / "part-0.csv").write_text(text, newline="")
    found = rows_of(frame_of(spark, tmp_path))
    assert len(found) == 3
    assert found == expected(Lake(tmp_path).scan())


def test_the_debris_of_a_lost_batch_is_passed_over(spark: SparkSession, shared: Path) -> None:
    lake = shared / "lake-2024-07-26"
    assert [*(lake / TABLE).rglob("minutes=235/**/part-*.csv")]
    found = frame_of(spark, lake)
    rows = rows_of(found)
    assert rows == expected(Lake(lake).scan())
    assert {row[-1] for row in rows} == {195}
    found.collect()
    assert files_read(found) == 2


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_session_in_another_zone_shifts_no_instant(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    put_batch(tmp_path, "btc_mxn", NIGHT, form, "full")
    spark.conf.set("spark.sql.session.timeZone", "America/Mexico_City")
    try:
        rows = rows_of(frame_of(spark, tmp_path))
        shown = frame_of(spark, tmp_path).selectExpr("string(min(orderbook_timestamp))").first()
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert rows == expected(Lake(tmp_path).scan())
    assert shown is not None
    assert shown[0] == "2024-07-24 18:00:00"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_of_which_nothing_is_known_is_typed(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    put_batch(tmp_path, "btc_mxn", NIGHT, form, known=False)
    found = frame_of(spark, tmp_path)
    assert dict(found.dtypes)["spread"] == "double"
    (sums,) = found.selectExpr("count(*)", "count(spread)", "max(bid)").collect()
    assert tuple(sums) == (10, 0, None)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("2024-07-25T00:00:00Z,btc_mxn,1,2,5", "cut short"),
        ("2024-07-25T00:00:00Z,btc_mxn,1,2\n", "not every line has 5 fields"),
        ("orderbook_timestamp,book,bid,ask\n", "it has no column spread"),
        ("2024-07-25T00:00:00Z,btc_mxn,1,2,x\n", "spread is not a double: x"),
        # Its instant would be another in each session.
        ("2024-07-25T00:00:00,btc_mxn,1,2,50\n", "orderbook_timestamp is not a timestamp"),
        (",btc_mxn,1,2,50\n", "orderbook_timestamp is not a timestamp"),
    ],
)
def test_an_unreadable_file_is_named_and_hurts_only_who_asks_for_it(
    spark: SparkSession, tmp_path: Path, text: str, what: str
) -> None:
    from pyspark.errors import PySparkException

    put_batch(tmp_path, "btc_mxn", NIGHT)
    bad = tmp_path / TABLE / "date=20240726" / "order_book=btc_mxn" / "minutes=0" / "part-0.csv"
    bad.parent.mkdir(parents=True)
    bad.write_text(text)
    frame = frame_of(spark, tmp_path)
    with pytest.raises(PySparkException, match=rf"{bad} cannot be read: .*{what}"):
        frame.collect()
    assert len(frame.where("date < 20240726").collect()) == 10
    with pytest.raises(LakeError):
        Lake(tmp_path).read()


@pytest.mark.parametrize("length", [5, 700])
def test_an_unreadable_parquet_file_is_named(
    spark: SparkSession, tmp_path: Path, length: int
) -> None:
    put_batch(tmp_path, "btc_mxn", NIGHT, "parquet")
    (file,) = (tmp_path / TABLE).rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(Exception, match=str(file)):  # Java's own, or PySpark's
        frame_of(spark, tmp_path).collect()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_compacted_days_give_the_same_rows_from_their_own_files(
    spark: SparkSession, tmp_path: Path, form: str
) -> None:
    for day in (0, 1, 2):
        for minutes in (0, 10, 700):
            for book in ("btc_mxn", "usd_mxn"):
                batch(tmp_path, minutes, day=day, book=book, form=form)
    before = expected(Lake(tmp_path).scan())
    assert rows_of(frame_of(spark, tmp_path)) == before

    # A day of one book is compacted, and the others are not.
    compacted(tmp_path, date="20260921", book="btc_mxn")
    half = frame_of(spark, tmp_path)
    assert rows_of(half) == before
    half.collect()
    assert files_read(half) == 1 + 15

    compacted(tmp_path, prune=True)
    assert not [*(tmp_path / TABLE).rglob(f"*.{form}")]
    whole = frame_of(spark, tmp_path)
    assert rows_of(whole) == before
    asked = whole.where("date = 20260922 AND order_book = 'usd_mxn' AND minutes <= 300")
    assert rows_of(asked) == [
        row for row in before if row[-3:-1] == (20260922, "usd_mxn") and row[-1] <= 300
    ]
    asked.collect()
    assert files_read(asked) == 1


def test_files_that_came_after_a_compaction_are_read_beside_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    for minutes in (0, 10):
        batch(tmp_path, minutes)
    compacted(tmp_path, prune=True)
    batch(tmp_path, 20)
    batch(tmp_path, 30, form="parquet")
    # Beside a file that is covered, of another environment.
    batch(tmp_path, 10, environment="sim")
    found = frame_of(spark, tmp_path)
    rows = rows_of(found)
    assert len(rows) == 25
    assert rows == expected(Lake(tmp_path).scan())
    some = found.where("minutes > 10")
    assert len(some.collect()) == 10
    assert files_read(some) == 1 + 2


def test_a_compacted_day_that_no_longer_covers_its_files_is_left_aside(
    spark: SparkSession, tmp_path: Path
) -> None:
    batch(tmp_path, 0)
    compacted(tmp_path)
    batch(tmp_path, 0, rows=7)
    batch(tmp_path, 0, day=1)
    compacted(tmp_path, date="20260922")
    # What others put beside compacted days is not theirs.
    (day,) = [file for file in daily_files(tmp_path) if "date=20260922" in str(file)]
    shutil.copy(day, day.with_name("copy.parquet"))
    rows = rows_of(frame_of(spark, tmp_path))
    assert len(rows) == 7 + 5
    assert rows == expected(Lake(tmp_path).scan())


def test_a_day_that_is_compacted_while_spark_lists_is_there_once(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bitso_spread import spark as reading

    forms_of = reading._forms

    def and_then_compact(folders: Sequence[Path]) -> list[str]:
        forms = forms_of(folders)
        compacted(tmp_path, prune=True)
        return forms

    batch(tmp_path, 0)
    batch(tmp_path, 10)
    before = expected(Lake(tmp_path).scan())
    monkeypatch.setattr(reading, "_forms", and_then_compact)
    assert rows_of(frame_of(spark, tmp_path)) == before
    assert not [*(tmp_path / TABLE).rglob("*.csv")]


def test_an_unreadable_compacted_day_is_named(spark: SparkSession, tmp_path: Path) -> None:
    batch(tmp_path, 0)
    compacted(tmp_path)
    (day,) = daily_files(tmp_path)
    day.write_bytes(day.read_bytes()[:100])
    with pytest.raises(Exception, match=str(day)):  # Java's own, or PySpark's
        frame_of(spark, tmp_path).collect()


def test_a_lake_may_lie_under_any_name(spark: SparkSession, tmp_path: Path) -> None:
    lake = tmp_path / "my [new] lake {a} 100%25 a=b"
    batch(lake, 0)
    batch(lake, 0, day=1, form="parquet")
    compacted(lake, date="20260922")
    batch(lake, 10, day=1)
    rows = rows_of(frame_of(spark, lake / TABLE))
    assert len(rows) == 15
    assert rows == expected(Lake(lake).scan())
    assert (lake / DAILY_TABLE).is_dir()


def test_a_lake_without_a_row_has_its_columns(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / TABLE / "date=20240725" / "order_book=btc_mxn" / "minutes=0"
    folder.mkdir(parents=True)
    for file in (folder / "_SUCCESS", folder / "part-0.csv"):
        file.touch()
        found = frame_of(spark, tmp_path)
        assert found.columns == [*SCHEMAS["five"], *KEYS]
        assert found.collect() == []


def test_no_lake_is_an_error(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="there is no lake"):
        frame_of(spark, tmp_path)
