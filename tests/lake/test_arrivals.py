"""Many files that enter a table together: their bytes, and names that others have."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.lake import layout, writer
from bitso_spread.lake.arrivals import Arrivals, NewFile
from bitso_spread.lake.importing.filing import files_of
from bitso_spread.lake.importing.parsing import with_all
from bitso_spread.lake.journal import Identity
from bitso_spread.lake.layout import TABLE, Partition, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import encode, frame_of
from bitso_spread.model import Sample, State
from tests.lake.import_support import blank, priced
from tests.lake.support import DAY, NOON, a_batch, table_files

MOVE = "bitso_spread.lake.arrivals.move_in"
FOLDER = Partition.of("btc_mxn", NOON).path
NAME = layout.file_name("production", "btc_mxn", NOON, "csv")


def a_file(data: bytes, tick: int = NOON) -> NewFile:
    return NewFile(a_batch(first_tick=tick), tick, 1, data)


def bring(lake: Path, *files: NewFile) -> None:
    with LakeState(state_file(lake, TABLE)) as state:
        Arrivals(lake, TABLE, state).bring(files)


def contents(lake: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in table_files(lake)}


@pytest.mark.parametrize("columns", ["five", "full"])
@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_the_files_of_a_day_are_those_that_a_collector_makes_of_its_rows(
    file_format: str, columns: str
) -> None:
    told = Sample(NOON + 9, "btc_mxn", 1e-7, 2e22, 1 / 3, State.QUIET, 0.1, None, 1999, 7, "rest")
    rows = [blank(NOON), priced(NOON + 1, 0.1 + 0.2), told, priced(NOON + 10), blank(NOON + 40)]
    identity = Identity("production", None, file_format, columns, 1)
    made = files_of(with_all(frame_of(rows, "full")), "btc_mxn", identity, 10)
    assert [(file.batch.first_tick, file.last_tick, file.rows) for file in made] == [
        (NOON, NOON + 9, 3),
        (NOON + 10, NOON + 10, 1),
        (NOON + 40, NOON + 40, 1),
    ]
    expected = [encode(part, file_format, columns) for part in (rows[:3], rows[3:4], rows[4:])]
    assert [file.data for file in made] == expected


@pytest.mark.parametrize("text", ["a\nb", "a\rb", 'a"b', "a,b", "\n"])
def test_a_text_of_another_writer_does_not_shift_where_files_are_cut(text: str) -> None:
    rows = [replace(priced(NOON + i), source=text) for i in range(4)]
    identity = Identity("production", None, "csv", "full", 1)
    made = files_of(with_all(frame_of(rows, "full")), "btc_mxn", identity, 2)
    assert [file.data for file in made] == [
        encode(rows[:2], "csv", "full"),
        encode(rows[2:], "csv", "full"),
    ]


def test_a_name_that_has_other_content_is_left_and_the_very_same_file_too(tmp_path: Path) -> None:
    bring(tmp_path, a_file(b"one"))
    bring(tmp_path, a_file(b"two"), a_file(b"three", DAY))
    bring(tmp_path, a_file(b"one"), a_file(b"two"))
    there = contents(tmp_path)
    assert there.pop(layout.file_name("production", "btc_mxn", DAY, "csv")) == b"three"
    assert there == {NAME: b"one", layout.numbered(NAME, 2): b"two"}
    with LakeState(state_file(tmp_path, TABLE)) as state:
        assert {file.path for file in state.files()} == {
            path.relative_to(tmp_path / TABLE).as_posix() for path in table_files(tmp_path)
        }
        assert state.marks() == {"btc_mxn": NOON}


def test_a_name_that_is_taken_at_the_last_moment_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move, others = writer.move_in, [b"its own", b"another's"]

    def late(staged: Path, path: Path) -> bool:
        if others:
            path.write_bytes(others.pop())
        return move(staged, path)

    monkeypatch.setattr(MOVE, late)
    bring(tmp_path, a_file(b"ours"))
    names = [NAME, layout.numbered(NAME, 2), layout.numbered(NAME, 3)]
    assert contents(tmp_path) == dict(zip(names, [b"another's", b"its own", b"ours"], strict=True))
    with LakeState(state_file(tmp_path, TABLE)) as state:
        assert [file.path for file in state.files()] == [(FOLDER / names[2]).as_posix()]
        assert state.announced() == []
    assert list(layout.staging_folder(tmp_path, TABLE).iterdir()) == []


def test_what_a_crash_left_half_made_is_forgotten_and_what_was_whole_comes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MOVE, _full)
        with pytest.raises(OSError, match="full"):
            bring(tmp_path, a_file(b"half"), a_file(b"whole", DAY))
    (layout.staging_folder(tmp_path, TABLE) / NAME).write_bytes(b"ha")
    with LakeState(state_file(tmp_path, TABLE)) as state:
        (arrived,) = Arrivals(tmp_path, TABLE, state).complete("btc_mxn")
        assert (arrived.first_tick, state.announced()) == (DAY, [])
    assert list(contents(tmp_path).values()) == [b"whole"]
    assert list(layout.staging_folder(tmp_path, TABLE).iterdir()) == []


def test_what_a_crash_left_unsynced_is_synced_before_it_comes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _full)
        with LakeState(state_file(tmp_path, TABLE)) as state, pytest.raises(OSError, match="full"):
            Arrivals(tmp_path, TABLE, state).bring([a_file(b"one"), a_file(b"two", DAY)])
    done: list[str] = []
    fsync, move = os.fsync, writer.move_in
    inodes = {path.stat().st_ino for path in layout.staging_folder(tmp_path, TABLE).iterdir()}

    def syncing(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino in inodes:
            done.append("synced")
        fsync(descriptor)

    def moving(staged: Path, path: Path) -> bool:
        done.append("moved")
        return move(staged, path)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(MOVE, moving)
    with LakeState(state_file(tmp_path, TABLE)) as state:
        Arrivals(tmp_path, TABLE, state).complete("btc_mxn")
    assert done == ["synced", "synced", "moved", "moved"]
    assert sorted(contents(tmp_path).values()) == [b"one", b"two"]


def _full(*_: object) -> bool:
    raise OSError(28, "full")
