"""A SQLite file that survives crashes and that several processes may write into.

Opening it, waiting for each other, and transactions; what is in it is the business of
`bitso_spread.lake.journal`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bitso_spread.clock import monotonic
from bitso_spread.errors import LakeError

# Another collector's transaction takes milliseconds; a disk whose sync takes seconds, that long.
_BUSY_S = 30.0
_RETRY_S = 0.02
# A commit returns when it is on the disk: rows are durable within their second.
_SYNCED = "PRAGMA synchronous = FULL"


class NewerJournalError(LakeError):
    """A newer version of this package made the journal."""

    def __init__(self, path: Path, version: int, read: int) -> None:
        super().__init__(
            f"{path} was made by a newer bitso-spread (journal version {version}, "
            f"this one reads {read}): upgrade, or move it aside"
        )
        self.version = version


class Database:
    """A connection in write-ahead mode with full syncs; for one thread at a time.

    `steps` make what is in it, one after another; how many were carried out is written down as
    its version, and a file of an older version is brought up to date.

    Raises:
        LakeError: the file cannot be opened.
        NewerJournalError: a newer version of this package made it.
    """

    def __init__(self, path: Path, steps: Sequence[str]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise LakeError(f"cannot keep a journal in {path}: {error}") from error
        try:
            self._write_ahead()
            self._prepare(path, steps)
        except sqlite3.Error as error:
            self._db.close()
            raise LakeError(f"cannot keep a journal in {path}: {error}") from error
        except LakeError:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def execute(self, statement: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        """Carry out one statement."""
        return self._db.execute(statement, tuple(values))

    def executemany(self, statement: str, rows: Iterable[Iterable[Any]]) -> None:
        """Carry out one statement for each row of values."""
        self._db.executemany(statement, [tuple(row) for row in rows])

    @contextmanager
    def transaction(self, *, synced: bool = True) -> Iterator[None]:
        """Commit what the block does, or nothing of it; the only writer while it lasts.

        What is not `synced` reaches the disk with the next commit that is, and not later.
        """
        if not synced:
            self._db.execute("PRAGMA synchronous = NORMAL")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        finally:
            if not synced:
                self._db.execute(_SYNCED)

    def _write_ahead(self) -> None:
        # While another process makes this same change, SQLite refuses without waiting for it.
        give_up = monotonic() + _BUSY_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > give_up:
                    raise
                time.sleep(_RETRY_S)
            else:
                break
        self._db.execute(_SYNCED)

    def _prepare(self, path: Path, steps: Sequence[str]) -> None:
        # A neighbour's commit, on a slow disk, is not waited for where nothing is to be made.
        if self._version() == len(steps):
            return
        with self.transaction():
            found = self._version()
            if found > len(steps):
                raise NewerJournalError(path, found, len(steps))
            for step in steps[found:]:
                for statement in step.split(";"):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {len(steps)}")

    def _version(self) -> int:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(found)
