"""What a report tells of a lake."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from bitso_spread.errors import LakeError, UnknownBookError, UsageError
from bitso_spread.lake.findings import Totals
from bitso_spread.lake.reader import Lake
from bitso_spread.report import NothingToReportError, gather
from bitso_spread.report.charts import charts
from bitso_spread.report.heat import heat_map
from tests.report.support import START, put

HOUR = START - START % 3600
DAY = 20240726


def ten_seconds(lake: Path) -> Lake:
    """Two batches of five seconds, with five seconds without a row between them."""
    put(lake, [0.2, 0.4, None, None, 0.6])
    put(lake, [0.1, 0.1, 0.1, 0.1, 2.0], first=START + 60)
    return Lake(lake)


def test_a_short_period_is_told_row_by_row_and_gaps_are_null(tmp_path: Path) -> None:
    told = gather(ten_seconds(tmp_path))
    (book,) = told.books
    assert (told.grid.step, told.grid.start, told.grid.count) == (1, START, 65)
    assert book.spans["time"].to_list() == list(range(START, START + 65))
    known = [0.2, 0.4, None, None, 0.6]
    assert book.spans["mean"][:5].to_list() == known
    assert book.spans["mean"][5:60].null_count() == 55
    assert book.spans["mean"][60:].to_list() == [0.1, 0.1, 0.1, 0.1, 2.0]
    assert book.spans["ask"][0] == 1000
    assert book.spans["bid"][:2].to_list() == [998, 996]
    assert book.spans["rows"][:6].to_list() == [1, 1, 1, 1, 1, 0]
    assert book.coverage == Totals(expected=65, known=8, unknown=2, absent=55)
    assert book.statistics["max"] == 2
    assert book.statistics["above_0.5"] == 25
    assert sum(book.bins.counts) == 8
    assert charts(told)["books"][0]["gaps"] == [[2, 2, 0, 1], [5, 55, 0, 1]]


def test_a_longer_period_is_summed_up_and_nothing_is_left_out(tmp_path: Path) -> None:
    for hour in range(4):
        put(tmp_path, [0.1] * 3599 + [0.5], first=HOUR + 3600 * hour)
    told = gather(Lake(tmp_path), start="2024-07-26T03:30", tz="UTC")
    (book,) = told.books
    assert (told.grid.step, told.grid.count) == (2, 12_600 // 2)
    assert book.spans["known"].sum() == 12_600
    last = book.spans.row(-1, named=True)
    assert (last["min"], last["max"], last["mean"]) == (0.1, 0.5, pytest.approx(0.3))
    assert (last["low"], last["high"]) == (995, 1000)
    assert last["bid"] == pytest.approx(997)
    assert book.hours["max"].to_list() == [0.5] * 4
    assert book.spans["max"].sort(descending=True)[:5].to_list() == [0.5] * 4 + [0.1]


def test_hours_are_those_of_the_zone(tmp_path: Path) -> None:
    lake = ten_seconds(tmp_path)
    (cell,) = gather(lake, tz="America/Mexico_City").books[0].hours.iter_rows(named=True)
    assert (str(cell["date"]), cell["hour"], cell["known"]) == ("2024-07-25", 21, 8)
    (quarter,) = gather(lake, tz="Asia/Kathmandu").books[0].hours.iter_rows(named=True)
    assert (str(quarter["date"]), quarter["hour"]) == ("2024-07-26", 9)
    heat = heat_map(gather(lake, tz="America/Mexico_City").books[0])
    assert heat is not None
    ((name, cells),) = heat.lines
    assert (name, [hour for hour, each in enumerate(cells) if each]) == ("2024-07-25", [21])


def test_more_than_a_month_is_told_by_weekdays(tmp_path: Path) -> None:
    for day in range(32):
        put(tmp_path, [0.1 + day / 100], first=START + 86_400 * day)
    book = gather(Lake(tmp_path)).books[0]
    heat = heat_map(book)
    assert heat is not None
    assert [name for name, _ in heat.lines][::6] == ["Monday", "Sunday"]
    assert heat_map(book, books=1) == heat
    month = gather(Lake(tmp_path), date="..20240825").books[0]
    few, many = heat_map(month), heat_map(month, books=10)
    assert few is not None
    assert many is not None
    every = heat_map(month, books=43)
    assert every is not None
    assert (few.kind, many.kind, every.kind) == ("date", "weekday", "days")
    assert [name for name, _ in every.lines] == ["all"]


def test_books_have_one_time_axis_and_each_its_own_gaps(tmp_path: Path) -> None:
    put(tmp_path, [0.2] * 10)
    put(tmp_path, [0.3] * 5, book="usd_mxn", first=START + 5)
    told = gather(Lake(tmp_path))
    gaps = {book["book"]: book["gaps"] for book in charts(told)["books"]}
    assert gaps == {"btc_mxn": [], "usd_mxn": [[0, 5, 0, 1]]}
    assert [book.book for book in gather(Lake(tmp_path), book="mxn-usd").books] == ["usd_mxn"]


def test_a_book_of_which_nothing_is_known_is_told_as_such(tmp_path: Path) -> None:
    put(tmp_path, [None] * 5)
    (book,) = gather(Lake(tmp_path)).books
    assert book.coverage == Totals(expected=5, unknown=5)
    assert book.statistics["mean"] is None
    assert book.hours["known"].sum() == sum(book.bins.counts) == 0
    assert heat_map(book) is None


def test_a_price_that_is_no_number_is_not_drawn(tmp_path: Path) -> None:
    put(tmp_path, [0.2, 0.2, float("inf")])
    (book,) = gather(Lake(tmp_path)).books
    assert book.spans["mean"].to_list() == [0.2, 0.2, None]


def test_a_file_that_cannot_be_read_ends_it_or_is_passed_over(tmp_path: Path) -> None:
    lake = ten_seconds(tmp_path)
    bad = next(tmp_path.rglob("*0316*.parquet"))
    bad.write_bytes(bad.read_bytes()[:100])
    with pytest.raises(LakeError, match=bad.name):
        gather(lake)
    skipped: list[LakeError] = []
    told = gather(lake, on_bad=skipped.append)
    assert len(skipped) == 1
    assert told.books[0].coverage.known == 3
    assert told.findings == 1


def test_what_makes_no_sense_is_said(tmp_path: Path) -> None:
    lake = ten_seconds(tmp_path)
    with pytest.raises(NothingToReportError):
        gather(lake, date="20200101")
    with pytest.raises(UnknownBookError, match="did you mean btc_mxn"):
        gather(lake, book="btc_mnx")
    with pytest.raises(UsageError, match="100: give a spread in percent"):
        gather(lake, [100])
    with pytest.raises(UsageError, match="time zone"):
        gather(lake, tz="Mars/Olympus")


def test_a_threshold_that_is_given_twice_is_told_once(tmp_path: Path) -> None:
    told = gather(ten_seconds(tmp_path), [0.5, 0.5, 0.1])
    assert told.thresholds == (0.5, 0.1)
    assert told.books[0].statistics["above_0.5"] == 25


def test_progress_is_told_by_days(tmp_path: Path) -> None:
    put(tmp_path, [0.1])
    put(tmp_path, [0.1], first=START + 86_400)
    seen: list[tuple[str, int, int]] = []
    gather(Lake(tmp_path), on_progress=lambda *step: seen.append(step))
    assert seen[-3:] == [("summing up", done, 2) for done in range(3)]
    assert ("checking", 2, 2) in seen


def test_it_agrees_with_the_lake_of_the_predecessor(shared: Path) -> None:
    folder = shared / "lake-2024-07-26"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder.name}")
    lake = Lake(folder)
    told = gather(lake, book="btc_mxn")
    rows = lake.read(book="btc_mxn")
    (book,) = told.books
    assert sum(book.bins.counts) == rows["spread"].count() == 600
    drawn = book.spans.filter(pl.col("known") > 0)
    assert drawn["mean"].to_list() == rows["spread"].to_list()
    assert drawn["bid"].to_list() == rows["bid"].to_list()
