"""Compacted days beside their files: what is read, what is deleted, and what comes in between."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake import compaction, layout
from bitso_spread.lake.compaction import Compactor, Outcome
from bitso_spread.lake.daily import is_compacted, uncompacted
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.dayrows import DayRows, compare, encoded
from bitso_spread.lake.journal import WrittenFile
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.takeover import take_over
from bitso_spread.lake.walk import Choice, Walk
from bitso_spread.lake.writer import BatchWriter
from tests.lake.audit_support import record, rows_at
from tests.lake.compact_support import (
    DATES,
    TODAY,
    answers,
    batch,
    compacted,
    daily_files,
    sorted_rows,
    sources,
)
from tests.lake.support import DAY, python


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Two days of a book, of three files each."""
    for day in (0, 1):
        for minutes in (0, 10, 1439):
            batch(tmp_path, minutes, day=day)
    return tmp_path


def test_a_day_is_one_sorted_file_with_the_batch_of_each_row(lake: Path) -> None:
    days = compacted(lake)
    assert [(day.date, day.outcome, day.files, day.rows) for day in days] == [
        (20260921, Outcome.MADE, 3, 15),
        (20260922, Outcome.MADE, 3, 15),
    ]
    path = lake / "BitsoSpreadDaily/date=20260921/order_book=btc_mxn/btc_mxn-20260921.parquet"
    assert daily_files(lake)[0] == path
    rows = pl.read_parquet(path, hive_partitioning=False)
    assert rows.columns == ["orderbook_timestamp", "book", "bid", "ask", "spread", "minutes"]
    assert rows["orderbook_timestamp"].is_sorted()
    assert rows["minutes"].to_list() == [0] * 5 + [10] * 5 + [1439] * 5
    assert path.stat().st_size == days[0].bytes


def test_the_columns_are_full_if_those_of_any_file_are(lake: Path) -> None:
    batch(lake, 700, columns="full")
    compacted(lake)
    first, second = (pl.read_parquet_schema(path) for path in daily_files(lake))
    assert {"state", "age_ms"} <= {*first}
    assert "state" not in second
    # What the latest file of all has is what a scan gives.
    assert "state" not in Lake(lake).scan().collect_schema()


def test_of_a_compacted_day_nothing_else_is_opened(lake: Path) -> None:
    compacted(lake)
    assert [file.path for file in Lake(lake).files()] == daily_files(lake)
    (found,) = Lake(lake).files(date="20260922", minutes="5..10")
    assert found.day is not None
    assert found.day.only == frozenset({10})
    # Its rows do not cross midnight, so that the day after does not need it.
    assert len(list(Lake(lake).files(start="2026-09-22T00:00"))) == 1


def test_rows_that_others_wrote_past_midnight_are_found_in_the_day_before(lake: Path) -> None:
    batch(lake, 1439, name="part-0.csv", start=45, rows=3)
    midnight = datetime(2026, 9, 22, tzinfo=UTC)
    past = pl.col("orderbook_timestamp").is_between(midnight, midnight + timedelta(seconds=5))
    for _ in range(2):
        rows = Lake(lake).read(start="2026-09-22", end="2026-09-22T00:00:06")
        assert [f"{row[0]:%H:%M:%S}" for row in rows.rows()] == ["00:00:00", "00:00:05"]
        assert sorted_rows(Lake(lake).scan().filter(past).select(rows.columns).collect()) == (
            sorted_rows(rows)
        )
        compacted(lake, prune=True)


def test_a_day_that_is_not_over_is_left(lake: Path) -> None:
    with Compactor(Lake(lake), TODAY.replace(day=22)) as compactor:
        assert compactor.days() == [("btc_mxn", 20260921)]
        with pytest.raises(UsageError, match="20260922 is not finished"):
            compactor.day("btc_mxn", 20260922)


def test_late_files_make_a_day_stale_and_it_is_done_anew(lake: Path) -> None:
    compacted(lake, prune=True)
    batch(lake, 10, name="part-0.csv", rows=2)
    batch(lake, 20, day=1)
    expected = answers(lake)
    kinds = [(day.outcome, day.files, day.rows) for day in compacted(lake)]
    assert kinds == [(Outcome.REDONE, 4, 17), (Outcome.REDONE, 4, 20)]
    assert answers(lake) == expected
    assert {day.outcome for day in compacted(lake)} == {Outcome.KEPT}


