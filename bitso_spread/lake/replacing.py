"""Better rows in the place of those in a file of the table: the whole file, at one instant.

A collector never replaces anything; only a merge does (see `bitso_spread.lake.importing`). The
file that takes another's place has its name and rows of the very same ticks, so that whoever
reads, at whatever moment, finds each second once. The order, which a crash may cut anywhere:

1. the new file is made beside the table and synced;
2. what is about to be is noted, with its checksum;
3. the file is renamed over the old one, and the folder is synced;
4. the checksum takes the place of the old file's, and the note is dropped.

Between 3 and 4 the table is right and the old checksum is not: the next import or collection of
that book finishes it, as the note tells it what to look for.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import polars as pl

from bitso_spread.lake import layout
from bitso_spread.lake.columns import ALL, FIVE, FULL, SCHEMAS, TIME
from bitso_spread.lake.daily import compacted, uncompacted
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.files import FILE, columns_of, read_numbered
from bitso_spread.lake.journal import WrittenFile
from bitso_spread.lake.listing import files_in
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.samples import samples_of
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import encode, sync_folders, write_synced


def replace_rows(
    lake: Path, table: str, state: LakeState, better: pl.DataFrame, interval: int
) -> pl.DataFrame:
    """Put rows into the places of those of the same seconds, and give those that found none.

    Only files that this package wrote are replaced. A compacted day is taken apart for it, and
    `compact` makes it anew; where its sources were pruned, nothing is touched. The book's lock
    must be held.

    Args:
        lake: the lake's root.
        table: the table's name.
        state: what stands beside it.
        better: rows of one book and day, by time, once each, with all columns there can be.
        interval: seconds between ticks.

    Raises:
        OSError, sqlite3.Error: the disk is full or refuses; what was replaced stays so.
        LakeError: a file of that day cannot be read.
    """
    first = better.row(0, named=True)
    book, date = first["book"], int(f"{first[TIME]:%Y%m%d}")
    days = compacted(lake, table, book, date)
    if any(file.day is None or file.day.cover is None or file.day.cover.pruned for file in days):
        return better
    with uncompacted(lake, table, book, date):
        files = [
            file
            for partition, folder in Lake(lake, table).folders(date=date, book=book)
            for file in files_in(partition, folder)
            if file.is_own
        ]
        rows = read_numbered(files, names=[*ALL])
        placed = rows.filter(pl.col(TIME).is_in(better[TIME].implode()))
        for number in placed[FILE].unique().sort():
            held = rows.filter(pl.col(FILE) == number).drop(FILE)
            merged = pl.concat(
                [
                    held.join(better, on=TIME, how="anti"),
                    better.select(held.columns).join(held, on=TIME, how="semi"),
                ]
            ).sort(TIME)
            _replace(lake, table, state, files[number], merged, interval)
    return better.join(placed, on=TIME, how="anti")


def finish_replacements(lake: Path, table: str, state: LakeState, book: str) -> None:
    """Note of what was about to be replaced whether it was; the book's lock must be held.

    Raises:
        OSError, sqlite3.Error: the disk refuses.
    """
    for file in state.intended(book):
        there = None
        with suppress(FileNotFoundError):
            there = hashlib.sha256((lake / table / file.path).read_bytes()).hexdigest()
        if there == file.sha256:
            sync_folders(lake / table / file.path, lake / table)
        state.replaced(file, done=there == file.sha256)


def _replace(
    lake: Path, table: str, state: LakeState, old: DataFile, rows: pl.DataFrame, interval: int
) -> None:
    kind = FULL if set(SCHEMAS[FULL]) <= set(columns_of(old)) else FIVE
    samples = samples_of(rows)
    data = encode(samples, old.path.suffix.removeprefix("."), kind)
    new = WrittenFile(
        path=old.path.relative_to(lake / table).as_posix(),
        book=old.partition.book,
        first_tick=samples[0].tick,
        last_tick=samples[-1].tick,
        rows=len(samples),
        interval=interval,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    staged = layout.staging_folder(lake, table) / old.path.name
    write_synced(staged, data)
    state.intend(new)
    staged.replace(old.path)
    sync_folders(old.path, lake / table)
    state.replaced(new, done=True)
