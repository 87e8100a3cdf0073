"""A journal that a newer version made is set aside, so that recording can go on with a new one.

Nothing of it is deleted: it may hold rows that are in no file yet, and the newer version can
still write them. What the new journal must know of the table is `bitso_spread.lake.takeover`'s job.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from bitso_spread.errors import LakeBusyError, LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.locks import BookLocks

# Whoever has a journal open keeps it open, so that waiting for them helps nobody.
BUSY_S = 1.0


def set_aside(path: Path, version: int, locks: Path) -> Path:
    """Rename the journal at a path, with what a crash left to be folded into it; give its new name.

    Only one process may be at it: see `bitso_spread.lake.locks.only_opener`.

    Raises:
        LakeBusyError: a collector of that version is at work on the table.
        LakeError: the disk refuses.
    """
    with BookLocks(locks) as mine:
        for book in sorted(lock.stem for lock in locks.glob("*.lock")):
            if not mine.try_acquire(book):
                raise _busy(path, f"records {book} into this lake")
        try:
            with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as journal:
                close_to_others(journal)
                return _rename(path, version)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise _busy(path, "has its journal open") from error
            raise _refused(path, error) from error
        except (OSError, sqlite3.Error) as error:
            raise _refused(path, error) from error


def close_to_others(journal: sqlite3.Connection) -> None:
    """Fold the write-ahead log into the file, which is then all there is, and lock it.

    A log left under the old name would be taken for the new journal's. SQLite refuses to leave
    write-ahead mode while another process has the journal open.
    """
    journal.execute("PRAGMA locking_mode = EXCLUSIVE")
    journal.execute("PRAGMA journal_mode = DELETE")
    journal.execute("BEGIN EXCLUSIVE")


def _rename(path: Path, version: int) -> Path:
    aside = next(
        name
        for number in count(1)
        if not (name := layout.aside_file(path, version, number)).exists()
    )
    path.rename(aside)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return aside


def _busy(path: Path, doing: str) -> LakeBusyError:
    return LakeBusyError(
        f"a newer bitso-spread {doing}, and {path.name} is its journal: stop it, upgrade this one, "
        "or give --lake another folder"
    )


def _refused(path: Path, error: Exception) -> LakeError:
    return LakeError(f"{path} was made by a newer bitso-spread, and cannot be set aside: {error}")
