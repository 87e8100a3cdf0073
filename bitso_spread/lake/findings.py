"""What an audit says: the report, its days, and whatever contradicts itself. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from bitso_spread.lake.filters import midnight_of

HOURS = 24


class Kind(StrEnum):
    """In which way something contradicts itself, or what was noted of it."""

    GONE = "gone"
    """A file that was written is not there."""
    CHANGED = "changed"
    """A file's checksum is not the one kept when it was written."""
    STALE = "stale"
    """A compacted day has other rows than its files, and nothing tells queries so."""
    TRUNCATED = "truncated"
    """A file ends in the middle."""
    UNREADABLE = "unreadable"
    """A file, a folder or the journal cannot be read, or is not what it should be."""
    EMPTY = "empty"
    """A data file without a row."""
    LOST_BATCH = "lost_batch"
    """A partition without a data file."""
    WRONG_PARTITION = "wrong_partition"
    """Rows that are not of the book, day or minute that their folder says."""
    OUT_OF_ORDER = "out_of_order"
    """Rows of a file that are earlier than the row before them."""
    TWICE = "twice"
    """Ticks of a book that have more than one row."""
    OFF_GRID = "off_grid"
    """Rows whose time is not a multiple of the interval."""
    IMPOSSIBLE = "impossible"
    """Rows of which only a part is given, or with a price that is not positive and finite."""
    CROSSED = "crossed"
    """Rows whose bid is not below their ask."""
    SPREAD = "spread"
    """Rows whose spread follows from their bid and ask neither in 64-bit nor 32-bit arithmetic."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that contradicts itself."""

    kind: Kind
    text: str
    """One line for a person, without the path."""
    path: str | None = None
    """Relative to the table, with forward slashes; None where it is about no one file."""
    book: str | None = None
    tick: int | None = None
    """The first one concerned, in seconds since the epoch; None where it is about none."""
    count: int = 1
    """How many rows, ticks or files it is about."""


@dataclass(frozen=True, slots=True)
class BookDay:
    """What is there of a book on a UTC day, in ticks: seconds, unless the interval is longer.

    What is expected is either known, unknown, missed, absent or in the journal.
    """

    book: str
    date: int
    """Such as 20240726."""
    expected: int
    """From the first to the last tick of the book; days between these are whole."""
    known: int
    unknown: int
    """Taken, and nothing was known, or nobody noted that it was missed."""
    missed: int
    """Not taken, by the recorder's own notes: it was stopped, or the machine asleep."""
    absent: int
    """Without a row."""
    journal: int
    """Known, and not in a file yet."""
    twice: int
    """With more than one row."""
    float32: int
    """Rows whose spread follows from bid and ask in 32-bit arithmetic only."""
    causes: Mapping[str, int]
    """Ticks that are not known, by the causes that the recorder noted."""
    hours: tuple[int, ...]
    """Ticks of each of the 24 hours that are expected, and neither known nor in the journal."""
    hours_expected: tuple[int, ...]
    first_missing: int | None
    """The first tick that is not known, in seconds since the epoch."""

    @property
    def missing(self) -> int:
        """Ticks that are expected and of which nothing is known."""
        return self.unknown + self.missed + self.absent


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums over all days of a report."""

    expected: int = 0
    known: int = 0
    unknown: int = 0
    missed: int = 0
    absent: int = 0
    journal: int = 0
    twice: int = 0
    float32: int = 0

    @classmethod
    def of(cls, days: Sequence[BookDay]) -> Totals:
        """Add up days."""
        return cls(*(sum(getattr(day, each.name) for day in days) for each in fields(cls)))

    @property
    def missing(self) -> int:
        """Ticks that are expected and of which nothing is known."""
        return self.unknown + self.missed + self.absent


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found."""

    lake: str
    """The absolute path."""
    table: str
    interval: int
    """Seconds between ticks."""
    days: tuple[BookDay, ...]
    """By book, then day."""
    findings: tuple[Finding, ...]
    environments: tuple[str, ...]
    """What the rows were recorded from, such as ``production`` or ``sim``."""
    files: int
    """Data files that were looked at."""
    checksums: int
    """Files among them whose checksum was compared."""
    debris: int
    """Files that hold no data, and harm nobody: ``_SUCCESS``, checksums, what Spark left."""

    @property
    def totals(self) -> Totals:
        """The sums over all days."""
        return Totals.of(self.days)

    def is_sound(self, max_missing: int = 0) -> bool:
        """Tell whether nothing contradicts itself, and at most so many ticks are not known."""
        return not self.findings and self.totals.missing <= max_missing


def as_json(report: Report) -> dict[str, Any]:
    """Give a report as values that JSON has, under keys that stay.

    At the top stand ``lake``, ``table``, ``interval`` (seconds), ``environments``, ``files``,
    ``checksums``, ``debris``, the sums over all days (``expected``, ``known``, ``unknown``,
    ``missed``, ``absent``, ``journal``, ``twice``, ``float32``, ``missing``), ``days`` and
    ``findings``. A day has these counts for a ``book`` and a ``date`` (2024-07-26), ``causes``
    (ticks by what the recorder noted), ``first_missing`` (ISO 8601 in UTC), and ``hours`` and
    ``hours_expected``, 24 counts each. A finding has ``kind``, ``text``, ``path`` (in the table),
    ``book``, ``time`` (ISO 8601 in UTC) and ``count``; what does not apply is null.
    """
    top = {
        "lake": report.lake,
        "table": report.table,
        "interval": report.interval,
        "environments": list(report.environments),
        "files": report.files,
        "checksums": report.checksums,
        "debris": report.debris,
        **asdict(report.totals),
        "missing": report.totals.missing,
    }
    days = [
        asdict(day)
        | {
            "date": midnight_of(day.date).date().isoformat(),
            "missing": day.missing,
            "first_missing": _time(day.first_missing),
        }
        for day in report.days
    ]
    findings = []
    for finding in report.findings:
        values = asdict(finding)
        findings.append(values | {"time": _time(values.pop("tick"))})
    return top | {"days": days, "findings": findings}


def time_text(tick: int) -> str:
    """Write a tick as reports have it, in UTC."""
    return f"{datetime.fromtimestamp(tick, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _time(tick: int | None) -> str | None:
    return None if tick is None else time_text(tick)
