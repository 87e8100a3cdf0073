"""What stands beside the table: the journal, files, marks, outages and identity."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.errors import LakeError, LakeIdentityError
from bitso_spread.lake.database import NewerJournalError
from bitso_spread.lake.journal import STEPS, Batch, Identity, Outage, WrittenFile
from bitso_spread.lake.state import LakeState
from bitso_spread.model import Sample, State
from tests.lake.support import NOON, a_batch, a_row, python, rows_of

PRODUCTION = Identity("production", "bitso.com wss://ws.bitso.com", "csv", "five", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".bitso-spread" / "BitsoSpreadMonitor.sqlite3"


@pytest.fixture
def state(path: Path) -> Iterator[LakeState]:
    with LakeState(path) as state:
        yield state


def a_file(batch: Batch, rows: int = 5, name: str = "a.csv") -> WrittenFile:
    first = batch.first_tick
    return WrittenFile(name, batch.book, first, first + rows - 1, rows, 1, 999, "ab" * 32)


def in_sql(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(statement)


# The journal refuses an outage without a cause.
NO_CAUSE = Outage("btc_mxn", None, NOON, None)  # type: ignore[arg-type]


def test_rows_come_back_as_they_were_recorded(state: LakeState) -> None:
    batch = a_batch()
    rows = [
        Sample(NOON, "btc_mxn", 1233830.1, 1236250.2, 0.19575328614762386, State.FRESH),
        Sample(NOON + 1, "btc_mxn", 5e-324, 1.7976931348623157e308, 0.1 + 0.2, State.HELD),
        Sample.blank(NOON + 2, "btc_mxn", State.UNKNOWN),
        Sample.blank(NOON + 3, "btc_mxn", State.MISSED),
    ]
    state.record([(batch, row) for row in rows])
    assert state.rows(batch) == rows
    assert state.batches() == [batch]


def test_rows_outlive_the_connection_that_recorded_them(state: LakeState, path: Path) -> None:
    batch = a_batch()
    state.record(rows_of(batch))
    with LakeState(path) as other:
        assert other.batches() == [batch]
        assert other.rows(batch) == state.rows(batch)
        assert other.marks() == {"btc_mxn": NOON + 4}


def test_commits_are_on_the_disk_when_they_return(state: LakeState) -> None:
    assert state._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert state._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_rows_marks_and_outages_are_recorded_together_or_not_at_all(state: LakeState) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        state.record(rows_of(a_batch()), [NO_CAUSE])
    assert state.batches() == []
    assert state.rows(a_batch()) == []
    assert state.marks() == {}
    assert state.outages() == []
    # And nothing is left open: the next one is recorded.
    state.record(rows_of(a_batch()), [Outage("btc_mxn", "why", NOON, None)])
    assert len(state.rows(a_batch())) == 5
    assert state.outages() == [Outage("btc_mxn", "why", NOON, None)]


def test_a_commit_that_fails_leaves_the_connection_usable(state: LakeState) -> None:
    class Refusing:
        """A connection whose next commit is refused, with the transaction still open."""

        def __init__(self, real: sqlite3.Connection) -> None:
            self.real = real
            self.refusals = 1

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

        def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
            if statement == "COMMIT" and self.refusals:
                self.refusals -= 1
                raise sqlite3.OperationalError("disk I/O error")
            return self.real.execute(statement, values)

    state._db._db = Refusing(state._db._db)  # type: ignore[assignment]
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        state.record(rows_of(a_batch()))
    state.record(rows_of(a_batch()))
    assert len(state.rows(a_batch())) == 5


def test_a_disk_that_was_full_takes_the_rows_later(path: Path) -> None:
    with python(
        """
import resource, signal, sqlite3, sys
from pathlib import Path
from bitso_spread.lake.state import LakeState
from tests.lake.support import a_batch, rows_of

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
state = LakeState(path)
state.record(rows_of(a_batch(), 1))
used = Path(f"{path}-wal").stat().st_size
for left in (0, 100, 5000, 9000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (used + left, resource.RLIM_INFINITY))
    try:
        state.record(rows_of(a_batch(), 400))
    except sqlite3.Error:
        print("refused", len(state.rows(a_batch())))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
