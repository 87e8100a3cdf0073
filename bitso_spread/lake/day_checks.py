"""The compacted files of a book's day, as an audit sees them: do they still say what they said?

Where all files that one covers are there, those are what is checked, and it must agree with them;
where some are gone, its rows stand for all of them. What is in the rows is checked by
`bitso_spread.lake.examination`, as that of every file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.columns import COLUMNS
from bitso_spread.lake.cover import Covered
from bitso_spread.lake.daily import compacted, name_of, sources_of, stale_marks
from bitso_spread.lake.datafile import DataFile, Day, GoneError
from bitso_spread.lake.dayrows import compare
from bitso_spread.lake.files import FILE, read_bytes
from bitso_spread.lake.filters import Filters
from bitso_spread.lake.findings import Finding, Kind
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.shown import shown
from bitso_spread.lake.units import read_rows

_MINUTES = "minutes"


@dataclass(slots=True)
class DayChecks:
    """What compacted files have of a book's day."""

    sources: dict[str, Covered] = field(default_factory=dict)
    """The files that they cover, by their names in the folder of the day."""
    standing: list[DataFile] = field(default_factory=list)
    """Those whose rows stand for the files that they cover, of which some are gone."""
    stood_for: set[str] = field(default_factory=set)
    """The names of these files."""
    missing: set[str] = field(default_factory=set)
    """The names of those that are gone."""
    minutes: set[int] = field(default_factory=set)
    """The partitions that the compacted files have rows of."""
    marked: bool = False
    """Whether queries know that files have come since."""
    findings: list[Finding] = field(default_factory=list)
    looked_at: int = 0
    checksums: int = 0


def check_days(
    root: Path,
    table: str,
    place: Partition,
    noted: Mapping[str, Collection[str]],
    checksum_of: Callable[[DataFile], str | None] = lambda _: None,
) -> DayChecks:
    """Look at the compacted files of a book's day.

    Args:
        root: the lake.
        table: whose day it is.
        place: the book and the day.
        noted: the checksums that each may have, by its path in the table of compacted days.
        checksum_of: gives what object storage has noted instead.

    Raises:
        GoneError: one was made anew meanwhile.
    """
    found = DayChecks()
    folder = root / table / layout.day_path(place.date, place.book)
    try:
        units = compacted(root, table, place.book, place.date)
    except LakeError as error:
        found.findings.append(Finding(Kind.UNREADABLE, str(error), book=place.book))
        return found
    if not units:
        return found
    found.marked = bool(stale_marks(root, table, place.book, place.date))
    for unit in units:
        daily = root / layout.daily_table(table)
        sums = noted.get(unit.path.relative_to(daily).as_posix(), ())
        if not sums and (known := checksum_of(unit)) is not None:
            sums = (known,)
        _check(found, unit, daily, folder, sums)
    return found


def check_source(file: DataFile, data: bytes, checks: DayChecks, path: str) -> Iterator[Finding]:
    """Compare a file of a day with what was compacted of it."""
    book = file.partition.book
    if not checks.sources:
        return
    source = checks.sources.get(name_of(file))
    if source is None:
        if file.partition.minutes in checks.minutes and not checks.marked:
            text = "came after its day was compacted, and queries pass it over: run compact"
            yield Finding(Kind.STALE, text, path, book)
    elif hashlib.sha256(data).hexdigest() != source.sha256:
        text = "is not as it was when its day was compacted, so that queries give other rows"
        yield Finding(Kind.STALE, f"{text}: run compact", path, book)


def rows_of_days(
    checks: DayChecks, filters: Filters, first: int
) -> tuple[list[DataFile], list[pl.DataFrame]]:
    """Read the rows that stand for files, as if each partition were a file.

    Gives these files, and the rows of each compacted file with their numbers, from `first`.

    Raises:
        GoneError: one was made anew meanwhile.
        LakeError: one cannot be read.
    """
    files: list[DataFile] = []
    frames = []
    for unit in checks.standing:
        cover = unit.day.cover if unit.day is not None else None
        place = unit.partition
        if cover is None or (filters.is_over(place.date) and not cover.crosses):
            continue
        partitions = [Partition(place.date, minutes, place.book) for minutes in cover.minutes]
        asked = [each for each in partitions if filters.may_name_partition(each)]
        if not asked:
            continue
        minutes = [each.minutes for each in asked]
        only = replace(unit, day=Day(cover, only=frozenset(minutes)))
        numbers = pl.Series(range(first + len(files), first + len(files) + len(asked)))
        rows = read_rows([only], [*COLUMNS, _MINUTES])
        number = pl.col(_MINUTES).replace_strict(minutes, numbers, return_dtype=pl.UInt32)
        rows = rows.with_columns(number.alias(FILE)).sort(FILE, maintain_order=True)
        frames.append(rows.select(*COLUMNS, FILE))
        files += (DataFile(each, unit.path, unit.size) for each in asked)
    return files, frames


def _check(
    found: DayChecks,
    unit: DataFile,
    daily: Path,
    folder: Path,
    sums: Collection[str],
) -> None:
    inside = unit.path.relative_to(daily).as_posix()
    book, path = unit.partition.book, f"{daily.name}/{inside}"
    found.looked_at += 1
    try:
        data = read_bytes(unit.path)
        if sums:
            found.checksums += 1
            if hashlib.sha256(data).hexdigest() not in sums:
                text = "has changed since it was compacted: restore it from a backup"
                found.findings.append(Finding(Kind.CHANGED, text, path, book))
        read_rows([replace(unit, day=unit.day and replace(unit.day, only=frozenset()))])
        sources = sources_of(unit)
    except GoneError:
        raise
    except LakeError as error:
        text = str(error).removeprefix(f"{shown(unit.path)} ")
        found.findings.append(Finding(Kind.UNREADABLE, text, path, book))
        return
    found.sources |= {source.name: source for source in sources}
    if unit.day is not None and unit.day.cover is not None:
        found.minutes |= set(unit.day.cover.minutes)
    missing = {source.name for source in sources if not (folder / source.name).exists()}
    if missing:
        found.missing |= missing
        found.standing.append(unit)
        found.stood_for |= {source.name for source in sources}
    elif not sums:
        _compare(found, unit, folder, sources, path)


def _compare(
    found: DayChecks, unit: DataFile, folder: Path, sources: tuple[Covered, ...], path: str
) -> None:
    """Compare a file that nobody noted the checksum of with those that it was made of."""
    place = unit.partition
    files = [
        DataFile(
            Partition(place.date, int(source.name.partition("/")[0][8:]), place.book),
            folder / source.name,
            source.bytes,
        )
        for source in sources
    ]
    try:
        compare(unit, files)
    except GoneError:
        raise
    except LakeError as error:
        text = str(error).removeprefix(f"{shown(unit.path)} ")
        found.findings.append(Finding(Kind.CHANGED, text, path, place.book))
