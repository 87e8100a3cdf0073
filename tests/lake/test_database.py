"""A SQLite file that several processes may write into, on a disk that may be slow."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bitso_spread.lake.database import Database
from bitso_spread.lake.journal import Identity
from bitso_spread.lake.state import LakeState

IDENTITY = Identity("production", "bitso.com", "csv", "five", 1)
STEPS = ("CREATE TABLE first (x); INSERT INTO first VALUES (1)", "CREATE TABLE second (y)")


@contextmanager
def a_long_commit(path: Path) -> Iterator[None]:
    """Let a neighbour be in the middle of a commit."""
    with closing(sqlite3.connect(path, isolation_level=None)) as neighbour:
        neighbour.execute("BEGIN IMMEDIATE")
        neighbour.execute("CREATE TABLE long (x)")
        yield
        neighbour.execute("ROLLBACK")


def synchronous(database: Database) -> int:
    (level,) = database.execute("PRAGMA synchronous").fetchone()
    return int(level)


def test_each_commit_is_synced_but_one_that_may_wait_for_the_next(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "db", STEPS)) as database:
        full, normal = 2, 1
        with database.transaction():
            assert synchronous(database) == full
        with database.transaction(synced=False):
            assert synchronous(database) == normal
        assert synchronous(database) == full
        with pytest.raises(sqlite3.Error), database.transaction(synced=False):
            database.execute("SELECT * FROM nowhere")
        assert synchronous(database) == full


def test_an_older_file_gets_the_steps_that_it_lacks_once(tmp_path: Path) -> None:
    Database(tmp_path / "db", STEPS[:1]).close()
    for _ in range(2):
        with closing(Database(tmp_path / "db", STEPS)) as database:
            assert database.execute("SELECT * FROM first").fetchall() == [(1,)]
            assert database.execute("SELECT * FROM second").fetchall() == []


def test_neither_opening_nor_claiming_waits_for_a_neighbours_commit(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with LakeState(path) as state:
        state.claim(IDENTITY, settle=True)
    with a_long_commit(path):
        began = time.monotonic()
        with LakeState(path) as state:
            state.claim(IDENTITY, settle=True)
            assert state.marks() == {}
        assert time.monotonic() - began < 20
