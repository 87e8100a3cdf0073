from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

from bitso_spread.errors import UsageError
from bitso_spread.lake.columns import SCHEMA
from bitso_spread.lake.filters import (
    Filters,
    Range,
    check_zone,
    parse_dates,
    parse_instant,
    parse_minutes,
)
from bitso_spread.lake.layout import Partition

TODAY = date(2024, 3, 1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240726", Range(20240726, 20240726)),
        ("2024-07-26", Range(20240726, 20240726)),
        (" 2024-07-26 ", Range(20240726, 20240726)),
        ("today", Range(20240301, 20240301)),
        ("Yesterday", Range(20240229, 20240229)),
        ("2024-07-01..20240726", Range(20240701, 20240726)),
        ("2024-07-01..2024-07-01", Range(20240701, 20240701)),
        ("yesterday..today", Range(20240229, 20240301)),
        ("2024-07-01..", Range(20240701, None)),
        ("..today", Range(None, 20240301)),
    ],
)
def test_days_are_written_in_several_ways(text: str, expected: Range) -> None:
    assert parse_dates(text, TODAY) == expected


@pytest.mark.parametrize(
    "text",
    ["", "..", "26/07/2024", "2024-0726", "20240230", "2024-13-01", "00000101", "tomorrow",
     "20240701...20240702", "20240701..x", "٢٠٢٤٠٧٢٦", "2024-07-26T00:00"],
)  # fmt: skip
def test_what_is_no_day_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(UsageError, match=r"write 20240726, 2024-07-26, today, yesterday"):
        parse_dates(text, TODAY)


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(UsageError, match="backwards"):
        parse_dates("20240726..20240725", TODAY)
    with pytest.raises(UsageError, match="backwards"):
        parse_minutes("20..10")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", Range(0, 0)),
        ("195", Range(195, 195)),
        ("180..240", Range(180, 240)),
        ("600..", Range(600, None)),
        ("..59", Range(None, 59)),
        ("..1439", Range(None, 1439)),
    ],
)
def test_minutes_are_a_number_or_a_range(text: str, expected: Range) -> None:
    assert parse_minutes(text) == expected


@pytest.mark.parametrize("text", ["", "..", "-1", "1440", "1.5", "²", "10-20", "0..1440", "99999"])
def test_minutes_outside_the_day_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write a number from 0 to 1439"):
        parse_minutes(text)


def test_both_ends_of_a_range_belong_to_it() -> None:
    assert [n for n in range(5) if n in Range(1, 3)] == [1, 2, 3]
    assert [n for n in range(5) if n in Range(None, 1)] == [0, 1]
    assert [n for n in range(5) if n in Range(3, None)] == [3, 4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-26T03:15:00+00:00", "2024-07-26T03:15:00"),
        ("2024-07-26T03:15:00Z", "2024-07-26T03:15:00"),
        ("2024-07-26T03:15:00.250Z", "2024-07-26T03:15:00.250"),
        ("2024-07-25T21:15:00-06:00", "2024-07-26T03:15:00"),
        ("2024-07-26T03:15", "2024-07-26T03:15:00"),
        ("2024-07-26 03:15", "2024-07-26T03:15:00"),
        ("2024-07-26", "2024-07-26T00:00:00"),
    ],
)
def test_an_instant_is_read_in_utc(text: str, expected: str) -> None:
    assert parse_instant(text) == at(expected)


def test_an_instant_without_an_offset_is_the_time_on_the_clocks_of_the_zone() -> None:
    assert parse_instant("2024-07-25T21:15", "America/Mexico_City") == at("2024-07-26T03:15")
    # Mexico City kept summer time until 2022.
    assert parse_instant("2022-07-25T21:15", "America/Mexico_City") == at("2022-07-26T02:15")
    assert parse_instant("2024-07-25", "America/Mexico_City") == at("2024-07-25T06:00")


def test_an_offset_is_stronger_than_the_zone() -> None:
    assert parse_instant("2024-07-26T03:15Z", "America/Mexico_City") == at("2024-07-26T03:15")


def test_a_datetime_is_taken_as_it_is() -> None:
    cet = timezone(timedelta(hours=1))
    assert parse_instant(datetime(2024, 7, 26, 4, 15, tzinfo=cet)) == at("2024-07-26T03:15")
    naive = datetime(2024, 7, 25, 21, 15)  # noqa: DTZ001  (a naive one is what is tested)
    assert parse_instant(naive, "America/Mexico_City") == at("2024-07-26T03:15")


@pytest.mark.parametrize(
    ("local", "how_often"),
    [("2024-11-03T01:30", "comes twice"), ("2024-03-10T02:30", "never comes")],
)
def test_a_local_time_that_is_not_one_instant_needs_an_offset(local: str, how_often: str) -> None:
    with pytest.raises(UsageError, match=f"{how_often} on the clocks of America/New_York.*offset"):
        parse_instant(local, "America/New_York")
    assert parse_instant(f"{local}-05:00", "America/New_York").tzinfo is UTC


