"""A data file as it lies in a table: one of a partition, or that of a compacted day.

Values only. What is in one is read by `bitso_spread.lake.files` and `bitso_spread.lake.units`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.cover import Cover
from bitso_spread.lake.filters import start_of
from bitso_spread.lake.shown import shown


class GoneError(LakeError):
    """A file, or a folder, was there a moment ago: whoever lists again may find its rows."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{shown(path)} is gone: it was there a moment ago, so ask again")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file of a partition, or of a compacted day."""

    partition: layout.Partition
    """Of a compacted day, the first of those whose rows it has."""
    path: Path
    size: int
    """In bytes."""
    day: Day | None = None
    """What makes it a compacted day; None for the file of a partition."""
    etag: str | None = None
    """Tells, in object storage, whether it still is what was listed."""

    @property
    def environment(self) -> str:
        """What the rows were recorded from: ``production``, ``sim``, another host's name."""
        return layout.environment_of(self.path.name)

    @property
    def start(self) -> datetime:
        """The instant before which the file has no row."""
        return start_of(self.partition)

    @property
    def last_start(self) -> datetime:
        """The start of the last partition whose rows it has."""
        if self.day is None or self.day.cover is None:
            return self.start
        minutes = [*self.day.cover.minutes[-1:]]
        minutes += [file.partition.minutes for file in self.day.beside]
        last = max(minutes, default=self.partition.minutes)
        return start_of(layout.Partition(self.partition.date, last, self.partition.book))

    @property
    def is_own(self) -> bool:
        """Whether this package named the file, so that its rows never cross UTC midnight."""
        if self.day is not None:
            return self.day.cover is not None and self.day.cover.own
        return layout.is_own_name(self.path.name)


@dataclass(frozen=True, slots=True)
class Day:
    """A compacted day of a book, as it is to be read."""

    cover: Cover | None
    """What its rows stand for; None if the file cannot be read."""
    beside: tuple[DataFile, ...] = ()
    """Files of the day that it does not cover, to be read at the same instant: once the day is
    compacted anew, it has their rows."""
    only: frozenset[int] | None = None
    """The partitions whose rows are asked for, by their minutes; None for all."""

    @property
    def is_plain(self) -> bool:
        """Whether all rows of the file are asked for, and nothing else."""
        return self.cover is not None and not self.beside and self.only is None
