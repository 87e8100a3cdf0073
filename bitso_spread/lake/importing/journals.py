"""What a source's own journal tells: rows that are in no file of it yet, and its interval.

A recorder that is at work, or that was killed, has its last rows there. The journal is read from
a private copy; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.journal import Batch
from bitso_spread.lake.records import read_records
from bitso_spread.model import Sample

_SUFFIX = ".sqlite3"


@dataclass(frozen=True, slots=True)
class SourceJournal:
    """The journal of a table that is to be imported."""

    path: Path
    interval: int | None
    """Seconds between ticks; None if nothing was recorded."""
    batches: Mapping[Batch, Sequence[Sample]]
    """Those that are in no file yet."""


def source_journals(
    sources: Iterable[Path | str], on_bad: Callable[[LakeError], None]
) -> list[SourceJournal]:
    """Read the journals of those sources that are lakes of this package, or tables of such.

    One that cannot be read is told to `on_bad`, and passed over.

    Raises:
        LakeError: a journal cannot be read, or a newer version of this package made it.
    """
    found: dict[Path, SourceJournal] = {}
    for source in sources:
        path = Path(source).expanduser().absolute()
        try:
            journals = _journals_of(path)
        except OSError as error:
            on_bad(LakeError(f"{error.filename} cannot be read: {error.strerror}"))
            continue
        for journal in journals:
            try:
                read = _read(journal)
            except LakeError as error:
                on_bad(error)
                continue
            if read is not None:
                found.setdefault(journal.resolve(), read)
    return list(found.values())


def common_interval(journals: Iterable[SourceJournal]) -> int:
    """Give the interval that all of these recorded with, in seconds; 1 if they differ."""
    intervals = {journal.interval for journal in journals if journal.interval is not None}
    return intervals.pop() if len(intervals) == 1 else 1


def _read(journal: Path) -> SourceJournal | None:
    records = read_records(journal)
    if records is None:
        return None
    batches = {
        batch: rows for of_day in records.batches.values() for batch, rows in of_day.items() if rows
    }
    known = records.files or batches
    return SourceJournal(journal, records.interval if known else None, batches)


def _journals_of(path: Path) -> list[Path]:
    of_table = layout.state_file(path.parent, path.name)
    if layout.is_table_name(path.name) and of_table.is_file():
        return [of_table]
    try:
        if not layout.state_folder(path).is_dir():
            return []
    except OSError:
        return []  # the source itself is closed to us, as whoever lists it says
    # Not by a pattern: that passes over a folder which cannot be read.
    files = sorted(layout.state_folder(path).iterdir())
    return [file for file in files if file.suffix == _SUFFIX and layout.is_table_name(file.stem)]
