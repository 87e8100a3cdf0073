"""A batch of rows becomes one file in one partition, whole or not at all.

The bytes are made in memory, written beside the table, synced, noted in the journal, linked
into the partition under a name that nothing else has, and the folders are synced. A crash
between any two of these steps leaves the table without the file or with it, never twice.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from pathlib import Path

import polars as pl

from bitso_spread.lake import layout
from bitso_spread.lake.columns import FIVE, FULL, INSTANT, SCHEMAS, TIME
from bitso_spread.lake.daily import mark_stale
from bitso_spread.lake.journal import Batch, WrittenFile
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.state import LakeState
from bitso_spread.model import Sample

# A `Sample` as it is, before its times become instants.
_FIELDS = {
    "tick": pl.Int64(),
    "exchange_ms": pl.Int64(),
    **{name: dtype for name, dtype in SCHEMAS[FULL].items() if dtype != INSTANT},
}
_fields_of = attrgetter(*_FIELDS)
# polars writes a timestamp as .000000+0000 if not told how. Ticks are whole seconds; Bitso's own
# times have milliseconds.
_TIME_TEXTS = {TIME: "%Y-%m-%dT%H:%M:%S+00:00", "exchange_time": "%Y-%m-%dT%H:%M:%S%.3f+00:00"}


def frame_of(rows: Iterable[Sample], columns: str = FIVE) -> pl.DataFrame:
    """Make the columns of rows; what is not known is null."""
    samples = pl.DataFrame(list(map(_fields_of, rows)), schema=_FIELDS, orient="row")
    return samples.select(
        (pl.col("tick") * 1_000_000).cast(INSTANT).alias(TIME),
        (pl.col("exchange_ms") * 1000).cast(INSTANT).alias("exchange_time"),
        pl.all(),
    ).select(*SCHEMAS[columns])


def encode(rows: Iterable[Sample], file_format: str, columns: str = FIVE) -> bytes:
    """Give the bytes of a CSV file with a header, or of a Parquet file (zstd)."""
    return encode_frame(frame_of(rows, columns), file_format)


def encode_frame(frame: pl.DataFrame, file_format: str) -> bytes:
    """Do what `encode` does with rows that have the columns of a table already."""
    buffer = io.BytesIO()
    if file_format == "parquet":
        frame.write_parquet(buffer, compression="zstd")
    else:
        texts = [
            pl.col(name).dt.strftime(form) for name, form in _TIME_TEXTS.items() if name in frame
        ]
        frame.with_columns(texts).write_csv(buffer)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is in the table."""

    path: Path
    """Absolute, if the lake's own path is."""
    rows: int


class BatchWriter:
    """Writes batches of the journal into one table."""

    def __init__(self, lake: Path, table: str, state: LakeState) -> None:
        self._table = lake / table
        self._staging = layout.staging_folder(lake, table)
        self._state = state

    def write(self, batch: Batch) -> Written | None:
        """Write the rows that the journal has of a batch, and drop them there.

        Gives None if there were no rows.

        Raises:
            OSError, sqlite3.Error: the disk is full or refuses; the rows are still in the
                journal, and writing the batch again is safe.
        """
        rows = self._state.rows(batch)
        if not rows:
            self._state.finish(batch, None)
            return None
        name = layout.file_name(batch.environment, batch.book, batch.first_tick, batch.format)
        staged = self._staging / name
        file = self._already_there(batch)
        place = Partition.of(batch.book, batch.first_tick)
        self._mark(place)
        if file is None:
            data = encode(rows, batch.format, batch.columns)
            write_synced(staged, data)
            file = self._place(batch, rows, data, self._table / place.path, staged)
            # The day may have been compacted meanwhile, without the file.
            self._mark(place)
        with suppress(FileNotFoundError):
            staged.unlink()
        self._state.finish(batch, file)
        return Written(self._table / file.path, file.rows)

    def _mark(self, place: Partition) -> None:
        mark_stale(self._table.parent, self._table.name, place.book, place.date)

    def _already_there(self, batch: Batch) -> WrittenFile | None:
        """Find the file that a crash let into the table, but not out of the journal."""
        for file in self._state.staged(batch):
            with suppress(FileNotFoundError):
                data = (self._table / file.path).read_bytes()
                if hashlib.sha256(data).hexdigest() == file.sha256:
                    sync_folders(self._table / file.path, self._table)
                    return file
        return None

    def _place(
        self, batch: Batch, rows: list[Sample], data: bytes, folder: Path, staged: Path
    ) -> WrittenFile:
        folder.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            name = staged.name if number == 1 else layout.numbered(staged.name, number)
            path = folder / name
            file = WrittenFile(
                path=path.relative_to(self._table).as_posix(),
                book=batch.book,
                first_tick=rows[0].tick,
                last_tick=rows[-1].tick,
                rows=len(rows),
                interval=batch.interval,
                bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
            )
            if not path.exists():
                self._state.stage(file)
                if move_in(staged, path):
                    break
            if path.read_bytes() == data:
                # The very same file: it is left as it is.
                self._state.stage(file)
                break
        sync_folders(path, self._table)
        return file


def write_synced(path: Path, data: bytes) -> None:
    """Write a file, and return when it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # What a crash left under this name may be linked into the table: never write into it.
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def move_in(staged: Path, path: Path) -> bool:
    """Move a file to a name that is free; False if it was taken meanwhile.

    A link, unlike a rename, never replaces what is there. Where the filesystem has no links,
    a rename after a look must do; the book's lock keeps other collectors out.
    """
    try:
        path.hardlink_to(staged)
    except FileExistsError:
        return False
    except OSError:
        if path.exists():
            return False
        staged.rename(path)
    return True


def sync_folders(path: Path, table: Path) -> None:
    """Sync the folders from a file's up to the table's own, so that its name survives a crash."""
    folder = path.parent
    sync_folder(folder)
    while folder != table.parent:
        folder = folder.parent
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    if os.name == "nt":
        return  # Windows has no way to sync a folder
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
