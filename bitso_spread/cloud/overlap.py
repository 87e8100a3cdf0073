"""The seconds of a file that are in the store already, since another recorder has put them too."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from bitso_spread.cloud import keys
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.lake import layout
from bitso_spread.lake.columns import TIME
from bitso_spread.lake.journal import WrittenFile
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.reader import Lake


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a file, without the seconds that are in the store."""

    data: bytes | None
    """A file of the same form; None where nothing is left."""
    first_tick: int
    """In seconds since the epoch; 0 where nothing is left."""
    doubled: int
    """How many seconds were left out."""


def without_what_is_there(
    store: ObjectStore, table: str, file: WrittenFile, data: bytes, *, but: str | None = None
) -> Rest | None:
    """Give what is to be put of a file; None for all of it.

    Args:
        store: the lake.
        table: its table.
        file: the file.
        data: its bytes, or those that are left of it.
        but: a key that does not count: that of the file itself.

    Raises:
        LakeError: the day cannot be read; it is not known then what is there.
    """
    there = _ticks_there(store, table, file, but)
    if file.path.endswith(layout.SUFFIXES["parquet"]):
        rows, ticks, rest = _rest_of_parquet(data, there)
    else:
        rows, ticks, rest = _rest_of_csv(data, there)
    doubled = rows - len(ticks)
    if not doubled:
        return None
    return Rest(rest if ticks else None, min(ticks, default=0), doubled)


def _ticks_there(store: ObjectStore, table: str, file: WrittenFile, but: str | None) -> set[int]:
    """Read which seconds the store has of the book's day: it is small, and this is rare."""
    date = Partition.of(file.book, file.first_tick).date
    prefixes = [
        keys.day_prefix(name, date, file.book) for name in (table, layout.daily_table(table))
    ]
    names = [found.key for prefix in prefixes for found in store.objects(prefix)]
    names = [key for key in names if key != but and layout.is_data_file(key.rpartition("/")[2])]
    with TemporaryDirectory(prefix="bitso-spread-") as folder:
        lake = Path(folder)
        for key, data in zip(names, store.get_many(names), strict=True):
            path = lake / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if not names:
            return set()
        rows = Lake(lake, table).read(book=[file.book])
        return set(rows[TIME].dt.epoch("s").to_list())


def _rest_of_csv(data: bytes, there: set[int]) -> tuple[int, list[int], bytes]:
    header, *lines = data.decode().splitlines(keepends=True)
    place = header.rstrip("\n").split(",").index(TIME)
    ticks = [int(datetime.fromisoformat(line.split(",")[place]).timestamp()) for line in lines]
    kept = [(tick, line) for tick, line in zip(ticks, lines, strict=True) if tick not in there]
    rest = (header + "".join(line for _, line in kept)).encode()
    return len(lines), [tick for tick, _ in kept], rest


def _rest_of_parquet(data: bytes, there: set[int]) -> tuple[int, list[int], bytes]:
    rows = pl.read_parquet(io.BytesIO(data))
    kept = rows.filter(~rows[TIME].dt.epoch("s").is_in(list(there)))
    buffer = io.BytesIO()
    kept.write_parquet(buffer, compression="zstd")
    return rows.height, kept[TIME].dt.epoch("s").to_list(), buffer.getvalue()
