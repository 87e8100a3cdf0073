"""What lies in the folders of a book's day: its data files, with their bytes.

Takes files as they are. What is in them is checked by `bitso_spread.lake.checks`, what is no data
is `bitso_spread.lake.debris`'s, and which folders are looked at is decided by
`bitso_spread.lake.audit`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bitso_spread.counting import many
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.daily import name_of
from bitso_spread.lake.datafile import DataFile, GoneError
from bitso_spread.lake.day_checks import DayChecks, check_days, check_source, rows_of_days
from bitso_spread.lake.debris import Debris, among, in_folder, lost_batch, unreadable
from bitso_spread.lake.filters import Filters, start_of
from bitso_spread.lake.findings import Finding, Kind
from bitso_spread.lake.journal import WrittenFile
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.records import BookDay, Records

Folders = list[tuple[Partition, Path]]


@dataclass(slots=True)
class Holdings:
    """What lies in the folders of a book's day."""

    files: list[DataFile] = field(default_factory=list)
    """By their start, as far as they could be read."""
    names: list[str] = field(default_factory=list)
    """Their paths in the table."""
    contents: list[bytes] = field(default_factory=list)
    """Their bytes."""
    rows: list[pl.DataFrame] = field(default_factory=list)
    """Rows of compacted days, which stand for files that are gone; these come last in `files`."""
    findings: list[Finding] = field(default_factory=list)
    looked_at: int = 0
    """Data files, whether or not they could be read."""
    checksums: int = 0
    """Files whose checksum was compared."""
    debris: Debris = field(default_factory=Debris)
    """What is no data."""


