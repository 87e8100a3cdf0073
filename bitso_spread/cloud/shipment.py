"""One file on its way into the store: put whole, checked, noted, and only then dropped here.

What is put under a name that is free never replaces anything. An object of that name with the same
bytes is the file itself; with others, the file takes a number, as in a folder.

How it is checked: on S3 and MinIO the etag that a put answers with is the MD5 of what came, unless
the bucket encrypts with keys of its own; there, on Google Cloud Storage and on Azure it is not, and
the object is read back and compared. That holds for every store, whatever its etags are.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import uuid4

from bitso_spread.cloud import keys
from bitso_spread.cloud.errors import (
    AbsentError,
    DamagedError,
    ExistsError,
    StoreError,
)
from bitso_spread.cloud.keeper import LeaseKeeper
from bitso_spread.cloud.objects import Found, ObjectStore
from bitso_spread.cloud.overlap import Rest, without_what_is_there
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.journal import WrittenFile
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.uploads import Uploads
from bitso_spread.lake.writer import write_synced

log = logging.getLogger("bitso_spread.cloud")


class Shipper:
    """Brings finished files of the local half of a lake into its store.

    Args:
        store: the lake.
        lake: its local half.
        table: its table.
        uploads: a connection to the journal.
        keeper: what keeps the leases.
    """

    def __init__(
        self, store: ObjectStore, lake: Path, table: str, uploads: Uploads, keeper: LeaseKeeper
    ) -> None:
        self._store = store
        self._lake = lake
        self._table = table
        self._uploads = uploads
        self._keeper = keeper

    def ship(self, file: WrittenFile) -> str | None:
        """Bring a file into the store, and give its key; None where there was nothing to put.

        Raises:
            StoreError: the store will not have it now; it is still here, and trying again is safe.
            OSError, sqlite3.Error: the disk refuses; likewise.
        """
        path = self._lake / self._table / file.path
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            was_put = self._has(file)
            if was_put is None:
                log.error("%s was removed before it was in the store", path)  # noqa: TRY400  (one line, no traceback)
            self._uploads.forget(file.path)
            return was_put
        if hashlib.sha256(data).hexdigest() == file.sha256:
            key = self._put_file(file, data)
        else:
            key, aside = None, self._set_aside(path.name, data)
            log.error("%s is not as it was written, and is not put: it is now %s", path, aside)
        try:
            self._uploads.note(file.path, key or "")
        except sqlite3.Error:
            if key is None:
                raise
            # The disk may be full, of files such as this one; that it is in the store tells the
            # object itself.
            path.unlink(missing_ok=True)
            self._uploads.note(file.path, key)
        self.drop(file.path)
        return key

    def drop(self, path: str) -> None:
        """Remove a file that is in the store."""
        local = self._lake / self._table / path
        local.unlink(missing_ok=True)
        with suppress(OSError):
            for folder in list(local.parents)[:3]:
                folder.rmdir()
        self._uploads.forget(path)

    def take_back(self, file: WrittenFile, key: str) -> None:
        """Leave out of an object what another recorder has put too, who may have had the book.

        Raises:
            StoreError: the store cannot be asked now, or the object is another one meanwhile.
            OSError: the disk refuses.
        """
        try:
            there = self._store.fetch(key)
        except AbsentError:
            return
        left = without_what_is_there(self._store, self._table, file, there.data, but=key)
        if left is None:
            return
        aside = self._set_aside(key.rpartition("/")[2], there.data)
        if left.data is None:
            self._store.delete(key)
        else:
            self._store.replace(key, left.data, there.found.version)
        self._say_doubled(file, left, aside)

    def _put_file(self, file: WrittenFile, data: bytes) -> str | None:
        key = f"{self._table}/{file.path}"
        if file.first_tick > self._keeper.contested(file.book):
            if (put := self._put(file, key, data, or_number=False)) is not None:
                return put
            # This folder is a copy of another recorder's, or was restored from an older state.
        elif self._is_there(key, data):
            return key
        left = self._left_of(file, key, data)
        if left is None:
            return self._put(file, key, data)
        name = file.path.rpartition("/")[2]
        put = None
        if left.data is not None:
            folder = Partition.of(file.book, left.first_tick).path.as_posix()
            environment, form = layout.environment_of(name), name.rpartition(".")[2]
            new = layout.file_name(environment, file.book, left.first_tick, form)
            put = self._put(file, f"{self._table}/{folder}/{new}", left.data)
        self._say_doubled(file, left, self._set_aside(name, data))
        return put

    def _left_of(self, file: WrittenFile, key: str, data: bytes) -> Rest | None:
        try:
            return without_what_is_there(self._store, self._table, file, data)
        except StoreError:
            raise
        except LakeError as error:
            if file.first_tick <= self._keeper.contested(file.book):
                raise
            log.error("what is in %s cannot be read: %s", self._store.url_of(key), error)  # noqa: TRY400  (one line, no traceback)
            return None

    def _put(
        self, file: WrittenFile, key: str, data: bytes, *, or_number: bool = True
    ) -> str | None:
        """Put bytes under a key, or else under a numbered one, and give that."""
        self._mark(file)
        folder, _, name = key.rpartition("/")
        for number in count(1):
            key = f"{folder}/{name if number == 1 else layout.numbered(name, number)}"
            if not self._keeper.may_put(file.book):
                raise StoreError(f"the lease of {file.book} has run out meanwhile: its files wait")
            try:
                etag = self._store.put_new(key, data).etag
            except ExistsError:
                found = self._store.head(key)
                if found is None:
                    # Someone is about to put it: perhaps an earlier attempt of our own.
                    raise StoreError(
                        f"{self._store.url_of(key)} is being put by somebody: try again later"
                    ) from None
                if self._is(found, data):
                    break
                if or_number:
                    continue
                return None
            if not _is_md5_of(etag, data) and not self._is_there(key, data):
                raise DamagedError(f"{self._store.url_of(key)} is not what was put there")
            break
        # The day may have been compacted meanwhile, without the file.
        self._mark(file)
        return key

    def _has(self, file: WrittenFile) -> str | None:
        key = f"{self._table}/{file.path}"
        with suppress(AbsentError):
            if self._store.fetch(key).sha256 == file.sha256:
                return key
        return None

    def _is_there(self, key: str, data: bytes) -> bool:
        found = self._store.head(key)
        return found is not None and self._is(found, data)

    def _is(self, found: Found, data: bytes) -> bool:
        return found.size == len(data) and (
            _is_md5_of(found.etag, data) or self._store.fetch(found.key).data == data
        )

    def _mark(self, file: WrittenFile) -> None:
        """Leave a mark for readers where a file comes to a day that is compacted."""
        date = Partition.of(file.book, file.first_tick).date
        # A day that lasts is not compacted: so this costs no request but around midnight.
        if date == int(f"{datetime.now(UTC):%Y%m%d}"):
            return
        day = keys.day_prefix(layout.daily_table(self._table), date, file.book)
        if self._store.level(day).objects:
            mark = f"{file.book}.{uuid4().hex}"
            self._store.put_new(keys.stale_key(self._table, date, mark), b"")

    def _say_doubled(self, file: WrittenFile, left: Rest, aside: Path) -> None:
        log.error(
            "another recorder's rows of %s are in the store for %d of the %d seconds of a file: "
            "these are not put twice. All of it is kept as %s, from which bitso-spread import "
            "--merge takes what is better",
            file.book,
            left.doubled,
            file.rows,
            aside,
        )

    def _set_aside(self, name: str, data: bytes) -> Path:
        folder = layout.aside_folder(self._lake, self._table)
        for number in count(1):
            aside = folder / (name if number == 1 else layout.numbered(name, number))
            if not aside.exists():
                write_synced(aside, data)
                break
            if aside.read_bytes() == data:
                break
        return aside


def _is_md5_of(etag: str | None, data: bytes) -> bool:
    return (
        etag is not None and etag.strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest()
    )
