"""An audit beside a collector that writes, after one that crashed, and without a journal."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from pathlib import Path

from bitso_spread.lake import layout
from bitso_spread.lake.audit import audit
from bitso_spread.lake.findings import Kind
from bitso_spread.lake.journal import Outage
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.outages import MISSED
from bitso_spread.lake.outgoing import Outgoing
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.records import _private_copy
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import BatchWriter
from bitso_spread.model import State
from tests.lake.audit_support import TICKS, foreign, kinds, look, only, record, rows_at
from tests.lake.support import NOON, a_batch, python, rows_of

NEXT = range(NOON + 600, NOON + 650)

RECORD_AND_WAIT = """
import sys
from pathlib import Path
from bitso_spread.lake.state import LakeState
from tests.lake.support import a_batch, rows_of
state = LakeState(Path(sys.argv[1]))
state.record(rows_of(a_batch(), 60))
print("recorded", flush=True)
sys.stdin.read()
"""


RECORD_ON_AND_ON = """
import sys
from pathlib import Path
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import BatchWriter
from tests.lake.support import NOON, a_batch, a_row
lake = Path(sys.argv[1])
state = LakeState(state_file(lake, TABLE))
writer = BatchWriter(lake, TABLE, state)
for first in range(NOON, NOON + 40_000, 20):
    batch = a_batch(first_tick=first)
    for tick in range(first, first + 20):
        state.record([(batch, a_row(tick))])
    writer.write(batch)
    if first == NOON + 100:
        print("recording", flush=True)
