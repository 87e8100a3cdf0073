"""Finished days of a book become one sorted Parquet file each, beside the table.

What such a file says of itself is `bitso_spread.lake.cover`'s business, how readers find it
`daily`'s and `walk`'s. The steps, in an order in which a stop between any two of them costs no
row and doubles none: the files of the day are read, the new file is written beside the table and
synced, its checksum is noted in the journal, and it takes the place of the old one by a rename.
The marks of late files that were there when the files were listed go last. Files are only
deleted once a compacted file that says so has been read back from the disk and compared.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Unpack

from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake import layout
from bitso_spread.lake.daily import (
    compacted,
    name_of,
    only_compactor,
    remove_marks,
    sources_of,
    stale_marks,
)
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.dayrows import (
    DayRows,
    compare,
    cover_of,
    encoded,
    of_day,
    of_files,
    together,
)
from bitso_spread.lake.files import read_bytes
from bitso_spread.lake.filters import Question
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.listing import batches_in, files_in
from bitso_spread.lake.locks import only_opener
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import sync_folders, write_synced
from bitso_spread.lifetime import Closing


class Outcome(StrEnum):
    """What became of a day."""

    MADE = "made"
    """It was not compacted before."""
    REDONE = "redone"
    """Files had come, or changed, since."""
    KEPT = "kept"
    """It was compacted, and covers all its files."""


@dataclass(frozen=True, slots=True)
class CompactedDay:
    """A book's day after it was compacted."""

    book: str
    date: int
    """The UTC day, such as 20240725."""
    outcome: Outcome
    files: int
    """Files whose rows it has."""
    rows: int
    bytes: int
    deleted: int
    """Files that were deleted, because it has their rows."""


OnDay = Callable[[int, int, CompactedDay | LakeError], None]
"""Called after each day with how many are done, how many there are, and what became of it."""


def compact(
    lake: Lake,
    *,
    prune: bool = False,
    on_day: OnDay = lambda *_: None,
    today: date | None = None,
    **question: Unpack[Question],
) -> list[CompactedDay]:
    """Compact the finished days that a question names, one after another.

    A day that cannot be is told to `on_day`, and the next one follows.

    Args:
        lake: what is compacted; collectors may write it meanwhile.
        prune: delete the files whose rows a compacted day has, once that has been compared.
        on_day: see `OnDay`.
        today: the UTC day, which is not finished; that of the clock unless given.
        **question: ``date`` and ``book`` as everywhere else.

    Raises:
        UsageError: one of the conditions makes no sense.
        LakeError: the journal cannot be kept, or a folder above the days cannot be listed.
    """
    with Compactor(lake, today) as compactor:
        days = compactor.days(**question)
        found = []
        for done, (book, day) in enumerate(days, start=1):
            try:
                one = compactor.day(book, day, prune=prune)
            except LakeError as error:
                on_day(done, len(days), error)
            else:
                found.append(one)
                on_day(done, len(days), one)
    return found


def is_finished(day: int, today: date | None = None) -> bool:
    """Tell whether a UTC day, such as 20240725, is over."""
    return day < _number(today)


def _number(today: date | None) -> int:
    return int(f"{today or datetime.now(UTC).date():%Y%m%d}")


