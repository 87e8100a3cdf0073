"""The rows of a book's day, as its compacted file has them: put together, and compared.

Nothing is written here, and nothing deleted: that is `bitso_spread.lake.compaction`'s business.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.columns import ALL, FIVE, FULL, SCHEMAS, TIME
from bitso_spread.lake.cover import Cover, Covered, to_metadata
from bitso_spread.lake.daily import name_of, sources_of
from bitso_spread.lake.datafile import DataFile
from bitso_spread.lake.files import FILE, columns_of, read_bytes, read_numbered
from bitso_spread.lake.filters import midnight_of
from bitso_spread.lake.shown import shown
from bitso_spread.lake.units import read_rows

_MINUTES = "minutes"


@dataclass(frozen=True, slots=True)
class DayRows:
    """The rows of files of a day, and what a compacted day that has them says of these."""

    rows: pl.DataFrame
    """In order of time, with ``minutes``."""
    sources: Sequence[Covered]
    """In the order of their partitions."""
    format: str
    """Of the last of them."""
    columns: str
    own: bool


def of_files(files: Sequence[DataFile], *, pruned: bool) -> DayRows:
    """Read files of one day, which come by their partitions.

    Args:
        files: at least one.
        pruned: whether they are about to be deleted.

    Raises:
        LakeError: one of them cannot be read.
    """
    contents = [read_bytes(file.path) for file in files]
    kinds = [_kind(file, data) for file, data in zip(files, contents, strict=True)]
    names = [*SCHEMAS[FULL if FULL in kinds else FIVE]]
    numbered = read_numbered(files, contents, names)
    counts = dict(numbered.group_by(FILE).len().iter_rows())
    return DayRows(
        _sorted(_with_minutes(numbered, files, names)),
        [
            Covered(
                name=name_of(file),
                bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                rows=counts.get(number, 0),
                pruned=pruned,
            )
            for number, (file, data) in enumerate(zip(files, contents, strict=True))
        ],
        format=files[-1].path.suffix.removeprefix("."),
        columns=kinds[-1],
        own=all(file.is_own for file in files),
    )


def of_day(unit: DataFile) -> DayRows:
    """Read a compacted day.

    Raises:
        LakeError: it cannot be read.
    """
    cover, sources = cover_of(unit), sources_of(unit)
    there = pl.read_parquet_schema(unit.path)
    kind = FULL if {*SCHEMAS[FULL]} <= {*there} else FIVE
    rows = read_rows([unit], [*SCHEMAS[kind], _MINUTES])
    return DayRows(rows, sources, cover.format, cover.columns, cover.own)


def together(held: DayRows, new: DayRows) -> DayRows:
    """Add the rows of files that came later to those of a day."""
    wide = held.rows if held.rows.width >= new.rows.width else new.rows
    frames = [
        frame.with_columns(
            pl.lit(None, ALL[name]).alias(name)
            for name in wide.columns
            if name not in frame.columns
        ).select(wide.columns)
        for frame in (held.rows, new.rows)
    ]
    sources = sorted([*held.sources, *new.sources], key=place_of)
    last = held if sources[-1] in held.sources else new
    return DayRows(
        _sorted(pl.concat(frames)), sources, last.format, last.columns, held.own and new.own
    )


def encoded(day: DayRows, table: str, date: int) -> bytes:
    """Give the bytes of the file of a compacted day of a table."""
    sources = [f"{source.name} {source.sha256}" for source in day.sources]
    last = day.rows[TIME].max()
    cover = Cover(
        table=table,
        minutes=tuple(sorted({place_of(source)[0] for source in day.sources})),
        rows=day.rows.height,
        crosses=isinstance(last, datetime) and last >= midnight_of(date) + timedelta(days=1),
        own=day.own,
        format=day.format,
        columns=day.columns,
        pruned=any(source.pruned for source in day.sources),
        digest=hashlib.sha256("\n".join(sources).encode()).hexdigest(),
    )
    buffer = io.BytesIO()
    # In one piece it is one row group; in those of its files it is two, which take longer to read.
    rows = day.rows.rechunk()
    rows.write_parquet(buffer, compression="zstd", metadata=to_metadata(cover, day.sources))
    return buffer.getvalue()


def compare(unit: DataFile, files: Sequence[DataFile]) -> None:
    """Check that a compacted day, as it is on the disk, has all rows of files that it covers.

    Raises:
        LakeError: it has not, or one of the files is not the one that was compacted.
    """
    held = of_day(unit)
    sources = {source.name: source for source in held.sources}
    contents = [read_bytes(file.path) for file in files]
    for file, data in zip(files, contents, strict=True):
        if hashlib.sha256(data).hexdigest() != sources[name_of(file)].sha256:
            raise LakeError(
                f"{shown(file.path)} has changed since its day was compacted: no file of that day "
                "is deleted; see what bitso-spread verify says of it"
            )
    names = [name for name in held.rows.columns if name != _MINUTES]
    rows = _with_minutes(read_numbered(files, contents, names), files, names)
    if held.rows.height != sum(source.rows for source in sources.values()) or not has_all(
        held.rows, rows
    ):
        raise LakeError(
            f"{shown(unit.path)} has not the rows of its files: none of them is deleted; delete "
            "it, and compact again"
        )


def has_all(held: pl.DataFrame, rows: pl.DataFrame) -> bool:
    """Tell whether each of some rows is among those that are held, as often as it comes."""
    names = rows.columns
    there = held.group_by(names).len("there")
    wanted = rows.group_by(names).len("wanted")
    both = wanted.join(there, on=names, how="left", nulls_equal=True)
    return bool((both["there"] >= both["wanted"]).fill_null(value=False).all())


def cover_of(unit: DataFile) -> Cover:
    """Give what a compacted day says of itself.

    Raises:
        LakeError: it cannot be read.
    """
    if unit.day is None or unit.day.cover is None:
        read_rows([unit])  # says what is wrong with it
        raise LakeError(f"{shown(unit.path)} is no compacted day")
    return unit.day.cover


def place_of(source: Covered) -> tuple[int, str]:
    """Give what files are ordered by: their partition's minutes, then their name."""
    folder, _, name = source.name.partition("/")
    return int(layout.key_of(folder, _MINUTES) or 0), name


def _with_minutes(
    numbered: pl.DataFrame, files: Sequence[DataFile], names: Sequence[str]
) -> pl.DataFrame:
    minutes = pl.Series([file.partition.minutes for file in files], dtype=pl.Int32)
    return numbered.select(*names, pl.lit(minutes).gather(FILE).alias(_MINUTES))


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    # Rows of one second stay in the order in which their files are read.
    return rows if rows[TIME].is_sorted() else rows.sort(TIME, maintain_order=True)


def _kind(file: DataFile, data: bytes) -> str:
    return FULL if data and {*SCHEMAS[FULL]} <= {*columns_of(file, data)} else FIVE
