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
from bitso_spread.cloud.errors import AbsentError, ChangedError, ExistsError, UnreachableError
from bitso_spread.cloud.half import Half
from bitso_spread.cloud.lease import HOLDS_S, RENEWS_S, Lease, Sign
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.rivals import Rivals
from bitso_spread.cloud.version import Version
from bitso_spread.errors import LakeError
from bitso_spread.lake.heartbeat import Heartbeat, Phase

log = logging.getLogger("bitso_spread.cloud")

CONTESTED_S = 120
"""Up to how long after a book was taken from another host rows of that one may be in the store:
for clocks that differ."""

# Signs whose answer never came; the store may have any of them.
_UNANSWERED = 16


@dataclass(frozen=True, slots=True)
class _Held:
    version: Version
    lease: Lease


class Leases:
    """The leases that this recorder has on books of a table; for one thread at a time.

    Methods raise `StoreError` where the store cannot be asked; trying again is safe.

    Args:
        half: the local folder, whose locks keep others of this host away.
        beat: gives how the recorder is.
    """

    def __init__(
        self,
        store: ObjectStore,
        table: str,
        half: Half,
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
        self._rivals = Rivals(store, table, half, clock)
        self.losses = 0
        """How often this recorder was taken for dead."""

    @property
    def recorded(self) -> dict[str, int]:
        """The last tick that another host had recorded of a book that was taken from it."""
        return self._rivals.recorded

    @property
    def holders(self) -> dict[str, str]:
        """Who has a book that could not be taken, for a person."""
        return self._rivals.holders

    @property
    def place(self) -> str:
        """The lake, for a person."""
        return str(self._store.address)

    @property
    def books(self) -> frozenset[str]:
        """The books whose lease this recorder has, if it has renewed in time."""
        return frozenset(self._held)

    def may_put(self, book: str) -> bool:
        """Tell whether files of a book may be put now; callable from any thread."""
        return book in self._held and self._clock() - self._sent_at < HOLDS_S

    @property
    def sure_until(self) -> float:
        """When the last sign was sent that came: until then this recorder had its books."""
        return self._sent_at

    def contested(self, book: str) -> int:
        """Give the tick up to which another host's rows may be in the store."""
        held = self._held.get(book)
        return 0 if held is None else held.lease.contested_until

    def is_known_to_live(self, book: str) -> bool:
        """Tell whether who has a book was seen to renew, after a call of `take`."""
        return self._rivals.is_known_to_live(book)

    @property
    def is_due(self) -> bool:
        """Whether it is time for a sign of life, or there is something new to say."""
        is_old = self._clock() - self._sent_at >= RENEWS_S
        return is_old or self._name is None or self._beat().phase is not self._phase

    def renew(self) -> None:
        """Give a sign of life. What was taken meanwhile is not held any more after that."""
        for _ in range(2):
            sent_at = self._clock()
            sign = Sign(self._half.name, secrets.token_hex(8), self._beat())
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
        if (name := self._name) is None:
            return False
        seen = {} if seen is None else seen
        key = keys.lease_key(self._table, book)
        try:
            there = self._store.fetch(key)
        except AbsentError:
            mine = self._mine(book, name, self._contested_from_now(book))
            with suppress(ExistsError):
                self._hold(mine, self._store.put_new(key, mine.to_bytes()))
            return book in self._held
        lease = Lease.parse(there.data, self._store.url_of(key))
        if lease.recorder == name:
            self._hold(lease, there.found.version)
            return True
        if not self._rivals.is_free(lease, seen, was_fenced=self.losses > 0):
            return False
        if lease.half == self._half.name and self._half.is_behind({book: lease.recorded}):
            self._half.part()
        if lease.half != self._half.name:
            self._rivals.note_recorded(book, lease.recorded)
            contested = self._contested_from_now(book)
        else:
            contested = lease.contested_until
        mine = self._mine(book, name, contested)
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
            data = Sign(self._half.name, secrets.token_hex(8), self._beat(), ended=True).to_bytes()
            with suppress(ChangedError, ExistsError):
                if self._version is None:
                    self._store.put_new(key, data)
                else:
                    self._store.replace(key, data, self._version)
        else:
            self._store.delete(key)

    def give_up(self) -> None:
        """Wait for no answer of the store any more; callable from any thread."""
        self._store.give_up()

    def bury(self, locked: Collection[str]) -> None:
        """Remove what earlier recorders of this folder have left: what they left is ours now.

        Args:
            locked: the books whose locks in this folder are ours. Who recorded nothing else has
                ended, and could not say so if the store was away.
        """
        for found in self._store.objects(keys.recorders_prefix(self._table)):
            try:
                sign = Sign.parse(self._store.get(found.key), self._store.url_of(found.key))
            except UnreachableError:
                raise
            except LakeError:
                # It is gone, or cannot be read, which `status` tells: it is in nobody's way.
                continue
            if sign.half != self._half.name:
                continue
            if self._half.is_behind(sign.durable):
                # What it left is in the folder that this one is a copy of.
                self._half.part()
                return
            books = sign.beat.names
            if sign.ended or (books and {*books} <= {*locked}):
                self._store.delete(found.key)

    def _mine(self, book: str, name: str, contested_until: int) -> Lease:
        host, pid = socket.gethostname(), os.getpid()
        return Lease(book, name, self._half.name, host, pid, contested_until)

    def _contested_from_now(self, book: str) -> int:
        # The other one's clock may be ahead of ours.
        return max(int(self._wall()), self.recorded.get(book, 0)) + CONTESTED_S

    def _key(self, name: str) -> str:
        return keys.recorder_key(self._table, name)

    def _hold(self, lease: Lease, version: Version) -> None:
        self._held = {**self._held, lease.book: _Held(version, lease)}
        self._rivals.forget(lease.book)

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
        self.losses += 1
