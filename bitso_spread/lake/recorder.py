"""The lake's two threads: one commits rows to the journal, one turns batches into files.

Whoever samples only enqueues, so that no tick waits for a disk. While the disk is full or
refuses, rows stay in memory and batches in the journal, and both are written when it is back.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bitso_spread.clock import monotonic
from bitso_spread.lake import layout
from bitso_spread.lake.journal import Batch, Outage
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.worker import Worker
from bitso_spread.lake.writer import BatchWriter
from bitso_spread.model import Sample

# After a stop, how long a disk that refuses is given before the rest is left behind.
GIVE_UP_S = 20.0


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be durable together: the rows of a tick, and what begins or ends with it."""

    rows: Sequence[tuple[Batch, Sample]] = ()
    outages: Sequence[Outage] = ()
    ended: Sequence[Batch] = ()
    """Batches that are complete with this entry."""


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What could not be written before the end."""

    rows: int
    """Rows that were in this process's memory alone, and are lost."""
    batches: int
    """Batches that are in the journal; the next collection into this lake writes them."""


class Recorder:
    """Makes rows durable within their second, and files of finished batches.

    `on_file` is called on the writer's thread with each finished file's path, its batch and
    its number of rows. With a `topic`, rows are also kept until they are published there, which
    is not the recorder's business.

    Raises:
        LakeError: the journal cannot be opened.
    """

    def __init__(
        self,
        lake: Path,
        table: str,
        *,
        on_file: Callable[[Path, Batch, int], None],
        topic: str | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        path = layout.state_file(lake, table)
        self._on_file = on_file
        self._journal = LakeState(path, topic=topic)
        self._files = LakeState(path)
        self._writer = BatchWriter(lake, table, self._files)
        # Each is counted by one thread: rows that were handed over, and rows in the journal.
        self._put = self._recorded = 0
        # When each entry with rows was handed over that the journal does not have: oldest first.
        self._handed_over: deque[float] = deque()
        self._clock = clock
        self.lost: Counter[str] = Counter()
        """Once stopped: how many rows of each book were in this process's memory alone."""
        self._entries = Worker(
            "journal", self._record, "the journal cannot be written, rows stay in memory"
        )
        self._batches = Worker(
            "writer", self._write, "the lake cannot be written, batches stay in the journal"
        )

    def start(self) -> None:
        """Start both threads."""
        self._entries.start()
        self._batches.start()

    def put(self, entry: Entry) -> None:
        """Hand over rows; returns at once."""
        self._put += len(entry.rows)
        if entry.rows:
            self._handed_over.append(self._clock())
        self._entries.put(entry)
        self._entries.look()
        self._batches.look()

    @property
    def waiting(self) -> int:
        """How many rows are in memory alone: those that the disk refuses or has not taken yet."""
        return self._put - self._recorded

    @property
    def waiting_s(self) -> float:
        """How many seconds the oldest of them has waited; 0 if there is none."""
        with suppress(IndexError):
            return max(0.0, self._clock() - self._handed_over[0])
        return 0.0

    def stop(self, give_up_s: float = GIVE_UP_S) -> LeftBehind:
        """Write all that was handed over, end both threads, and say what could not be written."""
        entries = self._entries.finish(give_up_s)
        batches = self._batches.finish(give_up_s)
        self._journal.close()
        self._files.close()
        self.lost.update(row.book for entry in entries for _, row in entry.rows)
        return LeftBehind(self.lost.total(), len(batches))

    def _record(self, entries: list[Entry]) -> None:
        now = list(entries)
        self._journal.record(
            [row for entry in now for row in entry.rows],
            [outage for entry in now for outage in entry.outages],
        )
        del entries[: len(now)]
        self._recorded += sum(len(entry.rows) for entry in now)
        for entry in now:
            if entry.rows:
                self._handed_over.popleft()
            for batch in entry.ended:
                self._batches.put(batch)

    def _write(self, batches: list[Batch]) -> None:
        refused: Exception | None = None
        # A partition that refuses must not keep the other books from being written.
        for batch in list(batches):
            try:
                written = self._writer.write(batch)
            except Exception as error:  # noqa: BLE001  (whatever it is, it concerns this batch)
                refused = error
                continue
            batches.remove(batch)
            if written is not None:
                self._on_file(written.path, batch, written.rows)
        if refused is not None:
            raise refused
