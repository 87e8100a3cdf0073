"""A warm standby: it samples all along, and records once the books are its own.

What it has sampled meanwhile it keeps for a while, so that the seconds between the last tick
of the one before and the end of its locks are not lost: neither while that one loads its rows,
nor where it hung before it was killed.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bitso_spread.complaint import Complaint
from bitso_spread.counting import many
from bitso_spread.errors import LakeBusyError, LakeError
from bitso_spread.lake.inheritance import Inheritance, inherit
from bitso_spread.lake.recorder import Recorder
from bitso_spread.lake.table import Table
from bitso_spread.pulse import Pulse
from bitso_spread.sampling import Gap, Sampler, Tick

if TYPE_CHECKING:
    from bitso_spread.cloud.remote import Remote

log = logging.getLogger("bitso_spread.lake")

KEPT_TICKS = 120
"""Two minutes: the one before has 40 s to give up a disk that refuses."""


def held_back(
    events: Iterable[Tick | Gap], take: Callable[[], Mapping[str, int] | None]
) -> Iterator[Tick | Gap]:
    """Give nothing until `take` has taken the books, then what was recorded by nobody, and on.

    `take` is asked after each tick; it gives the last tick recorded of each book, or None as
    long as another collector has the books.
    """
    events = iter(events)
    kept: deque[Tick] = deque(maxlen=KEPT_TICKS)
    for event in events:
        if isinstance(event, Gap):
            # What the other one did in the meantime is not known.
            kept.clear()
            continue
        kept.append(event)
        if (marks := take()) is not None:
            yield from _above(kept, marks)
            yield from events
            return


def _above(ticks: Iterable[Tick], marks: Mapping[str, int]) -> Iterator[Tick]:
    for tick in ticks:
        samples = tuple(row for row in tick.samples if row.tick > marks.get(row.book, 0))
        if samples:
            yield replace(tick, samples=samples)


class Heir:
    """Takes some books, with what is left of them, once nobody else has any of them."""

    def __init__(
        self,
        table: Table,
        books: Iterable[str],
        on_taken: Callable[[Inheritance], object],
        remote: Remote | None = None,
    ) -> None:
        self._table = table
        self._on_taken = on_taken
        self._remote = remote
        self._is_asked = False
        self._was_locked_out = False
        # In an order that all collectors share: of two that wait, one gets all of them. Those
        # that were refused last come first, so that the others' locks are not touched.
        self._order = sorted(books)
        self._complaint = Complaint()

    def take(self) -> Mapping[str, int] | None:
        """Give the last tick recorded of each book if all could be taken, else None; at once."""
        if not self._lock():
            self._was_locked_out = True
            return None
        if not self._is_leased():
            return None
        try:
            left = inherit(self._table.lake, self._table.name, self._table.books)
        except LakeError as error:
            # Nothing is lost by trying again at the next tick.
            self._table.unlock(self._table.books)
            if self._complaint.due(str(error)):
                log.error("the books are free and cannot be taken over: %s", error)  # noqa: TRY400  (one line, no traceback)
            return None
        self._on_taken(left)
        if self._remote is None:
            return left.marks
        others = self._remote.marks()
        books = {*left.marks, *others}
        return {book: max(left.marks.get(book, 0), others.get(book, 0)) for book in books}

    def _is_leased(self) -> bool:
        """Whether the books are ours in the store as well, once their local locks are."""
        if self._remote is None:
            return True
        if not self._is_asked:
            self._is_asked = True
            self._remote.wants(self._order)
        # Where the store cannot tell: who had the local locks had the leases, and has ended.
        return self._remote.has or (self._was_locked_out and self._remote.is_out_of_reach)

    def _lock(self) -> bool:
        taken: list[str] = []
        for book in self._order:
            try:
                self._table.lock([book])
            except LakeBusyError:
                self._table.unlock(taken)
                self._order.remove(book)
                self._order.insert(0, book)
                return False
            taken.append(book)
        return True


def stand_by(
    ticks: Iterable[Tick | Gap],
    table: Table,
    sampler: Sampler,
    recorder: Recorder,
    pulse: Pulse,
    remote: Remote | None = None,
) -> Iterator[Tick | Gap]:
    """Give the sampler's ticks from where the collector that has the books leaves off.

    What it leaves in the journal is made files by the recorder's own writer, meanwhile.
    """
    is_remote = remote is not None and table.books.issuperset(sampler.books)
    log.info(
        "standing by for %s: the books are taken over once nobody else has any of them",
        remote.holders if remote and is_remote else pulse.holders(sampler.books),
    )

    def taken(left: Inheritance) -> None:
        recorder.put(left.entry)
        sampler.keep_after(left.marks)
        pulse.bury(table.books)
        if remote is not None:
            remote.taken(sampler.books)
        log.info("taking over")
        if left.entry.ended:
            what = "that was left becomes a file", "that were left become files"
            log.warning(many(len(left.entry.ended), "batch", what))

    return held_back(ticks, Heir(table, sampler.books, taken, remote).take)
