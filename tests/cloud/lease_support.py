"""Recorders of one lake in object storage, on hosts whose monotonic clocks a test turns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from bitso_spread.cloud.connect import Patience
from bitso_spread.cloud.half import Half
from bitso_spread.cloud.leases import Leases
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.lake.heartbeat import BookBeat, Heartbeat, Phase
from bitso_spread.lake.layout import TABLE

AT_ONCE = Patience(connect_s=30, request_s=30, retries=0, retry_s=30)
"""For tests in which the store is away, and says so at once: each attempt is counted."""

NOON = 1_789_991_999 + 1


def a_beat(host: str, pid: int = 1, **last_ticks: int) -> Heartbeat:
    """A heartbeat of a recorder of these books."""
    return Heartbeat(
        at=NOON,
        host=host,
        pid=pid,
        version="0.1.0",
        environment="sim",
        interval=1,
        since=NOON - 100,
        phase=Phase.RECORDING,
        last_tick=max(last_ticks.values(), default=None),
        ticks=100,
        books=tuple(BookBeat(book, tick, "fresh", 0.1) for book, tick in last_ticks.items()),
        names=tuple(last_ticks),
        reconnects=0,
        rejected={},
        rows_in_memory=0,
        rows_in_journal=0,
    )


class Place(Protocol):
    """Where a lake may be."""

    def store(self, *, patience: Patience = ...) -> ObjectStore:
        """Open it."""


@dataclass
class Host:
    """A recorder with clocks of its own."""

    store: ObjectStore
    name: str
    half: str = ""
    now: float = 1000.0
    wall: float = float(NOON)
    marks: dict[str, int] = field(default_factory=dict)
    beat: Heartbeat = field(init=False)
    leases: Leases = field(init=False)

    def __post_init__(self) -> None:
        self.beat = a_beat(self.name)
        self.start()

    def start(self) -> None:
        """Begin, as a process that knows nothing but its local half."""
        self.leases = Leases(
            self.store,
            TABLE,
            Half(self.half or f"half of {self.name}", self.known, self.rename),
            lambda: self.beat,
            clock=lambda: self.now,
            wall=lambda: self.wall,
        )

    def known(self) -> dict[str, int]:
        """What its journal knows: by default all that it has told."""
        told = {book.book: book.last_tick for book in self.beat.books}
        return told | self.marks

    def rename(self) -> str:
        """Take another name for its local half."""
        self.half = f"{self.half or self.name}'s copy"
        return self.half

    def passes(self, seconds: float) -> None:
        """Let time pass here."""
        self.now += seconds
        self.wall += seconds

    def recorded(self, **last_ticks: int) -> None:
        """Say that these are the last ticks of its books."""
        self.beat = replace(a_beat(self.name, **last_ticks), at=self.wall)

    def takes(self, *books: str) -> list[bool]:
        """Renew, and try to take books in one round."""
        if self.leases.is_due:
            self.leases.renew()
        seen: dict[str, bool] = {}
        return [self.leases.take(book, seen=seen) for book in books]


def host(s3: Place, name: str, half: str = "") -> Host:
    """A recorder on a host of its own."""
    return Host(s3.store(patience=AT_ONCE), name, half)
