"""The files of compacted days beside a table: what they cover, and what has come since.

A compacted day of a book is one Parquet file for each environment, in the table that
`layout.daily_table` names. Its rows stand for those of the files that it covers, and files of
the day that it does not cover are read besides. That there are such shows in the names of the
day's folders, or a mark tells it: whoever puts a file into a day, or changes one, leaves it.
How days are compacted is `bitso_spread.lake.compaction`'s business.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.cover import Covered, cover_in, sources_in
from bitso_spread.lake.datafile import DataFile, Day, GoneError
from bitso_spread.lake.files import UNREADABLE
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.listing import names_in
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.shown import shown

_TRIES = 5
_RETRY_S = 0.05


def is_compacted(lake: Path, table: str, book: str, date: int) -> bool:
    """Tell whether there is a compacted file of a book's day; that costs one look."""
    return _folder(lake, table, book, date).is_dir()


def mark_stale(lake: Path, table: str, book: str, date: int) -> None:
    """Note, durably, that a file comes to a day or changes, so that readers look for it.

    To be called before the file is moved in, and again after that, because the day may be
    compacted meanwhile. Nothing is done for a day that is not compacted.

    Raises:
        OSError: the disk is full or refuses.
    """
    if not is_compacted(lake, table, book, date):
        return
    folder = layout.stale_folder(lake, table) / str(date)
    for left in reversed(range(_TRIES)):
        folder.mkdir(parents=True, exist_ok=True)
        # Each mark has a name of its own: a compaction takes away those that it has seen, and
        # no other.
        try:
            (folder / f"{book}.{uuid.uuid4().hex}").touch(exist_ok=False)
        except FileNotFoundError:
            # A compaction has taken the last mark away, and the folder with it.
            if not left:
                raise
        else:
            break
    if os.name != "nt":
        for each in (folder, folder.parent):
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def stale_marks(lake: Path, table: str, book: str, date: int) -> list[Path]:
    """Give the marks on a book's day."""
    folder = layout.stale_folder(lake, table) / str(date)
    with suppress(FileNotFoundError):
        return [path for path in folder.iterdir() if path.name.partition(".")[0] == book]
    return []


def remove_marks(marks: Iterable[Path]) -> None:
    """Take marks away that a compaction has followed."""
    for mark in marks:
        mark.unlink(missing_ok=True)
        with suppress(OSError):
            mark.parent.rmdir()


class Marks:
    """The days that are marked; each folder is looked into once, when it is asked for."""

    def __init__(self, lake: Path, table: str) -> None:
        self._folder = layout.stale_folder(lake, table)
        self._dates = names_in(self._folder)
        self._books: dict[int, set[str]] = {}

    def __contains__(self, day: tuple[int, str]) -> bool:
        date, book = day
        if str(date) not in self._dates:
            return False
        if date not in self._books:
            names = names_in(self._folder / str(date))
            self._books[date] = {name.partition(".")[0] for name in names}
        return book in self._books[date]


def compacted(lake: Path, table: str, book: str, date: int) -> list[DataFile]:
    """Give the compacted files of a book's day, by their names: one for each environment.

    A file there that cannot be read is given too, as one that covers nothing, so that whoever
    reads the day learns of it.

    Raises:
        LakeError: the folder cannot be read.
    """
    folder = _folder(lake, table, book, date)
    names = sorted(name for name in names_in(folder) if layout.is_daily_name(name))
    found = (_compacted(folder / name, table, book, date) for name in names)
    return [file for file in found if file is not None]


def sources_of(file: DataFile) -> tuple[Covered, ...]:
    """Give the files that a compacted file covers, in the order of their partitions.

    Raises:
        LakeError: it is gone or cannot be read.
    """
    try:
        return sources_in(pl.read_parquet_metadata(file.path))
    except FileNotFoundError:
        raise GoneError(file.path) from None
    except (*UNREADABLE, OSError, ValueError, KeyError, TypeError) as error:
        raise LakeError(f"{shown(file.path)} is no compacted day: {error}") from error


@contextmanager
def only_compactor(lake: Path, table: str, book: str) -> Iterator[None]:
    """Keep other processes from changing the compacted days of a book; waits until it can.

    Raises:
        LakeError: the lake, or its filesystem, has no locks to give.
    """
    with BookLocks(layout.locks_folder(lake, layout.daily_table(table))) as locks:
        while not locks.try_acquire(book):
            time.sleep(_RETRY_S)
        yield


@contextmanager
def uncompacted(lake: Path, table: str, book: str, date: int) -> Iterator[None]:
    """Have a day that is not compacted while its files are changed; what was compacted is deleted.

    Raises:
        LakeError: files of that day were pruned, so that there are no others to change; or the
            disk refuses.
    """
    with only_compactor(lake, table, book):
        days = compacted(lake, table, book, date)
        for file in days:
            if file.day is None or file.day.cover is None or file.day.cover.pruned:
                raise LakeError(
                    f"{shown(file.path)} is all that there is of some files of that day: they were "
                    "pruned, and cannot be changed"
                )
        try:
            for file in days:
                file.path.unlink(missing_ok=True)
        except OSError as error:
            raise LakeError(f"cannot delete a compacted day: {error}") from error
        with suppress(OSError):
            _folder(lake, table, book, date).rmdir()
        yield


def beside(
    days: Sequence[DataFile], files: Iterable[DataFile]
) -> tuple[list[DataFile], list[DataFile]]:
    """Tell which files of a day its compacted files do not cover, and which have changed since.

    Args:
        days: the compacted files of a book's day.
        files: all data files of that day.

    Raises:
        LakeError: a compacted file is gone or cannot be read.
    """
    covered = {each.name: each for day in days if _is_readable(day) for each in sources_of(day)}
    new, changed = [], []
    for file in files:
        known = covered.get(name_of(file))
        if known is None:
            new.append(file)
        elif known.bytes != file.size:
            changed.append(file)
    return new, changed


def name_of(file: DataFile) -> str:
    """Give the name of a data file in the folder of its book's day, as `Covered` has it."""
    return f"{file.path.parent.name}/{file.path.name}"


def _compacted(path: Path, table: str, book: str, date: int) -> DataFile | None:
    try:
        # To look for credentials in the environment takes half as long as the reading.
        cover = cover_in(pl.read_parquet_metadata(path, credential_provider=None))
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    except (*UNREADABLE, OSError, ValueError, KeyError, TypeError):
        return DataFile(Partition(date, 0, book), path, 0, Day(None))
    if cover.table != table:
        return None
    first = cover.minutes[0] if cover.minutes else 0
    return DataFile(Partition(date, first, book), path, size, Day(cover))


def _is_readable(file: DataFile) -> bool:
    return file.day is not None and file.day.cover is not None


def _folder(lake: Path, table: str, book: str, date: int) -> Path:
    return Path(lake, layout.daily_table(table), layout.day_path(date, book))
