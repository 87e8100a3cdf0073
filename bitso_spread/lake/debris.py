"""What lies in a table's folders and is no data of a partition: debris, and data out of place.

Debris holds no rows and harms nobody; it is counted. Data where no query finds it is told.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bitso_spread.lake import layout
from bitso_spread.lake.filters import start_of
from bitso_spread.lake.findings import Finding, Kind
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.listing import is_place
from bitso_spread.lake.reader import Lake


@dataclass(slots=True)
class Debris:
    """What was found."""

    files: int = 0
    """Files that hold no data, and harm nobody."""
    lost: int = 0
    """Bytes of data among them that no query reads, as of a job that was cut short."""
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Debris) -> None:
        """Add what was found elsewhere."""
        self.files += other.files
        self.lost += other.lost
        self.findings += other.findings


def beside(
    lake: Lake, days: Container[int], books: Mapping[int, set[str]], *, whole: bool
) -> Debris:
    """Look at what lies above the partitions: in the folders of days, and of the table.

    Args:
        lake: where to look.
        days: those that are asked for.
        books: the books of all days that there are.
        whole: whether the table's own folder is looked at too.
    """
    found = Debris()
    table = lake.root / lake.table
    outlined = lake.place.outlined
    if whole:
        known = {Partition(day, 0, "").path.parts[0] for day in books}
        with outlined(table):
            found.add(in_folder(table, table, known, "date"))
    for day, names in books.items():
        if day in days:
            paths = [Partition(day, 0, book).path for book in names]
            folder = table / Partition(day, 0, "").path.parts[0]
            with outlined(folder):
                known = {path.parts[1] for path in paths}
                found.add(in_folder(table, folder, known, "order_book"))
    for day, misnamed in lake.misnamed().items():
        if day in days:
            found.findings += (_of_no_book(day, name) for name in misnamed)
    return found


def in_folder(table: Path, folder: Path, known: Container[str], key: str) -> Debris:
    """Look at what lies in a folder of a table and is no partition.

    Args:
        table: the table's folder.
        folder: where to look; it may be gone.
        known: the names of what is a partition, or holds some.
        key: the part of a partition's path that names in the folder give, such as ``date``.
    """
    try:
        with os.scandir(folder) as found:
            # A partition that was not there a moment ago is a collector's latest.
            others = [
                entry
                for entry in found
                if not (entry.name in known or (is_place(entry.name, key) and entry.is_dir()))
            ]
    except FileNotFoundError:
        return Debris()  # what was recorded of it is gone, or still in the journal
    except OSError as error:
        return Debris(findings=[unreadable(layout.name_in(table, folder), error)])
    return among(table, sorted(others, key=lambda entry: entry.name))


def among(table: Path, entries: Iterable[os.DirEntry[str]]) -> Debris:
    """Tell debris from data out of place, among what is no data file of a partition."""
    found = Debris()
    for entry in entries:
        for path in _below(entry):
            is_data = path.suffix in layout.SUFFIXES.values()
            if any(part.startswith(("_", ".")) for part in path.parts[len(table.parts) :]):
                found.files += 1
                if is_data and not path.name.startswith(("_", ".")):
                    found.lost += _size(path)
            elif is_data:
                found.findings.append(
                    Finding(
                        Kind.WRONG_PARTITION,
                        "lies outside of every partition, so no query reads it: move it",
                        layout.name_in(table, path),
                    )
                )
            else:
                found.files += 1
    return found


def lost_batch(name: str, partition: Partition, lost: int, *, is_empty: bool) -> Finding:
    """Tell of a partition without a data file, given the lost bytes of what else lies in it.

    A partition is named after the first row of a batch, so one without rows says that a batch was
    begun, and that it did not come to be.
    """
    what = "a batch without a file" if is_empty else "debris of an unfinished batch: no rows"
    if lost:
        what = f"debris of an unfinished batch: {lost} bytes that no query reads"
    tick = int(start_of(partition).timestamp())
    return Finding(Kind.LOST_BATCH, what, name, partition.book, tick)


def unreadable(name: str, error: OSError, book: str | None = None) -> Finding:
    """Tell of a file or a folder that cannot be read."""
    return Finding(Kind.UNREADABLE, f"cannot be read: {error.strerror}", name, book)


def _of_no_book(day: int, name: str) -> Finding:
    return Finding(
        Kind.WRONG_PARTITION,
        "is of no book, for none has such a name: queries read what is in it only where they "
        "name no book; rename it as btc_mxn is, or move it",
        layout.day_path(day, name).as_posix(),
    )


def _below(entry: os.DirEntry[str]) -> Iterator[Path]:
    """Give the files in a folder, at any depth, or the file itself."""
    if not entry.is_dir(follow_symlinks=False):
        yield Path(entry.path)
        return
    for folder, _, names in os.walk(entry.path):
        yield from (Path(folder, name) for name in sorted(names))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
