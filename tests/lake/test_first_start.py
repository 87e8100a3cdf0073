"""A first start that came to nothing takes away what it made, and nothing else ever."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from bitso_spread.collector import Collector
from bitso_spread.errors import LakeBusyError, UnknownBookError
from bitso_spread.exchange.environment import environment
from bitso_spread.lake import layout, locks
from bitso_spread.lake.first_start import FirstStart
from bitso_spread.lake.journal import Identity
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from bitso_spread.plan import Plan
from bitso_spread.sim.server import SimulatedExchange
from tests.lake.support import put_batch

IDENTITY = Identity("sim", "simulated", "csv", "five", 1)


def start_and_fail(lake: Path, table: str = layout.TABLE) -> FirstStart:
    """Do all that a start does before its first tick."""
    first = FirstStart(lake, table)
    with Table(lake, table) as opened:
        opened.claim(IDENTITY)
        opened.lock(["btc_mxn", "usd_mxn"])
    layout.heartbeats_folder(lake, table).mkdir(parents=True, exist_ok=True)
    return first


def everything(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


def test_all_that_was_made_is_taken_away(tmp_path: Path) -> None:
    start_and_fail(tmp_path / "a" / "b").undo()
    assert everything(tmp_path) == set()


def test_the_folder_that_the_user_made_stays(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    (lake / "notes").mkdir(parents=True, exist_ok=True)
    start_and_fail(lake).undo()
    assert everything(tmp_path) == {Path("lake"), Path("lake/notes")}


def test_what_lay_beside_the_table_before_stays(tmp_path: Path) -> None:
    start_and_fail(tmp_path, "Other")
    (layout.locks_folder(tmp_path, layout.TABLE)).mkdir(parents=True, exist_ok=True)
    before = everything(tmp_path)
    start_and_fail(tmp_path).undo()
    assert everything(tmp_path) == before


def test_a_second_start_takes_nothing_away(tmp_path: Path) -> None:
    start_and_fail(tmp_path)
    before = everything(tmp_path)
    start_and_fail(tmp_path).undo()
    assert everything(tmp_path) == before


def test_a_journal_in_which_something_is_stays(tmp_path: Path) -> None:
    first = start_and_fail(tmp_path)
    with LakeState(layout.state_file(tmp_path, layout.TABLE)) as state:
        state.take_over({}, {"btc_mxn": 60})
    first.undo()
    with LakeState(layout.state_file(tmp_path, layout.TABLE)) as state:
        assert state.marks() == {"btc_mxn": 60}


def test_a_journal_that_another_process_has_open_stays(tmp_path: Path) -> None:
    first = start_and_fail(tmp_path)
    path = layout.state_file(tmp_path, layout.TABLE)
    with LakeState(path) as other:
        first.undo()
        assert path.samefile(path)
        other.take_over({}, {"btc_mxn": 60})
    with LakeState(path) as state:
        assert state.marks() == {"btc_mxn": 60}


def test_a_lock_that_another_process_holds_stays(tmp_path: Path) -> None:
    first = FirstStart(tmp_path, layout.TABLE)
    folder = layout.publishing_locks_folder(tmp_path, layout.TABLE, "spread")
    with Table(tmp_path):
        pass
    with BookLocks(folder) as other:
        other.acquire(["btc_mxn"])
        first.undo()
        with BookLocks(folder) as mine, pytest.raises(LakeBusyError):
            mine.acquire(["btc_mxn"])


def test_a_file_that_somebody_put_there_meanwhile_stays(tmp_path: Path) -> None:
    first = start_and_fail(tmp_path / "lake")
    put_batch(tmp_path / "lake", "btc_mxn", datetime(2026, 9, 21, tzinfo=UTC))
    first.undo()
    (left,) = [path for path in everything(tmp_path) if path.suffix]
    assert left.parts[:2] == ("lake", layout.TABLE)


def test_who_waited_for_a_lock_that_was_taken_away_takes_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock = tmp_path / "btc_mxn.lock", locks._lock
    removed: list[Path] = []

    def lock_what_is_no_more(file: IO[bytes]) -> None:
        if not removed:
            removed.append(path)
            path.unlink()
        lock(file)

    monkeypatch.setattr(locks, "_lock", lock_what_is_no_more)
    with BookLocks(tmp_path) as mine, BookLocks(tmp_path) as other:
        mine.acquire(["btc_mxn"])
        assert removed
        assert not other.try_acquire("btc_mxn")


def test_a_disk_that_refuses_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = start_and_fail(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    first.undo()
    assert layout.state_file(tmp_path, layout.TABLE).exists()


def test_a_collection_of_a_book_that_there_is_not(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        there = environment("sim", exchange.rest_url, exchange.ws_url)
        plan = Plan(books=["xyz_mxn"], lake=tmp_path / "lake")
        with pytest.raises(UnknownBookError):
            Collector(there, plan).run()
    assert everything(tmp_path) == set()


def test_a_collection_that_was_stopped_before_its_first_tick_claims_nothing(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        there = environment("sim", exchange.rest_url, exchange.ws_url)
        collector = Collector(there, Plan(books=["btc_mxn"], lake=tmp_path / "lake"))
        collector.stop()
        assert collector.run().ticks == 0
        assert everything(tmp_path) == set()
        parquet = Plan(books=["btc_mxn"], lake=tmp_path / "lake", format="parquet", ticks=1)
        assert Collector(there, parquet).run().ticks == 1
    assert (tmp_path / "lake" / layout.TABLE).is_dir()
