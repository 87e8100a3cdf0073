"""What a new journal must know of a table that was there before it: what it holds, how far it goes.

A journal may be gone, or set aside, while the table has files. None of their ticks may be
recorded again, and rows of another kind must not be mixed in. Only files that this package
named count: those of other writers say neither what they hold nor that more will come.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import polars as pl

from bitso_spread.errors import LakeError
from bitso_spread.lake.columns import SCHEMAS, TIME
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.files import columns_of
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.units import read_rows

log = logging.getLogger("bitso_spread.lake")


def take_over(lake: Path, table: str, state: LakeState) -> None:
    """Give a journal without marks those of the table's newest files, and what the table holds.

    Raises:
        LakeError: the table cannot be listed.
        sqlite3.Error: the disk refuses.
    """
    if state.marks() or not (lake / table).is_dir():
        return
    newest = list(_newest(Lake(lake, table)))
    if not newest:
        return
    latest = max(newest, key=lambda found: found.last_tick)
    state.take_over(_identity(latest), {found.book: found.last_tick for found in newest})
    log.warning(
        "the journal of %s is new: %s goes on after its last row in the table",
        lake / table,
        "its book" if len(newest) == 1 else f"each of its {len(newest)} books",
    )


@dataclass(frozen=True, slots=True)
class _Newest:
    """The file with the last row of a book."""

    book: str
    file: DataFile
    ticks: list[int]

    @property
    def last_tick(self) -> int:
        return max(self.ticks)


def _newest(lake: Lake) -> Iterator[_Newest]:
    found: set[str] = set()
    for day, books in sorted(lake.books_by_day().items(), reverse=True):
        for book in sorted(books - found):
            if (newest := _newest_of(lake, day, book)) is not None:
                found.add(book)
                yield newest


def _newest_of(lake: Lake, day: int, book: str) -> _Newest | None:
    files = [file for file in lake.files(date=day, book=book) if file.is_own]
    # The keys of a partition describe its first row, so that the last row is in the last one.
    for _, group in groupby(reversed(files), key=lambda file: file.partition):
        read = [_Newest(book, file, ticks) for file in group if (ticks := _ticks(file))]
        if read:
            return max(read, key=lambda newest: newest.last_tick)
    return None


def _ticks(file: DataFile) -> list[int]:
    try:
        return read_rows([file], [TIME])[TIME].dt.epoch("s").to_list()
    except LakeError as error:
        log.warning("%s; its last row is not known", error)
        return []


def _identity(newest: _Newest) -> dict[str, str]:
    """Give what the file tells of the table; whoever records next adds the rest."""
    file = newest.file
    known = {"environment": file.environment, "format": file.path.suffix.removeprefix(".")}
    if file.day is not None and file.day.cover is not None:
        # It tells of the files that it was made of.
        known["format"], kind = file.day.cover.format, file.day.cover.columns
    else:
        names = columns_of(file)
        kind = next((kind for kind, schema in SCHEMAS.items() if tuple(schema) == names), "")
    if kind:
        known["columns"] = kind
    steps = pl.Series(sorted(newest.ticks)).diff().drop_nulls()
    if steps.len():
        known["interval"] = str(steps.min())
    return known
