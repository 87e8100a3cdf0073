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
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import uuid4

from bitso_spread.cloud import keys
from bitso_spread.cloud.errors import DamagedError, ExistsError
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.overlap import without_what_is_there
from bitso_spread.lake import layout
from bitso_spread.lake.layout import Partition
from bitso_spread.lake.state import WrittenFile
from bitso_spread.lake.uploads import Uploads
from bitso_spread.lake.writer import write_synced

log = logging.getLogger("bitso_spread.cloud")


class Shipper:
    """Brings finished files of the local half of a lake into its store.

    Args:
        contested: gives, for a book, the tick up to which another host's rows may be in the store.
    """

    def __init__(
        self,
        store: ObjectStore,
        lake: Path,
        table: str,
        uploads: Uploads,
        contested: Callable[[str], int],
    ) -> None:
        self._store = store
        self._lake = lake
        self._table = table
        self._uploads = uploads
        self._contested = contested

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
            log.error("%s was removed before it was in the store", path)  # noqa: TRY400  (one line, no traceback)
            self._uploads.forget(file.path)
            return None
        if hashlib.sha256(data).hexdigest() == file.sha256:
            key = self._put_file(file, data)
        else:
            key, aside = None, self._set_aside(path.name, data)
            log.error("%s is not as it was written, and is not put: it is now %s", path, aside)
        self._uploads.note(file.path, key or "")
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

    def _put_file(self, file: WrittenFile, data: bytes) -> str | None:
        key = f"{self._table}/{file.path}"
        if file.first_tick > self._contested(file.book):
            return self._put(file, key, data)
        if self._is_there(key, data):
            return key
        left = without_what_is_there(self._store, self._table, file, data)
        if left is None:
            return self._put(file, key, data)
        name = file.path.rpartition("/")[2]
        put = None
        if left.data is not None:
            folder = Partition.of(file.book, left.first_tick).path.as_posix()
            environment, form = layout.environment_of(name), name.rpartition(".")[2]
            new = layout.file_name(environment, file.book, left.first_tick, form)
            put = self._put(file, f"{self._table}/{folder}/{new}", left.data)
        log.error(
            "another recorder's rows of %s are in the store for %d of the %d seconds of a file: "
            "these are not put twice. All of it is kept as %s, from which bitso-spread import "
            "--merge takes what is better",
            file.book,
            left.doubled,
            file.rows,
            self._set_aside(name, data),
        )
        return put

    def _put(self, file: WrittenFile, key: str, data: bytes) -> str:
        """Put bytes under a key, or under a numbered one, and give that."""
        self._mark(file)
        folder, _, name = key.rpartition("/")
        for number in count(1):
            key = f"{folder}/{name if number == 1 else layout.numbered(name, number)}"
            try:
                etag = self._store.put_new(key, data).etag
            except ExistsError:
                if self._is_there(key, data):
                    break
                continue
            if not _is_md5_of(etag, data) and not self._is_there(key, data):
                raise DamagedError(f"{self._store.url_of(key)} is not what was put there")
            break
        # The day may have been compacted meanwhile, without the file.
        self._mark(file)
        return key

    def _is_there(self, key: str, data: bytes) -> bool:
        found = self._store.head(key)
        return found is not None and (
            found.size == len(data)
            and (_is_md5_of(found.etag, data) or self._store.fetch(key).data == data)
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
