"""What lies in a lake's folders in object storage: asked for once, also ahead, and remembered.

A book's day is listed as a whole, and a year by the names of its days alone; a folder is a prefix
here, and is there as long as there is an object in it. With them come the files that a collector
still has on its disk.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from bitso_spread.cloud.objects import Found, Level, ObjectStore
from bitso_spread.waiting import result_of

T = TypeVar("T")

# A question lists what it asks for when it begins; with this, its parts need not do so again.
_STANDS_FOR_S = 10.0
# A year of days, several times over: names of books, or the 144 objects of a book's day.
_LEVELS, _FLAT = 2048, 256


class BucketListing:
    """Lists the folders of a lake; safe to be used by several threads.

    Args:
        store: the lake.
        state: the local lake of its collector, with what is not uploaded yet.
        now: the clock by which what is remembered grows old, in seconds.
    """

    def __init__(
        self, store: ObjectStore, state: Path | None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._state = state
        self._levels: _Recent[Level] = _Recent(store.level_soon, _LEVELS, now)
        self._flat: _Recent[list[Found]] = _Recent(store.objects_soon, _FLAT, now)

    def folders(self, prefix: str) -> list[str]:
        """Give the names of the folders right under a prefix, in order."""
        names = set(self._levels.get(prefix).folders)
        if self._state is not None:
            names |= {path.name for path in _entries(self._state / prefix) if path.is_dir()}
        return sorted(names)

    def beside(self, prefix: str) -> list[Found]:
        """Give the objects right under a prefix."""
        return [found for found in self._levels.get(prefix).objects if not is_marker(found)]

    def objects(self, prefix: str) -> list[Found]:
        """Give all objects under a prefix, by key."""
        objects = [found for found in self._flat.get(prefix) if not is_marker(found)]
        if self._state is None:
            return objects
        there = {found.key for found in objects}
        waiting = (found for found in self._waiting(prefix) if found.key not in there)
        return sorted([*objects, *waiting], key=lambda found: found.key)

    def waiting_file(self, key: str) -> Path | None:
        """Give the file of the collector's disk that is to become an object."""
        return None if self._state is None else self._state / key

    def foresee(self, levels: Iterable[str] = (), flat: Iterable[str] = ()) -> None:
        """Begin to list prefixes."""
        for prefix in levels:
            self._levels.begin(prefix)
        for prefix in flat:
            self._flat.begin(prefix)

    def is_known(self, prefix: str) -> bool:
        """Tell whether all objects under a prefix are listed already."""
        return self._flat.is_done(prefix)

    def forget(self, prefixes: Sequence[str]) -> None:
        """List prefixes anew when they are asked for."""
        for prefix in prefixes:
            self._levels.forget(prefix)
            self._flat.forget(prefix)

    def _waiting(self, prefix: str) -> Iterable[Found]:
        assert self._state is not None  # noqa: S101  # for the type checker
        for path in sorted((self._state / prefix).rglob("*")):
            try:
                if path.is_file():
                    size = path.stat().st_size
                    yield Found(path.relative_to(self._state).as_posix(), size, None, None)
            except FileNotFoundError:
                continue  # uploaded a moment ago


def is_marker(found: Found) -> bool:
    """Tell the empty objects that consoles make for folders, which hold no data."""
    return found.size == 0 and "=" in found.key.rpartition("/")[2]


class _Recent(Generic[T]):
    """Answers by what was asked, as long as they stand."""

    def __init__(
        self, ask: Callable[[str], Future[T]], most: int, now: Callable[[], float]
    ) -> None:
        self._ask = ask
        self._most = most
        self._now = now
        self._lock = Lock()
        self._known: OrderedDict[str, tuple[float, Future[T]]] = OrderedDict()

    def get(self, prefix: str) -> T:
        """Give an answer; one that failed is asked for again next time."""
        answer = self.begin(prefix)
        try:
            return result_of(answer)
        except BaseException:
            self.forget(prefix)
            raise

    def begin(self, prefix: str) -> Future[T]:
        with self._lock:
            known = self._known.get(prefix)
            if known is not None and self._now() - known[0] < _STANDS_FOR_S:
                return known[1]
            answer = self._ask(prefix)
            self._known[prefix] = self._now(), answer
            self._known.move_to_end(prefix)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
            return answer

    def is_done(self, prefix: str) -> bool:
        with self._lock:
            known = self._known.get(prefix)
        return known is not None and known[1].done() and known[1].exception() is None

    def forget(self, prefix: str) -> None:
        with self._lock:
            self._known.pop(prefix, None)


def _entries(folder: Path) -> list[Path]:
    try:
        return [*folder.iterdir()]
    except FileNotFoundError:
        return []
