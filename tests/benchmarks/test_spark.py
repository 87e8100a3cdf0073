"""From which size of a lake on Spark is worth going to, on one machine, if there is one.

Both count the rows and take the mean spread of each book and day, over the whole lake. Measured
are whole processes, and what is warm: a session, or a process, that has asked before. Spark lists
the lake when it is asked to read it, and that is told apart.

``python -m tests.benchmarks.test_spark LAKE`` asks Spark once, as a process.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.reader import Lake
from tests.benchmarks.lakes import BATCH, BATCHES, BOOKS, grow
from tests.benchmarks.measure import BITSO_SPREAD, PYTHON, process, say

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

QUESTION = (
    f"SELECT date, order_book, count(*) AS n, avg(spread) AS spread FROM {TABLE} "
    "GROUP BY date, order_book"
)
# Of larger lakes one turn says enough.
_TURNS, _MANY_DAYS = 3, 30


def session() -> SparkSession:
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "2g",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[*]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    pytest.importorskip("pyspark", reason="pyspark is not installed: it is the extra spark")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("there is no Java, which Spark runs on")
    running = session()
    running.sparkContext.setLogLevel("OFF")
    yield running
    running.stop()


@pytest.mark.parametrize("days", [1, 7, 30, 90, 365])
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_query_is_faster_than_spark_on_one_machine(
    spark: SparkSession, form: str, days: int, tmp_path: Path
) -> None:
    # What is in the other days does not matter, and links make them sooner.
    grow(tmp_path, form, range(days), own=range(1))
    query = process([BITSO_SPREAD, "query", "--lake", str(tmp_path), "--sql", QUESTION])
    other = process([PYTHON, "-m", "tests.benchmarks.test_spark", str(tmp_path)])

    def ours() -> tuple[float, Any]:
        start = time.perf_counter()
        found = Lake(tmp_path).sql(QUESTION).collect(engine="streaming").rows()
        return time.perf_counter() - start, found

    turns = _TURNS if days <= _MANY_DAYS else 1
    seen = [(query(), other(), ours(), _ask(spark, tmp_path)) for _ in range(turns)]
    for _, _, (_, mine), (_, _, theirs) in seen:
        assert len(mine) == len(theirs) == days * len(BOOKS)
        assert {row[2] for row in theirs} == {BATCH * BATCHES}
        assert sorted(theirs) == [(*row[:3], pytest.approx(row[3])) for row in sorted(mine)]
    query_s, spark_s = median(each[0] for each in seen), median(each[1] for each in seen)
    warm_s = median(each[2][0] for each in seen)
    listed_s, answered_s = median(each[3][0] for each in seen), median(each[3][1] for each in seen)
    say(
        f"{days} days, {form}: query {query_s:.2f} s as a process, {warm_s:.2f} s warm; Spark "
        f"{spark_s:.1f} s as a process, warm {listed_s:.2f} s to list and {answered_s:.2f} s to "
        "answer"
    )
    shutil.rmtree(tmp_path)
    assert query_s < spark_s
    assert warm_s < listed_s + answered_s


def _ask(spark: SparkSession, lake: Path) -> tuple[float, float, list[tuple[Any, ...]]]:
    """Give the seconds that listing and answering take, and the answer."""
    from bitso_spread.spark import read_lake

    start = time.perf_counter()
    read_lake(spark, lake).createOrReplaceTempView(TABLE)
    listed = time.perf_counter()
    found = [tuple(row) for row in spark.sql(QUESTION).collect()]
    return listed - start, time.perf_counter() - listed, found


def main(lake: str) -> None:
    """Ask once, in a session of its own."""
    logging.disable()
    running = session()
    running.sparkContext.setLogLevel("OFF")
    print(len(_ask(running, Path(lake))[2]))
    running.stop()


if __name__ == "__main__":
    main(sys.argv[1])
