"""What stands beside a table, at one instant, for an audit that must not touch it.

The journal is read from a private copy, so that nothing is made or changed where it lies: it may
be on a read-only disk, and a collector may be writing it. What an audit makes of it is
`bitso_spread.lake.audit`'s job.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from urllib.parse import quote

from bitso_spread.clock import DAY_S
from bitso_spread.errors import LakeError
from bitso_spread.lake.journal import Batch, Outage, WrittenFile
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.state import LakeState
from bitso_spread.model import Sample

BookDay = tuple[str, int]
"""A book, and a UTC day such as 20240726."""

# A collector's commit takes milliseconds; a disk whose sync takes seconds, that long.
_BUSY_S = 30.0


@dataclass(frozen=True, slots=True)
class Records:
    """What the recorder has noted of a table; of a lake that others wrote, nothing."""

    taken_at: float = 0.0
    """The wall clock before the journal was read, in seconds since the epoch."""
    interval: int = 1
    """Seconds between ticks."""
    files: Mapping[BookDay, Mapping[str, WrittenFile]] = field(default_factory=dict)
    """The files of each day, by their path in the table."""
    batches: Mapping[BookDay, Mapping[Batch, Sequence[Sample]]] = field(default_factory=dict)
    """The batches of each day that are in the journal, with their rows."""
    outages: Mapping[str, Sequence[Outage]] = field(default_factory=dict)
    """The spans of which nothing was known of a book, in order; all have an end."""
    first: Mapping[str, int] = field(default_factory=dict)
    """The first tick of each book that was ever written."""
    daily: Mapping[str, set[str]] = field(default_factory=dict)
    """The checksums that each compacted day may have, by its path in their table."""
    last: Mapping[str, int] = field(default_factory=dict)
    """The last tick of each book that was ever recorded."""
    coming: frozenset[Partition] = frozenset()
    """Those into which an import was about to move a file."""

    @property
    def books(self) -> set[str]:
        """The books of which something was recorded."""
        return set(self.last)


def day_of(tick: int) -> int:
    """Give the UTC day of a tick as a number, such as 20240726."""
    return _date_of(tick // DAY_S)


@cache
def _date_of(day: int) -> int:
    # A year has 365 of them, and 105,120 files that ask.
    return Partition.of("", day * DAY_S).date


def read_identity(path: Path) -> dict[str, str]:
    """Give what the table of the journal at a path holds, empty where there is none.

    Raises:
        LakeError: it cannot be read, or a newer version of this package made it.
    """
    if not path.is_file():
        return {}
    with _private_state(path) as state:
        return state.identity()


def read_records(path: Path | None) -> Records | None:
    """Read the journal at a path as it stands now; None where there is none, or no path.

    Raises:
        LakeError: it cannot be read, or a newer version of this package made it.
    """
    if path is None or not path.is_file():
        return None
    taken_at = time.time()
    with _private_state(path) as state:
        return _records(state, taken_at)


@contextmanager
def _private_state(path: Path) -> Iterator[LakeState]:
    with _private_copy(path) as copy:
        try:
            with LakeState(copy) as state:
                yield state
        except sqlite3.Error as error:
            raise LakeError(f"{path} cannot be read: {error}") from error
        except LakeError as error:
            raise LakeError(str(error).replace(str(copy), str(path))) from error


def _records(state: LakeState, taken_at: float) -> Records:
    files: dict[BookDay, dict[str, WrittenFile]] = {}
    batches: dict[BookDay, dict[Batch, list[Sample]]] = {}
    outages: dict[str, list[Outage]] = {}
    first: dict[str, int] = {}
    intervals = set()
    last = state.marks()
    for file in state.files():
        files.setdefault((file.book, day_of(file.first_tick)), {})[file.path] = file
        first[file.book] = min(first.get(file.book, file.first_tick), file.first_tick)
        intervals.add(file.interval)
    for batch in state.batches():
        of_day = batches.setdefault((batch.book, day_of(batch.first_tick)), {})
        of_day[batch] = state.rows(batch)
        first[batch.book] = min(first.get(batch.book, batch.first_tick), batch.first_tick)
        intervals.add(batch.interval)
    for outage in state.outages():
        ends = outage.last_tick
        ended = outage if ends is not None else replace(outage, last_tick=last.get(outage.book, 0))
        outages.setdefault(outage.book, []).append(ended)
    coming = frozenset(Partition.of(file.book, file.first_tick) for file in state.announced())
    # A table's identity has one interval, and so all of its batches.
    interval = min(intervals, default=1)
    return Records(taken_at, interval, files, batches, outages, first, state.daily(), last, coming)


@contextmanager
def _private_copy(path: Path) -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory(prefix="bitso-spread-") as folder:
            copy = Path(folder, path.name)
            # Whoever has the journal open shares this file with the others who have.
            if _beside(path, "-shm").exists():
                _back_up(path, copy)
            else:
                _copy(path, copy)
            yield copy
    except OSError as error:
        raise LakeError(f"{path} cannot be read: {error.strerror or error}") from error


def _back_up(path: Path, copy: Path) -> None:
    """Copy what is committed, also while others write; they do not wait for it.

    Without the room that rows have left which are no longer there: after brokers were away for
    days it is gigabytes, and where the copy goes is often memory.
    """
    uri = f"file:{quote(str(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as source:
            source.execute("VACUUM INTO ?", (str(copy),))
    except sqlite3.Error as error:
        raise LakeError(f"{path} cannot be read: {error}") from error


def _copy(path: Path, copy: Path) -> None:
    """Copy a journal that nobody has open, with what a crash left to be folded into it.

    To open it where it lies would make files there; to open it as one that never changes would
    leave out its last rows.
    """
    for suffix in ("", "-wal"):
        if (part := _beside(path, suffix)).exists():
            shutil.copyfile(part, _beside(copy, suffix))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
