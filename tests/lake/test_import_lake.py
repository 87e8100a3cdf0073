"""What an import makes of a lake: what it is, its files, marks, locks and journal."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.errors import LakeBusyError, LakeError, LakeIdentityError, UsageError
from bitso_spread.lake import layout
from bitso_spread.lake.audit import audit
from bitso_spread.lake.compaction import compact
from bitso_spread.lake.importing.outcome import Reason
from bitso_spread.lake.journal import Identity
from bitso_spread.lake.layout import TABLE, Partition, state_file
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from tests.lake.audit_support import record
from tests.lake.import_support import (
    a_source,
    bids,
    blank,
    bring,
    in_lake,
    priced,
    rows_from,
)
from tests.lake.support import DAY, NOON, table_files

TOMORROW = date(2026, 9, 22)
HOSTS = "bitso.com wss://ws.bitso.com"


def test_a_new_lake_is_made_of_batches_of_600_ticks(tmp_path: Path) -> None:
    rows = rows_from(NOON, 1300)
    # A batch that has holes is no longer for it.
    source = a_source(tmp_path, rows[:100] + rows[599:610] + rows[1290:])
    bring(tmp_path / "lake", source, file_format="parquet", columns="five")
    starts = [NOON, NOON + 600, NOON + 1290]
    names = [layout.file_name("production", "btc_mxn", tick, "parquet") for tick in starts]
    assert [path.name for path in table_files(tmp_path / "lake")] == names
    for path, tick in zip(table_files(tmp_path / "lake"), starts, strict=True):
        assert path.parent == tmp_path / "lake" / TABLE / Partition.of("btc_mxn", tick).path
    assert in_lake(tmp_path / "lake") == bids(rows[:100] + rows[599:610] + rows[1290:])


def test_a_collector_goes_on_in_a_lake_that_an_import_made(tmp_path: Path) -> None:
    bring(tmp_path, a_source(tmp_path / "source", rows_from(NOON, 5)))
    with Table(tmp_path) as table:
        table.claim(Identity("production", HOSTS, "csv", "five", 1))
        assert table.marks() == {"btc_mxn": NOON + 4}
        with pytest.raises(LakeIdentityError, match="holds hosts bitso"):
            table.claim(Identity("production", "elsewhere", "csv", "five", 1))


def test_what_the_lake_is_comes_before_what_the_sources_are(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    with Table(lake) as table:
        table.lock(["usd_mxn"])
        table.claim(Identity("production", HOSTS, "parquet", "five", 10))
    done = bring(lake, a_source(tmp_path, rows_from(NOON, 21), columns="full"))
    assert (done.taken, done.refused[Reason.OFF_GRID].rows) == (3, 18)
    (path,) = table_files(lake)
    assert (path.suffix, len(pl.read_parquet_schema(path))) == (".parquet", 5)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"file_format": "parquet"}, "holds format csv, and format parquet was asked for"),
        ({"columns": "full"}, "holds columns five, and columns full was asked for"),
        ({"interval": 5}, "holds interval 1, and interval 5 was asked for"),
    ],
)
def test_options_that_contradict_the_lake_are_refused(
    tmp_path: Path, option: dict[str, object], said: str
) -> None:
    source = a_source(tmp_path, rows_from(NOON, 5))
    bring(tmp_path / "lake", source)
    with pytest.raises(LakeIdentityError, match=said):
        bring(tmp_path / "lake", source, **option)


def test_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    source = a_source(tmp_path, rows_from(NOON, 5))
    for option in ({"file_format": "xml"}, {"columns": "six"}, {"interval": 7}):
        with pytest.raises(UsageError):
            bring(tmp_path / "lake", source, **option)
    with pytest.raises(UsageError, match="there is nothing to import: name a file"):
        bring(tmp_path / "lake")
    assert not (tmp_path / "lake").exists()


def test_simulated_rows_and_others_never_mix(tmp_path: Path) -> None:
    name = layout.file_name("sim", "btc_mxn", NOON, "csv")
    simulated = a_source(tmp_path / "sim", rows_from(NOON, 5), name)
    real = a_source(tmp_path / "real", rows_from(NOON + 5, 5))
    with pytest.raises(LakeIdentityError, match=r"production .*real.*sim .*they never mix"):
        bring(tmp_path / "lake", simulated, real)
    assert not (tmp_path / "lake").exists()
    assert bring(tmp_path / "lake", simulated).environment == "sim"
    assert [path.name for path in table_files(tmp_path / "lake")] == [name]
    with pytest.raises(
        LakeIdentityError, match="environment sim, and the source holds environment production"
    ):
        bring(tmp_path / "lake", real)
    assert len(in_lake(tmp_path / "lake")) == 5


def test_five_columns_never_go_into_a_lake_of_full_ones(tmp_path: Path) -> None:
    full = a_source(tmp_path, rows_from(NOON, 2), "full.csv", "full")
    five = a_source(tmp_path, rows_from(NOON + 2, 2), "five.csv")
    bring(tmp_path / "lake", full)
    with pytest.raises(LakeIdentityError, match="is to hold full columns, and not all sources"):
        bring(tmp_path / "lake", five)
    assert in_lake(tmp_path / "lake") == bids(rows_from(NOON, 2))
    assert bring(tmp_path / "both", full, five).taken == 4
    assert table_files(tmp_path / "both")[0].read_text().count(",") == 5 * 4


def test_history_below_what_was_recorded_does_not_lower_the_mark(tmp_path: Path) -> None:
    record(tmp_path / "lake", rows_from(NOON, 5))
    source = a_source(tmp_path, [*rows_from(DAY, 5), *rows_from(NOON, 5)])
    done = bring(tmp_path / "lake", source)
    assert (done.taken, done.there) == (5, 5)
    with Table(tmp_path / "lake") as table:
        assert table.marks() == {"btc_mxn": NOON + 4}


def test_the_future_is_refused_and_raises_no_mark(tmp_path: Path) -> None:
    source = a_source(tmp_path, rows_from(NOON, 10))
    done = bring(tmp_path / "lake", source, now=lambda: NOON + 6.5)
    assert (done.taken, done.refused[Reason.FUTURE].rows) == (7, 3)
    with Table(tmp_path / "lake") as table:
        assert table.marks() == {"btc_mxn": NOON + 6}


def test_a_book_that_a_collector_records_is_not_imported(tmp_path: Path) -> None:
    sources = [
        a_source(tmp_path, rows_from(NOON, 5, book), f"{book}.csv") for book in ("a_b", "c_d")
    ]
    with Table(tmp_path / "lake") as collector:
        collector.lock(["c_d"])
        with pytest.raises(LakeBusyError, match="another collector records c_d in this lake"):
            bring(tmp_path / "lake", *sources, on_bad=lambda _: None)
        assert table_files(tmp_path / "lake") == []
        assert bring(tmp_path / "lake", sources[0]).taken == 5
    assert bring(tmp_path / "lake", *sources).taken == 5


def test_two_imports_do_not_write_one_lake_at_once(tmp_path: Path) -> None:
    source = a_source(tmp_path, rows_from(NOON, 5))
    folder = layout.importing_folder(tmp_path / "lake", TABLE)
    with BookLocks(folder) as lock:
        lock.acquire(["import"])
        with pytest.raises(LakeBusyError, match=r"another import is at work on .*lake: wait"):
            bring(tmp_path / "lake", source)
    assert bring(tmp_path / "lake", source).taken == 5


def test_what_a_crash_left_in_the_journal_is_written_first(tmp_path: Path) -> None:
    record(tmp_path / "lake", rows_from(NOON, 5), write=False)
    done = bring(tmp_path / "lake", a_source(tmp_path, rows_from(NOON, 8)))
    assert (done.taken, done.there) == (3, 5)
    assert in_lake(tmp_path / "lake") == bids(rows_from(NOON, 8))


def test_rows_that_another_lake_has_in_its_journal_alone_are_taken(tmp_path: Path) -> None:
    other = tmp_path / "other"
    record(other, rows_from(NOON, 5))
    record(other, rows_from(NOON + 5, 5), write=False)
    record(tmp_path / "begun", rows_from(NOON + 10, 5), write=False)
    before = table_files(other), state_file(other, TABLE).read_bytes()
    done = bring(tmp_path / "lake", other, other / TABLE, tmp_path / "begun")
    assert (done.files, done.journaled, done.taken) == (1, 10, 15)
    assert in_lake(tmp_path / "lake") == bids(rows_from(NOON, 15))
    assert (table_files(other), state_file(other, TABLE).read_bytes()) == before
    record(tmp_path / "sim", rows_from(NOON, 5), write=False, environment="sim")
    with pytest.raises(LakeIdentityError, match=r"production .*other.* sim .*sqlite3"):
        bring(tmp_path / "lake", other, tmp_path / "sim")


def test_a_new_lake_has_the_interval_of_those_that_are_imported(tmp_path: Path) -> None:
    rows = [row for row in rows_from(NOON, 41) if row.tick % 20 == 0]
    record(tmp_path / "other", rows, interval=20)
    bring(tmp_path / "lake", tmp_path / "other")
    report = audit(Lake(tmp_path / "lake"))
    assert (report.interval, report.totals.known, report.totals.absent) == (20, 3, 0)
    file = a_source(tmp_path, rows_from(NOON, 2))
    assert bring(tmp_path / "both", tmp_path / "other", file).taken == 4


def test_nothing_is_left_beside_the_table(tmp_path: Path) -> None:
    rows = layout.importing_folder(tmp_path / "lake", TABLE) / "rows"
    rows.mkdir(parents=True)
    (rows / "of-an-import-that-was-killed").touch()
    bring(tmp_path / "lake", a_source(tmp_path, rows_from(NOON, 5)))
    assert not rows.exists()
    assert list(layout.staging_folder(tmp_path / "lake", TABLE).iterdir()) == []
    with LakeState(state_file(tmp_path / "lake", TABLE)) as state:
        assert (state.batches(), state.intended("btc_mxn")) == ([], [])


def test_it_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    source = a_source(tmp_path, rows_from(DAY + 86_395, 10))
    bring(tmp_path / "lake", source, on_progress=lambda *step: told.append(step))
    size = source.stat().st_size
    assert told == [
        ("read", 0, size),
        ("read", size, size),
        ("write", 0, 2),
        ("write", 1, 2),
        ("write", 2, 2),
    ]


def test_a_disk_that_refuses_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    source = a_source(tmp_path, rows_from(NOON, 5))
    with monkeypatch.context() as patch:
        patch.setattr("bitso_spread.lake.arrivals.move_in", refuse)
        with pytest.raises(LakeError, match=r"cannot write into .*lake: .*No space left.*again"):
            bring(tmp_path / "lake", source)
    done = bring(tmp_path / "lake", source)
    assert (done.taken, done.there) == (0, 5)
    assert in_lake(tmp_path / "lake") == bids(rows_from(NOON, 5))


@pytest.fixture
def compacted(tmp_path: Path) -> Path:
    """A lake of three files, of a day that is over and of one book."""
    lake = tmp_path / "lake"
    record(lake, [blank(NOON), *rows_from(NOON + 1, 4)])
    record(lake, rows_from(NOON + 600, 5))
    record(lake, rows_from(NOON + 1200, 5))
    return lake


def compact_all(lake: Path, *, prune: bool = False) -> None:
    assert [day.rows for day in compact(Lake(lake), prune=prune, today=TOMORROW)] == [15]


@pytest.mark.parametrize("prune", [False, True])
def test_seconds_are_added_to_a_compacted_day(tmp_path: Path, compacted: Path, prune: bool) -> None:
    compact_all(compacted, prune=prune)
    done = bring(compacted, a_source(tmp_path, rows_from(NOON + 598, 8)))
    assert (done.taken, done.there) == (3, 5)
    rows = [blank(NOON), *rows_from(NOON + 1, 4), *rows_from(NOON + 598, 8)]
    assert in_lake(compacted) == bids([*rows, *rows_from(NOON + 1200, 5)])


def test_a_better_row_takes_its_place_in_a_compacted_day(tmp_path: Path, compacted: Path) -> None:
    compact_all(compacted)
    done = bring(compacted, a_source(tmp_path, [priced(NOON)]), merge=True)
    assert (done.replaced, in_lake(compacted)[NOON]) == (1, 100.0)
    assert len(in_lake(compacted)) == 15
    compact_all(compacted)
    assert (in_lake(compacted)[NOON], len(in_lake(compacted))) == (100.0, 15)
    assert audit(Lake(compacted)).findings == ()


def test_the_row_of_a_pruned_day_stands(tmp_path: Path, compacted: Path) -> None:
    compact_all(compacted, prune=True)
    source = a_source(tmp_path, [priced(NOON), priced(NOON + 5)])
    done = bring(compacted, source, merge=True)
    assert (done.replaced, done.taken, done.refused[Reason.FIXED].rows) == (0, 1, 1)
    assert in_lake(compacted)[NOON] is None
    assert len(in_lake(compacted)) == 16
    # What the reason says to do.
    bring(tmp_path / "new", compacted, source, merge=True)
    assert in_lake(tmp_path / "new") == {**in_lake(compacted), NOON: 100.0}


@pytest.mark.parametrize("prune", [False, True])
def test_a_lake_with_compacted_days_goes_in_once(
    tmp_path: Path, compacted: Path, prune: bool
) -> None:
    compact_all(compacted, prune=prune)
    done = bring(tmp_path / "other", compacted)
    assert (done.files, done.read, done.taken) == (1 if prune else 3, 15, 15)
    assert in_lake(tmp_path / "other") == in_lake(compacted)
    (day,) = (compacted / "BitsoSpreadDaily").rglob("*.parquet")
    assert bring(tmp_path / "third", day).taken == 15


def test_what_the_source_holds_is_called_so_and_not_asked_for(tmp_path: Path) -> None:
    name = layout.file_name("sim", "btc_mxn", NOON, "csv")
    simulated = a_source(tmp_path / "sim", rows_from(NOON, 5), name)
    real = a_source(tmp_path / "real", rows_from(NOON, 5))
    bring(tmp_path / "lake", real)
    with pytest.raises(LakeIdentityError) as refused:
        bring(tmp_path / "lake", simulated)
    assert str(refused.value) == (
        "this table holds environment production, and the source holds environment sim: they "
        "never mix; give --lake another folder, or --table another name"
    )
    assert in_lake(tmp_path / "lake") == bids(rows_from(NOON, 5))
