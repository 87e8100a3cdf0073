"""A journal that a newer version made is set aside, and the new one knows what the table holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bitso_spread.errors import LakeBusyError, LakeIdentityError
from bitso_spread.lake import layout
from bitso_spread.lake.journal import Batch, Identity, Outage
from bitso_spread.lake.layout import TABLE, locks_folder, state_file
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from tests.lake.support import (
    NOON,
    a_batch,
    once,
    python,
    rows_of,
    table_files,
    table_rows,
)

IDENTITY = Identity("production", "bitso.com", "csv", "five", 1)
ASIDE = f"{TABLE}.version-99.sqlite3"

# Opens the journal, and stays.
OPEN = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("SELECT * FROM mark").fetchall()
print("open", flush=True)
sys.stdin.readline()
"""


def record(lake: Path, batches: Sequence[Batch], *, to_files: bool) -> None:
    """Record batches of five rows, and turn them into files or leave them in the journal."""
    with Table(lake) as table:
        table.lock({batch.book for batch in batches})
        first = batches[0]
        table.claim(
            Identity(first.environment, "bitso.com", first.format, first.columns, first.interval)
        )
        with LakeState(state_file(lake, TABLE)) as state:
            state.record([row for batch in batches for row in rows_of(batch)])
        if to_files:
            table.recover(lambda *_: None)


def make_newer(lake: Path) -> None:
    """Let the journal be one of a version to come, with a table that this one does not know."""
    with closing(sqlite3.connect(state_file(lake, TABLE))) as db:
        db.execute("CREATE TABLE tomorrow (x)")
        db.execute("PRAGMA user_version = 99")


def rows_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        (count,) = db.execute("SELECT count(*) FROM sample").fetchone()
    return int(count)


def test_it_is_renamed_beside_itself_whole_and_said_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record(tmp_path, [a_batch()], to_files=False)
    make_newer(tmp_path)
    caplog.clear()
    with Table(tmp_path) as table:
        assert table.marks() == {}
    path = state_file(tmp_path, TABLE)
    assert rows_in(path.with_name(ASIDE)) == 5
    assert sorted(entry.name for entry in path.parent.iterdir()) == sorted(
        [path.name, ASIDE, "locks"]
    )
    assert caplog.text.count("\n") == 1
    assert caplog.messages[0] == (
        f"{path} was made by a newer bitso-spread, and is set aside as {ASIDE}: recording goes on "
        "with a new journal; rows that are in that one and in no file yet are written by the newer "
        f"version, where an empty lake has it as .bitso-spread/{path.name}"
    )


def test_a_second_one_gets_a_name_of_its_own(tmp_path: Path) -> None:
    for _ in range(2):
        record(tmp_path, [a_batch()], to_files=False)
        make_newer(tmp_path)
    with Table(tmp_path):
        pass
    folder = state_file(tmp_path, TABLE).parent
    assert {path.name for path in folder.glob("*version*")} == {
        ASIDE,
        f"{TABLE}.version-99-2.sqlite3",
    }
    assert all(rows_in(path) == 5 for path in folder.glob("*version*"))


def test_what_a_crash_of_the_newer_version_left_beside_it_goes_with_it(tmp_path: Path) -> None:
    child = python(
        "import os, sys; from pathlib import Path\n"
        "from bitso_spread.lake.state import LakeState\n"
        "from tests.lake.support import a_batch, rows_of\n"
        "state = LakeState(Path(sys.argv[1]))\n"
        "state.record(rows_of(a_batch()))\n"
        "state._db.execute('PRAGMA user_version = 99')\n"
        "os.kill(os.getpid(), 9)",
        state_file(tmp_path, TABLE),
    )
    child.communicate()
    path = state_file(tmp_path, TABLE)
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    with Table(tmp_path) as table:
        assert table.marks() == {}
    assert rows_in(path.with_name(ASIDE)) == 5


def test_the_newer_version_writes_its_rows_in_an_empty_lake(tmp_path: Path) -> None:
    record(tmp_path, [a_batch()], to_files=False)
    make_newer(tmp_path)
    with Table(tmp_path):
        pass
    aside = state_file(tmp_path, TABLE).with_name(ASIDE)
    with closing(sqlite3.connect(aside)) as db:
        # The newer version is this one.
        with LakeState(tmp_path / "any.sqlite3") as state:
            (version,) = state._db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version}")
    other = state_file(tmp_path / "other", TABLE)
    other.parent.mkdir(parents=True)
    aside.rename(other)
    with Table(tmp_path / "other") as table:
        table.recover(lambda *_: None)
    assert table_rows(tmp_path / "other") == once(rows_of(a_batch()))


def test_no_tick_that_is_in_a_file_is_recorded_again(tmp_path: Path) -> None:
    batches = [
        a_batch(),
        a_batch(first_tick=NOON + 5),
        a_batch("usd_mxn", NOON - 86_400),
        a_batch("usd_mxn", NOON - 86_000),
    ]
    record(tmp_path, batches, to_files=True)
    make_newer(tmp_path)
    with Table(tmp_path) as table:
        assert table.marks() == {"btc_mxn": NOON + 9, "usd_mxn": NOON - 85_996}


