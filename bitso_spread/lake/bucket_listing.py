"""What lies in a lake's folders in object storage: asked for once, also ahead, and remembered.

A book's day is listed as a whole, and a year by the names of its days alone; a folder is a prefix
here, and is there as long as there is an object in it. With them come the files that a collector
still has on its disk: these are looked for before the store is asked, because a file is put before
it is dropped, and so is in one of the two answers.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

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
        self._levels: _Recent[Level] = _Recent(store.level_soon, self._folders_here, _LEVELS, now)
        self._ready: dict[str, _SortedOut] = {}
        self._flat: _Recent[list[Found]] = _Recent(store.objects_soon, self._files_here, _FLAT, now)

    def folders(self, prefix: str) -> list[str]:
        """Give the names of the folders right under a prefix, in order."""
        known = self._levels.get(prefix)
        return sorted({*known.result().folders, *known.here})

    def beside(self, prefix: str) -> list[Found]:
        """Give the objects right under a prefix."""
        level = self._levels.get(prefix).result()
        return [found for found in level.objects if not is_marker(found)]

    def objects(self, prefix: str) -> list[Found]:
        """Give all objects under a prefix, by key."""
        return self._sorted_out(prefix).objects

    def parts(self, prefix: str) -> Mapping[str, Sequence[Found]]:
        """Give the same by the folder, or name, that follows the prefix."""
        return self._sorted_out(prefix).parts

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

    def _sorted_out(self, prefix: str) -> _SortedOut:
        answer = self._flat.get(prefix)
        # A day's 144 batches are asked for one by one.
        known = self._ready.get(prefix)
        if known is None or known.answer is not answer:
            objects = [found for found in answer.result() if not is_marker(found)]
            if answer.here:
                there = {found.key for found in objects}
                objects += [each for each in answer.here if each.key not in there]
                objects.sort(key=lambda found: found.key)
            parts: dict[str, list[Found]] = {}
            for found in objects:
                parts.setdefault(found.key[len(prefix) + 1 :].partition("/")[0], []).append(found)
            known = _SortedOut(answer, objects, parts)
            if len(self._ready) >= _FLAT:
                self._ready.clear()
            self._ready[prefix] = known
        return known

    def _folders_here(self, prefix: str) -> list[str]:
        if self._state is None:
            return []
        return [path.name for path in _entries(self._state / prefix) if path.is_dir()]

    def _files_here(self, prefix: str) -> list[Found]:
        if (root := self._state) is None:
            return []
        found = []
        for path in sorted((root / prefix).rglob("*")):
            with suppress(FileNotFoundError):  # uploaded a moment ago
                if path.is_file():
                    size = path.stat().st_size
                    found.append(Found(path.relative_to(root).as_posix(), size, None, None))
        return found


def is_marker(found: Found) -> bool:
    """Tell the empty objects that consoles make for folders, which hold no data."""
    return found.size == 0 and "=" in found.key.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    """What the store says of a prefix, and what was on the collector's disk before it was asked."""

    asked_at: float
    here: Sequence[Any]
    """Names of folders, or files."""
    future: Future[T]

    def result(self) -> T:
        return result_of(self.future)


@dataclass(frozen=True, slots=True)
class _SortedOut:
    """An answer without markers, with what waits to be put, and by what follows its prefix."""

    answer: _Answer[list[Found]]
    objects: list[Found]
    parts: Mapping[str, Sequence[Found]]


class _Recent(Generic[T]):
    """Answers by what was asked, as long as they stand."""

    def __init__(
        self,
        ask: Callable[[str], Future[T]],
        look: Callable[[str], Sequence[Any]],
        most: int,
        now: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._look = look
        self._most = most
        self._now = now
        self._lock = Lock()
        self._known: OrderedDict[str, _Answer[T]] = OrderedDict()

    def get(self, prefix: str) -> _Answer[T]:
        """Give an answer that has come; one that failed is asked for again next time."""
        answer = self.begin(prefix)
        try:
            answer.result()
        except BaseException:
            self.forget(prefix)
            raise
        return answer

    def begin(self, prefix: str) -> _Answer[T]:
        with self._lock:
            known = self._known.get(prefix)
            if known is not None and self._now() - known.asked_at < _STANDS_FOR_S:
                return known
            here = self._look(prefix)
            answer = self._known[prefix] = _Answer(self._now(), here, self._ask(prefix))
            self._known.move_to_end(prefix)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
            return answer

    def is_done(self, prefix: str) -> bool:
        with self._lock:
            known = self._known.get(prefix)
        return known is not None and known.future.done() and known.future.exception() is None

    def forget(self, prefix: str) -> None:
        with self._lock:
            self._known.pop(prefix, None)


def _entries(folder: Path) -> list[Path]:
    try:
        return [*folder.iterdir()]
    except FileNotFoundError:
        return []
