"""Copies of objects in a folder: those that are being read, and the latest others up to a limit."""

from __future__ import annotations

import os
import shutil
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock, get_ident

from bitso_spread.cloud.objects import Fetched
from bitso_spread.errors import LakeError

# A day of one book is 6 MB of CSV; a report reads what it shows three times.
_KEPT_BYTES = 128_000_000


@dataclass(frozen=True, slots=True)
class _Copy:
    size: int
    etag: str | None
    sha256: str | None
    sound: bool


class Copies:
    """The copies below a folder, by the keys of their objects; safe for several threads."""

    def __init__(self, root: Path, kept_bytes: int = _KEPT_BYTES) -> None:
        self._root = root
        self._kept_bytes = kept_bytes
        self._lock = RLock()
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._pins: Counter[str] = Counter()
        self._bytes = 0

    def has(self, key: str, etag: str | None) -> bool:
        """Tell whether there is a copy of an object as it was listed; any, if that is not known."""
        with self._lock:
            copy = self._copies.get(key)
            if copy is None or (etag is not None and copy.etag != etag):
                return False
            self._copies.move_to_end(key)
            return True

    def is_sound(self, key: str) -> bool:
        """Tell whether a copy is what was put there, as far as that can be told."""
        with self._lock:
            copy = self._copies.get(key)
            return copy is None or copy.sound

    def checksum_of(self, key: str) -> str | None:
        """Give the SHA-256 that the object was put with."""
        with self._lock:
            copy = self._copies.get(key)
            return None if copy is None else copy.sha256

    def put(self, fetched: Fetched) -> None:
        """Copy an object.

        Raises:
            LakeError: the disk is full or refuses.
        """
        key, data = fetched.found.key, fetched.data
        path = self._root / key
        partial = path.with_name(f".{path.name}.{get_ident()}")
        copy = _Copy(len(data), fetched.found.etag, fetched.sha256, fetched.is_sound)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(data)
            if fetched.found.modified is not None:
                at = fetched.found.modified.timestamp()
                os.utime(partial, (at, at))
            with self._lock:
                partial.replace(path)
                self._note(key, copy)
        except OSError as error:
            raise _full(self._root, error) from error

    def take(self, key: str, near: Path) -> bool:
        """Copy a file that is not an object yet; False if there is none any more."""
        path = self._root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(near, path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _full(self._root, error) from error
        with self._lock:
            self._note(key, _Copy(path.stat().st_size, None, None, sound=True))
        return True

    def keep_only(self, folder: str, keys: Collection[str]) -> None:
        """Drop what is copied below a folder and is not among these."""
        with self._lock:
            for key in [key for key in self._copies if key.startswith(f"{folder}/")]:
                if key not in keys:
                    self._drop(key)

    @contextmanager
    def pinned(self, keys: Sequence[str]) -> Iterator[None]:
        """Keep copies for as long as they are read, also such as are yet to come."""
        with self._lock:
            self._pins.update(keys)
        try:
            yield
        finally:
            with self._lock:
                self._pins.subtract(keys)
                self._pins += Counter()
                self._shrink()

    def _note(self, key: str, copy: _Copy) -> None:
        known = self._copies.pop(key, None)
        self._bytes += copy.size - (known.size if known else 0)
        self._copies[key] = copy
        self._shrink()

    def _shrink(self) -> None:
        if self._bytes <= self._kept_bytes:
            return
        for key in [key for key in self._copies if not self._pins[key]]:
            if self._bytes <= self._kept_bytes:
                return
            self._drop(key)

    def _drop(self, key: str) -> None:
        copy = self._copies.pop(key)
        self._bytes -= copy.size
        (self._root / key).unlink(missing_ok=True)


def _full(root: Path, error: OSError) -> LakeError:
    return LakeError(
        f"cannot copy what is read to {root}: {error.strerror}; free space there, or set TMPDIR"
    )
