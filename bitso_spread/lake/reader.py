"""What is in a lake: its days, books and batches, and their rows in order.

Only what a question names is listed, level by level, and only the files that are left are
opened. `filters` reads the question, `files` what is in a file, `layout` knows the paths.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Unpack

import polars as pl

from bitso_spread.errors import LakeError, UnknownBookError, UsageError
from bitso_spread.lake import layout
from bitso_spread.lake.files import DataFile, read_files
from bitso_spread.lake.filters import DAY_MINUTES, Filters, Question, midnight_of
from bitso_spread.lake.merge import at_least_one, first_rows, in_order
from bitso_spread.model import resolve_book

_log = logging.getLogger("bitso_spread.lake")


class Lake:
    """A lake on disk, ours or another writer's of the same layout, to be asked.

    Every method takes the conditions of `Question` by name::

        lake = Lake("spreads")
        lake.read(date="2024-07-26", book="btc_mxn", minutes="180..240")
        lake.read(start="2024-07-25T21:15", end="2024-07-25T21:30", tz="America/Mexico_City")

    Conditions on days, books and minutes choose partitions, whose keys describe the first
    row of a batch; those on instants choose rows. A book is found under the name that was
    written or, where the lake has no such book, the reversed one.

    Raises:
        UsageError: `table` cannot be the name of a folder.
        LakeError: there is no lake.
    """

    def __init__(self, path: str | Path, table: str = layout.TABLE) -> None:
        if not layout.is_table_name(table):
            raise UsageError(f"{table!r} is not the name of a table: write a plain folder name")
        self.table = table
        self.root = layout.locate(Path(path), table)
        """Absolute; the table is a folder in it."""
        self._folder = self.root / table
        # A collector makes its journal at once, and the table with its first batch.
        if not (self._folder.is_dir() or layout.state_file(self.root, table).is_file()):
            raise LakeError(
                f"there is no lake at {self.root}: it has no folder {table}; name the right one "
                "with --lake, or make one with bitso-spread collect",
            )

    def dates(self) -> list[int]:
        """Give the UTC days that have a folder, in order, such as 20240726."""
        return [day for day, _ in self._days(Filters())]

    def books(self, **question: Unpack[Question]) -> list[str]:
        """Give the books of the days that are asked for, in order."""
        filters = Filters.of(**question)
        wanted, found = self._resolve(filters), self._books_of(filters)
        return sorted(found if wanted is None else found & wanted)

    def books_by_day(self) -> dict[int, set[str]]:
        """Give the books of each UTC day that has a folder."""
        return {
            day: {book for book, _ in _children(folder, "order_book")}
            for day, folder in self._days(Filters())
        }

    def partitions(self, **question: Unpack[Question]) -> Iterator[layout.Partition]:
        """Give the partitions that are asked for, by their start, then by book."""
        return (partition for partition, _ in self._folders(Filters.of(**question)))

    def folders(self, **question: Unpack[Question]) -> Iterator[tuple[layout.Partition, Path]]:
        """Give the partitions that are asked for, each with its folder."""
        return self._folders(Filters.of(**question))

    def files(self, **question: Unpack[Question]) -> Iterator[DataFile]:
        """Give the data files that may hold rows that are asked for, by their start.

        Their names tell simulated rows: see `DataFile.environment`.
        """
        return self._files(Filters.of(**question))

    def stream(
        self,
        *,
        limit: int | None = None,
        on_environment: Callable[[str], None] | None = None,
        **question: Unpack[Question],
    ) -> Iterator[pl.DataFrame]:
        """Give the rows, ordered by time and then book, as frames that follow one another.

        At least one frame comes, which may be empty. The columns are ``orderbook_timestamp``
        (UTC), ``book``, ``bid``, ``ask`` and ``spread``; the last three are null where nothing
        was known. Memory holds a portion of the files, and what overlaps with the next.

        Args:
            limit: the number of rows after which to stop.
            on_environment: called with the environment that rows were recorded from, such as
                ``production`` or ``sim``, before the rows are given.
            **question: see `Question`.

        Raises:
            UsageError: one of the conditions makes no sense.
            LakeError: while rows are read, a file is gone, cut short or not what it should be.
        """
        if limit is not None and limit < 0:
            raise UsageError(f"a limit of {limit} rows makes no sense: give 0 or more")
        filters = Filters.of(**question)
        tell = on_environment or (lambda _environment: None)
        frames = in_order(self._files(filters), lambda files: _read(files, filters, tell))
        return at_least_one(frames if limit is None else first_rows(frames, limit))

    def read(
        self,
        *,
        limit: int | None = None,
        on_environment: Callable[[str], None] | None = None,
        **question: Unpack[Question],
    ) -> pl.DataFrame:
        """Give what `stream` gives as one frame."""
        frames = self.stream(limit=limit, on_environment=on_environment, **question)
        return pl.concat(list(frames))

    def _days(self, filters: Filters) -> list[tuple[int, Path]]:
        if not self._folder.is_dir():
            return []
        days = ((_day(text), path) for text, path in _children(self._folder, "date"))
        return sorted(
            (day, path) for day, path in days if day is not None and filters.may_name_day(day)
        )

    def _folders(self, filters: Filters) -> Iterator[tuple[layout.Partition, Path]]:
        wanted = self._resolve(filters)
        for day, folder in self._days(filters):
            found = [
                (layout.Partition(day, minutes, book), path)
                for book, batches in _children(folder, "order_book")
                if wanted is None or book in wanted
                for minutes, path in _batches(batches)
            ]
            yield from sorted(entry for entry in found if filters.may_name_partition(entry[0]))

    def _files(self, filters: Filters) -> Iterator[DataFile]:
        for partition, folder in self._folders(filters):
            over = filters.is_over_by(partition)
            for entry in sorted(_entries(folder), key=lambda entry: entry.name):
                if not (layout.is_data_file(entry.name) and entry.is_file()):
                    continue
                file = DataFile(partition, Path(entry.path), _size(entry))
                if not (over and file.is_own):
                    yield file

    def _resolve(self, filters: Filters) -> frozenset[str] | None:
        """Give the lake's own names of the books that are asked for; None is every book."""
        if not filters.books:
            return None
        available = self._books_of(filters)
        if not available.issuperset(filters.books):
            available |= self._books_of(Filters())
        found, missing = set(), []
        for name in filters.books:
            try:
                found.add(resolve_book(name, available))
            except UnknownBookError:
                missing.append(name)
        if found and missing:
            _log.warning("the lake %s has no book %s", self.root, ", ".join(missing))
        return frozenset(found)

    def _books_of(self, filters: Filters) -> set[str]:
        return {
            book for _, folder in self._days(filters) for book, _ in _children(folder, "order_book")
        }


