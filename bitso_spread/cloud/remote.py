"""The way from a collection to its lake in object storage: leases, uploads, and how both stand.

The collection records into the local half as into any lake; here is what takes it from there.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable
from functools import partial

from bitso_spread.clock import monotonic
from bitso_spread.cloud.claim import check_identity, claim, held_identity
from bitso_spread.cloud.connect import Patience
from bitso_spread.cloud.half import half_of
from bitso_spread.cloud.keeper import LeaseKeeper, Standing
from bitso_spread.cloud.lease import EXPIRES_S
from bitso_spread.cloud.leases import Leases
from bitso_spread.cloud.objects import open_store
from bitso_spread.cloud.uploader import OnObject, Uploader
from bitso_spread.errors import LakeBusyError, LakeError
from bitso_spread.health import named
from bitso_spread.lake.heartbeat import Heartbeat, StoreBeat
from bitso_spread.lake.journal import Identity
from bitso_spread.lake.table import Table
from bitso_spread.lake.uploads import Uploads, Waiting
from bitso_spread.lifetime import Running

log = logging.getLogger("bitso_spread.cloud")

BRISK = Patience(connect_s=3, request_s=10, retries=2, retry_s=10)
"""For loops of their own: a request that is slowed down is sent again at once, and 23 s after it
was begun it has come to its end."""
GIVE_UP_S = 30.0
"""At the end of a run, how long what waits may take; the rest goes with the next run. Services give
it a minute in all."""

_POLL_S = 0.05
# A store that was there before is not waited for longer at a start: seconds pass meanwhile.
_SLOW_S = 5.0


def held_in_store(url: str, table: str) -> dict[str, str]:
    """Give what a table holds in the store; empty where nobody has written it down.

    Raises:
        UsageError, MissingExtraError, RefusedError: see `bitso_spread.cloud.objects.open_store`.
        LakeError: the store cannot tell.
    """
    return held_identity(open_store(url, patience=BRISK), table)


class Remote(Running):
    """The store of one collection; `start` begins two threads, and `stop` ends them.

    Args:
        url: of the lake.
        table: its local half.
        beat: gives how the collection is, for other hosts to see.
        stopping: set once the collection is to end.

    Raises:
        UsageError, MissingExtraError, RefusedError: see `bitso_spread.cloud.objects.open_store`.
        LakeError: the local half is another store's.
    """

    def __init__(
        self,
        url: str,
        table: Table,
        identity: Identity,
        *,
        beat: Callable[[], Heartbeat],
        on_object: OnObject,
        stopping: threading.Event,
    ) -> None:
        self._store = open_store(url, patience=BRISK)
        self.url = str(self._store.address)
        self._table = table
        self._identity = identity
        self._stopping = stopping
        half = half_of(table.lake, table.name, self.url)
        with Uploads(table.lake, table.name) as uploads:
            self._has_met = uploads.has_met
        self._leases = Leases(self._store, table.name, half, beat)
        self._keeper = LeaseKeeper(self._leases, self._claim, self._let_go)
        self._uploader = Uploader(
            self._store, table.lake, table.name, self._keeper, on_object=on_object
        )
        self._started = False
        self._said_watched = False

    def start(self) -> None:
        """Look whether the table holds what is to be recorded, and begin.

        Raises:
            LakeIdentityError: it holds something else.
            LakeError: the store cannot be asked, and never could be from here.
        """
        if not self._has_met:
            # Later on what keeps the leases looks: a start is not to wait for a store that is away.
            check_identity(self._store, self._table.name, self._identity)
        self._keeper.start()
        self._uploader.start()
        self._started = True

    def stop(self) -> None:
        """Give the leases back, and end; what waits is left for the next run."""
        self.finish(0.0)

    def finish(self, give_up_s: float | None = None) -> None:
        """Put what waits, for `GIVE_UP_S` at most; give the leases back, and end."""
        give_up_s = GIVE_UP_S if give_up_s is None else give_up_s
        if not self._started:
            return
        self._started = False
        self._uploader.stop(give_up_s)
        self._keeper.stop(leaves_files=bool(self.waiting.files))

    def take(self, books: Iterable[str], *, wait: bool) -> bool:
        """Take the leases of books, whose local locks are held; False if they are waited for.

        Where the store is out of reach, and was not before, the books are recorded all the same.

        Raises:
            LakeBusyError: another recorder has one of them, and nobody is to wait.
            LakeError: the store cannot be asked, and never could be from here; or does not keep
                to conditions.
        """
        self._keeper.want(books)
        is_taken = self._settle(tuple(books), wait=wait)
        self._keeper.is_quiet = False
        if is_taken:
            self.taken(books)
        return is_taken

    def wants(self, books: Iterable[str]) -> None:
        """Ask for the leases of books, and go on; see `has`."""
        self._keeper.is_quiet = False
        self._keeper.want(books)

    @property
    def has(self) -> bool:
        """Whether all leases that were asked for last are held."""
        return self._keeper.standing is Standing.HELD

    @property
    def is_out_of_reach(self) -> bool:
        """Whether the store could not be asked for them."""
        return self._keeper.standing is Standing.TROUBLE

    @property
    def holders(self) -> str:
        """Say who has the books that were asked for."""
        return self._keeper.holders

    def taken(self, books: Iterable[str]) -> None:
        """From now on books are recorded, whatever becomes of their leases."""
        self._keeper.record_meanwhile()
        self._uploader.take_on(books)
        self._adopt()
        if self._keeper.standing is Standing.HELD and not self._has_met:
            with Uploads(self._table.lake, self._table.name) as uploads:
                uploads.meet()
            self._has_met = True

    def add(self, books: Iterable[str]) -> None:
        """Take on all these books: those that there were, and new ones."""
        self._keeper.want(books)
        self._uploader.take_on(books)

    def marks(self) -> dict[str, int]:
        """Give the last tick that another host had recorded of books that were taken from it."""
        return self._keeper.recorded

    def wake(self) -> None:
        """Put a file that is finished; returns at once."""
        self._uploader.wake()

    @property
    def waiting(self) -> Waiting:
        """The files that are in no store yet."""
        return self._uploader.waiting

    @property
    def put(self) -> int:
        """How many files have come into the store."""
        return self._uploader.put

    @property
    def now(self) -> StoreBeat:
        """How it stands."""
        waiting = self._uploader.waiting
        trouble = self._uploader.trouble or self._keeper.trouble
        unleased = self._keeper.unleased if self._keeper.trouble is None else ()
        if trouble is None and self._keeper.refusal is not None:
            trouble = str(self._keeper.refusal)
        return StoreBeat(self.url, waiting.files, waiting.since, trouble, unleased)

    def _settle(self, books: tuple[str, ...], *, wait: bool) -> bool:
        """Wait until it is known how it stands with the leases; for a store that is slow, not."""
        begun, half = monotonic(), self._table.lake
        while not self._stopping.wait(_POLL_S):
            standing = self._keeper.standing
            if self._keeper.refusal is not None:
                raise self._keeper.refusal
            if standing is Standing.HELD:
                break
            if standing is Standing.TROUBLE:
                if not self._has_met:
                    raise LakeError(self._keeper.trouble or "the store cannot be asked")
                log.error("%s; files wait in %s until it is back", self._keeper.trouble, half)
                break
            if standing is Standing.ASKED and self._has_met and monotonic() - begun > _SLOW_S:
                log.error("%s does not answer yet; files wait in %s until it does", self.url, half)
                break
            if standing is Standing.BUSY and not wait:
                raise LakeBusyError(
                    f"{self._keeper.holders} has {named(books)} in {self.url}: stop it, choose "
                    "other books, stand by for it with --wait, or give --lake another prefix"
                )
            if standing in {Standing.WATCHED, Standing.BUSY} and wait:
                return False
            if standing is Standing.WATCHED:
                self._say_watched()
        return True

    def _claim(self) -> None:
        claim(self._store, self._table.name, self._identity)
        self._leases.bury(self._table.books)

    def _adopt(self) -> None:
        """Put what others have left here of books that nobody records any more."""
        try:
            with Uploads(self._table.lake, self._table.name) as uploads:
                left = {file.book for file in uploads.waiting()} - self._table.books
        except sqlite3.Error as error:
            log.error("cannot look for files that others left in %s: %s", self._table.lake, error)  # noqa: TRY400  (one line, no traceback)
            return
        for book in sorted(left):
            try:
                self._table.lock([book])
            except LakeBusyError:
                continue
            self._uploader.take_on([book])
            self._keeper.lend(book, partial(self._is_put, book))

    def _is_put(self, book: str) -> bool:
        return book not in self._uploader.pending

    def _let_go(self, book: str) -> None:
        self._uploader.let_go(book)
        self._table.unlock([book])

    def _say_watched(self) -> None:
        if not self._said_watched:
            self._said_watched = True
            log.warning(
                "%s has books of ours in the store: whether it lives is known in %.0f s at most",
                self._keeper.holders,
                EXPIRES_S,
            )
