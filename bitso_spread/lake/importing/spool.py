"""Rows in any order, set down on the disk by book and day, and taken up again one day at a time.

Sources may be of any shape, and larger than memory: a day of a book is the most that is held.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl

from bitso_spread.lake.columns import TIME
from bitso_spread.lake.disk_errors import as_os_errors

DAY = "day"
"""Days since the epoch."""

# 100 MB as rows, which are set down together.
_HELD_ROWS = 500_000

Key = tuple[int, str]
"""A day, counted from the epoch, and a book."""


class Spool:
    """What was read and is not yet in the lake, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[pl.DataFrame] = []
        self._rows = 0
        self._parts: Counter[Key] = Counter()

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows, whose times and books must be there.

        Raises:
            OSError: the disk is full or refuses.
        """
        self._held.append(rows)
        self._rows += rows.height
        if self._rows >= _HELD_ROWS:
            self._set_down()

    def days(self) -> list[Key]:
        """Give the days and books of which there are rows, by day, then book.

        Raises:
            OSError: the disk is full or refuses.
        """
        self._set_down()
        return sorted(self._parts)

    def rows(self, key: Key) -> pl.DataFrame:
        """Give the rows of a day and book, in the order in which they were added.

        Raises:
            OSError: the disk refuses.
        """
        parts = range(self._parts[key])
        with as_os_errors():
            return pl.concat(pl.read_parquet(self._part(key, number)) for number in parts)

    def _set_down(self) -> None:
        if not self._held:
            return
        rows = pl.concat(self._held).with_columns(pl.col(TIME).dt.epoch("d").alias(DAY))
        self._held, self._rows = [], 0
        groups = rows.partition_by(DAY, "book", as_dict=True, maintain_order=True)
        for (day, book), group in groups.items():
            key = (int(day), str(book))
            path = self._part(key, self._parts[key])
            path.parent.mkdir(parents=True, exist_ok=True)
            with as_os_errors():
                group.drop(DAY).write_parquet(path, compression="lz4")
            self._parts[key] += 1

    def _part(self, key: Key, number: int) -> Path:
        day, book = key
        return self._folder / str(day) / f"{book}-{number}.parquet"
