"""Each way in which a lake can contradict itself is found, and only where it is."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from decimal import Decimal
from math import inf, nan
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitso_spread.lake.findings import Finding, Kind
from bitso_spread.lake.layout import TABLE
from bitso_spread.model import Quote, Sample, State
from tests.lake.audit_support import TICKS, foreign, kinds, look, only, record, rows_at
from tests.lake.support import NOON, a_row

# A file whose first byte cannot be read, whoever asks.
MEMORY = Path("/proc/self/mem")
FORMATS = pytest.mark.parametrize("form", ["csv", "parquet"])


def changed(rows: list[Sample], which: int, **values: float | None) -> list[Sample]:
    rows[which] = replace(rows[which], **values)  # type: ignore[arg-type]
    return rows


def with_prices(bid: float | None, ask: float | None, spread: float | None) -> list[Sample]:
    return changed(rows_at(TICKS[:9]), 4, bid=bid, ask=ask, spread=spread)


@FORMATS
def test_a_lake_without_a_defect_has_no_finding(tmp_path: Path, form: str) -> None:
    foreign(tmp_path, rows_at(TICKS), f"part-0.{form}")
    foreign(tmp_path, rows_at(TICKS, "usd_mxn"), f"part-0.{form}")
    assert look(tmp_path).findings == ()


@FORMATS
@pytest.mark.parametrize(
    ("kind", "bid", "ask", "spread"),
    [
        (Kind.CROSSED, 10.0, 10.0, 0.0),
        (Kind.CROSSED, 12.0, 10.0, -20.0),
        (Kind.SPREAD, 9.0, 10.0, 10.001),
        (Kind.SPREAD, 9.0, 10.0, 10.0 + 1e-5),
        (Kind.SPREAD, 9.0, 10.0, 1000.0 / 9.0),
        (Kind.IMPOSSIBLE, None, 10.0, None),
        (Kind.IMPOSSIBLE, 9.0, None, None),
        (Kind.IMPOSSIBLE, 9.0, 10.0, None),
        (Kind.IMPOSSIBLE, None, None, 10.0),
        (Kind.IMPOSSIBLE, 0.0, 10.0, 100.0),
        (Kind.IMPOSSIBLE, -1.0, 10.0, 110.0),
        (Kind.IMPOSSIBLE, 9.0, inf, 100.0),
        (Kind.IMPOSSIBLE, nan, 10.0, 10.0),
        (Kind.IMPOSSIBLE, 9.0, 10.0, nan),
    ],
)
def test_prices_that_cannot_be_are_found(
    tmp_path: Path,
    form: str,
    kind: Kind,
    bid: float | None,
    ask: float | None,
    spread: float | None,
) -> None:
    path = foreign(tmp_path, with_prices(bid, ask, spread), f"part-0.{form}")
    finding = only(look(tmp_path))
    assert (finding.kind, finding.count, finding.tick) == (kind, 1, NOON + 4)
    assert finding.path == path.relative_to(tmp_path / TABLE).as_posix()
    assert finding.book == "btc_mxn"
    assert "2026-09-21T12:00:04Z" in finding.text
    assert finding.text.endswith(f"bid {bid}, ask {ask}, spread {spread}")


@pytest.mark.parametrize(
    ("bid", "ask"), [(9.0, 10.0), (18.319, 18.387), (1e-8, 1.00000003e-8), (0.1, 1_999_999.99)]
)
def test_spreads_that_follow_in_64_bits_are_neither_wrong_nor_labelled(
    tmp_path: Path, bid: float, ask: float
) -> None:
    foreign(tmp_path, with_prices(bid, ask, (ask - bid) * 100 / ask))
    report = look(tmp_path)
    assert (report.findings, report.totals.float32) == ((), 0)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    quotes=st.lists(
        st.tuples(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(0, 9)),
        min_size=1,
        max_size=60,
    )
)
def test_spreads_worked_out_in_decimals_follow(
    tmp_path: Path, quotes: list[tuple[int, int, int]]
) -> None:
    rows = []
    for tick, (one, more, places) in zip(TICKS, quotes, strict=False):
        bid, ask = Decimal(one).scaleb(-places), Decimal(one + more).scaleb(-places)
        rows.append(Sample.of(tick, Quote("btc_mxn", bid, ask), State.FRESH))
    foreign(tmp_path, rows)
    report = look(tmp_path)
    assert (report.findings, report.totals.float32) == ((), 0)


def test_a_spread_that_follows_in_32_bits_is_labelled(tmp_path: Path) -> None:
    foreign(tmp_path, with_prices(18.319, 18.387, 0.36982048))
    report = look(tmp_path)
    assert (report.findings, report.totals.float32) == ((), 1)


def test_a_spread_off_by_its_last_32_bit_digit_is_wrong(tmp_path: Path) -> None:
    foreign(tmp_path, with_prices(18.319, 18.387, 0.36982148))
    assert kinds(look(tmp_path)) == [Kind.SPREAD]


@FORMATS
def test_rows_out_of_order_are_found(tmp_path: Path, form: str) -> None:
    rows = rows_at(TICKS[:9])
    rows[4], rows[5] = rows[5], rows[4]
    foreign(tmp_path, rows, f"part-0.{form}")
    report = look(tmp_path)
    assert (only(report).kind, only(report).tick) == (Kind.OUT_OF_ORDER, NOON + 4)
    assert report.totals.known == 9


def test_files_that_interleave_are_each_in_order(tmp_path: Path) -> None:
    foreign(tmp_path, rows_at(TICKS[:600:2]), "a.csv")
    foreign(tmp_path, rows_at(TICKS[1:600:2]), "b.csv", at=NOON)
    report = look(tmp_path)
    assert (report.findings, report.totals.known) == ((), 600)


def test_rows_off_the_grid_are_found_and_fill_no_tick(tmp_path: Path) -> None:
    path = foreign(tmp_path, rows_at(TICKS[:9]))
    path.write_text(path.read_text().replace("12:00:04+00:00", "12:00:04.500+00:00"))
    report = look(tmp_path)
    assert (only(report).kind, only(report).tick) == (Kind.OFF_GRID, NOON + 4)
    assert "2026-09-21T12:00:04.500000Z" in only(report).text
    assert (report.totals.known, report.totals.absent) == (8, 1)


def test_rows_between_the_ticks_of_a_longer_interval_are_off_the_grid(tmp_path: Path) -> None:
    rows = [a_row(tick) for tick in (NOON, NOON + 60, NOON + 90, NOON + 120)]
    record(tmp_path, rows, interval=60)
    report = look(tmp_path)
    assert (only(report).kind, only(report).tick) == (Kind.OFF_GRID, NOON + 90)
    assert (report.totals.expected, report.totals.known) == (3, 3)


class TestPartitions:
    """Rows must be of the book, day and minute that their folder says."""

    def test_rows_of_another_book(self, tmp_path: Path) -> None:
        foreign(tmp_path, rows_at(TICKS[:9]))
        rows = rows_at(TICKS[9:18])
        rows[3:5] = rows_at(TICKS[12:14], "usd_mxn")
        foreign(tmp_path, rows, "b.csv", at=NOON)
        report = look(tmp_path)
        assert (only(report).kind, only(report).count) == (Kind.WRONG_PARTITION, 2)
        assert "usd_mxn" in only(report).text
        # A query for usd_mxn does not find them, and one for btc_mxn has no use for them.
        assert [(day.book, day.known, day.absent) for day in report.days] == [("btc_mxn", 16, 2)]

    def test_rows_before_the_minute_of_their_folder(self, tmp_path: Path) -> None:
        foreign(tmp_path, rows_at(TICKS[:90]), at=NOON + 60)
        report = look(tmp_path)
        assert (only(report).kind, only(report).count) == (Kind.WRONG_PARTITION, 60)

    def test_a_first_row_after_the_minute_of_its_folder(self, tmp_path: Path) -> None:
        foreign(tmp_path, rows_at(TICKS[60:90]), at=NOON)
        assert (only(look(tmp_path)).kind, only(look(tmp_path)).tick) == (
            Kind.WRONG_PARTITION,
            NOON + 60,
        )

    def test_files_that_others_split_may_begin_after_their_folder_s_minute(
        self, tmp_path: Path
    ) -> None:
        foreign(tmp_path, rows_at(TICKS[:300]), "part-0.csv")
        foreign(tmp_path, rows_at(TICKS[300:]), "part-1.csv", at=NOON)
        assert look(tmp_path).findings == ()

    def test_our_own_file_may_not(self, tmp_path: Path) -> None:
        foreign(tmp_path, rows_at(TICKS[:300]), "part-0.csv")
        name = "btc_mxn-20260921T120500Z.csv"
        path = foreign(tmp_path, rows_at(TICKS[300:]), name, at=NOON)
        assert (only(look(tmp_path)).kind, only(look(tmp_path)).path) == (
            Kind.WRONG_PARTITION,
            path.relative_to(tmp_path / TABLE).as_posix(),
        )

    def test_a_file_moved_to_the_day_before_or_after(self, tmp_path: Path) -> None:
        foreign(tmp_path, rows_at(TICKS[:10]), at=NOON - 86_400)
        report = look(tmp_path)
        # Queries look for rows of a day under the day before it, but not the other way round.
        assert set(kinds(report)) == {Kind.WRONG_PARTITION}
        assert report.totals.known == 10
        foreign(tmp_path, rows_at(TICKS[10:20]), at=NOON + 86_400)
        report = look(tmp_path)
        assert set(kinds(report)) == {Kind.WRONG_PARTITION}
        assert report.totals.known == 10

    @pytest.mark.parametrize(
        "place",
        [
            ".",
            "date=20260921",
            "date=20260921/order_book=btc_mxn",
            "date=20260921/order_book=btc_mxn/minutes=720/more",
            "date=20260921/order_book=btc_mxn/minutes=1440",
            "date=2026-09-21/order_book=btc_mxn/minutes=720",
        ],
    )
    def test_data_outside_of_every_partition(self, tmp_path: Path, place: str) -> None:
        path = foreign(tmp_path, rows_at(TICKS[:9]))
        assert look(tmp_path).findings == ()
        folder = tmp_path / TABLE / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lost.csv").write_bytes(path.read_bytes())
        finding = only(look(tmp_path))
        assert (finding.kind, finding.path) == (
            Kind.WRONG_PARTITION,
            (Path(place) / "lost.csv").as_posix(),
        )


class TestFiles:
    """Files that cannot be read, or have nothing to be read."""

    @FORMATS
    def test_a_file_of_no_bytes_is_empty(self, tmp_path: Path, form: str) -> None:
        foreign(tmp_path, rows_at(TICKS), f"a.{form}").with_name(f"b.{form}").touch()
        report = look(tmp_path)
        assert (only(report).kind, report.files, report.totals.known) == (Kind.EMPTY, 2, 600)

    @FORMATS
    def test_a_file_without_a_row_is_empty(self, tmp_path: Path, form: str) -> None:
        foreign(tmp_path, rows_at(TICKS), f"a.{form}")
        foreign(tmp_path, [], f"b.{form}", at=NOON)
        report = look(tmp_path)
        assert (only(report).kind, report.totals.known) == (Kind.EMPTY, 600)
        assert only(report).path == "date=20260921/order_book=btc_mxn/minutes=720/b." + form

    @FORMATS
    def test_a_file_that_ends_in_the_middle_is_truncated(self, tmp_path: Path, form: str) -> None:
        foreign(tmp_path, rows_at(TICKS[:300]), f"a.{form}")
        path = foreign(tmp_path, rows_at(TICKS[300:]), f"b.{form}", at=NOON)
        os.truncate(path, path.stat().st_size * 2 // 3)
        report = look(tmp_path)
        assert (only(report).kind, report.totals.known) == (Kind.TRUNCATED, 300)
        assert str(tmp_path) not in only(report).text

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("b.csv", b"2026-09-21T12:00:00+00:00,btc_mxn,1,2\n"),
            ("b.csv", b"2026-09-21T12:00:00+00:00,btc_mxn,one,2,50\n"),
            ("b.csv", b"yesterday,btc_mxn,1,2,50\n"),
            ("b.csv", b"orderbook_timestamp,book,bid\n2026-09-21T12:00:00Z,btc_mxn,1\n"),
            ("b.parquet", b"PAR1 and nothing that is Parquet PAR1"),
        ],
    )
    def test_a_file_that_is_not_what_it_should_be_is_unreadable(
        self, tmp_path: Path, name: str, content: bytes
    ) -> None:
        foreign(tmp_path, rows_at(TICKS), "a.csv").with_name(name).write_bytes(content)
        report = look(tmp_path)
        assert (only(report).kind, report.totals.known) == (Kind.UNREADABLE, 600)

    @pytest.mark.skipif(not MEMORY.exists(), reason="needs a file that refuses to be read")
    def test_a_file_that_the_system_will_not_give_is_unreadable(self, tmp_path: Path) -> None:
        foreign(tmp_path, rows_at(TICKS), "a.csv").with_name("b.csv").symlink_to(MEMORY)
        report = look(tmp_path)
        assert (only(report).kind, report.totals.known) == (Kind.UNREADABLE, 600)


class TestDebris:
    """What is no data is counted; a partition in which there is nothing else lost its batch."""

    def test_marks_of_others_are_harmless_and_counted(self, tmp_path: Path) -> None:
        path = foreign(tmp_path, rows_at(TICKS))
        for name in ("_SUCCESS", "._SUCCESS.crc", ".part-0.csv.crc"):
            path.with_name(name).write_bytes(b"x")
        (tmp_path / TABLE / "_SUCCESS").touch()
        attempt = path.parent / "_temporary" / "0" / "part-0.csv"
        attempt.parent.mkdir(parents=True)
        attempt.write_bytes(path.read_bytes())
        report = look(tmp_path)
        assert (report.debris, report.findings, report.is_sound()) == (5, (), True)

    @pytest.mark.parametrize(
        ("debris", "said"),
        [
            (None, "a batch without a file"),
            ("_SUCCESS", "no rows"),
            ("_temporary/0/part-0.csv", "no rows"),
        ],
    )
    def test_a_partition_without_data_lost_its_batch(
        self, tmp_path: Path, debris: str | None, said: str
    ) -> None:
        foreign(tmp_path, rows_at(TICKS))
        folder = tmp_path / TABLE / "date=20260921" / "order_book=btc_mxn" / "minutes=730"
        folder.mkdir()
        if debris:
            (folder / debris).parent.mkdir(parents=True, exist_ok=True)
            (folder / debris).touch()
        finding = only(look(tmp_path))
        assert (finding.kind, finding.tick) == (Kind.LOST_BATCH, NOON + 600)
        assert said in finding.text

    def test_what_an_attempt_had_written_is_told(self, tmp_path: Path) -> None:
        whole = foreign(tmp_path, rows_at(TICKS))
        attempt = whole.parent.with_name("minutes=730") / "_temporary" / "part-0.csv"
        attempt.parent.mkdir(parents=True)
        attempt.write_bytes(b"123456789")
        assert "9 bytes that no query reads" in only(look(tmp_path)).text


class TestChecksums:
    """What was written and is not there any more, or not as it was."""

    def test_a_file_that_is_gone(self, tmp_path: Path) -> None:
        record(tmp_path, rows_at(TICKS))
        path = record(tmp_path, rows_at(range(NOON + 600, NOON + 1200)))
        assert path is not None
        path.unlink()
        report = look(tmp_path)
        gone, empty = report.findings
        assert {gone.kind, empty.kind} == {Kind.GONE, Kind.LOST_BATCH}
        (day,) = report.days
        assert (day.expected, day.known, day.absent) == (1200, 600, 600)

    def test_a_day_that_is_gone(self, tmp_path: Path) -> None:
        record(tmp_path, rows_at(TICKS))
        path = record(tmp_path, rows_at(range(NOON + 86_400, NOON + 86_410)))
        assert path is not None
        path.unlink()
        for folder in list(path.parents)[:3]:
            folder.rmdir()
        report = look(tmp_path)
        assert only(report).kind == Kind.GONE
        assert (only(report).tick, only(report).count) == (NOON + 86_400, 10)
        assert [day.absent for day in report.days] == [42_600, 43_210]
        assert kinds(look(tmp_path, date="20260921")) == []
        assert kinds(look(tmp_path, date="20260922", minutes="720")) == [Kind.GONE]
        assert kinds(look(tmp_path, minutes="..719")) == []

    @FORMATS
    def test_any_flipped_byte_is_found(self, tmp_path: Path, form: str) -> None:
        path = record(tmp_path, rows_at(TICKS[:60]), format=form)
        assert path is not None
        whole = path.read_bytes()
        chosen = random.Random(7)  # noqa: S311  (the same flips each time)
        for position in chosen.sample(range(len(whole)), 25):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << chosen.randrange(8)
            path.write_bytes(flipped)
            assert Kind.CHANGED in kinds(look(tmp_path)), position
        path.write_bytes(whole)
        assert look(tmp_path).findings == ()

    def test_a_csv_file_cut_in_mid_number_is_found_twice_over(self, tmp_path: Path) -> None:
        path = record(tmp_path, rows_at(TICKS))
        assert path is not None
        path.write_bytes(path.read_bytes()[:-9])
        report = look(tmp_path)
        assert kinds(report) == [Kind.CHANGED, Kind.TRUNCATED]
        assert (report.totals.known, report.totals.absent) == (0, 600)

    def test_a_csv_file_cut_between_two_lines_is_found(self, tmp_path: Path) -> None:
        path = record(tmp_path, rows_at(TICKS))
        assert path is not None
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-10]))
        report = look(tmp_path)
        assert (only(report).kind, report.totals.absent) == (Kind.CHANGED, 10)

    def test_what_others_wrote_has_no_checksum(self, tmp_path: Path) -> None:
        record(tmp_path, rows_at(TICKS))
        foreign(tmp_path, rows_at(TICKS, "usd_mxn"))
        report = look(tmp_path)
        assert (report.files, report.checksums, report.findings) == (2, 1, ())


@pytest.mark.parametrize("count", [1, 3])
def test_rows_of_one_file_and_kind_are_one_finding(tmp_path: Path, count: int) -> None:
    rows = rows_at(TICKS[:9])
    for which in range(count):
        changed(rows, which, bid=12.0, ask=10.0, spread=-20.0)
    foreign(tmp_path, rows)
    finding: Finding = only(look(tmp_path))
    assert finding.count == count
    assert finding.text.startswith("1 row " if count == 1 else "3 rows ")


def test_rows_that_were_not_asked_for_are_not_told(tmp_path: Path) -> None:
    rows = changed(rows_at(TICKS), 4, bid=12.0, ask=10.0, spread=-20.0)
    foreign(tmp_path, rows)
    assert kinds(look(tmp_path, start="2026-09-21T12:00:05")) == []
    assert kinds(look(tmp_path, start="2026-09-21T12:00:04")) == [Kind.CROSSED]


def test_a_blank_row_is_no_contradiction(tmp_path: Path) -> None:
    foreign(tmp_path, rows_at(TICKS[:9]) + rows_at(TICKS[9:12], state=State.UNKNOWN))
    assert look(tmp_path).findings == ()


# As other writers have them: another spelling, Spark's word for a null, and a name with a comma
# or of all books, which would be read as others.
@pytest.mark.parametrize(
    "name",
    ["BTC MXN", "BTC_MXN", "__HIVE_DEFAULT_PARTITION__", "btc_mxn,usd_mxn", "all", "\x1b[2J"],
)
def test_a_folder_of_no_book_is_found_and_the_rest_is_checked(tmp_path: Path, name: str) -> None:
    sound = foreign(tmp_path, rows_at(TICKS))
    stray = sound.parents[1].with_name(f"order_book={name}") / sound.parent.name / sound.name
    stray.parent.mkdir(parents=True)
    stray.write_bytes(sound.read_bytes())
    for question in ({}, {"date": "20260921"}, {"start": "2026-09-21T12:01"}):
        report = look(tmp_path, **question)
        finding = only(report)
        assert (finding.kind, finding.path) == (
            Kind.WRONG_PARTITION,
            f"date=20260921/order_book={name}",
        )
        assert [(day.book, day.absent) for day in report.days] == [("btc_mxn", 0)]
    # Nor are other days or books looked at where they are not asked for.
    assert look(tmp_path, book="btc_mxn").findings == ()
    assert look(tmp_path, date="2026-09-22..").findings == ()
