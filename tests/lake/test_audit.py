"""Which seconds an audit expects, which it finds, and what it makes of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitso_spread.errors import UnknownBookError, UsageError
from bitso_spread.lake.findings import Kind
from bitso_spread.lake.journal import Outage
from bitso_spread.lake.outages import ABSENT, MISSED
from bitso_spread.model import State
from tests.lake.audit_support import TICKS, foreign, kinds, look, only, record, rows_at
from tests.lake.support import DAY, NOON

ONE_DAY = 86_400


def test_a_whole_batch_is_known_and_sound(tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS))
    report = look(tmp_path)
    (day,) = report.days
    assert (day.book, day.date) == ("btc_mxn", 20260921)
    assert (day.expected, day.known, day.missing, day.journal) == (600, 600, 0, 0)
    assert (report.files, report.checksums, report.findings) == (1, 1, ())
    assert day.first_missing is None
    assert report.is_sound()


def test_a_second_without_a_row_is_absent_and_its_hour_shows_it(tmp_path: Path) -> None:
    rows = rows_at(TICKS)
    foreign(tmp_path, rows[:300] + rows[301:])
    report = look(tmp_path)
    (day,) = report.days
    assert (day.expected, day.known, day.absent) == (600, 599, 1)
    assert day.hours == (0,) * 12 + (1,) + (0,) * 11
    assert day.hours_expected == (0,) * 12 + (600,) + (0,) * 11
    assert day.first_missing == NOON + 300
    assert report.findings == ()
    assert not report.is_sound()
    assert report.is_sound(max_missing=1)


def test_days_between_the_first_and_the_last_tick_are_whole(tmp_path: Path) -> None:
    foreign(tmp_path, rows_at(TICKS))
    foreign(tmp_path, rows_at(range(NOON + 2 * ONE_DAY, NOON + 2 * ONE_DAY + 60)))
    first, between, last = look(tmp_path).days
    assert (first.expected, first.absent) == (43_200, 42_600)
    assert (between.date, between.expected, between.absent) == (20260922, 86_400, 86_400)
    assert between.hours == between.hours_expected == (3600,) * 24
    assert between.first_missing == DAY + ONE_DAY
    assert (last.expected, last.known) == (43_260, 60)


def test_each_book_has_its_own_first_and_last_tick(tmp_path: Path) -> None:
    foreign(tmp_path, rows_at(TICKS))
    foreign(tmp_path, rows_at(range(NOON + 3600, NOON + 3610), "usd_mxn"))
    btc, usd = look(tmp_path).days
    assert (btc.book, btc.expected) == ("btc_mxn", 600)
    assert (usd.book, usd.expected, usd.missing) == ("usd_mxn", 10, 0)


def test_empty_rows_are_unknown_or_missed_as_the_recorder_noted(tmp_path: Path) -> None:
    rows = (
        rows_at(TICKS[:100])
        + rows_at(TICKS[100:130], state=State.UNKNOWN)
        + rows_at(TICKS[130:170], state=State.MISSED)
        + rows_at(TICKS[170:])
    )
    outages = [
        Outage("btc_mxn", "the link is down", NOON + 100, NOON + 129),
        Outage("btc_mxn", MISSED, NOON + 130, NOON + 169),
    ]
    record(tmp_path, rows, outages=outages)
    (day,) = look(tmp_path).days
    assert (day.known, day.unknown, day.missed, day.absent) == (530, 30, 40, 0)
    assert day.causes == {MISSED: 40, "the link is down": 30}
    assert day.hours[12] == 70


def test_empty_rows_without_a_note_are_unknown_and_have_no_cause(tmp_path: Path) -> None:
    foreign(tmp_path, rows_at(TICKS[:10]) + rows_at(TICKS[10:20], state=State.UNKNOWN))
    (day,) = look(tmp_path).days
    assert (day.known, day.unknown, day.missed, dict(day.causes)) == (10, 10, 0, {})
    assert day.first_missing == NOON + 10


def test_an_outage_that_lasts_covers_the_rows_up_to_the_last(tmp_path: Path) -> None:
    rows = rows_at(TICKS[:10]) + rows_at(TICKS[10:60], state=State.UNKNOWN)
    record(tmp_path, rows, outages=[Outage("btc_mxn", "no link", NOON + 10, None)])
    (day,) = look(tmp_path).days
    assert day.causes == {"no link": 50}


def test_a_gap_that_the_recorder_noted_has_its_cause_on_every_day(tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS))
    after = NOON + 2 * ONE_DAY
    gap = Outage("btc_mxn", ABSENT, NOON + 600, after - 1)
    record(tmp_path, rows_at(range(after, after + 10)), outages=[gap])
    days = look(tmp_path).days
    assert [dict(day.causes) for day in days] == [
        {ABSENT: 42_600},
        {ABSENT: 86_400},
        {ABSENT: 43_200},
    ]
    assert [day.absent for day in days] == [42_600, 86_400, 43_200]


def test_the_interval_is_the_one_that_was_recorded(tmp_path: Path) -> None:
    rows = rows_at(range(NOON, NOON + 3600, 60))
    record(tmp_path, rows[:20] + rows[21:], interval=60)
    report = look(tmp_path)
    (day,) = report.days
    assert (report.interval, day.expected, day.known, day.absent) == (60, 60, 59, 1)
    assert day.first_missing == NOON + 20 * 60
    assert day.hours_expected[12] == 60


def test_ticks_a_quarter_of_a_day_apart_leave_hours_in_which_none_is_expected(
    tmp_path: Path,
) -> None:
    record(tmp_path, rows_at(range(DAY, DAY + ONE_DAY, 21_600)), interval=21_600)
    (day,) = look(tmp_path).days
    assert (day.expected, day.known, day.absent) == (4, 4, 0)
    assert [hour for hour, ticks in enumerate(day.hours_expected) if ticks] == [0, 6, 12, 18]


def test_a_batch_that_midnight_split_is_whole_on_both_days(tmp_path: Path) -> None:
    midnight = DAY + ONE_DAY
    record(tmp_path, rows_at(range(midnight - 200, midnight)))
    record(tmp_path, rows_at(range(midnight, midnight + 400)))
    report = look(tmp_path)
    assert [(day.expected, day.known) for day in report.days] == [(200, 200), (400, 400)]
    assert report.is_sound()


def test_rows_past_midnight_fill_their_own_day_and_are_told(tmp_path: Path) -> None:
    midnight = DAY + ONE_DAY
    foreign(tmp_path, rows_at(range(midnight - 200, midnight + 400)))
    foreign(tmp_path, rows_at(range(midnight + 400, midnight + 500)))
    report = look(tmp_path)
    assert [(day.date, day.known, day.absent) for day in report.days] == [
        (20260921, 200, 0),
        (20260922, 500, 0),
    ]
    assert (only(report).kind, only(report).count) == (Kind.WRONG_PARTITION, 400)
    assert only(report).tick == midnight


def test_rows_past_midnight_count_where_the_next_day_has_no_folder(tmp_path: Path) -> None:
    midnight = DAY + ONE_DAY
    foreign(tmp_path, rows_at(range(midnight - 10, midnight + 20)))
    foreign(tmp_path, rows_at(range(midnight + ONE_DAY, midnight + ONE_DAY + 5)))
    days = look(tmp_path).days
    assert [(day.date, day.known) for day in days] == [
        (20260921, 10),
        (20260922, 20),
        (20260923, 5),
    ]


def test_a_row_past_midnight_and_one_of_the_next_day_s_folder_are_twice(tmp_path: Path) -> None:
    midnight = DAY + ONE_DAY
    foreign(tmp_path, rows_at(range(midnight - 10, midnight + 20)))
    foreign(tmp_path, rows_at(range(midnight, midnight + 30)))
    report = look(tmp_path)
    assert [(day.known, day.twice) for day in report.days] == [(10, 0), (30, 20)]
    assert kinds(report) == [Kind.WRONG_PARTITION, Kind.TWICE]


def test_csv_and_parquet_of_one_day_are_counted_together(tmp_path: Path) -> None:
    foreign(tmp_path, rows_at(TICKS[:100]), "part-0.csv")
    foreign(tmp_path, rows_at(TICKS[100:300]), "part-1.parquet", at=NOON)
    foreign(tmp_path, rows_at(TICKS[300:]), "part-2.csv", at=NOON)
    report = look(tmp_path)
    (day,) = report.days
    assert (day.known, report.files, report.findings) == (600, 3, ())


def test_a_tick_that_is_there_twice_counts_once_and_as_twice(tmp_path: Path) -> None:
    foreign(tmp_path, rows_at(TICKS[:20]), "a.csv")
    blank = rows_at(TICKS[10:15], state=State.UNKNOWN)
    foreign(tmp_path, blank + rows_at(TICKS[15:25]), "b.csv", at=NOON)
    report = look(tmp_path)
    (day,) = report.days
    assert (day.expected, day.known, day.unknown, day.twice) == (25, 25, 0, 10)
    finding = only(report)
    assert (finding.kind, finding.count, finding.tick) == (Kind.TWICE, 10, NOON + 10)
    assert finding.path is not None
    assert finding.path.endswith("b.csv")
    assert "a.csv" in finding.text


def test_progress_goes_from_none_to_all(tmp_path: Path) -> None:
    from bitso_spread.lake.audit import audit
    from bitso_spread.lake.reader import Lake

    for day in range(6):
        foreign(tmp_path, rows_at([NOON + day * ONE_DAY]))
    seen: list[tuple[int, int]] = []
    audit(Lake(tmp_path), on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 6) for done in range(7)]


def test_a_lake_without_anything_has_nothing_to_tell(tmp_path: Path) -> None:
    (tmp_path / "BitsoSpreadMonitor").mkdir()
    report = look(tmp_path)
    assert (report.days, report.findings, report.files, report.is_sound()) == ((), (), 0, True)


class TestQuestions:
    """Two runs of a book, with a day in between; another book on that day."""

    @pytest.fixture
    def lake(self, tmp_path: Path) -> Path:
        foreign(tmp_path, rows_at(TICKS))
        foreign(tmp_path, rows_at(range(NOON + 1200, NOON + 1800)))
        foreign(tmp_path, rows_at(range(NOON + 2 * ONE_DAY, NOON + 2 * ONE_DAY + 60)))
        foreign(tmp_path, rows_at(range(NOON + ONE_DAY, NOON + ONE_DAY + 60), "usd_mxn"))
        return tmp_path

    def test_a_day_reaches_to_midnight_if_the_book_goes_on_after_it(self, lake: Path) -> None:
        (day,) = look(lake, date="2026-09-21", book="btc_mxn").days
        assert (day.expected, day.known) == (43_200, 1200)

    def test_a_day_without_a_row_between_others_is_all_absent(self, lake: Path) -> None:
        (day,) = look(lake, date="20260922", book="MXN/BTC").days
        assert (day.book, day.expected, day.absent) == ("btc_mxn", 86_400, 86_400)

    def test_a_day_without_a_row_before_or_after_all_is_not_expected(self, lake: Path) -> None:
        assert look(lake, date="..20260920").days == ()
        assert look(lake, date="20260924..").days == ()

    def test_all_books_of_a_day_are_expected_as_far_as_each_goes(self, lake: Path) -> None:
        days = look(lake, date="20260922").days
        assert [(day.book, day.expected, day.known) for day in days] == [
            ("btc_mxn", 86_400, 0),
            ("usd_mxn", 60, 60),
        ]

    def test_instants_cut_what_is_expected(self, lake: Path) -> None:
        (day,) = look(lake, start="2026-09-21T12:05", end="2026-09-21T12:15", book="btc_mxn").days
        assert (day.expected, day.known, day.absent) == (600, 300, 300)
        assert day.first_missing == NOON + 600
        (day,) = look(lake, start="2026-09-21T05:00", end="2026-09-21T12:15", book="btc_mxn").days
        assert (day.expected, day.known) == (900, 600)

    def test_an_instant_within_the_first_minute_asks_for_no_row_before_the_first(
        self, tmp_path: Path
    ) -> None:
        foreign(tmp_path, rows_at(range(NOON + 40, NOON + 100)))
        (day,) = look(tmp_path, start="2026-09-21T12:00:30").days
        assert (day.expected, day.absent) == (60, 0)

    def test_a_second_after_the_first_row_s_is_asked_for_though_the_minute_is_the_same(
        self, tmp_path: Path
    ) -> None:
        rows = rows_at(range(NOON + 40, NOON + 100))
        foreign(tmp_path, rows[:10] + rows[15:])
        (day,) = look(tmp_path, start="2026-09-21T12:00:50", end="2026-09-21T12:01:30").days
        assert (day.expected, day.absent) == (40, 5)
        (day,) = look(tmp_path, end="2026-09-21T12:00:55").days
        assert (day.expected, day.absent) == (15, 5)

    def test_batches_by_their_minutes_are_held_against_each_other_on_their_day(
        self, lake: Path
    ) -> None:
        (day,) = look(lake, minutes="720", date="20260921", book="btc_mxn").days
        assert (day.expected, day.known, day.absent) == (600, 600, 0)
        days = look(lake, minutes="720..740", book="btc_mxn").days
        assert [(day.expected, day.absent) for day in days] == [(1800, 600), (60, 0)]

    def test_a_book_that_is_not_there_and_a_question_without_sense_are_told(
        self, lake: Path
    ) -> None:
        with pytest.raises(UnknownBookError):
            look(lake, book="btc_mxn,doge_mxn")
        with pytest.raises(UsageError):
            look(lake, date="tomorrow")

    def test_what_was_not_asked_for_is_not_complained_of(self, lake: Path) -> None:
        broken = next((lake / "BitsoSpreadMonitor").glob("date=20260923/*/*/*"))
        broken.write_bytes(b"")
        assert kinds(look(lake)) == [Kind.EMPTY]
        assert kinds(look(lake, date="..20260922")) == []
        assert kinds(look(lake, book="usd_mxn")) == []
        assert kinds(look(lake, minutes="..719")) == []
        assert kinds(look(lake, end="2026-09-22T23:59")) == []


class TestThePredecessor:
    """The lake that others wrote: it skipped a second of each book, and lost a batch."""

    def test_the_second_that_it_skipped_and_the_batch_that_it_lost_are_found(
        self, shared: Path
    ) -> None:
        report = look(shared / "lake-2024-07-26")
        btc, usd = report.days
        assert (btc.expected, btc.known, btc.absent) == (601, 600, 1)
        assert (usd.expected, usd.known, usd.absent) == (601, 600, 1)
        # 2024-07-26T03:15:40Z and 03:15:42Z
        assert (btc.first_missing, usd.first_missing) == (1_721_963_740, 1_721_963_742)
        assert kinds(report) == [Kind.LOST_BATCH, Kind.LOST_BATCH]
        lost = report.findings[0]
        assert lost.path == "date=20240726/order_book=btc_mxn/minutes=235"
        assert lost.text == "debris of an unfinished batch: no rows"
        assert not report.is_sound(max_missing=2)

    def test_its_32_bit_spreads_are_labelled_and_its_debris_is_counted(self, shared: Path) -> None:
        report = look(shared / "lake-2024-07-26")
        assert report.totals.float32 == 1200
        assert Kind.SPREAD not in kinds(report)
        assert report.debris == 10

    def test_a_question_finds_its_part(self, shared: Path) -> None:
        lake = shared / "lake-2024-07-26"
        report = look(lake, minutes="195", book="btc_mxn")
        assert (len(report.days), report.totals.missing, report.findings) == (1, 1, ())
        assert kinds(look(lake, minutes="235")) == [Kind.LOST_BATCH, Kind.LOST_BATCH]
