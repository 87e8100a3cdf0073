"""A lake as a polars LazyFrame: conditions choose partitions before anything is opened.

polars hands the conditions, the columns and the number of rows that a query needs to the source
here. Where a condition can hold is `pruning`'s business, which files there are `walk`'s, and
what is in them `units`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from typing import NamedTuple

import polars as pl
from polars.io.plugins import register_io_source

from bitso_spread.cloud.errors import DamagedError
from bitso_spread.lake.columns import TIME
from bitso_spread.lake.datafile import DataFile, GoneError
from bitso_spread.lake.files import UNREADABLE, OnBad, read_readable
from bitso_spread.lake.place import Place
from bitso_spread.lake.pruning import Condition
from bitso_spread.lake.units import (
    are_parquet,
    can_be_scanned,
    name_the_bad,
    read_keyed,
    read_rows,
    scan_batches,
    scan_days,
)

# So many files are read one by one, for who asks for a few rows: polars asks for up to two portions
# ahead of what it needs. After that, each portion costs more than its files do: they grow, from a
# size that is soon listed and read.
_SINGLE = 3
_FIRST_FILES = 48
_MORE = 2
_PORTION_FILES = 700
_PORTION_BYTES = 8_000_000

# Of a question without an end in sight, so many portions are read at a time, and what follows is
# listed meanwhile: listing and reading files keeps one core busy, and polars decodes on the other.
# A year of two books takes three quarters of the time, and a question that ends soon has ended
# before.
_AT_ONCE = 2


class _Asked(NamedTuple):
    """What polars asks of a portion."""

    condition: Condition
    predicate: pl.Expr | None
    names: Sequence[str]


class Source:
    """What polars asks for rows; once for each query.

    Args:
        where: gives the files that may hold rows of which a condition is true.
        relist: gives files anew of which one was gone.
        place: where they lie.
        schema: the columns that there are, in order.
        on_bad: called with what is wrong with a file, which is then passed over; None lets a file
            that cannot be read end the query.
        on_environment: called with the environment that rows were recorded from.
    """

    def __init__(
        self,
        where: Callable[[Condition], Iterator[DataFile]],
        relist: Callable[[Sequence[DataFile], Condition], list[DataFile]],
        place: Place,
        schema: Mapping[str, pl.DataType],
        *,
        on_bad: OnBad,
        on_environment: Callable[[str], None],
    ) -> None:
        self._where = where
        self._relist = relist
        self._place = place
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
        asked = _Asked(Condition(predicate), predicate, names)
        left = limit
        portions = _portions(self._where(asked.condition), far=self._place.is_far)
        first = portions
        # What is far is fetched ahead by its place.
        if limit is None and self._on_bad is None and not self._place.is_far:
            first = islice(portions, _SINGLE)
        for portion in first:
            self._tell(portion)
            for rows in self._read(portion, asked, left):
                yield rows
                if left is not None:
                    left -= rows.height
                    if left <= 0:
                        return
        yield from self._read_ahead(portions, asked)
        # Where no file is opened the columns still have their types.
        yield pl.DataFrame(schema={name: self._schema[name] for name in names})

    def _read_ahead(
        self, portions: Iterator[list[DataFile]], asked: _Asked
    ) -> Iterator[pl.DataFrame]:
        """Read what is left of a question, several portions at a time, and give it in order."""
        following: deque[Future[list[pl.DataFrame]]] = deque()
        pool = ThreadPoolExecutor(_AT_ONCE, "lake-scan")
        try:
            for portion in _listed_ahead(portions):
                self._tell(portion)
                if can_be_scanned(portion):
                    # polars reads several of its files at once by itself.
                    yield from _given(following)
                    yield from self._read(portion, asked, None)
                    continue
                following.append(
                    pool.submit(lambda each: [*self._read(each, asked, None)], portion)
                )
                if len(following) > _AT_ONCE:
                    yield from following.popleft().result()
            yield from _given(following)
        finally:
            # Whoever gives a question up waits for nothing; it may even be the pool's own thread.
            pool.shutdown(wait=False, cancel_futures=True)

    def _tell(self, portion: Sequence[DataFile]) -> None:
        for environment in {file.environment for file in portion}:
            self._on_environment(environment)

    def _read(
        self, portion: Sequence[DataFile], asked: _Asked, limit: int | None
    ) -> Iterator[pl.DataFrame]:
        if self._on_bad is None and can_be_scanned(portion):
            with self._place.held(portion):
                yield from self._scan(portion, asked, limit)
            return
        if "minutes" in asked.names and are_parquet(portion):
            scanned = self._scanned(portion, asked, limit)
            if scanned is not None:
                yield scanned
                return

        def read(files: Sequence[DataFile]) -> pl.DataFrame:
            return read_rows(
                files,
                asked.names,
                relist=lambda files: self._relist(files, asked.condition),
                read_batches=read_keyed,
                held=self._place.held,
            )

        rows = read_readable(portion, read, self._on_bad)
        if asked.predicate is not None:
            rows = rows.filter(asked.predicate)
        rows = rows.select(asked.names)
        yield rows if limit is None else rows.head(limit)

    def _scanned(
        self, portion: Sequence[DataFile], asked: _Asked, limit: int | None
    ) -> pl.DataFrame | None:
        """Give the rows of files as polars reads them by itself; None if it cannot."""
        rows = scan_batches(portion, self._schema)
        if asked.predicate is not None:
            rows = rows.filter(asked.predicate)
        rows = rows.select(asked.names)
        try:
            with self._place.held(portion):
                found = (rows if limit is None else rows.head(limit)).collect()
        except (*UNREADABLE, OSError, GoneError, DamagedError):
            return None
        return None if TIME in found and found[TIME].has_nulls() else found

    def _scan(
        self, portion: Sequence[DataFile], asked: _Asked, limit: int | None
    ) -> Iterator[pl.DataFrame]:
        rows = scan_days(portion, self._schema)
        if asked.predicate is not None:
            rows = rows.filter(asked.predicate)
        rows = rows.select(asked.names)
        try:
            yield from (rows if limit is None else rows.head(limit)).collect_batches(lazy=True)
        except (*UNREADABLE, OSError) as error:
            raise name_the_bad(portion, error) from error


def _given(following: deque[Future[list[pl.DataFrame]]]) -> Iterator[pl.DataFrame]:
    while following:
        yield from following.popleft().result()


def _listed_ahead(portions: Iterator[list[DataFile]]) -> Iterator[list[DataFile]]:
    """Give portions, each of which is listed while the one before it is read."""
    pool = ThreadPoolExecutor(1, "lake-list")
    try:
        following = pool.submit(next, portions, None)
        while (portion := following.result()) is not None:
            following = pool.submit(next, portions, None)
            yield portion
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _portions(files: Iterable[DataFile], *, far: bool) -> Iterator[list[DataFile]]:
    """Cut between partitions, never within one, and between compacted days and the rest."""
    portion: list[DataFile] = []
    held = given = 0
    # What is far is fetched as a portion.
    most = _PORTION_FILES if far else min(_FIRST_FILES, _PORTION_FILES)
    for is_plain, alike in groupby(files, lambda file: file.day is not None and file.day.is_plain):
        for file in alike:
            # What polars scans by itself it scans in portions of its own, once it is on a disk.
            heavy = held >= _PORTION_BYTES and (far or not is_plain)
            full = given < _SINGLE or heavy or len(portion) >= most
            if portion and full and file.partition != portion[-1].partition:
                yield portion
                portion, held = [], 0
                given += 1
                if given > _SINGLE:
                    most = min(most * _MORE, _PORTION_FILES)
            portion.append(file)
            held += file.size
        yield portion
        portion, held = [], 0
        given += 1
