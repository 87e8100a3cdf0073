"""How many requests a question costs: as the README states them, counted from outside."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from bitso_spread.lake.filters import Question
from bitso_spread.lake.reader import Lake
from tests.cloud.conftest import S3
from tests.lake.compact_support import batch, compacted, daily_files, sources

BOOKS = ("btc_mxn", "usd_mxn", "eth_mxn")
TABLE, DAILY = "lakes/one/BitsoSpreadMonitor/", "lakes/one/BitsoSpreadDaily/"
THE_DAY = "20260921"
QUESTION = Question(date=THE_DAY, book="btc_mxn")


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A day of one book, whole: 144 files."""
    for minutes in range(0, 1440, 10):
        batch(tmp_path, minutes, rows=2)
    return tmp_path


def a_year(s3: S3, *, daily: bool) -> None:
    """Put a year of three books around the day, of objects that nobody should read."""
    first = date(2026, 1, 1)
    for number in range(365):
        text = f"{first + timedelta(number):%Y%m%d}"
        for book in BOOKS:
            if (text, book) != (THE_DAY, "btc_mxn"):
                s3.put_raw(f"{TABLE}date={text}/order_book={book}/minutes=0/x.csv", b"?")
                if daily:
                    name = f"{book}-{text}.parquet"
                    s3.put_raw(f"{DAILY}date={text}/order_book={book}/{name}", b"?")


def put(s3: S3, lake: Path, files: list[Path]) -> None:
    for path in files:
        s3.put_raw(f"lakes/one/{path.relative_to(lake).as_posix()}", path.read_bytes())


def test_a_day_of_a_book_in_a_year_is_four_lists_and_its_files(s3: S3, day: Path) -> None:
    a_year(s3, daily=False)
    put(s3, day, sources(day))
    rows = Lake(s3.url).read(**QUESTION)
    assert rows.equals(Lake(day).read(**QUESTION))
    assert s3.gateway.counts() == {"list": 4, "get": 144}
    assert Counter(s3.gateway.keys("list")) == {
        TABLE: 1,
        DAILY: 1,
        f"{TABLE}date={THE_DAY}/": 1,
        f"{TABLE}date={THE_DAY}/order_book=btc_mxn/": 1,
    }


def test_a_compacted_day_of_a_book_in_a_year_is_five_lists_and_one_file(s3: S3, day: Path) -> None:
    a_year(s3, daily=True)
    compacted(day)
    put(s3, day, [*sources(day), *daily_files(day)])
    rows = Lake(s3.url).read(**QUESTION)
    assert rows.equals(Lake(day).read(**QUESTION))
    assert s3.gateway.counts() == {"list": 5, "get": 1}
    assert Counter(s3.gateway.keys("list")) == {
        TABLE: 1,
        DAILY: 1,
        f"{TABLE}date={THE_DAY}/": 1,
        f"{DAILY}date={THE_DAY}/": 1,
        f"{TABLE}date={THE_DAY}/order_book=btc_mxn/": 1,
    }


def test_a_pruned_day_is_three_lists_and_one_file(s3: S3, day: Path) -> None:
    rows = Lake(day).read(**QUESTION)
    compacted(day, prune=True)
    put(s3, day, [*sources(day), *daily_files(day)])
    assert Lake(s3.url).read(**QUESTION).equals(rows)
    assert s3.gateway.counts() == {"list": 3, "get": 1}


def test_an_hour_of_it_is_six_files(s3: S3, day: Path) -> None:
    put(s3, day, sources(day))
    assert Lake(s3.url).read(date=THE_DAY, book="btc_mxn", minutes="600..659").height == 12
    assert s3.gateway.counts() == {"list": 4, "get": 6}


def test_sql_asks_for_the_latest_file_too_because_it_tells_the_columns(s3: S3, day: Path) -> None:
    batch(day, 0, day=1)
    put(s3, day, sources(day))
    select = f"SELECT count(*) FROM BitsoSpreadMonitor WHERE date = {THE_DAY}"
    assert Lake(s3.url).sql(select).collect().item() == 288
    # Of the latest day its books, and what the first of them has.
    assert s3.gateway.counts() == {"list": 6, "get": 145}


def test_days_and_books_are_told_from_lists_alone(s3: S3) -> None:
    a_year(s3, daily=False)
    lake = Lake(s3.url)
    assert len(lake.dates()) == 365
    assert s3.gateway.counts() == {"list": 2}
    assert lake.books(date="20260301..20260310") == sorted(BOOKS)
    assert s3.gateway.counts() == {"list": 12}


def test_days_ahead_are_listed_only_once_more_than_one_is_read(s3: S3, tmp_path: Path) -> None:
    for number in range(3):
        batch(tmp_path, 0, day=number)
    put(s3, tmp_path, sources(tmp_path))
    rows = Lake(s3.url).read()
    assert rows.equals(Lake(tmp_path).read())
    # Of the table and that of compacted days, of each day, and of the book on each.
    assert s3.gateway.counts() == {"list": 2 + 3 + 3, "get": 3}
