"""Some days of a lake in object storage, brought here to be worked on, and then put back.

The work is done by what does it on a disk. What is new is put where nothing is; what was replaced
replaces just the object that was brought; each is read back and compared. So two that work on the
same day at a time never undo each other: the later one is told, and nothing of it is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import uuid4

from bitso_spread.cloud import keys
from bitso_spread.cloud.errors import ChangedError, DamagedError, ExistsError
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.version import Version
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout


@dataclass(frozen=True, slots=True)
class _Brought:
    version: Version
    sha256: str


class Bench:
    """A folder that is a lake of a few days.

    Methods raise `StoreError` where the store cannot be asked, and `OSError` of the disk.
    """

    def __init__(self, store: ObjectStore, table: str, folder: Path) -> None:
        self.store = store
        self.table = table
        self.folder = folder
        self._brought: dict[str, _Brought] = {}

    def bring(self, book: str, date: int) -> None:
        """Copy the data files of a book's day, and what it was compacted into.

        Raises:
            DamagedError: an object is not what was put there.
        """
        # In this order: what is deleted after it was compacted is then found in one of them.
        for table in (self.table, layout.daily_table(self.table)):
            listed = self.store.objects(keys.day_prefix(table, date, book))
            names = [found.key for found in listed if layout.is_data_file(Path(found.key).name)]
            for key, there in zip(names, self.store.fetch_many(names), strict=True):
                self.store.sound(there)
                path = self.folder / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(there.data)
                self._brought[key] = _Brought(there.found.version, _sha256(there.data))

    def put_back(self, table: str, check: Callable[[], None] = lambda: None) -> list[str]:
        """Put what is new or other in a table; gives the keys.

        Args:
            table: which of the two.
            check: called right before each put, to raise where it may not be.

        Raises:
            LakeError: somebody else has put something else there meanwhile.
        """
        put = []
        for path in sorted((self.folder / table).rglob("*")):
            key = path.relative_to(self.folder).as_posix()
            if not path.is_file() or not layout.is_data_file(path.name):
                continue
            data = path.read_bytes()
            before = self._brought.get(key)
            if before is not None and before.sha256 == _sha256(data):
                continue
            check()
            if before is None:
                key, version = self._put_new(key, data, numbered=table == self.table)
            else:
                version = self._replace(key, data, before)
            self._brought[key] = _Brought(version, _sha256(data))
            put.append(key)
        return put

    def delete_what_is_gone(self) -> int:
        """Delete the objects whose copies were, if they are as they were; gives how many."""
        gone = [key for key in self._brought if not (self.folder / key).exists()]
        for key in gone:
            found = self.store.head(key)
            if found is not None and found.etag != self._brought[key].version.etag:
                raise LakeError(f"{self.store.url_of(key)} has changed meanwhile, and is left")
            self.store.delete(key)
            del self._brought[key]
        return len(gone)

    def marks(self, book: str, date: int) -> list[str]:
        """Give the keys of the marks on a book's day."""
        prefix = keys.stale_key(self.table, date, "").rstrip("/")
        found = [entry.key for entry in self.store.objects(prefix)]
        return [key for key in found if Path(key).name.partition(".")[0] == book]

    def mark_compacted(self, days: set[tuple[str, int]]) -> None:
        """Leave a mark on each of these days that is compacted, so that readers look for files."""
        for book, date in sorted(days):
            day = keys.day_prefix(layout.daily_table(self.table), date, book)
            if self.store.level(day).objects:
                mark = f"{book}.{uuid4().hex}"
                self.store.put_new(keys.stale_key(self.table, date, mark), b"")

    def _put_new(self, key: str, data: bytes, *, numbered: bool) -> tuple[str, Version]:
        folder, _, name = key.rpartition("/")
        for number in count(1):
            key = f"{folder}/{name if number == 1 else layout.numbered(name, number)}"
            try:
                version = self.store.put_new(key, data)
            except ExistsError as error:
                there = self.store.fetch(key)
                if there.data == data:
                    version = there.found.version
                elif numbered:
                    continue
                else:
                    raise _changed(self.store.url_of(key)) from error
            self._compare(key, data)
            break
        return key, version

    def _replace(self, key: str, data: bytes, before: _Brought) -> Version:
        try:
            version = self.store.replace(key, data, before.version)
        except ChangedError as error:
            raise _changed(self.store.url_of(key)) from error
        self._compare(key, data)
        return version

    def _compare(self, key: str, data: bytes) -> None:
        if self.store.fetch(key).data != data:
            raise DamagedError(f"{self.store.url_of(key)} is not what was put there")


def _changed(url: str) -> LakeError:
    return LakeError(f"{url} has changed meanwhile, and is left: do it again")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