"""


def contents(lake: Path) -> dict[str, tuple[int, bytes]]:
    """All files of a lake, with their times and bytes, but for the memory that processes share."""
    return {
        path.relative_to(lake).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in lake.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }


def test_rows_that_are_only_in_the_journal_are_not_missing(tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS))
    record(tmp_path, rows_at(NEXT), write=False)
    report = look(tmp_path)
    (day,) = report.days
    assert (day.expected, day.known, day.journal, day.missing) == (650, 600, 50, 0)
    assert day.hours[12] == 0
    assert report.is_sound()


def test_empty_rows_in_the_journal_are_unknown_or_missed(tmp_path: Path) -> None:
    rows = (
        rows_at(NEXT[:10])
        + rows_at(NEXT[10:30], state=State.MISSED)
        + rows_at(NEXT[30:], state=State.UNKNOWN)
    )
    outages = [
        Outage("btc_mxn", MISSED, NEXT[10], NEXT[29]),
        Outage("btc_mxn", "no link", NEXT[30], None),
    ]
    record(tmp_path, rows, outages=outages, write=False)
    (day,) = look(tmp_path).days
    assert (day.journal, day.missed, day.unknown, day.expected) == (10, 20, 20, 50)


def test_batches_in_the_journal_are_chosen_by_their_minutes_too(tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS))
    record(tmp_path, rows_at(NEXT), write=False)
    (day,) = look(tmp_path, minutes="720").days
    assert (day.expected, day.known, day.journal) == (600, 600, 0)
    (day,) = look(tmp_path, minutes="730").days
    assert (day.expected, day.known, day.journal) == (50, 0, 50)


def test_files_that_end_before_the_first_instant_are_not_looked_at(tmp_path: Path) -> None:
    gone = record(tmp_path, rows_at(TICKS[:300]))
    assert gone is not None
    record(tmp_path, rows_at(TICKS[300:]))
    gone.write_bytes(b"changed")
    report = look(tmp_path, start="2026-09-21T12:05")
    assert (report.files, report.findings, report.totals.expected) == (1, (), 300)
    assert Kind.CHANGED in kinds(look(tmp_path, start="2026-09-21T12:04:59"))
    gone.unlink()
    assert Kind.GONE not in kinds(look(tmp_path, start="2026-09-21T12:05"))
    assert Kind.GONE in kinds(look(tmp_path, start="2026-09-21T12:04:59"))


def test_a_lake_before_its_first_file_is_all_journal(tmp_path: Path) -> None:
    record(tmp_path, rows_at(NEXT), write=False, environment="sim")
    report = look(tmp_path, book="btc_mxn")
    assert [(day.journal, day.missing) for day in report.days] == [(50, 0)]
    assert (report.files, report.environments) == (0, ("sim",))


def test_rows_that_a_crash_left_in_the_journal_and_in_a_file_are_not_twice(tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS), write=False)
    foreign(tmp_path, rows_at(TICKS), "btc_mxn-20260921T120000Z.csv")
    report = look(tmp_path)
    (day,) = report.days
    assert (day.expected, day.known + day.journal, day.twice) == (600, 600, 0)
    assert report.is_sound()


def test_a_partition_whose_batch_is_still_in_the_journal_has_lost_nothing(tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS), write=False)
    folder = layout.Partition.of("btc_mxn", NOON).path
    (tmp_path / TABLE / folder).mkdir(parents=True)
    assert look(tmp_path).findings == ()


def test_a_batch_that_becomes_a_file_meanwhile_is_neither_missing_nor_twice(
    tmp_path: Path,
) -> None:
    record(tmp_path, rows_at(TICKS))
    record(tmp_path, rows_at(NEXT), write=False)

    def collect(done: int, _: int) -> None:
        if done:
            return
        batch = a_batch(first_tick=NEXT[0])
        with LakeState(layout.state_file(tmp_path, TABLE)) as state:
            state.record([(batch, row) for row in rows_at(range(NEXT[-1] + 1, NEXT[-1] + 40))])
            BatchWriter(tmp_path, TABLE, state).write(batch)

    report = audit(Lake(tmp_path), on_progress=collect)
    (day,) = report.days
    assert (day.expected, day.known, day.journal, day.twice) == (650, 600, 50, 0)
    assert report.is_sound()
    (day,) = look(tmp_path).days
    assert (day.known, day.journal) == (689, 0)


def test_a_collector_that_is_writing_is_not_disturbed(tmp_path: Path) -> None:
    path = layout.state_file(tmp_path, TABLE)
    process = python(RECORD_AND_WAIT, path)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "recorded\n"
        before = contents(tmp_path)
        (day,) = look(tmp_path).days
        assert day.journal == 60
        assert contents(tmp_path) == before
        # Another process can still write, at once.
        record(tmp_path, rows_at(range(NOON + 60, NOON + 61)), write=False)
    finally:
        process.kill()
        process.communicate()


def test_every_look_at_a_lake_that_grows_finds_it_whole(tmp_path: Path) -> None:
    process = python(RECORD_ON_AND_ON, tmp_path)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "recording\n"
        seen = []
        for _ in range(15):
            report = look(tmp_path)
            assert (report.findings, report.totals.missing, report.totals.twice) == ((), 0, 0)
            seen.append(report.totals.expected)
        assert process.poll() is None, "the collector ended, so that nothing was shown"
        assert seen == sorted(seen)
        assert seen[-1] > seen[0]
    finally:
        process.kill()
        process.communicate()


def test_the_room_of_rows_that_are_no_longer_there_is_not_copied(tmp_path: Path) -> None:
    path = layout.state_file(tmp_path, TABLE)
    # As after an outage of brokers: what waited for them has been sent since.
    with LakeState(path, topic="spread") as state, Outgoing(path) as outgoing:
        state.record(rows_of(a_batch(), 20_000))
        state.finish(a_batch(), None)
        outgoing.confirm("spread", {a_batch().book: NOON + 20_000})
        state.record(rows_of(a_batch(first_tick=NOON + 20_000), 60))
        with _private_copy(path) as copy:
            assert copy.stat().st_size < path.stat().st_size / 10
            with LakeState(copy) as copied:
                assert copied.marks() == state.marks()
                assert copied.batches() == state.batches()


def test_what_a_kill_left_is_read_and_stays_as_it_was(tmp_path: Path) -> None:
    path = layout.state_file(tmp_path, TABLE)
    process = python(RECORD_AND_WAIT, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "recorded\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert path.with_name(f"{path.name}-wal").stat().st_size > 0
    before = contents(tmp_path)
    assert look(tmp_path).totals.journal == 60
    assert contents(tmp_path) == before
    # As on a copy or a backup, which leaves out the memory that processes shared.
    path.with_name(f"{path.name}-shm").unlink()
    before = contents(tmp_path)
    assert look(tmp_path).totals.journal == 60
    assert contents(tmp_path) == before
    assert not path.with_name(f"{path.name}-shm").exists()


def test_a_lake_at_rest_stays_as_it_was(tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS))
    before = contents(tmp_path)
    folders = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_dir()}
    assert look(tmp_path).is_sound()
    assert contents(tmp_path) == before
    assert folders == {path: path.stat().st_mtime_ns for path in folders}


def test_a_lake_whose_journal_was_not_copied_with_it_is_a_foreign_one(tmp_path: Path) -> None:
    record(tmp_path, rows_at(range(NOON, NOON + 3600, 60)), interval=60)
    shutil.rmtree(layout.state_folder(tmp_path))
    report = look(tmp_path)
    assert (report.interval, report.checksums) == (1, 0)
    assert (report.totals.expected, report.totals.known) == (3541, 60)


def test_a_journal_that_cannot_be_read_is_told_and_the_files_are_looked_at(tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS))
    path = layout.state_file(tmp_path, TABLE)
    path.write_bytes(b"this is no database, and was never one" * 100)
    report = look(tmp_path)
    assert only(report).kind is Kind.UNREADABLE
    assert str(path) in only(report).text
    assert report.totals.known == 600


def test_a_journal_of_a_newer_version_is_told_by_its_own_path(tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS))
    path = layout.state_file(tmp_path, TABLE)
    with sqlite3.connect(path) as journal:
        journal.execute("PRAGMA user_version = 99")
    journal.close()
    finding = only(look(tmp_path))
    assert finding.kind is Kind.UNREADABLE
    assert f"{path} was made by a newer bitso-spread" in finding.text


def test_the_end_of_what_was_recorded_is_missed_though_its_files_are_gone(tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS))
    last = record(tmp_path, rows_at(NEXT))
    assert last is not None
    shutil.rmtree(last.parent)
    report = look(tmp_path)
    assert (report.totals.expected, report.totals.absent) == (650, 50)
    assert kinds(report) == [Kind.GONE]
    before = look(tmp_path, end="2026-09-21T12:10:30")
    assert (before.totals.expected, before.totals.absent) == (630, 30)