state.record(rows_of(a_batch(), 400))
print("taken", len(state.rows(a_batch())))
""",
        path,
    ) as child:
        said, _ = child.communicate()
    assert said.splitlines() == ["refused 1"] * 4 + ["taken 400"]


def test_the_same_rows_a_second_time_are_ignored(state: LakeState) -> None:
    batch = a_batch()
    state.record(rows_of(batch, 3))
    # The whole again, as after a commit that failed when it had reached the disk.
    state.record(rows_of(batch, 5))
    state.record([(batch, Sample.blank(NOON, "btc_mxn", State.UNKNOWN))])
    assert state.rows(batch) == [row for _, row in rows_of(batch, 5)]
    assert state.batches() == [batch]


def test_marks_only_rise(state: LakeState) -> None:
    state.record(rows_of(a_batch(first_tick=NOON + 100), 5))
    state.record(rows_of(a_batch(first_tick=NOON), 5))
    state.record(rows_of(a_batch("usd_mxn", NOON + 7), 1))
    assert state.marks() == {"btc_mxn": NOON + 104, "usd_mxn": NOON + 7}


def test_marks_outlive_the_rows(state: LakeState) -> None:
    batch = a_batch()
    state.record(rows_of(batch))
    state.finish(batch, None)
    assert state.marks() == {"btc_mxn": NOON + 4}


def test_a_finished_batch_is_a_file_and_no_longer_rows(state: LakeState) -> None:
    batch, other = a_batch(), a_batch("usd_mxn")
    state.record(rows_of(batch) + rows_of(other))
    file = a_file(batch)
    state.stage(file)
    assert state.files() == []
    assert state.staged(batch) == [file]
    assert state.staged(other) == []
    state.finish(batch, file)
    assert state.files() == [file]
    assert state.staged(batch) == []
    assert state.rows(batch) == []
    assert state.batches() == [other]
    assert len(state.rows(other)) == 5


def test_a_finished_batch_forgets_the_names_that_were_tried(state: LakeState) -> None:
    batch = a_batch()
    first, second = a_file(batch, name="a.csv"), a_file(batch, name="a-2.csv")
    state.stage(first)
    state.stage(second)
    state.finish(batch, second)
    assert state.files() == [second]
    assert state.staged(batch) == []


def test_a_batch_is_finished_whole_or_not_at_all(state: LakeState, path: Path) -> None:
    batch = a_batch()
    file = a_file(batch)
    state.record(rows_of(batch))
    state.stage(file)
    in_sql(
        path,
        "CREATE TRIGGER refuse BEFORE DELETE ON batch BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    with pytest.raises(sqlite3.Error):
        state.finish(batch, file)
    assert state.files() == []
    assert state.staged(batch) == [file]
    assert len(state.rows(batch)) == 5
    in_sql(path, "DROP TRIGGER refuse")
    state.finish(batch, file)
    assert state.files() == [file]
    assert state.rows(batch) == []


def test_batches_of_one_book_are_kept_apart(state: LakeState) -> None:
    first, second = a_batch(), a_batch(first_tick=NOON + 5)
    state.record(rows_of(first) + rows_of(second))
    state.finish(first, None)
    assert state.batches() == [second]
    assert [row.tick for row in state.rows(second)] == list(range(NOON + 5, NOON + 10))


def test_an_outage_is_open_and_then_ended(state: LakeState) -> None:
    outage = Outage("btc_mxn", "the link is down", NOON, None)
    state.record([], [outage])
    assert state.outages() == [outage]
    ended = replace(outage, last_tick=NOON + 9)
    state.record([], [ended])
    assert state.outages() == [ended]


def test_outages_that_a_crash_left_open_end_at_the_last_recorded_tick(state: LakeState) -> None:
    old = Outage("btc_mxn", "old", NOON - 100, NOON - 90)
    other = Outage("usd_mxn", "why", NOON, None)
    state.record(
        rows_of(a_batch()) + rows_of(a_batch("usd_mxn"), 3),
        [old, Outage("btc_mxn", "why", NOON + 2, None), other],
    )
    state.end_outages("btc_mxn")
    assert state.outages() == [old, other, Outage("btc_mxn", "why", NOON + 2, NOON + 4)]


def test_books_are_unfinished_by_a_batch_or_by_an_open_outage(state: LakeState) -> None:
    eth = a_batch("eth_mxn")
    state.record(
        rows_of(a_batch("usd_mxn")) + rows_of(eth) + rows_of(a_batch("xrp_mxn")),
        [Outage("eth_mxn", "why", NOON, None), Outage("xrp_mxn", "why", NOON, NOON + 1)],
    )
    state.finish(eth, None)
    state.finish(a_batch("xrp_mxn"), None)
    assert state.unfinished() == ["eth_mxn", "usd_mxn"]


@pytest.mark.parametrize(
    ("other", "holds", "asked"),
    [
        ({"environment": "sim"}, "environment production", "environment sim"),
        ({"format": "parquet"}, "format csv", "format parquet"),
        ({"columns": "full"}, "columns five", "columns full"),
        ({"interval": 5}, "interval 1", "interval 5"),
        (
            {"hosts": "localhost"},
            "hosts bitso.com wss://ws.bitso.com",
            "hosts localhost",
        ),
        (
            {"format": "parquet", "interval": 5},
            "format csv, interval 1",
            "format parquet, interval 5",
        ),
    ],
)
def test_a_table_with_rows_is_never_made_something_else(
    state: LakeState, path: Path, other: dict[str, object], holds: str, asked: str
) -> None:
    state.claim(PRODUCTION)
    state.record(rows_of(a_batch()))
    with LakeState(path) as later, pytest.raises(LakeIdentityError) as refused:
        later.claim(replace(PRODUCTION, **other))  # type: ignore[arg-type]
    assert str(refused.value) == (
        f"this table holds {holds}, and {asked} was asked for: they never mix; "
        "give --lake another folder, or --table another name"
    )
    # Nor is it by asking twice, and it is still what it was.
    with pytest.raises(LakeIdentityError):
        state.claim(replace(PRODUCTION, **other))  # type: ignore[arg-type]
    state.claim(PRODUCTION)


def test_a_table_whose_rows_are_all_in_files_still_holds_what_it_held(state: LakeState) -> None:
    state.claim(PRODUCTION)
    state.record(rows_of(a_batch()))
    state.finish(a_batch(), None)
    with pytest.raises(LakeIdentityError):
        state.claim(replace(PRODUCTION, format="parquet"))


def test_a_table_without_a_row_may_still_become_anything(state: LakeState) -> None:
    parquet = replace(PRODUCTION, format="parquet", interval=5)
    state.claim(PRODUCTION)
    state.claim(parquet)
    state.record(rows_of(a_batch()))
    state.claim(parquet)
    with pytest.raises(LakeIdentityError, match="this table holds format parquet, interval 5"):
        state.claim(PRODUCTION)


def test_of_two_who_are_about_to_record_the_first_row_one_wins(
    state: LakeState, path: Path
) -> None:
    parquet = replace(PRODUCTION, format="parquet")
    with LakeState(path) as other:
        state.claim(PRODUCTION)
        other.claim(parquet)
        # Both have their first tick in the same second, and neither has committed a row yet.
        state.claim(PRODUCTION, settle=True)
        with pytest.raises(LakeIdentityError, match="this table holds format csv"):
            other.claim(parquet, settle=True)
        state.claim(PRODUCTION, settle=True)


def test_a_journal_of_a_newer_version_is_refused(path: Path) -> None:
    LakeState(path).close()
    in_sql(path, "PRAGMA user_version = 99")
    with pytest.raises(NewerJournalError) as refused:
        LakeState(path)
    assert refused.value.version == 99
    assert str(refused.value) == (
        f"{path} was made by a newer bitso-spread (journal version 99, "
        f"this one reads {len(STEPS)}): upgrade, or move it aside"
    )


def test_what_is_no_journal_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, and longer than a header of one " * 30)
    before = path.read_bytes()
    with pytest.raises(LakeError, match=f"cannot keep a journal in {path}: file is not a database"):
        LakeState(path)
    assert path.read_bytes() == before


def test_a_lake_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with pytest.raises(LakeError, match="cannot keep a journal in"):
        LakeState(tmp_path / "lake" / ".bitso-spread" / "t.sqlite3")


def test_several_may_open_a_new_journal_at_the_same_moment(tmp_path: Path) -> None:
    failed: list[Exception] = []

    def open_it(path: Path, barrier: threading.Barrier) -> None:
        barrier.wait()
        try:
            LakeState(path).close()
        except LakeError as error:
            failed.append(error)

    for i in range(20):
        barrier = threading.Barrier(4)
        path = tmp_path / f"{i}.sqlite3"
        threads = [threading.Thread(target=open_it, args=(path, barrier)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []


def test_two_processes_record_into_one_journal_at_once(state: LakeState, path: Path) -> None:
    code = """
import sys
from pathlib import Path
from bitso_spread.lake.state import LakeState
from tests.lake.support import a_batch, rows_of

with LakeState(Path(sys.argv[1])) as state:
    print("open", flush=True)
    sys.stdin.readline()
    for pair in rows_of(a_batch(sys.argv[2]), 100):
        state.record([pair])
"""
    books = ["btc_mxn", "usd_mxn"]
    children = [python(code, path, book) for book in books]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
    for child in children:
        child.communicate("go\n")
    assert [child.returncode for child in children] == [0, 0]
    for book in books:
        assert state.rows(a_batch(book)) == [a_row(NOON + i, book) for i in range(100)]
    assert state.marks() == dict.fromkeys(books, NOON + 99)
