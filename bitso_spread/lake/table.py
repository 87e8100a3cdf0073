"""A table that is about to be written: its locks, its identity, and what a crash left of it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

from bitso_spread.counting import many
from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake import layout
from bitso_spread.lake.arrivals import Arrivals
from bitso_spread.lake.database import NewerJournalError
from bitso_spread.lake.journal import Batch, Identity
from bitso_spread.lake.locks import BookLocks, only_opener
from bitso_spread.lake.replacing import finish_replacements
from bitso_spread.lake.set_aside import set_aside
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.takeover import take_over
from bitso_spread.lake.writer import BatchWriter
from bitso_spread.lifetime import Closing

log = logging.getLogger("bitso_spread.lake")

_ASIDE = (
    "%s was made by a newer bitso-spread, and is set aside as %s: recording goes on with a new "
    "journal; rows that are in that one and in no file yet are written by the newer version, "
    "where an empty lake has it as %s/%s"
)

OnFile = Callable[[Path, Batch, int], None]
"""Called with a finished file's absolute path, its batch and its number of rows."""


class Table(Closing):
    """Holds the locks on the books that this process writes, until it is closed.

    A journal that a newer version of this package made is set aside, and a new one takes over
    from the table what it must know of it.

    Raises:
        UsageError: readers would not find a table of this name.
        LakeBusyError: a collector of a newer version is at work on the table.
        LakeError: the lake cannot be written.
    """

    def __init__(self, folder: Path, name: str = layout.TABLE) -> None:
        if not layout.is_table_name(name):
            raise UsageError(f"{name!r} cannot be a table: use letters, digits, - and _")
        self.lake = layout.locate(folder, name)
        if self.lake.exists() and not self.lake.is_dir():
            raise LakeError(f"{self.lake} is a file: a lake is a folder")
        self.name = name
        self._locks = BookLocks(layout.locks_folder(self.lake, name))
        self._state = self._open()

    def close(self) -> None:
        """Give all locks back."""
        self._locks.close()
        self._state.close()

    @property
    def books(self) -> frozenset[str]:
        """The books that this process may write."""
        return self._locks.held

    def lock(self, books: Iterable[str]) -> None:
        """Take the locks of these books, all or none.

        Raises:
            LakeBusyError: another process holds one of them.
        """
        self._locks.acquire(books)

    def unlock(self, books: Iterable[str]) -> None:
        """Give the locks of these books back."""
        self._locks.release(books)

    def claim(self, identity: Identity) -> None:
        """Write down what the table holds, or check that it holds just that.

        Once locks are held, rows are about to come, and what the table holds is settled.

        Raises:
            LakeIdentityError: it holds something else.
            LakeError: the disk refuses.
        """
        try:
            self._state.claim(identity, settle=bool(self._locks.held))
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def identity(self) -> dict[str, str]:
        """Give what the table holds, as far as that is known and settled: see `Identity`.

        Raises:
            LakeError: the disk refuses.
        """
        try:
            return self._state.identity()
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def marks(self) -> dict[str, int]:
        """Give the last tick ever recorded of each book.

        Raises:
            LakeError: the disk refuses.
        """
        try:
            return self._state.marks()
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def recover(self, on_file: OnFile) -> None:
        """Turn into files what a crash left in the journal of books that nobody writes now.

        A batch keeps the format and columns that it was recorded for. A partition that refuses
        is logged, and its rows stay in the journal: new ones can be recorded all the same.

        Raises:
            LakeError: the journal cannot be read.
        """
        mine = self._locks.held
        try:
            for book in self._state.unfinished():
                # A neighbour that is alive holds its lock, and writes its rows itself.
                if book not in mine and not self._locks.try_acquire(book):
                    continue
                try:
                    self._recover(book, on_file)
                except OSError as error:
                    log.error("%s stays in the journal: %s", book, self._refused(error))  # noqa: TRY400  (one line, no traceback)
                finally:
                    if book not in mine:
                        self._locks.release([book])
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def _open(self) -> LakeState:
        path, locks = (
            layout.state_file(self.lake, self.name),
            layout.locks_folder(self.lake, self.name),
        )
        with only_opener(locks):
            try:
                state = LakeState(path)
            except NewerJournalError as error:
                aside = set_aside(path, error.version, locks)
                log.warning(_ASIDE, path, aside.name, path.parent.name, path.name)
                state = LakeState(path)
            try:
                take_over(self.lake, self.name, state)
            except sqlite3.Error as error:
                state.close()
                raise self._refused(error) from error
            except LakeError:
                state.close()
                raise
        return state

    def _recover(self, book: str, on_file: OnFile) -> None:
        writer = BatchWriter(self.lake, self.name, self._state)
        # Listed again under the lock: a neighbour may have finished meanwhile.
        for batch in self._state.batches():
            if batch.book == book and (written := writer.write(batch)) is not None:
                log.warning(
                    "recovered %s of %s that a stop had left", many(written.rows, "row"), book
                )
                on_file(written.path, batch, written.rows)
        if arrived := Arrivals(self.lake, self.name, self._state).complete(book):
            rows = many(sum(file.rows for file in arrived), "row")
            log.warning("recovered %s of %s that an import had left", rows, book)
        finish_replacements(self.lake, self.name, self._state, book)
        self._state.end_outages(book)

    def _refused(self, error: Exception) -> LakeError:
        return LakeError(f"cannot write into {self.lake}: {error}")
