"""The other recorders of a table, as one of them sees them: who lives, and who can be fenced.

They are judged by the watcher's own monotonic clock alone: see `bitso_spread.cloud.leases`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from bitso_spread.cloud import keys
from bitso_spread.cloud.errors import AbsentError, ChangedError
from bitso_spread.cloud.half import Half
from bitso_spread.cloud.lease import EXPIRES_S, HOLDS_S, Lease, Sign
from bitso_spread.cloud.objects import ObjectStore

log = logging.getLogger("bitso_spread.cloud")


@dataclass(frozen=True, slots=True)
class _Watch:
    etag: str | None
    since: float
    seen_at: float
    lives: bool


class Rivals:
    """What a recorder knows of the others; for one thread at a time.

    Args:
        store: the lake.
        table: its table.
        half: the watcher's own.
        clock: the watcher's monotonic clock.
    """

    def __init__(
        self, store: ObjectStore, table: str, half: Half, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._table = table
        self._half = half
        self._clock = clock
        self._watched: dict[str, _Watch] = {}
        self._in_the_way: dict[str, str] = {}
        self.recorded: dict[str, int] = {}
        """The last tick that another half had recorded of a book that was taken from it."""
        self.holders: dict[str, str] = {}
        """Who has a book that could not be taken, for a person."""

    def is_known_to_live(self, book: str) -> bool:
        """Tell whether who has a book was seen to renew, after a call of `is_free`."""
        watch = self._watched.get(self._in_the_way.get(book, ""))
        return watch is not None and watch.lives

    def is_free(self, lease: Lease, seen: dict[str, bool], *, was_fenced: bool) -> bool:
        """Tell whether a book can be taken, whose lock in the local folder is held.

        Args:
            lease: that of the book.
            seen: which recorders were looked at in this round.
            was_fenced: whether the watcher itself was taken for dead.
        """
        if lease.recorder is None:
            return True
        name = lease.recorder
        if name not in seen:
            seen[name] = self._is_dead(lease, name, was_fenced=was_fenced)
        if not seen[name]:
            self._in_the_way[lease.book] = name
        return seen[name]

    def note_recorded(self, book: str, tick: int) -> None:
        """Note that another half has recorded a book up to a tick."""
        self.recorded[book] = max(tick, self.recorded.get(book, 0))

    def forget(self, book: str) -> None:
        """Note that a book is the watcher's own."""
        self._in_the_way.pop(book, None)
        self.holders.pop(book, None)

    def _is_dead(self, lease: Lease, name: str, *, was_fenced: bool) -> bool:
        """Tell whether a recorder has ended, and see to it that it has."""
        key = keys.recorder_key(self._table, name)
        try:
            there = self._store.fetch(key)
        except AbsentError:
            return True
        sign = Sign.parse(there.data, self._store.url_of(key))
        if not (sign.ended or sign.fenced):
            watch = self._watch(name, there.found.etag)
            self.holders[lease.book] = sign.who
            silent_s = self._clock() - watch.since
            if was_fenced and lease.half == self._half.name:
                # We hold the local lock of the book: it has another folder of this name.
                self._half.part()
            # Whoever had our lock before us has ended.
            ours = lease.half == self._half.name
            if not ours and silent_s < EXPIRES_S:
                return False
            try:
                dead = replace(sign, fenced=True)
                self._store.replace(key, dead.to_bytes(), there.found.version)
            except ChangedError:
                return False
            if not ours:
                log.warning(
                    "%s has given no sign of life for %.0f s: its books are taken over",
                    sign.who,
                    silent_s,
                )
        if lease.half != self._half.name:
            for book in sign.beat.books:
                self.note_recorded(book.book, book.last_tick)
        if not sign.ended:
            self._store.delete(key)
        return True

    def _watch(self, name: str, etag: str | None) -> _Watch:
        now = self._clock()
        before = self._watched.get(name)
        if before is None:
            watch = _Watch(etag, now, now, lives=False)
        elif before.etag != etag:
            watch = _Watch(etag, now, now, lives=True)
        elif now - before.seen_at > HOLDS_S:
            # The store was out of reach, and may have been so for the other one. A round over
            # many books takes long too.
            watch = replace(before, since=now, seen_at=now)
        else:
            watch = replace(before, seen_at=now)
        self._watched[name] = watch
        return watch
