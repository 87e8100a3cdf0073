"""Rows of data files of either kind: those of partitions, and compacted days with what is beside.

What is in a single file of a partition is `bitso_spread.lake.files`'s business, and which files
there are `bitso_spread.lake.walk`'s.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby

import polars as pl

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.columns import ALL, COLUMNS
from bitso_spread.lake.cover import cover_in
from bitso_spread.lake.datafile import DataFile, GoneError
from bitso_spread.lake.files import (
    FILE,
    UNREADABLE,
    first_line,
    read_bytes,
    read_files,
    read_numbered,
)
from bitso_spread.lake.pruning import BOOK_KEY, KEYS
from bitso_spread.lake.shown import shown

ReadBatches = Callable[[Sequence[DataFile], Sequence[str]], pl.DataFrame]
Relist = Callable[[Sequence[DataFile]], list[DataFile]]
"""Lists files anew of which one was gone."""
Hold = Callable[[Sequence[DataFile]], AbstractContextManager[None]]
"""Has files where they can be read, for as long as that takes."""

_MINUTES = "minutes"
_PARQUET = layout.SUFFIXES["parquet"]
# In the names of folders, not in the file.
_OF_PATH = ("date", BOOK_KEY)
_TYPES = {**ALL, **KEYS}


def _there(_: Sequence[DataFile]) -> AbstractContextManager[None]:
    return nullcontext()


def read_rows(
    files: Sequence[DataFile],
    names: Sequence[str] = COLUMNS,
    *,
    relist: Relist | None = None,
    read_batches: ReadBatches = read_files,
    held: Hold = _there,
) -> pl.DataFrame:
    """Give these columns of the rows of files, those of each compacted day in order.

    Args:
        files: of partitions, or compacted days.
        names: the columns.
        relist: asked once, where a file is gone: a compaction may have taken its rows over.
        read_batches: reads files of partitions.
        held: has files where they can be read.

    Raises:
        LakeError: a file is gone, cut short or not what it should be; it is named.
    """
    try:
        with held(files):
            return _read(files, names, read_batches)
    except GoneError:
        if relist is None:
            raise
        again = relist(files)
        with held(again):
            return _read(again, names, read_batches)


def read_keyed(files: Sequence[DataFile], names: Sequence[str]) -> pl.DataFrame:
    """Give these columns of the rows of partitions' files, in order; they may be partition keys."""
    wanted = [name for name in names if name not in KEYS] or ["book"]
    if _MINUTES not in names:
        return _read_book_days(files, names, wanted)
    rows = read_numbered(files, names=wanted)
    keys = _keys(files, [name for name in names if name in KEYS])
    return rows.with_columns(keys).select(names)


def _read_book_days(
    files: Sequence[DataFile], names: Sequence[str], wanted: Sequence[str]
) -> pl.DataFrame:
    """Read each book's day at once: its keys are those of all its rows."""
    frames = [pl.DataFrame(schema={name: _TYPES[name] for name in names})]
    places = groupby(files, lambda file: (file.partition.date, file.partition.book))
    for (date, book), group in places:
        rows = read_files([*group], wanted, ordered=True)
        keys = {"date": date, BOOK_KEY: book}
        frames.append(
            rows.with_columns(
                pl.lit(value, KEYS[name]).alias(name) for name, value in keys.items()
            ).select(names)
        )
    return frames[1] if len(frames) == 2 else pl.concat(frames)


def can_be_scanned(files: Iterable[DataFile]) -> bool:
    """Tell whether `scan_days` can give the rows of these files."""
    # polars would take a folder such as a=b above the lake for a key too.
    return all(
        file.day is not None and file.day.is_plain and str(file.path).count("=") == len(_OF_PATH)
        for file in files
    )


