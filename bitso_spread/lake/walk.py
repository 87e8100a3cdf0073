"""A walk through a lake's folders: the days, books and batches that are chosen, and their files.

One walk for every way to ask. A day that is compacted is given as such, as long as that is true
of all its files; what is chosen is decided by a `Choice`, what is in a file is read elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, groupby
from typing import Protocol

from bitso_spread.lake import layout
from bitso_spread.lake.daily import beside, compacted
from bitso_spread.lake.datafile import DataFile, Day, GoneError
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.place import Marked, Pair, Place
from bitso_spread.lake.shown import shown

_log = logging.getLogger("bitso_spread.lake")


class Choice(Protocol):
    """What of a lake is asked for, level by level.

    Each method gives some of what it is given, in that order: all that may hold a row that is
    asked for. Without `over_midnight`, rows lie on the day of their folder: only those of other
    writers do not.
    """

    def days(self, days: Sequence[int], *, over_midnight: bool = True) -> list[int]:
        """Choose among days."""

    def books(self, day: int, books: Sequence[str]) -> list[str]:
        """Choose among the books of a day that was chosen."""

    def partitions(
        self, partitions: Sequence[Partition], *, over_midnight: bool = True
    ) -> list[Partition]:
        """Choose among the partitions of days and books that were chosen."""

    def minutes(self, minutes: Sequence[int]) -> frozenset[int] | None:
        """Choose among the batches of a compacted day; None is all."""


class Walk:
    """Lists a table and its compacted days.

    Its methods raise `LakeError` where a folder is gone, or cannot be read.
    """

    def __init__(self, place: Place, table: str) -> None:
        self._place = place
        self._table = table
        self._folder = place.root / table
        self._daily = place.root / layout.daily_table(table)

    def days(self) -> list[int]:
        """Give the UTC days that there are, in order."""
        return [*self._days()]

    def books(self, choice: Choice) -> dict[int, set[str]]:
        """Give the books that are chosen of each day that is."""
        days = self._days()
        chosen = choice.days([*days])
        self._place.foresee_days(days[day] for day in chosen)
        return {day: set(choice.books(day, [*self._books(days[day])])) for day in chosen}

    def folders(self, choice: Choice) -> Iterator[tuple[Partition, str]]:
        """Give the folders of the table that are chosen, by their start, then by book."""
        days = self._days()
        for day in choice.days([*days]):
            books = self._books(days[day])
            chosen = choice.books(day, [*books])
            self._place.foresee_books((books[book][0], None) for book in chosen)
            batches = {
                Partition(day, minutes, book): path
                for book in chosen
                if (folder := books[book][0]) is not None
                for minutes, path in self._place.batches_in(folder)
            }
            for partition in choice.partitions(sorted(batches)):
                yield partition, batches[partition]

    def files(self, choice: Choice, *, by_book: bool = False) -> Iterator[DataFile]:
        """Give the files that may hold rows that are chosen, day by day.

        Args:
            choice: what is chosen.
            by_book: each book's files of a day in a row, by their start; else all of a day by
                their start, then by book.
        """
        marks = self._place.marks(self._table)
        days = self._days()
        chosen = choice.days([*days])
        own = set(choice.days(chosen, over_midnight=False))
        for done, day in enumerate(chosen):
            books = self._books(days[day])
            wanted = choice.books(day, [*books])
            self._place.foresee_books(books[book] for book in wanted)
            if ahead := self._place.days_ahead(done):
                self._foresee(days, chosen[done + 1 :], ahead, choice)
            for group in ([book] for book in wanted) if by_book else [wanted]:
                yield from self._files_of(
                    day, {book: books[book] for book in group}, choice, marks, own=day in own
                )

    def latest(self) -> Iterator[DataFile]:
        """Give all files, the latest day first, and of a book the latest first."""
        marks = self._place.marks(self._table)
        for day, folders in reversed(self._days().items()):
            for book, places in self._books(folders).items():
                units = self._compacted(day, book, places, (day, book) in marks)
                batches = self._batches(places) if units is None else []
                found = [Partition(day, minutes, book) for minutes, _ in batches]
                paths = dict(zip(found, (path for _, path in batches), strict=True))
                for partition in sorted(found, reverse=True):
                    yield from self._files_in(partition, paths[partition])
                for unit in sorted(units or [], key=lambda unit: unit.last_start, reverse=True):
                    yield from reversed(unit.day.beside if unit.day else ())
                    yield unit

    def relist(self, files: Sequence[DataFile], choice: Choice) -> list[DataFile]:
        """List files anew of which one is gone: a compaction has taken its rows over.

        Args:
            files: all that were listed of each partition, or of a compacted day's environment.
            choice: by which they were.
        """
        again: list[DataFile] = []
        self._place.forget(files)
        marks = self._place.marks(self._table)
        days = self._days()
        for file in (file for file in files if file.day is not None):
            date, book = file.partition.date, file.partition.book
            places = self._books(days[date]).get(book) if date in days else None
            if places is not None:
                own = date in choice.days([date], over_midnight=False)
                listed = self._files_of(date, {book: places}, choice, marks, own=own)
                again += (each for each in listed if each.environment == file.environment)
        batches = (file for file in files if file.day is None)
        for _, group in groupby(batches, lambda file: (file.partition, file.environment)):
            again += self._taken_over([*group])
        return again

    def _foresee(
        self, days: Mapping[int, Pair], coming: Sequence[int], ahead: int, choice: Choice
    ) -> None:
        """Have what comes next listed ahead: the books of days, and what those nearer have."""
        self._place.foresee_days(days[day] for day in coming[: 2 * ahead])
        for day in coming[:ahead]:
            books = self._books(days[day])
            self._place.foresee_books(books[book] for book in choice.books(day, [*books]))

    def _days(self) -> dict[int, Pair]:
        """Give each day with its folder in the table, and in that of compacted days."""
        there = dict(self._place.days_in(self._folder))
        made = dict(self._place.days_in(self._daily))
        return {day: (there.get(day), made.get(day)) for day in sorted({*there, *made})}

    def _books(self, folders: Pair) -> dict[str, Pair]:
        """Give the books of a day, each with its folders, likewise."""
        there, made = (dict(self._place.books_in(folder)) if folder else {} for folder in folders)
        return {book: (there.get(book), made.get(book)) for book in {**there, **made}}

    def _batches(self, places: Pair) -> list[tuple[int, str]]:
        return [] if places[0] is None else [*self._place.batches_in(places[0])]

    def _files_of(
        self,
        day: int,
        books: dict[str, Pair],
        choice: Choice,
        marks: Marked,
        *,
        own: bool,
    ) -> Iterator[DataFile]:
        units: list[DataFile] = []
        batches: dict[Partition, str] = {}
        for book, places in books.items():
            found = self._compacted(day, book, places, (day, book) in marks)
            if found is None:
                for minutes, path in self._batches(places):
                    batches[Partition(day, minutes, book)] = path
            else:
                units += chain.from_iterable(_asked(unit, choice, own=own) for unit in found)
        chosen = choice.partitions(sorted(batches))
        of_day = set(choice.partitions(chosen, over_midnight=False))
        if not units:
            for partition in chosen:
                yield from self._asked_in(partition, batches[partition], of_day)
            return
        ready: dict[Partition, list[DataFile]] = {}
        for unit in units:
            ready.setdefault(unit.partition, []).append(unit)
        for partition in sorted({*chosen, *ready}):
            yield from ready.get(partition, ())
            if partition in batches:
                yield from self._asked_in(partition, batches[partition], of_day)

    def _asked_in(
        self, partition: Partition, folder: str, of_day: set[Partition]
    ) -> Iterator[DataFile]:
        for file in self._files_in(partition, folder):
            if partition in of_day or not file.is_own:
                yield file

    def _files_in(self, partition: Partition, folder: str) -> list[DataFile]:
        try:
            return [*self._place.files_in(partition, folder)]
        except GoneError:
            if slices := self._slices(partition):
                return slices
            raise

    def _slices(self, partition: Partition, environment: str | None = None) -> list[DataFile]:
        """Give what compacted days have of a partition."""
        folder = self._daily / layout.day_path(partition.date, partition.book)
        return [
            replace(unit, partition=partition, day=Day(unit.day.cover, only=frozenset({minutes})))
            for minutes in [partition.minutes]
            for unit in self._units(partition.date, partition.book, str(folder))
            if unit.day is not None and unit.day.cover is not None
            if minutes in unit.day.cover.minutes
            if environment in {None, unit.environment}
        ]

    def _taken_over(self, group: list[DataFile]) -> list[DataFile]:
        """Give a partition's files, or in their place what a compacted day now has of it."""
        if all(self._place.is_there(file) for file in group):
            return group
        slices = self._slices(group[0].partition, group[0].environment)
        if not slices:
            return group
        new, _ = beside(slices, group)
        return [*slices, *(file for file in new if self._place.is_there(file))]

    def _compacted(self, day: int, book: str, places: Pair, marked: bool) -> list[DataFile] | None:
        """Give a book's day as it is compacted; None if it is not, or that is no longer true.

        Folders are listed before the compacted files are looked at: what is pruned between
        these is in them.
        """
        there, made = places
        if made is None:
            return None
        names = self._place.names_in(there) if there is not None else set()
        units = self._units(day, book, made)
        if not units:
            return None
        covered = _names_of(_covered(units[0]))
        if len(units) > 1:
            covered = covered.union(*(_names_of(_covered(unit)) for unit in units[1:]))
        if not marked and names <= covered:
            return units
        batches = self._place.batches_in(there) if there is not None and names else ()
        files = [
            file
            for minutes, path in batches
            for file in self._still_in(Partition(day, minutes, book), path)
        ]
        files.sort(key=lambda file: file.partition)
        new, changed = beside(units, files)
        if changed:
            covers = [unit.day.cover for unit in units if unit.day is not None]
            if not any(cover is not None and cover.pruned for cover in covers):
                return None
            _log.warning("%s has changed since its day was compacted", shown(changed[0].path))
        return _with_beside(units, new)

    def _units(self, day: int, book: str, folder: str) -> list[DataFile]:
        self._place.bring_days(folder)
        return compacted(self._place.root, self._table, book, day)

    def _still_in(self, partition: Partition, folder: str) -> list[DataFile]:
        try:
            return [*self._place.files_in(partition, folder)]
        except GoneError:
            return []  # pruned, so that a compacted day has it