# Clocks may go back by half an hour, and have gone over a whole day.
@pytest.mark.parametrize(
    ("zone", "local", "offsets"),
    [
        ("Europe/Madrid", "2024-10-27T02:30", ("+02:00", "+01:00")),
        ("America/Mexico_City", "2022-10-30T01:30", ("-05:00", "-06:00")),
        ("Australia/Lord_Howe", "2024-04-07T01:45", ("+11:00", "+10:30")),
        ("Europe/London", "2024-10-27T01:30:15.5", ("+01:00", "+00:00")),
        ("Europe/Madrid", "2024-03-31T02:30", ("+01:00", "+02:00")),
        ("Pacific/Apia", "2011-12-30T12:00", ("-10:00", "+14:00")),
    ],
)
def test_the_offsets_that_are_named_are_the_zone_s_own_at_that_time(
    zone: str, local: str, offsets: tuple[str, str]
) -> None:
    with pytest.raises(UsageError) as refused:
        parse_instant(local, zone)
    assert str(refused.value).endswith(f"write its offset after it, {offsets[0]} or {offsets[1]}")
    instants = [parse_instant(f"{local}{offset}", zone) for offset in offsets]
    # Of a time that comes twice, the first comes first.
    assert (instants[0] < instants[1]) == ("comes twice" in str(refused.value))


@pytest.mark.parametrize("text", ["", "noon", "2024-07-26T25:00", "0001-01-01T00:00+23:00"])
def test_what_is_no_instant_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(UsageError, match="write it in ISO 8601"):
        parse_instant(text)


@pytest.mark.parametrize("zone", ["Nowhere/Land", "", " ", "CDMX"])
def test_a_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(UsageError, match="is not a time zone: write a name such as UTC"):
        check_zone(zone)


def test_nothing_lies_between_instants_that_run_backwards() -> None:
    with pytest.raises(UsageError, match="the first must be the earlier"):
        Filters.of(start="2024-07-26T03:00", end="2024-07-26T03:00")


def test_books_are_read_as_people_write_them() -> None:
    assert Filters.of(book="BTC-MXN,usd/mxn").books == ("btc_mxn", "usd_mxn")
    assert Filters.of(book=["btc_mxn", "BTC_MXN"]).books == ("btc_mxn",)
    assert Filters.of(book=["btc_mxn", "all"]).books == ()
    with pytest.raises(UsageError, match="is not a book"):
        Filters.of(book="../etc")


def test_a_question_takes_numbers_as_well_as_text() -> None:
    filters = Filters.of(date=20240726, minutes=195)
    assert (filters.dates, filters.minutes) == (Range(20240726, 20240726), Range(195, 195))


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        # The day before is asked too: a batch of another writer may cross midnight.
        ("2024-07-26T00:00", None, [20240725, 20240726, 20240727]),
        ("2024-07-26T23:59", None, [20240725, 20240726, 20240727]),
        (None, "2024-07-25T00:00", [20240724]),
        (None, "2024-07-25T00:00:00.000001", [20240724, 20240725]),
        ("2024-07-25T12:00", "2024-07-25T13:00", [20240724, 20240725]),
    ],
)
def test_instants_spare_the_days_that_cannot_hold_them(
    start: str | None, end: str | None, days: list[int]
) -> None:
    filters = Filters.of(start=start, end=end)
    lake = [20240724, 20240725, 20240726, 20240727]
    assert [day for day in lake if filters.may_name_day(day)] == days


def test_the_first_and_last_days_of_the_calendar_can_be_compared() -> None:
    filters = Filters.of(start="2024-07-26", end="9999-12-31")
    assert not filters.may_name_day(10101)
    assert not filters.may_name_day(99991231)
    assert Filters.of(start="9999-12-31").may_name_day(99991231)


def test_a_batch_that_starts_at_the_end_or_later_is_spared() -> None:
    filters = Filters.of(end="2024-07-26T03:15")
    assert filters.may_name_partition(Partition(20240726, 194, "btc_mxn"))
    assert not filters.may_name_partition(Partition(20240726, 195, "btc_mxn"))


def test_the_start_is_included_and_the_end_is_not() -> None:
    times = [at("2024-07-26T03:15:00") + timedelta(seconds=n) for n in range(4)]
    frame = pl.DataFrame(
        {"orderbook_timestamp": times, "book": "b", "bid": 1.0, "ask": 2.0, "spread": 50.0},
        schema=SCHEMA,
    )
    kept = Filters.of(start="2024-07-26T03:15:01", end="2024-07-26T03:15:03").keep(frame)
    assert kept["orderbook_timestamp"].to_list() == times[1:3]
