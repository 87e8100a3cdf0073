"""What is to be recorded, and what has been: the two ends of a collection. Values only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from bitso_spread.alerts.config import Webhook
from bitso_spread.alerts.rules import AlertRules
from bitso_spread.clock import check_interval
from bitso_spread.cloud.address import is_url, parse
from bitso_spread.cloud.local_half import local_half
from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake.columns import FIVE, check_columns
from bitso_spread.lake.layout import SUFFIXES, TABLE
from bitso_spread.lake.recorder import LeftBehind
from bitso_spread.lateness import Lateness
from bitso_spread.model import State
from bitso_spread.nearest import did_you_mean
from bitso_spread.publish.address import Address
from bitso_spread.publish.properties import Properties
from bitso_spread.sampling import Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPlan:
    """What is told of the books, and to whom besides the log; books without data always."""

    rules: AlertRules = field(default_factory=AlertRules)
    webhook: Webhook | None = None
    command: tuple[str, ...] | None = None
    """A program and its arguments, which reads each message as JSON from its standard input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPlan:
    """Where samples are published besides the lake."""

    address: Address | None
    """None for nowhere, where samples that wait to be published are dropped."""
    properties: Properties = field(default_factory=Properties)


OWN = ("format", "columns", "interval")
"""What a plan may leave to the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be recorded, and how.

    Raises:
        UsageError: a value is out of range; the message names it.
    """

    books: Sequence[str]
    """Names as a user writes them, or ``all``."""
    lake: Path | str
    """A folder, or the URL of a lake in object storage."""
    state: Path | str | None = None
    """Of a lake in object storage: the folder for the journal, and for files on their way there;
    None for one of the user's own."""
    table: str = TABLE
    format: str | None = None
    """``csv`` or ``parquet``; None for the table's own, ``csv`` for a new one."""
    columns: str | None = None
    """``five`` or ``full``: see `bitso_spread.lake.columns`; None for the table's own, ``five``
    for a new one."""
    interval: int | None = None
    """Seconds between ticks; None for the table's own, 1 for a new one."""
    batch_size: int = 600
    """Ticks in a batch."""
    ticks: int | None = None
    """End after so many; None: never."""
    duration_s: float | None = None
    """End after the ticks of so many seconds, if that is sooner; None: never."""
    align: bool = False
    refresh_after_s: float = 60.0
    max_wait_s: float = 60.0
    max_stale_s: float = 3.0
    wait: bool = False
    """Where another collector has the books: stand by, and take over when it ends."""
    alerts: AlertPlan | None = None
    """None for no alerts at all."""
    publish: PublishPlan | None = None
    """None for nowhere, where samples that wait to be published go on waiting."""

    def __post_init__(self) -> None:
        if self.interval is not None:
            check_interval(self.interval)
        if self.format is not None and self.format not in SUFFIXES:
            near = did_you_mean(self.format, SUFFIXES)
            raise UsageError(f"--format {self.format!r}: choose csv or parquet{near}")
        if self.columns is not None:
            check_columns(self.columns)
        for name in (
            "batch_size",
            "refresh_after_s",
            "max_wait_s",
            "max_stale_s",
            "ticks",
            "duration_s",
        ):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"--{name.removesuffix('_s').replace('_', '-')} must be above 0")
        if self.store is not None:
            parse(self.store)
        elif self.state is not None:
            raise UsageError(
                "--state goes with a lake in object storage: a folder keeps its own journal"
            )

    @property
    def store(self) -> str | None:
        """The URL of a lake in object storage; None for a folder."""
        lake = str(self.lake)
        return lake if is_url(lake) else None

    @property
    def folder(self) -> Path:
        """The folder that is recorded into: the lake, or the local half of one in a store."""
        if (url := self.store) is None:
            return Path(self.lake)
        return local_half(url) if self.state is None else Path(self.state)

    @property
    def left_open(self) -> frozenset[str]:
        """The names of `OWN` that are left to the table."""
        return frozenset(name for name in OWN if getattr(self, name) is None)

    def settled(self, held: Mapping[str, str]) -> SettledPlan:
        """Fill in what the table holds, where nothing else is asked for, or what a new one does.

        Args:
            held: see `bitso_spread.lake.table.Table.identity`; empty for a new table.

        Raises:
            LakeError: this version cannot record what the table holds.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        for name in self.left_open:
            del values[name]
            if name in held:
                values[name] = held[name]
        try:
            values["interval"] = interval = int(values.get("interval", 1))
            if self.duration_s is not None:
                limit = math.ceil(self.duration_s / interval)
                values["ticks"] = limit if self.ticks is None else min(limit, self.ticks)
            return SettledPlan(**values)
        except (UsageError, ValueError, ZeroDivisionError) as error:
            holds = ", ".join(f"{name} {held[name]}" for name in OWN if name in held)
            raise LakeError(
                f"the table {self.table} holds {holds}, which this version cannot record: give "
                "--lake another folder, or --table another name"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledPlan(Plan):
    """A plan that leaves nothing to the table any more; by default what a new one holds."""

    format: str = "csv"
    columns: str = FIVE
    interval: int = 1


@dataclass(slots=True)
class Summary:
    """What a collection has done so far."""

    ticks: int = 0
    last_tick: int = 0
    """Seconds since the epoch."""
    states: dict[str, Counter[State]] = field(default_factory=dict)
    """Rows of each book, by state."""
    absent: Counter[str] = field(default_factory=Counter)
    """Ticks of each book that were missed and have no row: the recorder stood still too long."""
    missed: int = 0
    """Ticks that could not be taken, with rows that say so, or without any."""
    files: Counter[Path] = field(default_factory=Counter)
    """How many files were written, by the folder of their date."""
    uploaded: int = 0
    """How many files have come into the store; of a lake in object storage alone."""
    lateness: Lateness = field(default_factory=Lateness)
    left: LeftBehind = field(default_factory=lambda: LeftBehind(0, 0))
    lost: Counter[str] = field(default_factory=Counter)
    """Rows of each book that the disk refused to the end."""

    def count_gap(self, books: Iterable[str], ticks: int) -> None:
        """Count ticks that leave no rows."""
        self.absent.update(dict.fromkeys(books, ticks))
        self.missed += ticks

    def count(self, tick: Tick) -> None:
        """Count a tick and its rows."""
        self.ticks += 1
        self.last_tick = tick.time
        for sample in tick.samples:
            self.states.setdefault(sample.book, Counter())[sample.state] += 1
        if tick.late_s is None:
            self.missed += 1
        else:
            self.lateness.add(tick.late_s)
