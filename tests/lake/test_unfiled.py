"""How many rows that a question asks for wait in the journal, as a look at it tells."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bitso_spread.lake import unfiled
from bitso_spread.lake.filters import Filters
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.unfiled import count_unfiled
from bitso_spread.lake.writer import BatchWriter
from tests.lake.support import NOON, a_batch, rows_of

DAY = 86_400


@pytest.fixture
def state(tmp_path: Path) -> Iterator[LakeState]:
    with LakeState(state_file(tmp_path, TABLE)) as opened:
        opened.record(rows_of(a_batch("btc_mxn", NOON), 90))
        opened.record(rows_of(a_batch("usd_mxn", NOON + 600), 20))
        opened.record(rows_of(a_batch("usd_mxn", NOON + DAY), 7))
        yield opened


def count(lake: Path, **question: Any) -> int:
    return count_unfiled(state_file(lake, TABLE), Filters.of(**question))


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ({}, 117),
        ({"book": "btc_mxn"}, 90),
        ({"book": "MXN/USD,usd_mxn,mxn_usd"}, 27),
        ({"book": "eth_mxn"}, 0),
        ({"book": "all"}, 117),
        ({"date": "20260921"}, 110),
        ({"date": "20260922.."}, 7),
        ({"date": "..20260920"}, 0),
        ({"minutes": "720"}, 97),
        ({"minutes": "721.."}, 20),
        ({"minutes": "..719"}, 0),
        ({"start": "2026-09-21T12:01:00.5Z"}, 29 + 27),
        ({"end": "2026-09-21T12:00:10Z"}, 10),
        ({"end": "2026-09-21T12:00:10.1Z"}, 11),
        ({"date": "20260922", "end": "2026-09-21T12:01Z"}, 0),
    ],
)
def test_only_rows_that_are_asked_for_count(
    question: dict[str, str], rows: int, tmp_path: Path
) -> None:
    assert count(tmp_path, **question) == rows


def test_what_has_come_into_a_file_does_not_count(state: LakeState, tmp_path: Path) -> None:
    BatchWriter(tmp_path, TABLE, state).write(a_batch("btc_mxn", NOON))
    assert count(tmp_path) == 27


def test_of_very_many_it_is_told_that_there_are_more(
    state: LakeState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.record(rows_of(a_batch("eth_mxn", NOON), 30))
    monkeypatch.setattr(unfiled, "MOST", 50)
    assert count(tmp_path) == 51
    assert count(tmp_path, book="usd_mxn,eth_mxn") == 51
    assert count(tmp_path, book="eth_mxn") == 30


def test_a_journal_that_was_closed_in_order_is_read_and_nothing_is_made_beside_it(
    tmp_path: Path,
) -> None:
    with LakeState(state_file(tmp_path, TABLE)) as state:
        state.record(rows_of(a_batch("btc_mxn", NOON), 4))
    folder = state_file(tmp_path, TABLE).parent
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert len(before) == 1
    assert count(tmp_path) == 4
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def _record_and_die(path: Path) -> None:
    state = LakeState(path)
    state.record(rows_of(a_batch("btc_mxn", NOON), 4))
    os._exit(9)


def test_what_a_kill_left_behind_counts(tmp_path: Path) -> None:
    killed = multiprocessing.get_context("spawn").Process(
        target=_record_and_die, args=(state_file(tmp_path, TABLE),)
    )
    killed.start()
    killed.join(60)
    assert killed.exitcode == 9
    assert count(tmp_path) == 4


def test_a_journal_without_the_index_of_its_last_rows_is_silence(
    state: LakeState, tmp_path: Path
) -> None:
    copied = state_file(tmp_path / "copy", TABLE)
    copied.parent.mkdir(parents=True)
    for end in ("", "-wal"):
        source = state_file(tmp_path, TABLE)
        (copied.parent / (copied.name + end)).write_bytes(
            source.with_name(source.name + end).read_bytes()
        )
    assert count(tmp_path / "copy") == 0
    assert len(list(copied.parent.iterdir())) == 2
    assert state.batches()


@pytest.mark.usefixtures("state")
def test_who_writes_meanwhile_is_not_waited_for(tmp_path: Path) -> None:
    path = state_file(tmp_path, TABLE)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert count(tmp_path) == 117
        other.execute("ROLLBACK")


@pytest.mark.parametrize("content", [b"", b"no journal" * 999])
def test_what_is_no_journal_is_silence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    assert count_unfiled(path, Filters()) == 0


def test_where_there_is_no_journal_none_is_made(tmp_path: Path) -> None:
    assert count(tmp_path) == 0
    assert count_unfiled(None, Filters()) == 0
    assert list(tmp_path.iterdir()) == []
