"""A lake as a Spark DataFrame; needs the extra ``spark``.

::

    from bitso_spread.spark import read_lake

    read_lake(spark, "spreads").createOrReplaceTempView("BitsoSpreadMonitor")
    spark.sql("SELECT * FROM BitsoSpreadMonitor WHERE date = 20240725 AND minutes <= 300")

Spark lists the table, prunes partitions and opens files by itself. Here is what it cannot know:
which types the columns have, how each CSV file is to be read, and which days are compacted.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from bitso_spread.cloud.address import is_url
from bitso_spread.errors import LakeError, MissingExtraError, UsageError
from bitso_spread.lake import layout
from bitso_spread.lake.columns import FIVE, FULL, SCHEMAS, check_columns
from bitso_spread.lake.daily import is_compacted
from bitso_spread.lake.datafile import DataFile, GoneError
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.listing import batches_in, books_in, days_in, names_in
from bitso_spread.lake.pruning import BOOK_KEY, KEYS
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.walk import Walk

try:
    from pyspark.errors import PySparkException
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql import functions as F  # noqa: N812  (its users call it so)

    from bitso_spread.spark.texts import VALUE, rows_of
except ImportError as error:
    raise MissingExtraError("bitso_spread.spark", "spark") from error

__all__ = ["read_lake"]

_TRIES = 3
_TYPES: Mapping[pl.DataType, str] = {
    pl.Datetime("us", "UTC"): "timestamp",
    pl.String(): "string",
    pl.Float64(): "double",
    pl.Int64(): "bigint",
    pl.Int32(): "int",
}
_KEYS = {name: _TYPES[dtype] for name, dtype in KEYS.items()}


def read_lake(
    spark: SparkSession,
    path: str | Path,
    *,
    table: str = layout.TABLE,
    columns: str | None = None,
) -> DataFrame:
    """Give all rows of a lake, in no order, of which none is read yet.

    To the five columns, or the full ones, come those of the partition: ``date`` (int, 20240726),
    ``order_book`` (string) and ``minutes`` (int). Conditions on these choose the files that are
    opened; of a compacted day, those on ``minutes`` choose rows. ``orderbook_timestamp`` is an
    instant, which Spark shows in the session's time zone.

    The files are those that there are now: after a later `compact`, or for files that came since,
    call it again. A file that cannot be read ends a query with an error that names it.

    Args:
        spark: the session; its executors must find the lake's folder under the same path.
        path: the lake's folder.
        table: the table in it.
        columns: ``five`` or ``full``; by default as the latest file has them.

    Raises:
        UsageError: `table` or `columns` make no sense.
        LakeError: there is no lake, a folder cannot be read, or it is compacted all the time.
    """
    if is_url(str(path)):
        raise UsageError(f"{path} is read by Spark itself: give read_lake a folder")
    lake = Lake(path, table)
    kind = columns or (FULL if "state" in lake.scan().collect_schema() else FIVE)
    check_columns(kind)
    types = {name: _TYPES[dtype] for name, dtype in SCHEMAS[kind].items()}
    for _ in range(_TRIES):
        days = _compacted_days(lake)
        failed: PySparkException | GoneError | None = None
        try:
            rows = _Rows(spark, lake, types).of(days)
        except (PySparkException, GoneError) as error:
            failed = error
        # What is compacted while Spark lists would be there twice, or not at all.
        if _compacted_days(lake) != days:
            continue
        if failed is None:
            return rows
        what = str(failed).partition("\n")[0]
        raise LakeError(f"Spark cannot list the lake {lake.root}: {what}") from failed
    raise LakeError(f"the lake {lake.root} is being compacted: ask again when that is done")


@dataclass(frozen=True, slots=True)
class _Compacted:
    """Chooses what there is of days that have a compacted file: see `bitso_spread.lake.walk`."""

    lake: Lake

    def days(self, days: Sequence[int], *, over_midnight: bool = True) -> list[int]:
        del over_midnight
        return [*days]

    def books(self, day: int, books: Sequence[str]) -> list[str]:
        root, table = self.lake.root, self.lake.table
        return [book for book in books if is_compacted(root, table, book, day)]

    def partitions(
        self, partitions: Sequence[Partition], *, over_midnight: bool = True
    ) -> list[Partition]:
        del over_midnight
        return [*partitions]

    def minutes(self, minutes: Sequence[int]) -> None:
        del minutes


def _compacted_days(lake: Lake) -> list[DataFile]:
    """Give the compacted files that stand for their day, and what is to be read beside them."""
    if not (lake.root / layout.daily_table(lake.table)).is_dir():
        return []
    found = [*Walk(lake.place, lake.table).files(_Compacted(lake))]
    stand = {_day_of(file) for file in found if file.day is not None}
    return [file for file in found if _day_of(file) in stand]


def _day_of(file: DataFile) -> tuple[int, str]:
    return file.partition.date, file.partition.book


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a lake, put together of those that Spark reads from each kind of file."""

    spark: SparkSession
    lake: Lake
    types: Mapping[str, str]

    def of(self, days: Sequence[DataFile]) -> DataFrame:
        """Give all rows: those of compacted days, of files beside them, and of all other days."""
        units = [file for file in days if file.day is not None]
        beside = [file for file in days if file.day is None]
        beside += [file for unit in units if unit.day for file in unit.day.beside]
        folders = _folders(self.lake.root / self.lake.table, {_day_of(unit) for unit in units})
        frames = [self._read(form, folders) for form in _forms(folders)]
        for form in layout.SUFFIXES:
            paths = [file.path for file in beside if file.path.suffix == layout.SUFFIXES[form]]
            if paths:
                frames.append(self._read(form, paths))
        if units:
            frames.append(self._compacted(units))
        if not frames:
            return self.spark.createDataFrame([], _ddl({**self.types, **_KEYS}))
        return reduce(DataFrame.unionByName, frames).select(*self.types, *_KEYS)

    def _read(self, form: str, paths: Sequence[Path]) -> DataFrame:
        """Read files of one format in partitions, or all that there are under a folder."""
        reader = self.spark.read.option("pathGlobFilter", f"*{layout.SUFFIXES[form]}").option(
            "basePath", _address(self.lake.root / self.lake.table)
        )
        places = [_pattern(path) for path in paths]
        if form == "parquet":
            return reader.schema(_ddl({**self.types, **_KEYS})).parquet(*places)
        files = reader.schema(_ddl({VALUE: "string", **_KEYS})).format("text")
        return rows_of(files.option("wholetext", value=True).load(places), self.types, [*_KEYS])

    def _compacted(self, units: Sequence[DataFile]) -> DataFrame:
        folder = self.lake.root / layout.daily_table(self.lake.table)
        reader = self.spark.read.schema(_ddl({**self.types, **_KEYS}))
        rows = reader.option("pathGlobFilter", "*.parquet").parquet(_pattern(folder))
        names = {unit.path.name for unit in units}
        # Each tells its environment, book and day, so no two are alike.
        if {unquote(path).rpartition("/")[2] for path in rows.inputFiles()} == names:
            return rows
        return rows.filter(F.col("_metadata.file_name").isin(*names))


