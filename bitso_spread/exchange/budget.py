"""How many requests may still be made: 60 in any 60 seconds, whoever of us makes them.

Bitso counts per address, so all processes of the user on this host share one ledger, in a
small SQLite file in the user's state folder; it outlives a restart. Which book is asked for
next is the client's decision, and what a reply says is bitso_spread.exchange.rest's.

A slot is taken before its request leaves and is free again 61 s after its reply: the request
reached the exchange at some moment between the two, so no 60 seconds there can hold more than
60 of them. Source of the limit: docs.bitso.com, general-concepts (public: 60 a minute per IP,
then locked out for a minute, and for 24 hours if that happens over and over).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from bitso_spread.exchange.environment import Environment
from bitso_spread.exchange.rest_errors import BudgetExhausted
from bitso_spread.user_folders import state_folder

logger = logging.getLogger("bitso_spread.exchange")

REQUESTS = 60
"""Requests that Bitso allows an address in any 60 seconds."""
SLOT_S = 61.0
"""How long a slot stays taken after its reply: Bitso's minute and a second to spare."""
SILENCE_S = 61.0
"""How long nobody asks after Bitso has said that it was too much: its lock-out is a minute."""
REQUEST_S = 10.0
"""How long a request is taken to last when its process died before saying that it was over."""

_FILE = "rest-budget.sqlite3"
# A transaction takes milliseconds; only a stopped process can hold the file for longer.
_LOCK_TIMEOUT_S = 5.0


T = TypeVar("T")


class Reservation(NamedTuple):
    """A slot, or how long until one may be free."""

    wait_s: float
    """0.0 where a slot is held."""
    slot: int | None
    silenced: bool
    """Whether the wait is for the end of a lock-out, and not for a slot."""


class Room(NamedTuple):
    """How much may still be asked."""

    free: int
    """Slots that are free."""
    requests: int
    """Slots that there are."""
    silence_s: float
    """How long nobody may ask; not above zero where anybody may."""


class Ledger(msgspec.Struct):
    """What is taken until when: pure, with the time as an argument."""

    slots: dict[int, tuple[float, float]] = {}
    """Of each slot, since when (s) and for how long (s) it is taken."""
    silence: tuple[float, float] = (0.0, 0.0)
    """Since when (s), and for how long (s), nothing may be asked."""
    last_slot: int = 0

    def reserve(self, now: float, *, requests: int, request_s: float) -> Reservation:
        """Take a slot, or tell how long to wait before asking again."""
        self._settle(now)
        since, length = self.silence
        if since + length > now:
            return Reservation(since + length - now, None, silenced=True)
        if len(self.slots) >= requests:
            free_at = min(since + held for since, held in self.slots.values())
            return Reservation(free_at - now, None, silenced=False)
        self.last_slot += 1
        self.slots[self.last_slot] = (now, SLOT_S + request_s)
        return Reservation(0.0, self.last_slot, silenced=False)

    def replied(self, now: float, slot: int) -> None:
        """Note that the request of a slot is over; it was made, even if it is forgotten here."""
        self._settle(now)
        self.slots[slot] = (now, SLOT_S)

    def be_silent(self, now: float, seconds: float) -> None:
        """Let nobody ask for so long; a longer silence that has begun stays."""
        self._settle(now)
        since, length = self.silence
        if now + seconds > since + length:
            self.silence = (now, seconds)

    def _settle(self, now: float) -> None:
        # After the clock has stepped back, what seems to begin later began before now.
        pulled = {slot: (min(since, now), held) for slot, (since, held) in self.slots.items()}
        self.slots = {slot: entry for slot, entry in pulled.items() if sum(entry) > now}
        since, length = self.silence
        self.silence = (min(since, now), length)


class Shelf(Protocol):
    """Where a ledger is kept."""

    def change(self, work: Callable[[Ledger], T]) -> T:
        """Let `work` read and change the ledger while nobody else does."""


class PrivateShelf:
    """A ledger in this process."""

    def __init__(self) -> None:
        self._ledger = Ledger()
        self._lock = threading.Lock()

    def change(self, work: Callable[[Ledger], T]) -> T:
        """Let one thread at a time work on the ledger."""
        with self._lock:
            return work(self._ledger)


