"""One recorder for each book of a lake in object storage, by puts under a condition.

Hosts' clocks are never compared. Who wants a book that another recorder has watches that one's
object by its own monotonic clock: if the etag has not changed for `EXPIRES_S`, it fences the
recorder, by a put that fails if there was a sign of life after all, and takes the book. A recorder
that was only asleep finds its object changed or gone as it renews it, and knows that it has no
book any more until it has taken it anew. Until `HOLDS_S` after it sent its last sign it may put
files; that is so much shorter that what it has sent by then has come to its end as well.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from bitso_spread.clock import monotonic
from bitso_spread.cloud import keys
from bitso_spread.cloud.errors import AbsentError, ChangedError, ExistsError
from bitso_spread.cloud.lease import Lease, Sign
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.version import Version
from bitso_spread.lake.heartbeat import Heartbeat, Phase

log = logging.getLogger("bitso_spread.cloud")

RENEWS_S = 20.0
"""How often a recorder gives a sign of life."""
HOLDS_S = 45.0
"""How long after it sent a sign it may put files: two signs may fail."""
EXPIRES_S = 90.0
"""How long another one must see none: `HOLDS_S`, and more than what was begun then may take."""
CONTESTED_S = 120
"""Up to how long after a book was taken from another host rows of that one may be in the store:
for clocks that differ."""

# Signs whose answer never came; the store may have any of them.
_UNANSWERED = 16


@dataclass(frozen=True, slots=True)
class _Watch:
    etag: str | None
    since: float
    seen_at: float
    lives: bool


@dataclass(frozen=True, slots=True)
class _Held:
    version: Version
    lease: Lease


class Leases:
    """The leases that this recorder has on books of a table; for one thread at a time.

    Methods raise `StoreError` where the store cannot be asked; trying again is safe.

    Args:
        half: the name of the local folder, whose locks keep others of this host away.
        beat: gives how the recorder is.
    """

    def __init__(
        self,
        store: ObjectStore,
        table: str,
        half: str,
        beat: Callable[[], Heartbeat],
        *,
        clock: Callable[[], float] = monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._table = table
        self._half = half
        self._beat = beat
        self._clock = clock
        self._wall = wall
        self._name: str | None = None
        self._version: Version | None = None
        self._sent_at = -HOLDS_S
        self._phase: Phase | None = None
        self._turns: deque[str] = deque(maxlen=_UNANSWERED)
        self._held: dict[str, _Held] = {}
        self._watched: dict[str, _Watch] = {}
        self._in_the_way: dict[str, str] = {}
        self._was_fenced = False
        self.recorded: dict[str, int] = {}
        """The last tick that another host had recorded of a book that was taken from it."""
        self.holders: dict[str, str] = {}
        """Who has a book that could not be taken, for a person."""

    @property
    def books(self) -> frozenset[str]:
        """The books whose lease this recorder has, if it has renewed in time."""
        return frozenset(self._held)

    def may_put(self, book: str) -> bool:
        """Tell whether files of a book may be put now; callable from any thread."""
        return book in self._held and self._clock() - self._sent_at < HOLDS_S

    def contested(self, book: str) -> int:
        """Give the tick up to which another host's rows may be in the store."""
        held = self._held.get(book)
        return 0 if held is None else held.lease.contested_until

    def is_known_to_live(self, book: str) -> bool:
        """Tell whether who has a book was seen to renew, after a call of `take`."""
        watch = self._watched.get(self._in_the_way.get(book, ""))
        return watch is not None and watch.lives

    @property
    def is_due(self) -> bool:
        """Whether it is time for a sign of life, or there is something new to say."""
        is_old = self._clock() - self._sent_at >= RENEWS_S
        return is_old or self._name is None or self._beat().phase is not self._phase

    def renew(self) -> None:
        """Give a sign of life. What was taken meanwhile is not held any more after that."""
        for _ in range(2):
            sent_at = self._clock()
            sign = Sign(self._half, secrets.token_hex(8), self._beat())
            # Kept before the answer comes, which may be lost.
            self._name = name = self._name or secrets.token_hex(8)
            self._turns.append(sign.turn)
            key, data = self._key(name), sign.to_bytes()
            try:
                if self._version is None:
                    self._version = self._store.put_new(key, data)
                else:
                    self._version = self._store.replace(key, data, self._version)
            except (ExistsError, ChangedError):
                if not self._knows_its_own(key):
                    self._forget_all()
                continue
            self._sent_at, self._phase = sent_at, sign.beat.phase
            return

    def take(self, book: str, *, seen: dict[str, bool] | None = None) -> bool:
        """Take a book if nobody has it; the lock of it in the local folder must be held.

        `seen` remembers, for one round over several books, which recorders were looked at.
        """
        if book in self._held:
            return True
        if self._name is None:
            return False
        seen = {} if seen is None else seen
        key = keys.lease_key(self._table, book)
        mine = Lease(book, self._name, self._half, socket.gethostname(), os.getpid(), 0)
        contested = int(self._wall()) + CONTESTED_S
        try:
            there = self._store.fetch(key)
        except AbsentError:
            mine = replace(mine, contested_until=contested)
            with suppress(ExistsError):
                self._hold(mine, self._store.put_new(key, mine.to_bytes()))
            return book in self._held
        lease = Lease.parse(there.data, self._store.url_of(key))
        if lease.recorder == self._name:
            self._hold(lease, there.found.version)
            return True
        if lease.recorder is not None and not self._is_free(lease, lease.recorder, seen):
            return False
        if lease.half != self._half:
            self.recorded[book] = max(lease.recorded, self.recorded.get(book, 0))
        else:
            contested = lease.contested_until
        mine = replace(mine, contested_until=contested)
        with suppress(ChangedError):
            self._hold(mine, self._store.replace(key, mine.to_bytes(), there.found.version))
        return book in self._held

    def give_back(self, books: Iterable[str]) -> None:
        """Let others take books at once."""
        ticks = {book.book: book.last_tick for book in self._beat().books}
        for book in list(books):
            held = self._held.pop(book, None)
            if held is None:
                continue
            lease = replace(held.lease, recorder=None, recorded=ticks.get(book, 0))
            key = keys.lease_key(self._table, book)
            with suppress(ChangedError):
                self._store.replace(key, lease.to_bytes(), held.version)

    def end(self, *, leaves_files: bool) -> None:
        """Give all books back, and say no more; if files are left here, that stays said."""
        self.give_back(self.books)
        if self._name is None:
            return
        key = self._key(self._name)
        if leaves_files:
            data = Sign(self._half, secrets.token_hex(8), self._beat(), ended=True).to_bytes()
            with suppress(ChangedError, ExistsError):
                if self._version is None:
                    self._store.put_new(key, data)
                else:
                    self._store.replace(key, data, self._version)
        else:
            self._store.delete(key)

    def bury(self, locked: Collection[str]) -> None:
        """Remove what earlier recorders of this folder have left: what they left is ours now.

        Args:
            locked: the books whose locks in this folder are ours. Who recorded nothing else has
                ended, and could not say so if the store was away.
        """
        for found in self._store.objects(keys.recorders_prefix(self._table)):
            with suppress(AbsentError):
                sign = Sign.parse(self._store.get(found.key), self._store.url_of(found.key))
                books = sign.beat.names
                has_ended = sign.ended or (books and {*books} <= {*locked})
                if sign.half == self._half and has_ended:
                    self._store.delete(found.key)

    def _key(self, name: str) -> str:
        return keys.recorder_key(self._table, name)

    def _hold(self, lease: Lease, version: Version) -> None:
        self._held = {**self._held, lease.book: _Held(version, lease)}
        self._in_the_way.pop(lease.book, None)
        self.holders.pop(lease.book, None)

    def _knows_its_own(self, key: str) -> bool:
        """Look whether it was an earlier sign of ours, whose answer was lost, that came there."""
        try:
            there = self._store.fetch(key)
        except AbsentError:
            return False
        sign = Sign.parse(there.data, self._store.url_of(key))
        if sign.turn not in self._turns or sign.fenced:
            return False
        self._version = there.found.version
        return True

    def _forget_all(self) -> None:
        if self._held:
            log.warning(
                "this recorder was taken for dead, after %.0f s without a sign of life in %s: it "
                "records on, and puts no more files until it has its books' leases again",
                self._clock() - self._sent_at,
                self._store.address,
            )
        self._name = self._version = None
        self._held = {}
        self._was_fenced = True

    def _is_free(self, lease: Lease, name: str, seen: dict[str, bool]) -> bool:
        if name not in seen:
            seen[name] = self._is_dead(lease, name)
        if not seen[name]:
            self._in_the_way[lease.book] = name
        return seen[name]

    def _is_dead(self, lease: Lease, name: str) -> bool:
        """Tell whether a recorder has ended, and see to it that it has."""
        key = self._key(name)
        try:
            there = self._store.fetch(key)
        except AbsentError:
            return True
        sign = Sign.parse(there.data, self._store.url_of(key))
        if not (sign.ended or sign.fenced):
            watch = self._watch(name, there.found.etag)
            self.holders[lease.book] = sign.who
            silent_s = self._clock() - watch.since
            # We hold the local lock of the book: whoever had it here has ended. A copy of this
            # folder on another host, which has just done the same to us, has not.
            ours = lease.half == self._half and not self._was_fenced
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
        if lease.half != self._half:
            for book in sign.beat.books:
                self.recorded[book.book] = max(book.last_tick, self.recorded.get(book.book, 0))
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
        elif now - before.seen_at > RENEWS_S:
            # The store was out of reach, and may have been so for the other one.
            watch = replace(before, since=now, seen_at=now)
        else:
            watch = replace(before, seen_at=now)
        self._watched[name] = watch
        return watch
