"""SQL over a lake: which rows come, what is opened for them, and what is said of what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.errors import UsageError
from bitso_spread.lake.pruning import Condition
from bitso_spread.lake.reader import Lake
from tests.lake.support import put_batch

MIDNIGHT = datetime(2024, 7, 25, tzinfo=UTC)
TABLE = "BitsoSpreadMonitor"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two days of two books, each with a batch at 00:10 and one at 10:00, of ten minutes' rows."""
    for day in range(2):
        for minutes in (10, 600):
            for book in ("btc_mxn", "usd_mxn"):
                put_batch(tmp_path, book, MIDNIGHT + timedelta(days=day, minutes=minutes))
    return Lake(tmp_path)


@pytest.fixture
def opened(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, int]]:
    """The partitions that queries open."""
    seen: list[tuple[int, str, int]] = []
    where = lake.where

    def watched(condition: Condition) -> object:
        for file in where(condition):
            seen.append((file.partition.date % 100, file.partition.book, file.partition.minutes))
            yield file

    monkeypatch.setattr(lake, "where", watched)
    return seen


def test_the_predecessors_question_opens_the_batches_that_it_names(
    lake: Lake, opened: list[tuple[int, str, int]]
) -> None:
    rows = lake.sql(
        f"SELECT * FROM {TABLE} WHERE date = 20240725 AND order_book = 'mxn_btc' AND minutes <= 300"
    ).collect()
    assert rows.height == 10
    assert set(rows["book"]) == {"btc_mxn"}
    assert set(opened) == {(25, "btc_mxn", 10)}


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("order_book = 'MXN/BTC'", 40),
        ("'mxn-btc' = t.order_book", 40),
        ('"order_book" IN (\'MXN-BTC\', \'usd_mxn\')', 80),
        ("NOT book = 'mxn_btc'", 40),
        ("order_book <> 'BTC-MXN'", 40),
        ("order_book = 'eth_mxn'", 0),
        ("order_book = 'no book'", 0),
        ("date = '2024-07-26'", 40),
        ("date IN (20240726) AND book = 'btc_mxn'", 20),
        ("date BETWEEN '20240724' AND '2024-07-25' AND spread IS NULL", 12),
        ("orderbook_timestamp BETWEEN '2024-07-26 10:00' AND '2024-07-26 10:02'", 6),
        ("orderbook_timestamp >= TIMESTAMP '2024-07-26 10:00:00'", 20),
        ("orderbook_timestamp >= '2024-07-26T04:00:00-06:00'", 20),
        ("orderbook_timestamp = '2024-07-26T10:00:00+00:00' -- 'mxn_btc'", 2),
        ("minutes = 10 /* 'x' */ AND book LIKE 'btc%'", 20),
    ],
)  # fmt: skip
def test_literals_mean_what_they_do_everywhere(lake: Lake, condition: str, rows: int) -> None:
    assert lake.sql(f"SELECT * FROM {TABLE} t WHERE {condition}").collect().height == rows


def test_text_that_is_compared_with_no_book_stays_as_it_is(lake: Lake) -> None:
    query = f"SELECT 'mxn_btc' AS label, max(book) AS b FROM {TABLE} WHERE order_book = 'mxn_btc'"
    assert lake.sql(query).collect().rows() == [("mxn_btc", "btc_mxn")]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (f"SELECT x FROM {TABLE}", 'unable to find column "x"'),
        (f"SELECT bid FROM {TABLE} WHERE", "Expected: an expression, found: EOF"),
        (f"SELECT * FROM {TABLE} WHERE book = 'mxn_btc' ORDER BID", "Line: 1, Column: 57"),
        ("SELECT * FROM nope", "relation 'nope' was not found"),
        (f"SELECT nope(bid) FROM {TABLE}", "unsupported function 'nope'"),
        (f"DROP TABLE {TABLE}", "--sql takes one query"),
        ("", "--sql takes one query"),
        (f"SELECT 1 FROM {TABLE}; SELECT 2 FROM {TABLE}", "only one"),
        (f"SELECT * FROM {TABLE} WHERE orderbook_timestamp > 'noon'", "cannot compare"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(lake: Lake, query: str, said: str) -> None:
    with pytest.raises(UsageError) as wrong:
        lake.sql(query).collect()
    assert said in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_sql_takes_joins_and_groups(lake: Lake) -> None:
    query = f"""
        WITH wide AS (SELECT * FROM {TABLE} WHERE spread > 48)
        SELECT order_book, count(*) AS n, round(avg(spread), 3) AS mean FROM wide
        GROUP BY order_book ORDER BY order_book
    """
    found = lake.sql(query).collect()
    assert found.rows() == [("btc_mxn", 12, 49.0), ("usd_mxn", 12, 49.0)]
    assert found.schema["n"].is_integer()
    assert lake.sql(query, columns="five").collect().equals(found)
    assert isinstance(lake.sql(query), pl.LazyFrame)