def _read(
    files: Sequence[DataFile], filters: Filters, on_environment: Callable[[str], None]
) -> pl.DataFrame:
    by_environment: dict[str, list[DataFile]] = {}
    for file in files:
        by_environment.setdefault(file.environment, []).append(file)
    frames = []
    for environment, group in by_environment.items():
        rows = filters.keep(read_files(group))
        if rows.height:
            on_environment(environment)
        frames.append(rows)
    return pl.concat(frames)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        raise LakeError(f"{folder} is gone: it was there a moment ago, so ask again") from None
    except OSError as error:
        raise LakeError(f"{folder} cannot be read: {error.strerror}") from error


def _children(folder: Path, key: str) -> list[tuple[str, Path]]:
    """Give the values of a partition key in a folder; what is no partition is passed over."""
    values = ((layout.key_of(entry.name, key), entry) for entry in _entries(folder))
    return [(value, Path(entry.path)) for value, entry in values if value and entry.is_dir()]


def _day(text: str) -> int | None:
    if not (len(text) == 8 and text.isascii() and text.isdigit()):
        return None
    try:
        midnight_of(int(text))
    except ValueError:
        return None
    return int(text)


def _batches(folder: Path) -> Iterator[tuple[int, Path]]:
    for text, path in _children(folder, "minutes"):
        if text.isascii() and text.isdigit() and int(text) < DAY_MINUTES:
            yield int(text), path


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0
