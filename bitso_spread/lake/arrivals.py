"""Many finished files of a book enter the table together: what `writer` does for one batch.

Whoever imports has its rows elsewhere too, so that they need not go through the journal one by
one; their files do. The order, which a crash may cut anywhere:

1. the files are noted in the journal, with their checksums;
2. they are made beside the table and synced;
3. each is moved into its partition, under a name that nothing else has;
4. the folders are synced, and it is noted that the files are there.

After a crash, whoever takes the book's lock next brings in what was whole by then, and forgets the
rest: a file is in the table once, or not at all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePosixPath

from bitso_spread.lake import layout
from bitso_spread.lake.daily import mark_stale
from bitso_spread.lake.journal import Batch, WrittenFile
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import move_in, sync_folder


@dataclass(frozen=True, slots=True)
class NewFile:
    """What is to become a file of the table."""

    batch: Batch
    last_tick: int
    rows: int
    data: bytes


class Arrivals:
    """Brings files into one table; the locks of their books must be held."""

    def __init__(self, lake: Path, table: str, state: LakeState) -> None:
        self._table = lake / table
        self._staging = layout.staging_folder(lake, table)
        self._state = state

    def bring(self, files: Sequence[NewFile]) -> None:
        """Bring in files of one book and day, whose first ticks differ.

        Raises:
            OSError, sqlite3.Error: the disk is full or refuses. Some of them are in the table
                then, and `complete` sees to the others.
        """
        noted = [self._named(file) for file in files]
        self._state.stage(*noted)
        self._staging.mkdir(parents=True, exist_ok=True)
        staged = [self._staged(note) for note in noted]
        for path, file in zip(staged, files, strict=True):
            # What a crash left under this name may be linked into the table: never write into it.
            path.unlink(missing_ok=True)
            path.write_bytes(file.data)
        # When all are written: the first of these syncs does most of what the others ask for.
        for path in staged:
            _sync(path)
        sync_folder(self._staging)
        self._move_all(noted)

    def complete(self, book: str) -> list[WrittenFile]:
        """Bring in what a crash left of a book's files, forget what was not whole, and give those.

        Raises:
            OSError, sqlite3.Error: the disk is full or refuses; doing it again is safe.
        """
        announced = self._state.announced(book)
        whole = [
            note
            for note in announced
            if note.sha256 in {_checksum(self._table / note.path), _checksum(self._staged(note))}
        ]
        lost = [note for note in announced if note not in whole]
        for note in lost:
            self._staged(note).unlink(missing_ok=True)
        if lost:
            self._state.forget(lost)
        for note in whole:
            # It may be whole in memory alone.
            with suppress(FileNotFoundError):
                _sync(self._staged(note))
        return self._move_all(whole)

    def _named(self, file: NewFile) -> WrittenFile:
        batch = file.batch
        name = layout.file_name(batch.environment, batch.book, batch.first_tick, batch.format)
        named = WrittenFile(
            path=(Partition.of(batch.book, batch.first_tick).path / name).as_posix(),
            book=batch.book,
            first_tick=batch.first_tick,
            last_tick=file.last_tick,
            rows=file.rows,
            interval=batch.interval,
            bytes=len(file.data),
            sha256=hashlib.sha256(file.data).hexdigest(),
        )
        return replace(named, path=self._free(named))

    def _free(self, file: WrittenFile) -> str:
        """Give the first name in a file's partition that is free, or has the very same file."""
        path = PurePosixPath(file.path)
        environment = layout.environment_of(path.name)
        form = path.suffix.removeprefix(".")
        name = layout.file_name(environment, file.book, file.first_tick, form)
        for number in count(1):
            path = path.with_name(name if number == 1 else layout.numbered(name, number))
            if _checksum(self._table / path) in {None, file.sha256}:
                break
        return path.as_posix()

    def _move_all(self, files: Sequence[WrittenFile]) -> list[WrittenFile]:
        days = {(Partition.of(file.book, file.first_tick).date, file.book) for file in files}
        self._mark(days)
        arrived = [self._move(file) for file in files]
        for folder in self._folders_of(arrived):
            sync_folder(folder)
        # A day may have been compacted meanwhile, without the files.
        self._mark(days)
        for file in {*files, *arrived}:
            self._staged(file).unlink(missing_ok=True)
        if arrived:
            self._state.arrived(arrived)
        return arrived

    def _move(self, file: WrittenFile) -> WrittenFile:
        while not self._enter(file):
            # Someone who heeds no lock has taken the name.
            other = replace(file, path=self._free(file))
            self._state.stage(other)
            self._staged(file).replace(self._staged(other))
            self._state.forget([file])
            file = other
        return file

    def _enter(self, file: WrittenFile) -> bool:
        path = self._table / file.path
        if _checksum(path) == file.sha256:
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        return move_in(self._staged(file), path)

    def _folders_of(self, files: Sequence[WrittenFile]) -> list[Path]:
        """Give the folders of files and those above them, up to the lake's, deepest first."""
        folders = {
            self._table / parent for file in files for parent in PurePosixPath(file.path).parents
        }
        deepest = sorted(folders, key=lambda folder: len(folder.parts), reverse=True)
        return [*deepest, self._table.parent] if deepest else []

    def _mark(self, days: set[tuple[int, str]]) -> None:
        for date, book in days:
            mark_stale(self._table.parent, self._table.name, book, date)

    def _staged(self, file: WrittenFile) -> Path:
        return self._staging / PurePosixPath(file.path).name


def _checksum(path: Path) -> str | None:
    with suppress(FileNotFoundError):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