def _covered(unit: DataFile) -> tuple[int, ...]:
    return () if unit.day is None or unit.day.cover is None else unit.day.cover.minutes


@lru_cache(maxsize=16)
def _names_of(minutes: tuple[int, ...]) -> frozenset[str]:
    # Most days have the same batches.
    return frozenset(f"minutes={minute}" for minute in minutes)


def _with_beside(units: list[DataFile], new: list[DataFile]) -> list[DataFile]:
    """Put the files that are not covered to the compacted day of their environment."""
    found = []
    for unit in units:
        mine = [file for file in new if file.environment == unit.environment]
        if unit.day is not None and unit.day.cover is not None and mine:
            found.append(replace(unit, day=replace(unit.day, beside=tuple(mine))))
            new = [file for file in new if file not in mine]
        else:
            found.append(unit)
    return found + new


def _asked(unit: DataFile, choice: Choice, *, own: bool) -> Iterator[DataFile]:
    """Give what is chosen of a compacted day, or of a file beside one."""
    day = unit.day
    files = [unit] if day is None else [*day.beside]
    chosen = set(choice.partitions([file.partition for file in files]))
    of_day = set(choice.partitions([*chosen], over_midnight=False))
    files = [
        file
        for file in files
        if file.partition in chosen and (file.partition in of_day or not file.is_own)
    ]
    if day is None or day.cover is None:
        yield from files if day is None else [unit]
        return
    only = choice.minutes(day.cover.minutes)
    if (own or day.cover.crosses) and (only is None or only):
        as_it_is = only == day.only and len(files) == len(day.beside)
        yield unit if as_it_is else replace(unit, day=replace(day, beside=tuple(files), only=only))
    else:
        yield from files
