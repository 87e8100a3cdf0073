"""Objects that are fetched before they are asked for, and no more of them than a few at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from threading import RLock

from bitso_spread.cloud.objects import Fetched, ObjectStore


class Ahead:
    """What is fetched, and what is to be; safe to be used by several threads.

    Args:
        store: the lake.
        at_once: how many are under way, or have come and are not taken yet.
    """

    def __init__(self, store: ObjectStore, at_once: int) -> None:
        self._store = store
        self._at_once = at_once
        self._lock = RLock()
        self._coming: dict[str, Future[Fetched]] = {}
        self._expected: deque[str] = deque()

    def expect(self, keys: Iterable[str]) -> None:
        """Fetch these next."""
        with self._lock:
            self._expected.extend(keys)
            self._begin_expected()

    def begin(self, key: str) -> Future[Fetched]:
        """Give the answer that is under way, or ask for it."""
        with self._lock:
            if key not in self._coming:
                self._coming[key] = self._store.fetch_soon(key)
            return self._coming[key]

    def end(self, key: str) -> None:
        """Forget an answer that was taken, and go on with what is expected."""
        with self._lock:
            self._coming.pop(key, None)
            self._begin_expected()

    def _begin_expected(self) -> None:
        while self._expected and len(self._coming) < self._at_once:
            self.begin(self._expected.popleft())
