"""A lake as a polars LazyFrame: conditions choose partitions before anything is opened.

polars hands the conditions, the columns and the number of rows that a query needs to the source
here. Where a condition can hold is `pruning`'s business, which files there are `reader`'s, and
what is in them `files`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from bitso_spread.lake.files import FILE, DataFile, OnBad, read_numbered, read_readable
from bitso_spread.lake.pruning import BOOK_KEY, KEYS, Condition

# How much is read at once: a file, for who asks for a few rows, and then ever more. polars asks
# for up to two portions ahead of what it needs.
_SINGLE = 3
_GROWTH = 6
_PORTION_BYTES = 8_000_000


class Source:
    """What polars asks for rows; once for each query.

    Args:
        where: gives the files that may hold rows of which a condition is true.
        schema: the columns that there are, in order.
        on_bad: called with what is wrong with a file, which is then passed over; None lets a file
            that cannot be read end the query.
        on_environment: called with the environment that rows were recorded from.
    """

    def __init__(
        self,
        where: Callable[[Condition], Iterator[DataFile]],
        schema: Mapping[str, pl.DataType],
        *,
        on_bad: OnBad,
        on_environment: Callable[[str], None],
    ) -> None:
        self._where = where
        self._schema = schema
        self._on_bad = on_bad
        self._on_environment = on_environment

    def frame(self) -> pl.LazyFrame:
        """Give the rows, of which none is read yet."""
        return register_io_source(self._rows, schema=dict(self._schema), explain_name="LAKE")

    def _rows(
        self,
        columns: list[str] | None,
        predicate: pl.Expr | None,
        limit: int | None,
        _batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        names = list(self._schema) if columns is None else columns
        left = limit
        for portion in _portions(self._where(Condition(predicate))):
            rows = self._read(portion, names)
            if predicate is not None:
                rows = rows.filter(predicate)
            if left is not None:
                rows = rows.head(left)
                left -= rows.height
            yield rows.select(names)
            if left is not None and left <= 0:
                return
        # Where no file is opened the columns still have their types.
        yield pl.DataFrame(schema={name: self._schema[name] for name in names})

    def _read(self, portion: Sequence[DataFile], names: Sequence[str]) -> pl.DataFrame:
        wanted = [name for name in names if name not in KEYS] or ["book"]
        keys = [name for name in names if name in KEYS]

        def read(files: Sequence[DataFile]) -> pl.DataFrame:
            return read_numbered(files, names=wanted).with_columns(_keys(files, keys))

        rows = read_readable(portion, read, self._on_bad)
        for environment in {file.environment for file in portion}:
            self._on_environment(environment)
        return rows


def _keys(portion: Sequence[DataFile], names: Iterable[str]) -> list[pl.Expr]:
    """Give the keys of each row's partition, which its file's number tells."""
    of_files: dict[str, list[Any]] = {
        "date": [file.partition.date for file in portion],
        BOOK_KEY: [file.partition.book for file in portion],
        "minutes": [file.partition.minutes for file in portion],
    }
    return [
        pl.lit(pl.Series(name, of_files[name], KEYS[name])).gather(pl.col(FILE)).alias(name)
        for name in names
    ]


def _portions(files: Iterable[DataFile]) -> Iterator[list[DataFile]]:
    portion: list[DataFile] = []
    most, held, given = 1, 0, 0
    for file in files:
        if portion and (len(portion) >= most or held >= _PORTION_BYTES):
            yield portion
            portion, held = [], 0
            given += 1
            most = most * _GROWTH if given >= _SINGLE else 1
        portion.append(file)
        held += file.size
    if portion:
        yield portion