def _folders(table: Path, compacted: Container[tuple[int, str]]) -> list[Path]:
    """Give what is to be listed of a table, so that days that are compacted are not.

    Whole days, where that is right: Spark takes longer for many folders than for a large one.
    """
    if not table.is_dir():
        return []
    found = []
    for day, folder in days_in(table):
        books = books_in(folder)
        left = [path for book, path in books if (day, book) not in compacted]
        found += [folder] if len(left) == len(books) else left
    return [Path(folder) for folder in found]


def _forms(folders: Iterable[Path]) -> list[str]:
    """Give the formats of the data files that there are in days, or in books of days.

    For 105,120 folders this takes less than having Spark list a format that there is not.
    """
    found: set[str] = set()
    for folder in folders:
        is_book = layout.key_of(folder.name, BOOK_KEY) is not None
        for of_book in [str(folder)] if is_book else [path for _, path in books_in(str(folder))]:
            for _, batch in batches_in(of_book):
                found |= {
                    Path(name).suffix for name in names_in(batch) if layout.is_data_file(name)
                }
        if len(found) == len(layout.SUFFIXES):
            break
    return [form for form, suffix in layout.SUFFIXES.items() if suffix in found]


def _ddl(types: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())


def _address(path: Path) -> str:
    # A bare path would be one of the cluster's own filesystem, and Spark decodes no percent signs.
    return f"file://{path}"


def _pattern(path: Path) -> str:
    """Give the address of a path as Spark reads paths: as patterns."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", _address(path))