def test_a_file_that_was_edited_is_what_counts_while_all_files_are_there(lake: Path) -> None:
    compacted(lake)
    edited = sources(lake)[0]
    edited.write_text("".join(edited.read_text().splitlines(keepends=True)[:-1]))
    # Nothing tells that it has changed, until something else has the day looked into.
    assert Lake(lake).read().height == 30
    batch(lake, 20)
    assert Lake(lake).read().height == 34
    assert compacted(lake)[0].rows == 19


def test_a_file_that_was_edited_after_others_were_pruned_changes_nothing(lake: Path) -> None:
    compacted(lake)
    edited = sources(lake)[0]
    data = edited.read_bytes()
    compacted(lake, prune=True)
    edited.parent.mkdir()
    edited.write_bytes(data[: data.rindex(b"\n", 0, -1) + 1])
    batch(lake, 20)
    assert Lake(lake).read().height == 35
    failed: list[object] = []
    compaction.compact(Lake(lake), today=TODAY, on_day=lambda *found: failed.append(found[2]))
    assert "has changed since its day was compacted" in str(failed[0])
    assert Lake(lake).read().height == 35


def between(monkeypatch: pytest.MonkeyPatch, lake: Path, *, prune: bool) -> list[int]:
    """Let a compaction take place after a reader has listed the files, before it reads any."""
    listed: list[int] = []
    files = Walk.files

    def files_and_then(walk: Walk, choice: Choice, *, by_book: bool = False) -> Iterator[DataFile]:
        found = [*files(walk, choice, by_book=by_book)]
        listed.append(len(found))
        monkeypatch.setattr(Walk, "files", files)
        compacted(lake, prune=prune)
        yield from found

    monkeypatch.setattr(Walk, "files", files_and_then)
    return listed


@pytest.mark.parametrize("minutes", [None, "..10"])
@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_a_reader_whose_files_are_taken_over_lists_again(
    lake: Path, monkeypatch: pytest.MonkeyPatch, late: bool, prune: bool, minutes: str | None
) -> None:
    if late:
        compacted(lake)
        batch(lake, 10, name="part-0.csv", rows=2, bid=110.0)
        batch(lake, 5, environment="sim")
    expected = sorted_rows(Lake(lake).read(minutes=minutes))
    listed = between(monkeypatch, lake, prune=prune)
    assert sorted_rows(Lake(lake).read(minutes=minutes)) == expected
    assert listed
    assert (sources(lake) == []) is prune


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_so_does_a_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, late: bool
) -> None:
    lake = tmp_path / "lake"
    for minutes in (0, 10, 700, 1439):
        batch(lake, minutes, form=form)
    if late:
        compacted(lake)
        batch(lake, 10, name="part-0.csv", rows=2, bid=110.0)
    condition = (pl.col("minutes") != 0) & (pl.col("spread") > 1)
    rows = Lake(lake).scan().filter(condition)
    expected = sorted_rows(rows.collect())
    listed = between(monkeypatch, lake, prune=True)
    assert sorted_rows(rows.collect()) == expected
    assert listed
    assert sources(lake) == []