class Compactor(Closing):
    """Compacts the days of a lake, until it is closed.

    Raises:
        LakeError: the journal beside the table cannot be kept.
    """

    def __init__(self, lake: Lake, today: date | None = None) -> None:
        self._lake = lake
        self._today = _number(today)
        self._table = lake.root / lake.table
        self._daily = lake.root / layout.daily_table(lake.table)
        self._staging = layout.staging_folder(lake.root, self._daily.name)
        with only_opener(layout.locks_folder(lake.root, lake.table)):
            self._state = LakeState(layout.state_file(lake.root, lake.table))

    def close(self) -> None:
        """Close the journal."""
        self._state.close()

    def days(self, **question: Unpack[Question]) -> list[tuple[str, int]]:
        """Give the books and finished days that a question names, by day."""
        days = self._lake.books_by_day(**question)
        return [(book, day) for day in days if day < self._today for book in sorted(days[day])]

    def day(self, book: str, day: int, *, prune: bool = False) -> CompactedDay:
        """Compact a book's day, such as 20240725, or make it anew where files have come since.

        Raises:
            UsageError: the day is not finished.
            LakeError: a file of it cannot be read, or the disk refuses; what there was is there.
        """
        if day >= self._today:
            raise UsageError(f"{day} is not finished: days end at midnight, UTC")
        with only_compactor(self._lake.root, self._lake.table, book), self._refusals():
            marks = stale_marks(self._lake.root, self._lake.table, book, day)
            units = {unit.environment: unit for unit in self._compacted(book, day)}
            for unit in units.values():
                self._check(unit)
            files: dict[str, list[DataFile]] = {environment: [] for environment in units}
            for file in self._files(book, day):
                files.setdefault(file.environment, []).append(file)
            outcomes, deleted = set(), 0
            for environment, mine in files.items():
                merged = self._merge(units.get(environment), mine, prune=prune)
                if merged is None:
                    outcomes.add(Outcome.KEPT)
                else:
                    self._put(merged, book, day, environment)
                    outcomes.add(Outcome.REDONE if environment in units else Outcome.MADE)
            remove_marks(marks)
            now = self._compacted(book, day)
            if prune:
                deleted = sum(self._prune(unit, files.get(unit.environment, [])) for unit in now)
                now = self._compacted(book, day)
            return CompactedDay(
                book,
                day,
                min(outcomes, key=list(Outcome).index, default=Outcome.KEPT),
                sum(len(sources_of(unit)) for unit in now),
                sum(cover_of(unit).rows for unit in now),
                sum(unit.size for unit in now),
                deleted,
            )

    def _compacted(self, book: str, day: int) -> list[DataFile]:
        units = compacted(self._lake.root, self._lake.table, book, day)
        for unit in units:
            cover_of(unit)  # an error, where it cannot be read
        return units

    def _check(self, unit: DataFile) -> None:
        """Check that a day's file is what was written: from here on it is taken for the truth."""
        noted = self._state.daily_of(unit.path.relative_to(self._daily).as_posix())
        if noted and hashlib.sha256(read_bytes(unit.path)).hexdigest() not in noted:
            raise LakeError(
                f"{unit.path} has changed since it was made: restore it from a backup, or, while "
                "all files of that day are in the table, delete it and compact again"
            )

    def _files(self, book: str, day: int) -> Iterator[DataFile]:
        folder = self._table / layout.day_path(day, book)
        batches = batches_in(str(folder)) if folder.is_dir() else ()
        for minutes, path in sorted(batches):
            yield from files_in(Partition(day, minutes, book), path)

    def _merge(
        self, unit: DataFile | None, files: Sequence[DataFile], *, prune: bool
    ) -> DayRows | None:
        """Put together what a day's file must have; None if the one that there is has it."""
        if unit is None:
            return of_files(files, pruned=prune) if files else None
        sources = {source.name: source for source in sources_of(unit)}
        there = {name_of(file): file for file in files}
        new = [file for name, file in there.items() if name not in sources]
        changed = [
            name
            for name, source in sources.items()
            if name in there and there[name].size != source.bytes
        ]
        whole = sources.keys() <= there.keys()
        if changed and not whole:
            raise LakeError(
                f"{there[changed[0]].path} has changed since its day was compacted, and other "
                "files of that day were pruned: restore it from a backup"
            )
        if changed:
            return of_files(files, pruned=prune)
        if new:
            return together(of_day(unit), of_files(new, pruned=prune))
        return None

    def _put(self, merged: DayRows, book: str, day: int, environment: str) -> None:
        """Let a day's file be this one, whole or not at all."""
        name = layout.daily_name(environment, book, day)
        path = self._daily / layout.day_path(day, book) / name
        if path.exists() and not any(unit.path == path for unit in self._compacted(book, day)):
            raise LakeError(f"{path} is of another table: move it away, or name this one otherwise")
        data = encoded(merged, self._lake.table, day)
        noted = path.relative_to(self._daily).as_posix()
        sha256 = hashlib.sha256(data).hexdigest()
        staged = self._staging / name
        write_synced(staged, data)
        self._state.note_daily(noted, sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(path)
        sync_folders(path, self._daily)
        self._state.settle_daily(noted, sha256)

    def _prune(self, unit: DataFile, files: Sequence[DataFile]) -> int:
        """Delete the files that a day's file has the rows of; gives how many.

        That they may be deleted is written into it first, and it is that file which is compared.
        """
        sources = {source.name: source for source in sources_of(unit)}
        covered = [file for file in files if name_of(file) in sources]
        if not covered:
            return 0
        # Before anything is written that says so: what is in the day's file now may be wrong.
        compare(unit, covered)
        if not all(sources[name_of(file)].pruned for file in covered):
            names = {name_of(file) for file in covered}
            held = of_day(unit)
            flagged = [
                replace(each, pruned=each.pruned or each.name in names) for each in held.sources
            ]
            place = unit.partition
            self._put(replace(held, sources=flagged), place.book, place.date, unit.environment)
            (unit,) = (
                each
                for each in self._compacted(place.book, place.date)
                if each.environment == unit.environment
            )
            compare(unit, covered)
        for file in covered:
            file.path.unlink(missing_ok=True)
        for folder in {file.path.parent for file in covered}:
            with suppress(OSError):
                folder.rmdir()
        return len(covered)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise LakeError(f"cannot write into {self._lake.root}: {error}") from error
