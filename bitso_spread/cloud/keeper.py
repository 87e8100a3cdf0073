"""A thread that keeps a recorder's leases: takes those that are wanted, and renews them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from enum import Enum, auto

from bitso_spread.backoff import Backoff
from bitso_spread.cloud.errors import StoreError, UnreachableError
from bitso_spread.cloud.leases import Leases
from bitso_spread.complaint import Complaint
from bitso_spread.errors import LakeError
from bitso_spread.health import named
from bitso_spread.lifetime import Running

log = logging.getLogger("bitso_spread.cloud")

# How often a book that another recorder has is asked for.
_LOOK_S = 5.0
_CAP_S = 15.0
# What the leases of many books take to be given back, by a store that answers; the others are free
# in a while.
_END_S = 15.0
# For what is left to do once a request was given up.
_LAST_S = 2.0


class Standing(Enum):
    """How it stands with the leases that are wanted."""

    ASKED = auto()
    """The store has not been asked yet."""
    HELD = auto()
    WATCHED = auto()
    """Another recorder has one of the books, and may be dead."""
    BUSY = auto()
    """Another recorder has one of the books, and lives."""
    TROUBLE = auto()
    """The store cannot be asked."""


class LeaseKeeper(Running):
    """Keeps leases until it is stopped; whoever asks how they stand waits for no request.

    Args:
        claim: called once, before the first lease is taken; see `bitso_spread.cloud.claim`.
        on_free: called with a book of `want_until_free` once it was given back.
    """

    def __init__(
        self,
        leases: Leases,
        claim: Callable[[], None],
        on_free: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._leases = leases
        self._claim = claim
        self._on_free = on_free
        self._claimed = False
        self._leaves_files = False
        self._wanted: tuple[str, ...] = ()
        self._together = True
        self._lent: dict[str, Callable[[], bool]] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._backoff = Backoff(cap_s=_CAP_S)
        self._complaint = Complaint()
        self._said: frozenset[str] = frozenset()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        self.is_quiet = True
        """Whether somebody waits for what becomes of the leases, and says it."""
        self.standing = Standing.ASKED
        """Of the books that are wanted, as of the last time that the store was asked."""
        self.trouble: str | None = None
        """Why the store cannot be asked; None where it can."""
        self.refusal: LakeError | None = None
        """Why nothing may be put there, ever."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, *, leaves_files: bool = False) -> None:
        """Give all books back, and end; if files are left here, others are told so."""
        self._leaves_files = leaves_files
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_END_S)
        if self._thread.is_alive():
            self._leases.give_up()
            self._thread.join(_LAST_S)

    def want(self, books: Iterable[str]) -> None:
        """Keep the leases of these books, whose local locks are held: all of them or none."""
        self._wanted = tuple(sorted(books))
        for book in self._wanted:
            self._lent.pop(book, None)
        self.standing = Standing.ASKED
        self._wake.set()

    def record_meanwhile(self) -> None:
        """From now on each lease that can be had is taken: the books are being recorded."""
        self._together = False

    def lend(self, book: str, until: Callable[[], bool]) -> None:
        """Keep the lease of one more book until that is so, if nobody else has it."""
        self._lent[book] = until
        self._wake.set()

    def may_put(self, book: str) -> bool:
        """Tell whether files of a book may be put now."""
        return self.refusal is None and self._leases.may_put(book)

    def contested(self, book: str) -> int:
        """Give the tick up to which another host's rows may be in the store."""
        return self._leases.contested(book)

    @property
    def sure_until(self) -> float:
        """Until when it is known that all leases were held, by the monotonic clock."""
        return self._leases.sure_until

    @property
    def losses(self) -> int:
        """How often they were all lost; to be asked for after `sure_until`."""
        return self._leases.losses

    @property
    def recorded(self) -> dict[str, int]:
        """The last tick that another host had recorded of a book that was taken from it."""
        return dict(self._leases.recorded)

    @property
    def unleased(self) -> tuple[str, ...]:
        """The books that are wanted, and that another recorder has."""
        if self.standing not in {Standing.BUSY, Standing.WATCHED}:
            return ()
        there = self._leases.books
        return tuple(book for book in self._wanted if book not in there)

    @property
    def holders(self) -> str:
        """Say who has some of the books that are wanted."""
        return " and ".join(sorted(set(self._leases.holders.values()))) or "another recorder"

    def step(self) -> float:
        """Do what is due, and give the seconds until the next time."""
        try:
            self._ask()
        except LakeError as error:
            return self._fail(error)
        except Exception as error:  # noqa: BLE001  (a thread that dies would lose the leases)
            return self._fail(LakeError(f"the leases cannot be kept: {error!r}"))
        self._backoff.reset()
        self.trouble = None
        if self._complaint.over():
            log.warning("the store gives leases again")
        return _LOOK_S

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.is_set():
            self._wake.wait(pause)
            self._wake.clear()
            if not self._stop.is_set():
                pause = self.step()
        try:
            self._leases.end(leaves_files=self._leaves_files)
        except (LakeError, CancelledError) as error:
            why = str(error) or f"{self._leases.place} does not answer"
            log.warning("the leases are not given back, and free in a while: %s", why)

    def _ask(self) -> None:
        if not self._wanted and not self._lent:
            return
        if not self._claimed:
            try:
                self._claim()
            except LakeError as error:
                if not isinstance(error, StoreError):
                    self.refusal = error
                raise
            self._claimed = True
        if self._leases.is_due:
            self._leases.renew()
        self._take()
        self._free()

    def _take(self) -> None:
        seen: dict[str, bool] = {}
        before = self._leases.books
        refused, failure = "", None
        for book in self._wanted:
            try:
                if self._is_taken(book, seen):
                    continue
                refused = refused or book
            except UnreachableError:
                raise
            except LakeError as error:
                # One book's trouble must not keep the others' files from being put.
                failure = error
            if self._together:
                # Of two that want several, none keeps half of them.
                self._leases.give_back(set(self._wanted) & (self._leases.books - before))
                break
        if refused:
            lives = self._leases.is_known_to_live(refused)
            self.standing = Standing.BUSY if lives else Standing.WATCHED
        elif self._leases.books.issuperset(self._wanted):
            self.standing = Standing.HELD
        self._say()
        for book in list(self._lent):
            self._is_taken(book, seen)
        if failure is not None:
            raise failure

    def _is_taken(self, book: str, seen: dict[str, bool]) -> bool:
        # A round over many books takes long where the store is slow.
        if self._leases.is_due:
            self._leases.renew()
        return self._leases.take(book, seen=seen)

    def _free(self) -> None:
        for book, until in list(self._lent.items()):
            if until():
                self._leases.give_back([book])
                self._lent.pop(book, None)
                # Whoever wants it by now has its lock too.
                if book not in self._wanted:
                    self._on_free(book)

    def _say(self) -> None:
        if self._together:
            return
        without = frozenset(self.unleased)
        if without and without != self._said:
            log.error(
                "%s has %s in the store: what is recorded here of these waits on this disk; stop "
                "one of the two",
                self.holders,
                named(tuple(sorted(without))),
            )
        elif self._said and not without:
            log.warning("all leases are held again")
        self._said = without

    def _fail(self, error: LakeError) -> float:
        self.trouble = str(error)
        if self.standing is not Standing.HELD:
            self.standing = Standing.TROUBLE
        if not self.is_quiet and self._complaint.due("leases"):
            log.error("no lease can be had or renewed: %s", error)
        return max(1.0, self._backoff.next())
