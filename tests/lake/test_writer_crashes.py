"""A writer that is stopped at any of its steps: the rows are in the table once, and whole."""

from __future__ import annotations

import os
from errno import ENOSPC
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bitso_spread.lake import layout, writer
from bitso_spread.lake.layout import TABLE, Partition, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import BatchWriter
from bitso_spread.model import Sample
from tests.lake.stops import Steps, When
from tests.lake.support import NOON, a_batch, once, rows_of, table_files, table_rows

HEADER = "orderbook_timestamp,book,bid,ask,spread\n"

STEPS: list[tuple[object, str]] = [
    (Path, "mkdir"),
    (Path, "open"),
    (Path, "hardlink_to"),
    (Path, "unlink"),
    (os, "fsync"),
    (LakeState, "rows"),
    (LakeState, "staged"),
    (LakeState, "stage"),
    (LakeState, "finish"),
    (writer, "encode"),
]
"""Everything that writing does to the disk, and all that it asks of the journal."""


def lake_with_a_batch(lake: Path, file_format: str = "csv") -> None:
    with LakeState(state_file(lake, TABLE)) as state:
        state.record(rows_of(a_batch(format=file_format)))


def write(lake: Path, file_format: str = "csv", steps: Steps | None = None) -> bool:
    """Write the batch as a process of its own would; False if it was stopped on the way."""
    with LakeState(state_file(lake, TABLE)) as state, (steps or Steps(STEPS)).watched():
        try:
            BatchWriter(lake, TABLE, state).write(a_batch(format=file_format))
        except OSError:
            return False
    return True


def assert_written_once(lake: Path, file_format: str = "csv") -> None:
    batch = a_batch(format=file_format)
    assert table_rows(lake) == once(rows_of(batch))
    with LakeState(state_file(lake, TABLE)) as state:
        assert state.batches() == []
        assert state.rows(batch) == []
        assert state.staged(batch) == []
        assert [file.rows for file in state.files()] == [5]
        noted = lake / TABLE / state.files()[0].path
    assert noted.stat().st_nlink == 1
    assert list(layout.staging_folder(lake, TABLE).iterdir()) == []


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_stopped_at_any_step_the_next_write_completes_it(
    tmp_path: Path, file_format: str, when: When
) -> None:
    left = []
    for number in count(1):
        lake = tmp_path / str(number)
        lake_with_a_batch(lake, file_format)
        write(lake, file_format, steps := Steps(STEPS, number, when))
        # Whole files or none, never anything else: a reader sees none of the rows or all.
        assert table_rows(lake) in ({}, once(rows_of(a_batch())))
        left.append(len(table_files(lake)))
        assert write(lake, file_format)
        assert_written_once(lake, file_format)
        if steps.ended:
            break
    # There were steps before the file was there, and steps after.
    assert left == sorted(left)
    assert left.count(0) >= 5
    assert left.count(1) >= 5


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("first", range(1, 25, 6))
def test_stopped_twice_the_third_write_completes_it(tmp_path: Path, when: When, first: int) -> None:
    for second in count(1):
        lake = tmp_path / str(second)
        lake_with_a_batch(lake)
        write(lake, steps=Steps(STEPS, first, when))
        write(lake, steps=(steps := Steps(STEPS, second, when)))
        assert write(lake)
        assert_written_once(lake)
        if steps.ended:
            break


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name_is_taken", [False, True])
def test_another_version_that_writes_other_bytes_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: When, name_is_taken: bool
) -> None:
    encode = writer.encode

    def encode_otherwise(rows: list[Sample], file_format: str, columns: str) -> bytes:
        return encode(rows, file_format, columns).replace(b"+00:00", b"Z")

    for number in count(1):
        lake = tmp_path / str(number)
        lake_with_a_batch(lake)
        taken = lake / TABLE / Partition.of("btc_mxn", NOON).path / "btc_mxn-20260921T120000Z.csv"
        if name_is_taken:
            taken.parent.mkdir(parents=True)
            taken.write_text(HEADER)
        write(lake, steps=(steps := Steps(STEPS, number, when)))
        with monkeypatch.context() as patch:
            patch.setattr(writer, "encode", encode_otherwise)
            assert write(lake)
        assert_written_once(lake)
        assert len(table_files(lake)) == 1 + name_is_taken
        assert not name_is_taken or taken.read_text() == HEADER
        if steps.ended:
            break
    assert number > 15


def test_a_file_cut_short_by_a_full_disk_never_comes_into_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_half(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[: len(data) // 2])
        raise OSError(ENOSPC, "No space left on device")

    lake_with_a_batch(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_synced", write_half)
        assert not write(tmp_path)
    assert table_files(tmp_path) == []
    assert write(tmp_path)
    assert_written_once(tmp_path)


def test_a_name_that_someone_takes_after_a_crash_is_not_mistaken_for_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    lake_with_a_batch(tmp_path)
    # The crash comes when the name is noted and nothing has it yet.
    with monkeypatch.context() as patch:
        patch.setattr(writer, "move_in", crash)
        assert not write(tmp_path)
    path = tmp_path / TABLE / Partition.of("btc_mxn", NOON).path / "btc_mxn-20260921T120000Z.csv"
    assert not path.exists()
    path.write_text(HEADER)
    assert write(tmp_path)
    assert_written_once(tmp_path)
    assert path.read_text() == HEADER


def test_a_file_that_someone_edits_after_a_crash_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    lake_with_a_batch(tmp_path)
    # The crash comes when the file has two names: in the table, and beside it.
    with monkeypatch.context() as patch:
        patch.setattr(writer, "sync_folders", crash)
        assert not write(tmp_path)
    (path,) = table_files(tmp_path)
    with path.open("a") as file:
        file.write("2026-09-21T13:00:00+00:00,btc_mxn,1.0,2.0,50.0\n")
    edited = path.read_bytes()
    assert write(tmp_path)
    assert path.read_bytes() == edited


def test_the_file_is_synced_before_it_has_its_name_and_the_folders_before_the_rows_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    fsync, link, finish = os.fsync, Path.hardlink_to, LakeState.finish

    def note_sync(descriptor: int) -> None:
        fsync(descriptor)
        done.append(os.fstat(descriptor).st_ino)

    def note_link(path: Path, target: Path) -> None:
        done.append("link")
        link(path, target)

    def note_finish(state: LakeState, *arguments: Any) -> None:
        done.append("finish")
        finish(state, *arguments)

    lake_with_a_batch(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", note_sync)
        patch.setattr(Path, "hardlink_to", note_link)
        patch.setattr(LakeState, "finish", note_finish)
        assert write(tmp_path)
    (path,) = table_files(tmp_path)
    folders = [folder.stat().st_ino for folder in path.parents][:5]
    assert done == [path.stat().st_ino, "link", *folders, "finish"]