def test_a_file_that_is_gone_for_good_is_named(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (gone, *_) = sources(lake)
    files = Walk.files

    def files_and_then(walk: Walk, choice: Choice, *, by_book: bool = False) -> Iterator[DataFile]:
        found = [*files(walk, choice, by_book=by_book)]
        gone.unlink()
        yield from found

    monkeypatch.setattr(Walk, "files", files_and_then)
    with pytest.raises(LakeError, match=f"{gone.name} is gone"):
        Lake(lake).read()


def test_nothing_is_deleted_that_the_compacted_day_has_not(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encoded_wrongly(day: DayRows, table: str, date: int) -> bytes:
        return encoded(replace(day, rows=day.rows.with_columns(pl.col("bid") + 1)), table, date)

    monkeypatch.setattr(compaction, "encoded", encoded_wrongly)
    failed: list[object] = []
    compaction.compact(
        Lake(lake), prune=True, today=TODAY, on_day=lambda *found: failed.append(found[2])
    )
    assert len(failed) == 2
    assert all("has not the rows of its files" in str(error) for error in failed)
    assert len(sources(lake)) == 6


def test_a_file_with_other_bytes_of_the_same_size_keeps_its_day_from_being_pruned(
    lake: Path,
) -> None:
    compacted(lake)
    edited = sources(lake)[0]
    edited.write_bytes(edited.read_bytes().replace(b"200.0", b"201.0", 1))
    failed: list[object] = []
    compaction.compact(
        Lake(lake), prune=True, today=TODAY, on_day=lambda *found: failed.append(found[2])
    )
    assert f"{edited} has changed since its day was compacted" in str(failed[0])
    assert len(sources(lake)) == 3
    assert edited.exists()


def test_what_comes_while_a_day_is_pruned_is_kept(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[Path] = []

    def compare_and_then(unit: DataFile, files: list[DataFile]) -> None:
        compare(unit, files)
        came.append(batch(lake, 10, day=len(came), name="part-0.csv", rows=2))

    monkeypatch.setattr(compaction, "compare", compare_and_then)
    compacted(lake, prune=True)
    assert sources(lake) == came
    assert Lake(lake).read().height == 34


def test_a_broken_compacted_day_is_named_or_passed_over(lake: Path) -> None:
    compacted(lake)
    broken = daily_files(lake)[0]
    broken.write_bytes(broken.read_bytes()[:-30])
    with pytest.raises(LakeError, match=f"{broken.name} cannot be read.*compact again"):
        Lake(lake).read()
    with pytest.raises(LakeError, match=f"{broken.name} cannot be read"):
        Lake(lake).scan().collect()
    told: list[LakeError] = []
    # The files that it was made of are there.
    assert Lake(lake).read(on_bad=told.append).height == 30
    assert Lake(lake).scan(on_bad=told.append).collect().height == 30
    assert len(told) == 2
    failed: list[object] = []
    compaction.compact(Lake(lake), today=TODAY, on_day=lambda *found: failed.append(found[2]))
    assert broken.name in str(failed[0])
    broken.unlink()
    assert compacted(lake)[0].outcome is Outcome.MADE


def test_a_day_that_breaks_once_it_is_listed_is_named(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compacted(lake)
    broken = daily_files(lake)[1]
    files = Walk.files

    def files_and_then(walk: Walk, choice: Choice, *, by_book: bool = False) -> Iterator[DataFile]:
        found = [*files(walk, choice, by_book=by_book)]
        broken.write_bytes(broken.read_bytes()[:-30])
        yield from found

    monkeypatch.setattr(Walk, "files", files_and_then)
    with pytest.raises(LakeError, match=f"{broken.name} cannot be read"):
        Lake(lake).scan().collect()


def test_a_key_in_the_path_of_the_lake_is_none_of_its_own(tmp_path: Path) -> None:
    lake = tmp_path / "date=1" / "lake"
    batch(lake, 0)
    compacted(lake)
    assert Lake(lake).scan().collect()["date"].to_list() == [20260921] * 5


def test_a_file_of_another_table_of_that_name_is_not_replaced(lake: Path) -> None:
    compacted(lake)
    kept = [path.read_bytes() for path in daily_files(lake)]
    (lake / TABLE).rename(lake / "BitsoSpread")
    assert layout.daily_table("BitsoSpread") == layout.DAILY_TABLE
    table = Lake(lake, "BitsoSpread")
    assert table.read().height == 30
    failed: list[object] = []
    compaction.compact(table, today=TODAY, on_day=lambda *found: failed.append(found[2]))
    assert all("is of another table" in str(error) for error in failed)
    assert [path.read_bytes() for path in daily_files(lake)] == kept


def test_while_files_are_changed_a_day_is_not_compacted(lake: Path) -> None:
    compacted(lake)
    with uncompacted(lake, TABLE, "btc_mxn", DATES[0]):
        assert not is_compacted(lake, TABLE, "btc_mxn", DATES[0])
        again = threading.Thread(target=compacted, args=(lake,))
        again.start()
        again.join(0.2)
        # It waits for its turn.
        assert len(daily_files(lake)) == 1
        batch(lake, 0, bid=120.0)
    again.join()
    assert len(daily_files(lake)) == 2
    assert Lake(lake).read()["bid"].min() == 100.0
    assert Lake(lake).read(date="20260921", minutes=0)["bid"].min() == 120.0
    compacted(lake, prune=True)
    with (
        pytest.raises(LakeError, match="they were pruned"),
        uncompacted(lake, TABLE, "btc_mxn", DATES[0]),
    ):
        pass
    assert len(daily_files(lake)) == 2


def test_a_new_journal_knows_of_days_whose_files_were_pruned(tmp_path: Path) -> None:
    batch(tmp_path, 10, columns="full", environment="sim", rows=5)
    compacted(tmp_path, prune=True)
    layout.state_file(tmp_path, TABLE).unlink()
    with LakeState(layout.state_file(tmp_path, TABLE)) as state:
        take_over(tmp_path, TABLE, state)
        assert state.marks() == {"btc_mxn": DAY + 600 + 40}
        held = dict(state._db.execute("SELECT name, value FROM identity"))
    assert (held["environment"], held["format"], held["columns"]) == ("sim", "csv", "full")


COMPACT = """
import sys
from datetime import date
from pathlib import Path
from bitso_spread.lake.compaction import compact
from bitso_spread.lake.reader import Lake
print("ready", flush=True)
sys.stdin.readline()
def on_day(_done, _of, found):
    assert not isinstance(found, Exception), found
compact(Lake(Path(sys.argv[1])), prune=True, today=date(2026, 9, 24), on_day=on_day)
"""


def test_two_that_compact_at_once_do_it_once(lake: Path) -> None:
    for book in ("eth_mxn", "usd_mxn"):
        for day in (0, 1, 2):
            batch(lake, 0, day=day, book=book)
    expected = answers(lake)
    both = [python(COMPACT, lake) for _ in range(2)]
    try:
        for one in both:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in both:
            one.communicate("go\n", timeout=60)
        assert [one.returncode for one in both] == [0, 0]
    finally:
        for one in both:
            one.kill()
            one.wait()
    assert sources(lake) == []
    assert answers(lake) == expected


@pytest.mark.parametrize("crash", [False, True])
def test_a_batch_whose_day_is_compacted_just_before_it_moves_in_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash: bool
) -> None:
    place = BatchWriter._place

    def compact_and_place(writer: BatchWriter, *arguments: Any) -> WrittenFile:
        compacted(tmp_path)
        placed = place(writer, *arguments)
        if crash:
            raise OSError(ENOSPC, "No space left on device")
        return placed

    record(tmp_path, rows_at(range(DAY, DAY + 10)))
    # Of the same minute, so that no new folder tells of it.
    late = rows_at(range(DAY + 30, DAY + 40))
    with monkeypatch.context() as patch:
        patch.setattr(BatchWriter, "_place", compact_and_place)
        if crash:
            with pytest.raises(OSError, match="No space"):
                record(tmp_path, late)
        else:
            record(tmp_path, late)
    if crash:
        # Its rows are in the journal, and the next collector makes an end of it.
        with LakeState(layout.state_file(tmp_path, TABLE)) as state:
            (batch_left,) = state.batches()
            BatchWriter(tmp_path, TABLE, state).write(batch_left)
    assert Lake(tmp_path).read().height == 20
    assert compacted(tmp_path)[0].rows == 20


def test_while_a_collector_writes_no_reader_misses_or_doubles_a_row(tmp_path: Path) -> None:
    ticks = range(DAY, DAY + 40 * 120, 120)
    record(tmp_path, rows_at(range(DAY - 60, DAY - 55)))
    written = 0
    failures: list[BaseException] = []

    def write() -> None:
        nonlocal written
        try:
            for tick in ticks:
                record(tmp_path, rows_at(range(tick, tick + 60)))
                written += 60
        except BaseException as error:
            failures.append(error)
            raise

    def keep_compacting() -> None:
        try:
            while writer.is_alive():
                compacted(tmp_path, prune=True)
        except BaseException as error:
            failures.append(error)
            raise

    writer = threading.Thread(target=write)
    compactor = threading.Thread(target=keep_compacting)
    writer.start()
    compactor.start()
    looks = 0
    while compactor.is_alive():
        before = written
        read = Lake(tmp_path).read(date="20260921")
        scanned = Lake(tmp_path).scan().filter(pl.col("date") == 20260921).collect()
        for rows in (read, scanned):
            assert rows.height >= before
            assert rows["orderbook_timestamp"].is_unique().all()
        looks += 1
    assert failures == []
    assert looks > 3
    compacted(tmp_path, prune=True)
    assert sources(tmp_path) == []
    assert Lake(tmp_path).read().height == 5 + 60 * 40


def test_a_process_that_is_killed_leaves_the_rows_as_they_were(lake: Path) -> None:
    expected = answers(lake)
    for delay in (0.0, 0.02):
        with python(COMPACT, lake) as one:
            assert one.stdin is not None
            assert one.stdout is not None
            one.stdout.readline()
            one.stdin.write("go\n")
            one.stdin.flush()
            try:
                one.wait(delay)
            except subprocess.TimeoutExpired:
                one.kill()
        assert answers(lake) == expected
    compacted(lake, prune=True)
    assert answers(lake) == expected