def test_a_file_that_cannot_be_read_is_named_and_the_one_before_it_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record(tmp_path, [a_batch(), a_batch(first_tick=NOON + 60)], to_files=True)
    make_newer(tmp_path)
    newest = table_files(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:-3])
    with Table(tmp_path) as table:
        assert table.marks() == {"btc_mxn": NOON + 4}
    assert any(str(newest) in text and "cut short" in text for text in caplog.messages)


@pytest.mark.parametrize(
    "other",
    [
        Identity("sim", "bitso.com", "csv", "five", 1),
        Identity("production", "bitso.com", "parquet", "five", 1),
        Identity("production", "bitso.com", "csv", "full", 1),
        Identity("production", "bitso.com", "csv", "five", 5),
    ],
)
def test_rows_of_another_kind_are_still_refused(tmp_path: Path, other: Identity) -> None:
    record(tmp_path, [a_batch()], to_files=True)
    make_newer(tmp_path)
    with Table(tmp_path) as table:
        with pytest.raises(LakeIdentityError):
            table.claim(other)
        table.claim(IDENTITY)


def test_a_parquet_table_is_known_for_one(tmp_path: Path) -> None:
    record(tmp_path, [a_batch(format="parquet", environment="sim")], to_files=True)
    make_newer(tmp_path)
    with Table(tmp_path) as table:
        with pytest.raises(LakeIdentityError):
            table.claim(Identity("sim", "bitso.com", "csv", "five", 1))
        table.claim(Identity("sim", "bitso.com", "parquet", "five", 1))


def test_what_the_files_do_not_tell_the_next_recorder_settles(tmp_path: Path) -> None:
    record(tmp_path, [a_batch()], to_files=True)
    make_newer(tmp_path)
    with Table(tmp_path) as table:
        table.claim(IDENTITY)
    with Table(tmp_path) as table, pytest.raises(LakeIdentityError, match="hosts bitso"):
        table.claim(Identity("production", "elsewhere", "csv", "five", 1))


def test_a_newer_version_that_has_a_lock_keeps_its_journal(tmp_path: Path) -> None:
    record(tmp_path, [a_batch()], to_files=False)
    make_newer(tmp_path)
    path = state_file(tmp_path, TABLE)
    with BookLocks(locks_folder(tmp_path, TABLE)) as locks:
        locks.acquire(["btc_mxn"])
        with pytest.raises(LakeBusyError, match="a newer bitso-spread records btc_mxn into this"):
            Table(tmp_path)
    assert rows_in(path) == 5
    assert not path.with_name(ASIDE).exists()
    with Table(tmp_path):
        pass
    assert rows_in(path.with_name(ASIDE)) == 5


def test_a_newer_version_that_has_its_journal_open_keeps_it(tmp_path: Path) -> None:
    record(tmp_path, [a_batch()], to_files=False)
    make_newer(tmp_path)
    path = state_file(tmp_path, TABLE)
    child = python(OPEN, path)
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    with pytest.raises(LakeBusyError, match="a newer bitso-spread has its journal open"):
        Table(tmp_path)
    assert rows_in(path) == 5
    assert not path.with_name(ASIDE).exists()
    child.communicate("end\n")
    with Table(tmp_path):
        pass
    assert rows_in(path.with_name(ASIDE)) == 5


def test_several_that_come_at_once_set_it_aside_once(tmp_path: Path) -> None:
    record(tmp_path, [a_batch()], to_files=True)
    make_newer(tmp_path)
    code = (
        "import sys; from pathlib import Path; from bitso_spread.lake.table import Table\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with Table(Path(sys.argv[1])) as table: print(table.marks())"
    )
    children = [python(code, tmp_path) for _ in range(4)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    assert [child.communicate()[0] for child in children] == [f"{{'btc_mxn': {NOON + 4}}}\n"] * 4
    assert len(list(state_file(tmp_path, TABLE).parent.glob("*version*"))) == 1


def test_a_journal_that_is_gone_is_made_good_from_the_table(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record(tmp_path, [a_batch(), a_batch("usd_mxn")], to_files=True)
    state_file(tmp_path, TABLE).unlink()
    caplog.clear()
    with Table(tmp_path) as table:
        assert table.marks() == {"btc_mxn": NOON + 4, "usd_mxn": NOON + 4}
    assert len(caplog.messages) == 1
    assert caplog.messages[0] == (
        f"the journal of {tmp_path / TABLE} is new: each of its 2 books goes on after its last row "
        "in the table"
    )


def test_files_of_other_writers_bind_nobody(tmp_path: Path) -> None:
    folder = tmp_path / TABLE / layout.Partition.of("btc_mxn", NOON).path
    folder.mkdir(parents=True)
    (folder / "part-00000.csv").write_text("2026-09-21T12:00:00+00:00,btc_mxn,1.0,2.0,50.0\n")
    with Table(tmp_path) as table:
        assert table.marks() == {}
        table.claim(Identity("sim", "elsewhere", "parquet", "five", 1))


def test_a_journal_that_has_marks_is_left_as_it_is(tmp_path: Path) -> None:
    record(tmp_path, [a_batch()], to_files=True)
    with LakeState(state_file(tmp_path, TABLE)) as state:
        state.record([], [Outage("btc_mxn", "why", NOON, NOON)])
        before = (state.marks(), state.files(), state.outages())
    with Table(tmp_path), LakeState(state_file(tmp_path, TABLE)) as state:
        assert (state.marks(), state.files(), state.outages()) == before
