"""What the journal of a lake in object storage knows of files that are on their way there.

Such a lake is recorded into a local folder that is a lake of its own. A file that is finished
there waits until it is in the store; that it is, is noted before the local one is dropped, and
then both are forgotten. A crash between any two of these steps costs no file, and doubles none.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.journal import WrittenFile, open_journal
from bitso_spread.lifetime import Closing

_FILE = "path, book, first_tick, last_tick, rows, interval, bytes, sha256"
_WAITING = "file LEFT JOIN upload USING (path) WHERE written_at IS NOT NULL AND key IS NULL"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much of a lake waits for its store."""

    files: int = 0
    since: float | None = None
    """When the first of them was finished, in seconds since the epoch; None if there is none."""


def together(counts: Iterable[Waiting]) -> Waiting:
    """Give how much all of them are."""
    each = list(counts)
    return Waiting(
        sum(waiting.files for waiting in each),
        min((waiting.since for waiting in each if waiting.since is not None), default=None),
    )


class Uploads(Closing):
    """A connection to the journal of the local half of a lake; for one thread at a time.

    Methods let `sqlite3.Error` through where the disk is full or refuses.

    Raises:
        LakeError: the journal cannot be opened.
    """

    def __init__(self, lake: Path, table: str) -> None:
        self._path = lake
        self._db = open_journal(layout.state_file(lake, table))

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def belong_to(self, url: str) -> str:
        """Give the random name of this local half, which is made for one store and stays so.

        Raises:
            LakeError: it is another store's, or a lake that people have recorded into as such:
                its files would leave it.
        """
        try:
            with self._db.transaction():
                held = self._held()
                if not held:
                    if self._db.execute("SELECT 1 FROM mark").fetchone():
                        raise LakeError(
                            f"{self._path} is a lake of its own, whose files would leave it for "
                            f"{url}: give --state an empty folder"
                        )
                    held = {"url": url, "name": secrets.token_hex(8)}
                    self._db.executemany("INSERT INTO store VALUES (?, ?)", held.items())
        except sqlite3.Error as error:
            raise LakeError(f"cannot write into {self._path}: {error}") from error
        if held["url"] != url:
            raise LakeError(
                f"{self._path} keeps what is on its way to {held['url']}, and {url} was asked "
                "for: give --state another folder"
            )
        return held["name"]

    def rename(self) -> str:
        """Give this local half another random name: it turned out to be a copy of one."""
        name = secrets.token_hex(8)
        with self._db.transaction():
            self._db.execute("UPDATE store SET value = ? WHERE name = 'name'", (name,))
        return name

    @property
    def has_met(self) -> bool:
        """Whether the store has ever answered, and taken this lake for what it holds."""
        return "met" in self._held()

    def meet(self) -> None:
        """Note that the store has answered."""
        with self._db.transaction():
            self._db.execute("INSERT OR REPLACE INTO store VALUES ('met', 'yes')")

    def url(self) -> str | None:
        """Give the store that this is the local half of, or None."""
        return self._held().get("url")

    def waiting(self, books: Iterable[str] | None = None) -> list[WrittenFile]:
        """Give the files of these books, or of all, that are not in the store, oldest first."""
        found = self._db.execute(
            f"SELECT {_FILE} FROM {_WAITING} ORDER BY written_at, first_tick, book"  # noqa: S608  (names of our own)
        )
        files = [WrittenFile(*row) for row in found]
        if books is None:
            return files
        mine = set(books)
        return [file for file in files if file.book in mine]

    def counts(self) -> dict[str, Waiting]:
        """Give how much waits of each book of which something does, whoever recorded it."""
        query = f"SELECT book, count(*), min(written_at) FROM {_WAITING} GROUP BY book"  # noqa: S608  (names of our own)
        return {
            book: Waiting(files, datetime.fromisoformat(since).timestamp())
            for book, files, since in self._db.execute(query)
        }

    def note(self, path: str, key: str) -> None:
        """Note that a file is in the store, whole and checked, as the object of that key."""
        with self._db.transaction():
            self._db.execute("INSERT OR REPLACE INTO upload VALUES (?, ?)", (path, key))

    def noted(self) -> list[str]:
        """Give the paths of files that are in the store, and may not have been dropped yet."""
        return [path for (path,) in self._db.execute("SELECT path FROM upload ORDER BY path")]

    def forget(self, path: str) -> None:
        """Forget a file that is here no more."""
        with self._db.transaction():
            self._db.execute("DELETE FROM file WHERE path = ?", (path,))
            self._db.execute("DELETE FROM upload WHERE path = ?", (path,))

    def _held(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM store"))