class SharedShelf:
    """A ledger in a file that all processes of the user share.

    Where the file cannot be used, a private ledger takes its place, with one warning: to record
    is worth more than to share the limit.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key
        self._instead: PrivateShelf | None = None

    def change(self, work: Callable[[Ledger], T]) -> T:
        """Let one process at a time work on the ledger."""
        if self._instead is None:
            try:
                return self._transact(work)
            except (sqlite3.Error, OSError, msgspec.DecodeError) as error:
                self._instead = PrivateShelf()
                logger.warning(
                    "cannot use %s (%s): the request limit is not shared with other processes",
                    self._path,
                    error,
                )
        return self._instead.change(work)

    def _transact(self, work: Callable[[Ledger], T]) -> T:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Opened for each change, which costs little at 60 a minute and survives a fork.
        with closing(
            sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT_S, isolation_level=None)
        ) as file:
            file.execute("BEGIN IMMEDIATE")
            file.execute("CREATE TABLE IF NOT EXISTS ledgers (key TEXT PRIMARY KEY, ledger TEXT)")
            row = file.execute("SELECT ledger FROM ledgers WHERE key = ?", [self._key]).fetchone()
            ledger = msgspec.json.decode(row[0], type=Ledger) if row else Ledger()
            result = work(ledger)
            text = msgspec.json.encode(ledger).decode()
            file.execute("INSERT OR REPLACE INTO ledgers VALUES (?, ?)", [self._key, text])
            file.execute("COMMIT")
        return result


class RequestBudget:
    """The requests that one exchange still allows. Safe to use from any thread."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        requests: int = REQUESTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Count on the ledger of `shelf`; `clock` gives seconds that mean the same to its users."""
        self._shelf = shelf
        self._requests = requests
        self._clock = clock

    @classmethod
    def shared(
        cls,
        key: str,
        path: Path | None = None,
        *,
        requests: int = REQUESTS,
        clock: Callable[[], float] = time.time,
    ) -> RequestBudget:
        """Share the ledger called `key` with every process of the user on this host."""
        shelf = SharedShelf(path or state_folder(os.environ) / _FILE, key)
        return cls(shelf, requests=requests, clock=clock)

    @classmethod
    def in_memory(
        cls,
        *,
        requests: int = REQUESTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> RequestBudget:
        """Count in this object alone."""
        return cls(PrivateShelf(), requests=requests, clock=clock)

    def reserve(self, request_s: float = REQUEST_S) -> Reservation:
        """Take a slot if one is free, without waiting.

        `request_s` is how long the request may last: a slot whose process dies is free again
        that long and 61 s after it was taken.
        """
        return self._shelf.change(
            lambda ledger: ledger.reserve(
                self._clock(),
                requests=self._requests,
                request_s=request_s,
            ),
        )

    def replied(self, slot: int) -> None:
        """Say that the request of a slot is over, with a reply or without."""
        self._shelf.change(lambda ledger: ledger.replied(self._clock(), slot))

    def room(self) -> Room:
        """Look how much may still be asked, and take nothing."""
        now = self._clock()

        def read(ledger: Ledger) -> Room:
            taken = sum(since + held > now for since, held in ledger.slots.values())
            since, length = ledger.silence
            return Room(max(0, self._requests - taken), self._requests, since + length - now)

        return self._shelf.change(read)

    def silence(self, seconds: float = SILENCE_S) -> None:
        """Let no process ask for so long: the exchange has said that it was too much."""
        self._shelf.change(lambda ledger: ledger.be_silent(self._clock(), seconds))

    def acquire(
        self,
        sleep: Callable[[float], object] = time.sleep,
        patience_s: float = REQUEST_S,
        request_s: float = REQUEST_S,
    ) -> int:
        """Take a slot, waiting at most `patience_s` seconds for it.

        Raises:
            BudgetExhausted: it would take longer; the error says how long.
        """
        while True:
            wait_s, slot, silenced = self.reserve(request_s)
            if slot is not None:
                return slot
            if wait_s > patience_s:
                why = (
                    "the exchange has said that there were too many requests"
                    if silenced
                    else f"all {self._requests} requests a minute are used on this machine"
                )
                raise BudgetExhausted(f"{why}: try again in {wait_s:.0f} s", wait_s)
            patience_s -= wait_s
            sleep(wait_s)


def budget_of(environment: Environment) -> RequestBudget:
    """Give the budget of an environment: shared, or of this process where nothing leaves it."""
    if not environment.is_loopback:
        return RequestBudget.shared(environment.budget_key)
    with _private_lock:
        return _private.setdefault(environment.budget_key, RequestBudget.in_memory())


_private: dict[str, RequestBudget] = {}
_private_lock = threading.Lock()
