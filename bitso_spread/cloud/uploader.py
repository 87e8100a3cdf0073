"""A thread that brings finished files into the store, in the order in which they were written.

No tick waits for it. While the store is out of reach, says to slow down, or refuses, files wait on
the disk; they go when it is back. Whose turn it is to put a book's files, the leases tell.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bitso_spread.backoff import Backoff
from bitso_spread.clock import monotonic
from bitso_spread.cloud.errors import UnreachableError
from bitso_spread.cloud.keeper import LeaseKeeper
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.shipment import Shipper
from bitso_spread.complaint import Complaint
from bitso_spread.counting import many
from bitso_spread.errors import LakeError
from bitso_spread.lake.journal import WrittenFile
from bitso_spread.lake.uploads import Uploads, Waiting, together
from bitso_spread.lifetime import Running

log = logging.getLogger("bitso_spread.cloud")

CAP_S = 30.0
"""The longest wait before the store is tried again is drawn from zero to that."""
# Where nothing waits, or another recorder has the lease of all that does.
_IDLE_S = 1.0
# For what is left to do once a request was given up.
_END_S = 2.0

OnObject = Callable[[str, WrittenFile], None]
"""Called with the URL of an object that is in the store, and what it was here."""


@dataclass(frozen=True, slots=True)
class _Put:
    """A file that was brought into the store."""

    at: float
    """When that was done, by the monotonic clock."""
    file: WrittenFile
    key: str


class Uploader(Running):
    """Puts what waits until it is stopped.

    Raises:
        LakeError: the journal cannot be opened.
    """

    def __init__(
        self,
        store: ObjectStore,
        lake: Path,
        table: str,
        keeper: LeaseKeeper,
        *,
        on_object: OnObject = lambda *_: None,
        clock: Callable[[], float] = monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._uploads = Uploads(lake, table)
        self._shipper = Shipper(store, lake, table, self._uploads, keeper)
        self._on_object = on_object
        self._clock = clock
        self._backoff = backoff or Backoff(cap_s=CAP_S)
        self._complaint = Complaint(clock)
        self._books: frozenset[str] = frozenset()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._deadline: float | None = None
        self._has_seen_all = False
        self._unsure: deque[_Put] = deque()
        self._losses = keeper.losses
        self._thread = threading.Thread(target=self._run, name="uploader", daemon=True)
        self.waiting = Waiting()
        """What is in no store yet, as of the last look; of all recorders of the local half, and
        once it was stopped, of its own books alone."""
        self.pending: frozenset[str] = frozenset()
        """The books of these files."""
        self.trouble: str | None = None
        """Why they wait; None where nothing is wrong."""
        self.put = 0
        """How many files it has brought into the store."""

    def start(self) -> None:
        """Begin."""
        self._look()
        self._thread.start()

    def take_on(self, books: Iterable[str]) -> None:
        """Put files of these books too: their local locks are held."""
        self._books |= frozenset(books)
        self._wake.set()

    def let_go(self, book: str) -> None:
        """Put no more files of a book."""
        self._books -= {book}

    def wake(self) -> None:
        """Look now: a file is finished."""
        self._wake.set()

    def stop(self, give_up_s: float = 0.0) -> None:
        """Put what still waits, for so long at most, and end.

        From then on `waiting` is what others do not put: who else records here has its own files.
        """
        self._deadline = self._clock() + give_up_s
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(give_up_s)
        if self._thread.is_alive():
            # Nobody has the time for its answer; what it puts is found the next time.
            self._store.give_up()
            self._thread.join(_END_S)
        if not self._thread.is_alive():
            with suppress(sqlite3.Error):
                counts = self._uploads.counts()
                self.waiting = together(counts[book] for book in counts.keys() & self._books)
            self._uploads.close()

    def step(self) -> float:
        """Put all that can be put, and give the seconds until the next time."""
        before = self.put
        try:
            self._put_all()
        except (LakeError, OSError, sqlite3.Error) as error:
            return self._fail(str(error))
        except CancelledError:
            late = f"{self._store.address} had not answered in time"
            return self._fail(late if self.put > before else self.trouble or late)
        except Exception as error:  # noqa: BLE001  (a thread that dies would strand files)
            return self._fail(f"the files cannot be put: {error!r}")
        if self.put == before and self.trouble and self.pending & self._books:
            # No file was tried: there are no leases, and perhaps for the same reason.
            self._complain(self.trouble)
            return _IDLE_S
        self._backoff.reset()
        self.trouble = None
        if self._complaint.over():
            log.warning("the store takes files again: %d wait", self.waiting.files)
        return _IDLE_S

    def _run(self) -> None:
        pause = 0.0
        while not self._is_done():
            left_s = pause if self._deadline is None else min(pause, self._left_s())
            self._wake.wait(left_s)
            self._wake.clear()
            pause = self.step()
            if self.trouble is not None:
                # A file that is finished meanwhile is no reason to try again sooner; the end is.
                self._pause(pause)
                pause = 0.0

    def _pause(self, seconds: float) -> None:
        if self._ending.is_set():
            time.sleep(min(seconds, self._left_s()))
        else:
            self._ending.wait(seconds)

    def _is_done(self) -> bool:
        if self._deadline is None:
            return False
        return self._left_s() <= 0 or (self._has_seen_all and not self.pending & self._books)

    def _left_s(self) -> float:
        return max(0.0, (self._deadline or 0.0) - self._clock())

    def _look(self) -> None:
        # What is finished before the end is told has to be seen after that.
        self._has_seen_all = self._deadline is not None
        counts = self._uploads.counts()
        self.waiting = together(counts.values())
        self.pending = frozenset(counts)

    def _put_all(self) -> None:
        self._look_back()
        refused = self._drop_noted()
        self._look()
        mine = {book for book in self.pending & self._books if self._keeper.may_put(book)}
        # In a long outage many files wait: they are counted, and listed only once they can go.
        for file in self._uploads.waiting(mine) if mine else ():
            if self._deadline is not None and self._left_s() <= 0:
                return
            # One book's trouble must not keep the others from being put; within a book, in order.
            if file.book not in mine & self._books:
                continue
            try:
                if self._keeper.may_put(file.book):
                    self._put(file)
                else:
                    mine.discard(file.book)
            except UnreachableError:
                raise
            except (LakeError, OSError) as error:
                mine.discard(file.book)
                refused = error
            except sqlite3.Error as error:
                # The disk may be full of what waits: each file that is put makes room.
                refused = error
        self._look()
        if refused is not None:
            raise refused

    def _drop_noted(self) -> Exception | None:
        """Drop what a stop, or a full disk, has left of files that are in the store."""
        refused: Exception | None = None
        for path in self._uploads.noted():
            try:
                self._shipper.drop(path)
            except (OSError, sqlite3.Error) as error:
                refused = error
        return refused

    def _put(self, file: WrittenFile) -> None:
        key = self._shipper.ship(file)
        self.waiting = replace(self.waiting, files=self.waiting.files - 1)
        if key is not None:
            self.put += 1
            self._unsure.append(_Put(self._clock(), file, key))
            self._on_object(self._store.url_of(key), file)

    def _look_back(self) -> None:
        """Take back what was put after another recorder had been given the book.

        Who was frozen between a look at its lease and its put, as virtual machines are with all
        their clocks, learns of it by its next sign of life.
        """
        sure_until, losses = self._keeper.sure_until, self._keeper.losses
        if losses == self._losses:
            while self._unsure and self._unsure[0].at < sure_until:
                self._unsure.popleft()
            return
        while self._unsure:
            put = self._unsure[0]
            try:
                self._shipper.take_back(put.file, put.key)
            except UnreachableError:
                raise
            except LakeError as error:
                log.error(  # noqa: TRY400  (one line, no traceback)
                    "seconds of %s may be in the store twice, which bitso-spread verify tells: %s",
                    self._store.url_of(put.key),
                    error,
                )
            self._unsure.popleft()
        self._losses = losses

    def _fail(self, reason: str) -> float:
        self.trouble = reason
        self._complain(reason)
        return self._backoff.next()

    def _complain(self, reason: str) -> None:
        if self._complaint.due("files wait"):
            waiting = self.waiting.files
            files = many(waiting, "file", ("waits", "wait"))
            log.error("%s on this disk for the store: %s", files, reason)
