"""A table that is about to be written: what a crash left, and what a neighbour holds."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.errors import LakeBusyError, LakeError, LakeIdentityError, UsageError
from bitso_spread.lake.journal import Batch, Identity, Outage
from bitso_spread.lake.layout import TABLE, state_file
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

# Records five rows of a book and an outage that goes on, and stays.
NEIGHBOUR = """
import sys
from pathlib import Path
from bitso_spread.lake.layout import state_file
from bitso_spread.lake.journal import Outage
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from tests.lake.support import NOON, a_batch, rows_of

lake, book = Path(sys.argv[1]), sys.argv[2]
with Table(lake) as table, LakeState(state_file(lake, table.name)) as state:
    table.lock([book])
    state.record(rows_of(a_batch(book)), [Outage(book, "why", NOON + 1, None)])
    print("recorded", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    children = []

    def start(book: str) -> subprocess.Popen[str]:
        child = python(NEIGHBOUR, tmp_path, book)
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "recorded\n"
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def leave_behind(lake: Path, *batches: Batch, outages: list[Outage] | None = None) -> None:
    """Leave rows in the journal, as a crash does."""
    with LakeState(state_file(lake, TABLE)) as state:
        state.record([row for batch in batches for row in rows_of(batch)], outages or [])


def recover(lake: Path, *books: str) -> list[tuple[Path, Batch, int]]:
    """Recover as a process that has the locks of some books; give the files made."""
    filed: list[tuple[Path, Batch, int]] = []
    with Table(lake) as table:
        table.lock(books)
        table.recover(lambda path, batch, rows: filed.append((path, batch, rows)))
        assert table.books == set(books)
    return filed


def outages(lake: Path) -> list[Outage]:
    with LakeState(state_file(lake, TABLE)) as state:
        return state.outages()


def test_what_a_crash_left_becomes_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    batches = [a_batch(), a_batch(first_tick=NOON + 5), a_batch("usd_mxn")]
    leave_behind(tmp_path, *batches)
    filed = recover(tmp_path)
    assert sorted(path for path, _, _ in filed) == table_files(tmp_path)
    assert [(batch, rows) for _, batch, rows in filed] == [(batch, 5) for batch in batches]
    assert table_rows(tmp_path) == once([row for batch in batches for row in rows_of(batch)])
    assert caplog.messages.count("recovered 5 rows of btc_mxn that a stop had left") == 2
    # And once only.
    assert recover(tmp_path) == []
    assert table_rows(tmp_path) == once([row for batch in batches for row in rows_of(batch)])


def test_books_whose_locks_are_held_already_are_recovered_too(tmp_path: Path) -> None:
    leave_behind(tmp_path, a_batch(), a_batch("usd_mxn"))
    assert len(recover(tmp_path, "btc_mxn", "eth_mxn")) == 2


def test_a_batch_keeps_the_format_that_it_was_recorded_for(tmp_path: Path) -> None:
    simulated = a_batch("usd_mxn", environment="sim", format="parquet")
    with Table(tmp_path) as table:
        table.claim(IDENTITY)
    leave_behind(tmp_path, a_batch(), simulated)
    recover(tmp_path)
    assert [path.name for path in table_files(tmp_path)] == [
        "btc_mxn-20260921T120000Z.csv",
        "sim-usd_mxn-20260921T120000Z.parquet",
    ]
    assert table_rows(tmp_path) == once(rows_of(a_batch()) + rows_of(simulated))


def test_the_rows_of_a_neighbour_that_is_alive_are_left_alone(
    tmp_path: Path, neighbour: Callable[[str], subprocess.Popen[str]]
) -> None:
    alive = neighbour("btc_mxn")
    leave_behind(tmp_path, a_batch("usd_mxn"))
    assert [batch.book for _, batch, _ in recover(tmp_path)] == ["usd_mxn"]
    assert table_rows(tmp_path) == once(rows_of(a_batch("usd_mxn")))
    assert outages(tmp_path) == [Outage("btc_mxn", "why", NOON + 1, None)]
    with Table(tmp_path) as table, pytest.raises(LakeBusyError):
        table.lock(["btc_mxn"])
    alive.kill()
    alive.wait()
    assert [batch.book for _, batch, _ in recover(tmp_path)] == ["btc_mxn"]
    assert table_rows(tmp_path) == once(rows_of(a_batch("usd_mxn")) + rows_of(a_batch("btc_mxn")))
    assert outages(tmp_path) == [Outage("btc_mxn", "why", NOON + 1, NOON + 4)]


def test_an_outage_that_a_crash_left_open_ends_though_no_rows_are_left(tmp_path: Path) -> None:
    # The crash came between the end of a batch and the first tick of the next.
    leave_behind(tmp_path, a_batch(), outages=[Outage("btc_mxn", "why", NOON + 2, None)])
    with LakeState(state_file(tmp_path, TABLE)) as state:
        state.finish(a_batch(), None)
    assert recover(tmp_path) == []
    assert outages(tmp_path) == [Outage("btc_mxn", "why", NOON + 2, NOON + 4)]


def test_recovering_gives_back_the_locks_that_it_took(tmp_path: Path) -> None:
    leave_behind(tmp_path, a_batch(), a_batch("usd_mxn"))
    with Table(tmp_path) as first, Table(tmp_path) as second:
        first.lock(["btc_mxn"])
        first.recover(lambda *_: None)
        assert first.books == {"btc_mxn"}
        second.lock(["usd_mxn"])
        with pytest.raises(LakeBusyError):
            second.lock(["btc_mxn"])


def test_a_partition_that_refuses_is_one_line_and_the_rows_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave_behind(tmp_path, a_batch())
    blocking = tmp_path / TABLE
    blocking.write_text("")
    with Table(tmp_path) as table:
        table.recover(lambda *_: None)
        assert table.books == frozenset()
    (message,) = caplog.messages
    assert message.startswith(f"btc_mxn stays in the journal: cannot write into {tmp_path}: ")
    blocking.unlink()
    recover(tmp_path)
    assert table_rows(tmp_path) == once(rows_of(a_batch()))


def test_a_journal_that_is_damaged_is_one_line(tmp_path: Path) -> None:
    said = f"^cannot write into {tmp_path}: no such table"
    with Table(tmp_path) as table:
        with closing(sqlite3.connect(state_file(tmp_path, TABLE))) as db:
            db.executescript("DROP TABLE batch; DROP TABLE mark; DROP TABLE identity")
        for act in (
            lambda: table.recover(lambda *_: None),
            table.marks,
            lambda: table.claim(IDENTITY),
        ):
            with pytest.raises(LakeError, match=said):
                act()
    with pytest.raises(LakeError, match=said):
        Table(tmp_path)


def test_what_a_table_holds_is_settled_once_locks_are_held(tmp_path: Path) -> None:
    parquet = replace(IDENTITY, format="parquet")
    with Table(tmp_path) as first, Table(tmp_path) as second:
        first.claim(IDENTITY)
        second.claim(parquet)
        first.lock(["btc_mxn"])
        second.lock(["usd_mxn"])
        first.claim(IDENTITY)
        # Not a row is there yet; but both are about to record one.
        with pytest.raises(LakeIdentityError, match="this table holds format csv"):
            second.claim(parquet)


def test_closing_gives_the_locks_back(tmp_path: Path) -> None:
    with Table(tmp_path) as first:
        first.lock(["btc_mxn", "usd_mxn"])
        first.unlock(["usd_mxn"])
        assert first.books == {"btc_mxn"}
    with Table(tmp_path) as second:
        second.lock(["btc_mxn", "usd_mxn"])
        assert second.books == {"btc_mxn", "usd_mxn"}


def test_tables_of_one_lake_do_not_know_each_other(tmp_path: Path) -> None:
    leave_behind(tmp_path, a_batch())
    with Table(tmp_path, "Other") as other, Table(tmp_path) as first:
        first.lock(["btc_mxn"])
        other.lock(["btc_mxn"])
        other.recover(lambda *_: None)
        assert other.marks() == {}
        assert first.marks() == {"btc_mxn": NOON + 4}
    assert table_files(tmp_path, "Other") == []


def test_naming_the_tables_own_folder_works(tmp_path: Path) -> None:
    leave_behind(tmp_path, a_batch())
    recover(tmp_path)
    with Table(tmp_path / TABLE) as table:
        assert table.lake == tmp_path
        assert table.marks() == {"btc_mxn": NOON + 4}


@pytest.mark.parametrize("name", ["", ".hidden", "_temporary", "a/b", "..", "a b", "-x"])
def test_a_name_that_readers_would_not_find_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a table: use letters, digits, - and _"):
        Table(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_lake_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeError, match="file is a file: a lake is a folder"):
        Table(tmp_path / "file")
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / ".bitso-spread").write_text("")
    with pytest.raises(LakeError, match="cannot make the lock"):
        Table(tmp_path / "lake")
