"""One writer per book of a table, by a lock that the system frees when its process dies.

A process number would mean nothing across containers; a lock file without a lock means
nothing either, so the files stay where they are, but for those of a first start that came to
nothing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bitso_spread.clock import monotonic
from bitso_spread.errors import LakeBusyError, LakeError
from bitso_spread.lifetime import Closing

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from error

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# To open a journal takes milliseconds; a disk whose sync takes seconds, a few times that.
_OPENING_S = 30.0
_RETRY_S = 0.02


@contextmanager
def only_opener(folder: Path) -> Iterator[Path]:
    """Keep other processes from opening the journal of a table, or setting it aside, meanwhile.

    Gives the path of the lock that does so.

    Raises:
        LakeBusyError: another process has been at it for long.
        LakeError: the folder, or its filesystem, has no locks to give.
    """
    path = folder / "opening"
    give_up = monotonic() + _OPENING_S
    while (file := _take(path)) is None:
        if monotonic() > give_up:
            raise LakeBusyError(
                f"another collector has been opening the journal beside {path} for "
                f"{_OPENING_S:.0f} s: look whether the disk hangs"
            )
        time.sleep(_RETRY_S)
    with file:
        yield path


class BookLocks(Closing):
    """The locks that this process holds on books of one table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, IO[bytes]] = {}

    def close(self) -> None:
        """Give all locks back."""
        self.release(list(self._held))

    @property
    def held(self) -> frozenset[str]:
        """The books whose lock is held."""
        return frozenset(self._held)

    def acquire(self, books: Iterable[str]) -> None:
        """Take the locks of all these books, or of none.

        Raises:
            LakeBusyError: another process holds one of them.
            LakeError: the folder, or its filesystem, has no locks to give.
        """
        taken: list[str] = []
        try:
            for book in books:
                if book in self._held:
                    continue
                if not self.try_acquire(book):
                    raise LakeBusyError(
                        f"another collector records {book} in this lake: stop it, "
                        "choose other books, or give --lake another folder"
                    )
                taken.append(book)
        except LakeError:
            self.release(taken)
            raise

    def try_acquire(self, book: str) -> bool:
        """Take the lock of one book; False if another process, or this one, holds it.

        Raises:
            LakeError: the folder, or its filesystem, has no locks to give.
        """
        if book in self._held:
            return False
        file = _take(self._folder / f"{book}.lock")
        if file is None:
            return False
        self._held[book] = file
        return True

    def release(self, books: Iterable[str]) -> None:
        """Give locks back."""
        for book in books:
            self._held.pop(book).close()


def _take(path: Path) -> IO[bytes] | None:
    """Open a lock and take it; None if another process, or this one, holds it."""
    while True:
        file = _open(path)
        try:
            if not _locked(file, path):
                file.close()
                return None
        except LakeError:
            file.close()
            raise
        if _is_in_place(file, path):
            return file
        # Who had made it took it away in between: others would take a new one.
        file.close()


def _is_in_place(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _open(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as error:
        raise LakeError(f"cannot make the lock {path}: {error}") from error


def _locked(file: IO[bytes], path: Path) -> bool:
    try:
        _lock(file)
    except BlockingIOError:
        return False
    except OSError as error:
        raise LakeError(f"cannot lock {path}: {error}") from error
    return True