class Shelf:
    """Takes from the disk what a question asks for; safe to be used by several threads."""

    def __init__(self, lake: Lake, filters: Filters, records: Records) -> None:
        self._lake = lake
        self._table = lake.root / lake.table
        self._filters = filters
        self._records = records
        self._in_journal = records.coming | {
            Partition.of(batch.book, batch.first_tick)
            for batches in records.batches.values()
            for batch in batches
        }

    def folders(self, date: int, books: Sequence[str]) -> dict[str, Folders] | None:
        """List the partitions of a day of these books; None if one of them cannot be listed."""
        found: dict[str, Folders] = {}
        if not books:
            return found
        try:
            for partition, folder in self._lake.folders(date=date, book=books):
                found.setdefault(partition.book, []).append((partition, folder))
        except LakeError:
            return None
        return found

    def take(self, book: str, date: int, folders: Folders | None) -> Holdings:
        """Read the files of a book's day that are asked for, and compare their checksums.

        Args:
            book: the book.
            date: the day, such as 20240726.
            folders: its partitions; None to list them here, and tell which cannot be.
        """
        with self._lake.place.at_hand(self._lake.table, date, book) as as_listed:
            try:
                return self._take(book, date, folders if as_listed else None, again=True)
            except GoneError:
                # The day is being compacted: once it is, all of its rows are there.
                return self._take(book, date, None, again=False)

    def _take(self, book: str, date: int, folders: Folders | None, *, again: bool) -> Holdings:
        held = Holdings()
        place = Partition(date, 0, book)
        seen = set()
        written = self._records.files.get((book, date), {})
        if folders is None:
            try:
                folders = list(self._lake.folders(date=date, book=book))
            except LakeError as error:
                held.findings.append(Finding(Kind.UNREADABLE, str(error), book=book))
                return held
        days = check_days(
            self._lake.root,
            self._lake.table,
            place,
            self._records.daily,
            self._lake.place.checksum_of,
        )
        day = self._table / layout.day_path(date, book)
        held.debris.add(in_folder(self._table, day, {path.name for _, path in folders}, "minutes"))
        for partition, folder in folders:
            if not self._filters.may_name_partition(partition):
                continue
            for file in self._data_files(held, partition, folder, days.minutes):
                name = layout.name_in(self._table, file.path)
                seen.add(name)
                note = written.get(name)
                if self._is_asked_for(file, note) and not self._came_later(file, note):
                    self._read(held, file, name, note, days, again=again)
        self._add_days(held, days, place)
        prefix = f"{layout.name_in(self._table, day)}/"
        held.findings += (
            Finding(
                Kind.GONE,
                f"the file is gone that had {many(file.rows, 'row')} of {book}: "
                "restore it from a backup",
                path,
                book,
                file.first_tick,
                file.rows,
            )
            for path, file in written.items()
            if path not in seen and self._was_asked_for(file)
            if path.removeprefix(prefix) not in days.sources
        )
        return held

    def _add_days(self, held: Holdings, days: DayChecks, place: Partition) -> None:
        """Add what is only in compacted days, and what is wrong with these."""
        held.looked_at += days.looked_at
        held.checksums += days.checksums
        held.findings += days.findings
        files, held.rows = rows_of_days(days, self._filters, len(held.files))
        held.files += files
        held.names += (f"../{file.path.relative_to(self._lake.root).as_posix()}" for file in files)
        day = layout.day_path(place.date, place.book).as_posix()
        held.findings += (
            Finding(
                Kind.GONE,
                "is gone, and was not pruned: its day, which is compacted, has its rows",
                f"{day}/{name}",
                place.book,
                count=days.sources[name].rows,
            )
            for name in sorted(days.missing)
            if not days.sources[name].pruned
        )

    def _data_files(
        self, held: Holdings, partition: Partition, folder: Path, compacted: Container[int]
    ) -> list[DataFile]:
        """List the data files of a partition; what else lies there is noted."""
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            held.findings.append(unreadable(layout.name_in(self._table, folder), error))
            return []
        files, others = [], []
        for entry in entries:
            if layout.is_data_file(entry.name) and entry.is_file():
                files.append(DataFile(partition, Path(entry.path), 0))
            else:
                others.append(entry)
        debris = among(self._table, others)
        held.debris.add(debris)
        if not (files or partition in self._in_journal or partition.minutes in compacted):
            name = layout.name_in(self._table, folder)
            held.findings.append(lost_batch(name, partition, debris.lost, is_empty=not others))
        return files

    def _is_asked_for(self, file: DataFile, written: WrittenFile | None) -> bool:
        if written is not None:
            return self._was_asked_for(written)
        return not (file.is_own and self._filters.is_over_by(file.partition))

    def _was_asked_for(self, file: WrittenFile) -> bool:
        start = self._filters.start
        partition = Partition.of(file.book, file.first_tick)
        return self._filters.may_name_partition(partition) and not (
            start is not None and file.last_tick < start.timestamp()
        )

    def _came_later(self, file: DataFile, written: WrittenFile | None) -> bool:
        """Tell whether a collector wrote the file after the journal was read.

        Its rows were in the journal then, as far as there were any.
        """
        if written is not None or not (self._records.taken_at and file.is_own):
            return False
        try:
            return file.path.stat().st_mtime >= self._records.taken_at
        except OSError:
            return False

    def _read(
        self,
        held: Holdings,
        file: DataFile,
        name: str,
        written: WrittenFile | None,
        days: DayChecks,
        *,
        again: bool,
    ) -> None:
        book = file.partition.book
        held.looked_at += 1
        try:
            data = file.path.read_bytes()
        except OSError as error:
            if again and isinstance(error, FileNotFoundError):
                raise GoneError(file.path) from error
            held.findings.append(unreadable(name, error, book))
            return
        known = self._lake.place.checksum_of(file) if written is None else written.sha256
        if known is not None:
            held.checksums += 1
            if hashlib.sha256(data).hexdigest() != known:
                held.findings.append(_changed(file, data, name, written))
        if days.sources:
            held.findings += check_source(file, data, days, name)
            if name_of(file) in days.stood_for:
                return
        if not data:
            held.findings.append(Finding(Kind.EMPTY, "is empty: it has no rows", name, book))
            return
        held.files.append(file)
        held.names.append(name)
        held.contents.append(data)


def _changed(file: DataFile, data: bytes, name: str, written: WrittenFile | None) -> Finding:
    sizes, tick = "", int(start_of(file.partition).timestamp())
    if written is not None:
        sizes = f" ({written.bytes} bytes were written, {len(data)} are there)"
        tick = written.first_tick
    text = f"has changed since it was written{sizes}: restore it from a backup"
    return Finding(Kind.CHANGED, text, name, file.partition.book, tick)


def keys_of(records: Records, filters: Filters) -> set[BookDay]:
    """Give the books and days that are asked for of which something was recorded."""
    keys = {*records.files, *records.batches}
    return {(book, date) for book, date in keys if filters.may_name_day(date)}