def scan_days(files: Sequence[DataFile], schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Give the rows of compacted days as polars reads them by itself: all at once, in order.

    A day that is made anew meanwhile has its earlier rows too, so that either is right.
    """
    own = {name: dtype for name, dtype in schema.items() if name not in _OF_PATH}
    return pl.scan_parquet(
        [file.path for file in files],
        # With it no file is looked into before it is read.
        schema=own,
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        hive_partitioning=True,
        hive_schema={name: KEYS[name] for name in _OF_PATH},
    )


def are_parquet(files: Iterable[DataFile]) -> bool:
    """Tell whether `scan_batches` can give the rows of these files."""
    # An empty file has no rows, which is told elsewhere; and see `can_be_scanned`.
    return all(
        file.day is None
        and file.size > 0
        and file.path.name.endswith(_PARQUET)
        and str(file.path).count("=") == len(KEYS)
        for file in files
    )


def scan_batches(files: Sequence[DataFile], schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Give the rows of partitions' Parquet files as polars reads them by itself, in order.

    It raises what `UNREADABLE` names where one of them has not just the columns of the schema.
    """
    return pl.scan_parquet(
        [str(file.path) for file in files],
        schema={name: dtype for name, dtype in schema.items() if name not in KEYS},
        extra_columns="ignore",
        glob=False,
        hive_partitioning=True,
        hive_schema=dict(KEYS),
    )


def name_the_bad(files: Iterable[DataFile], error: BaseException) -> LakeError:
    """Find which of some compacted days polars could not read; it is told as every bad file is."""
    for file in files:
        try:
            _read_day(file, COLUMNS)
        except LakeError as found:
            return found
    return LakeError(f"a compacted day cannot be read: {first_line(error)}")


def _read(
    files: Sequence[DataFile], names: Sequence[str], read_batches: ReadBatches
) -> pl.DataFrame:
    frames = []
    for is_day, group in groupby(files, key=lambda file: file.day is not None):
        if not is_day:
            frames.append(read_batches([*group], names))
            continue
        for file in group:
            frames.append(_read_day(file, names))
            if file.day is not None and file.day.beside:
                frames.append(read_batches(file.day.beside, names))
    if len(frames) == 1:
        return frames[0]
    return pl.concat([pl.DataFrame(schema={name: _TYPES[name] for name in names}), *frames])


def _read_day(file: DataFile, names: Sequence[str]) -> pl.DataFrame:
    """Read the file of a compacted day itself.

    Raises:
        GoneError: it is gone, or was made anew.
        LakeError: it cannot be read.
    """
    data = io.BytesIO(read_bytes(file.path))
    day = file.day
    try:
        cover = cover_in(pl.read_parquet_metadata(data))
        there = pl.read_parquet_schema(data)
        wanted = {_MINUTES, *(name for name in names if name in there)}
        frame = pl.read_parquet(data, columns=sorted(wanted))
    except (*UNREADABLE, ValueError, KeyError, TypeError) as error:
        raise LakeError(
            f"{shown(file.path)} cannot be read: {first_line(error)}; restore it from a backup, "
            "or, while all files of that day are in the table, delete it and compact again"
        ) from error
    if day is None or day.cover is None or cover.digest != day.cover.digest:
        raise GoneError(file.path)
    if day.only is not None:
        frame = frame.filter(pl.col(_MINUTES).is_in(sorted(day.only)))
    place = file.partition
    values = {"date": place.date, BOOK_KEY: place.book}
    absent = [
        pl.lit(values.get(name), _TYPES[name]).alias(name) for name in names if name not in there
    ]
    return frame.with_columns(absent).select(names)


def _keys(portion: Sequence[DataFile], names: Iterable[str]) -> list[pl.Expr]:
    """Give the keys of each row's partition, which its file's number tells."""
    of_files: dict[str, list[int] | list[str]] = {
        "date": [file.partition.date for file in portion],
        BOOK_KEY: [file.partition.book for file in portion],
        _MINUTES: [file.partition.minutes for file in portion],
    }
    return [
        pl.lit(pl.Series(name, of_files[name], KEYS[name])).gather(pl.col(FILE)).alias(name)
        for name in names
    ]
