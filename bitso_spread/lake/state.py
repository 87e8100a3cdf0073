"""What is done with the journal of a table: rows, files, marks, outages and identity.

What it holds is told in `bitso_spread.lake.journal`. Who may write which book is decided by
`bitso_spread.lake.locks`; data files are the writer's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, fields, replace
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

from bitso_spread.errors import LakeIdentityError
from bitso_spread.lake.journal import Batch, Identity, Outage, WrittenFile, open_journal
from bitso_spread.lifetime import Closing
from bitso_spread.model import Sample, State

# An entry of the identity that is none of its values: from now on it stands.
_SETTLED = "settled"

# Of `sample`, besides the batch, in the order of a `Sample`.
_ROW = ", ".join(field.name for field in fields(Sample))
_PLACES = ", ".join("?" for _ in fields(Sample))
_values_of = attrgetter(*(field.name for field in fields(Sample)))


class LakeState(Closing):
    """A connection to what stands beside a table; for one thread at a time.

    Its methods let `sqlite3.Error` through where the disk is full or refuses: whoever writes
    keeps what it could not write, and tries again. With a topic, rows that are recorded are also
    kept for `bitso_spread.lake.outgoing` until they are published, whatever becomes of their batch.

    Raises:
        LakeError: the file cannot be opened, or a newer version of this package made it.
    """

    def __init__(self, path: Path, *, topic: str | None = None) -> None:
        self._db = open_journal(path)
        self._topic = topic

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def claim(self, identity: Identity, *, settle: bool = False) -> None:
        """Write down what the table holds, or check that it holds just that.

        A table without a row yet may still become anything, until someone who is about to
        record the first one has it settled: two who begin in the same second do not both win.

        Raises:
            LakeIdentityError: it holds something else; the message says what.
        """
        entries = asdict(identity).items()
        wanted = {name: str(value) for name, value in entries if value is not None}
        held = dict(self._db.execute("SELECT name, value FROM identity"))
        if _SETTLED in held and wanted.items() <= held.items():
            return
        # A tick may wait for it, and a slow disk takes seconds: it is synced with the first rows.
        with self._db.transaction(synced=False):
            held = dict(self._db.execute("SELECT name, value FROM identity"))
            if _SETTLED not in held and not self._db.execute("SELECT 1 FROM mark").fetchone():
                self._db.execute("DELETE FROM identity")
                noted = wanted | {_SETTLED: "yes"} if settle else wanted
                self._db.executemany("INSERT INTO identity VALUES (?, ?)", noted.items())
                return
            differing = [name for name, value in wanted.items() if held.get(name, value) != value]
            if not differing:
                # What a new journal could not learn from the table's files.
                unknown = [entry for entry in wanted.items() if entry[0] not in held]
                self._db.executemany("INSERT INTO identity VALUES (?, ?)", unknown)
        if differing:
            holds = ", ".join(f"{name} {held.get(name)}" for name in differing)
            asked = ", ".join(f"{name} {wanted[name]}" for name in differing)
            raise LakeIdentityError(
                f"this table holds {holds}, and {asked} was asked for: they never mix; "
                "give --lake another folder, or --table another name",
                tuple(differing),
            )

    def identity(self) -> dict[str, str]:
        """Give what the table holds, as far as that is known and settled: see `Identity`."""
        held = dict(self._db.execute("SELECT name, value FROM identity"))
        settled = held.pop(_SETTLED, None) is not None
        return held if settled or self.marks() else {}

    def take_over(self, identity: Mapping[str, str], marks: Mapping[str, int]) -> None:
        """Write down what is known of a table that was there before this journal."""
        with self._db.transaction():
            entries = {**identity, _SETTLED: "yes"}
            self._db.executemany("INSERT OR REPLACE INTO identity VALUES (?, ?)", entries.items())
            self._db.executemany("INSERT OR IGNORE INTO mark VALUES (?, ?)", marks.items())

    def marks(self) -> dict[str, int]:
        """Give the last tick ever recorded of each book: nothing at or below it is again."""
        return dict(self._db.execute("SELECT book, tick FROM mark"))

    def record(self, rows: Iterable[tuple[Batch, Sample]], outages: Iterable[Outage] = ()) -> None:
        """Commit rows, the marks that they raise, and outages that began or ended, at once."""
        pairs = list(rows)
        with self._db.transaction():
            if self._topic is not None:
                # Before the marks are raised: what comes a second time may be published by now.
                self._db.executemany(
                    f"INSERT INTO outgoing ({_ROW}, environment, topic) "  # noqa: S608  (names of our own)
                    f"SELECT {_PLACES}, ?, ? "
                    "WHERE NOT EXISTS (SELECT 1 FROM mark WHERE book = ? AND tick >= ?)",
                    [
                        (*_values_of(row), batch.environment, self._topic, row.book, row.tick)
                        for batch, row in pairs
                    ],
                )
            self._db.executemany(
                "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [astuple(batch) for batch in {batch for batch, _ in pairs}],
            )
            # Where a commit failed after it had reached the disk, the rows come a second time.
            self._db.executemany(
                f"INSERT INTO sample ({_ROW}, batch) VALUES ({_PLACES}, ?) "  # noqa: S608  (names of our own)
                "ON CONFLICT DO NOTHING",
                [(*_values_of(row), batch.first_tick) for batch, row in pairs],
            )
            self._raise_marks((row.book, row.tick) for _, row in pairs)
            self._db.executemany(
                "INSERT INTO outage VALUES (?, ?, ?, ?) ON CONFLICT (book, first_tick) "
                "DO UPDATE SET cause = excluded.cause, last_tick = excluded.last_tick",
                [astuple(outage) for outage in outages],
            )

    def batches(self) -> list[Batch]:
        """Give the batches whose rows are in the journal and not yet in the table."""
        found = self._db.execute("SELECT * FROM batch ORDER BY first_tick, book")
        return [Batch(*row) for row in found]

    def unfinished(self) -> list[str]:
        """Give the books of which rows are not yet in the table, or something is left open."""
        found = self._db.execute(
            "SELECT book FROM batch UNION SELECT book FROM outage WHERE last_tick IS NULL "
            "UNION SELECT book FROM replacement "
            "UNION SELECT book FROM file WHERE written_at IS NULL"
        )
        return sorted(book for (book,) in found)

    def rows(self, batch: Batch) -> list[Sample]:
        """Give the rows of a batch that are in the journal, in order."""
        found = self._db.execute(
            f"SELECT {_ROW} FROM sample WHERE book = ? AND batch = ? ORDER BY tick",  # noqa: S608  (names of our own)
            (batch.book, batch.first_tick),
        )
        return [replace(row, state=State(row.state)) for row in (Sample(*row) for row in found)]

    def staged(self, batch: Batch) -> list[WrittenFile]:
        """Give the files that were about to become this batch's when a crash came."""
        found = self._db.execute(
            "SELECT path, book, first_tick, last_tick, rows, interval, bytes, sha256 "
            "FROM file WHERE book = ? AND first_tick = ? AND written_at IS NULL",
            (batch.book, batch.first_tick),
        )
        return [WrittenFile(*row) for row in found]

    def stage(self, *files: WrittenFile) -> None:
        """Note what is about to be moved into the table, so that a crash cannot double it."""
        with self._db.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                [astuple(file) for file in files],
            )

    def announced(self, book: str | None = None) -> list[WrittenFile]:
        """Give the files, of one book or of all, that are staged and no batch's, by first tick."""
        found = self._db.execute(
            "SELECT path, book, first_tick, last_tick, rows, interval, bytes, sha256 FROM file "
            "WHERE written_at IS NULL AND (?1 IS NULL OR book = ?1) AND NOT EXISTS (SELECT 1 "
            "FROM batch WHERE batch.book = file.book AND batch.first_tick = file.first_tick) "
            "ORDER BY first_tick",
            (book,),
        )
        return [WrittenFile(*row) for row in found]

    def arrived(self, files: Iterable[WrittenFile]) -> None:
        """Note that announced files are in the table, and raise the marks that this raises."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        files = list(files)
        with self._db.transaction():
            self._db.executemany(
                "UPDATE file SET written_at = ? WHERE path = ?",
                [(now, file.path) for file in files],
            )
            self._raise_marks((file.book, file.last_tick) for file in files)

    def forget(self, files: Iterable[WrittenFile]) -> None:
        """Drop the notes of announced files that did not come."""
        with self._db.transaction():
            self._db.executemany(
                "DELETE FROM file WHERE path = ? AND written_at IS NULL",
                [(file.path,) for file in files],
            )

    def finish(self, batch: Batch, file: WrittenFile | None) -> None:
        """Note that a batch is in the table, and drop its rows from the journal."""
        key = (batch.book, batch.first_tick)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._db.transaction():
            if file is not None:
                self._db.execute("UPDATE file SET written_at = ? WHERE path = ?", (now, file.path))
            self._db.execute(
                "DELETE FROM file WHERE book = ? AND first_tick = ? AND written_at IS NULL", key
            )
            self._db.execute("DELETE FROM sample WHERE book = ? AND batch = ?", key)
            self._db.execute("DELETE FROM batch WHERE book = ? AND first_tick = ?", key)

    def files(self) -> list[WrittenFile]:
        """Give the files that are in the table, with their checksums, oldest first."""
        found = self._db.execute(
            "SELECT path, book, first_tick, last_tick, rows, interval, bytes, sha256 "
            "FROM file WHERE written_at IS NOT NULL ORDER BY first_tick, book"
        )
        return [WrittenFile(*row) for row in found]

    def intend(self, file: WrittenFile) -> None:
        """Note that a file of the table is about to be replaced by this one."""
        with self._db.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO replacement VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(file)
            )

    def intended(self, book: str) -> list[WrittenFile]:
        """Give the files of a book of which it is not noted whether they were replaced."""
        found = self._db.execute(
            "SELECT path, book, first_tick, last_tick, rows, interval, bytes, sha256 "
            "FROM replacement WHERE book = ?",
            (book,),
        )
        return [WrittenFile(*row) for row in found]

    def replaced(self, file: WrittenFile, *, done: bool) -> None:
        """Note that a file was replaced as it was intended, or that it was not."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._db.transaction():
            if done:
                self._db.execute(
                    "INSERT OR REPLACE INTO file (path, book, first_tick, last_tick, rows, "
                    "interval, bytes, sha256, written_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*astuple(file), now),
                )
            self._db.execute("DELETE FROM replacement WHERE path = ?", (file.path,))

    def note_daily(self, path: str, sha256: str) -> None:
        """Note what a compacted day is about to become; what it is now stays noted besides.

        Args:
            path: relative to the table of compacted days, with forward slashes.
            sha256: the checksum of the file that is about to be moved there.
        """
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO daily VALUES (?, ?) ON CONFLICT DO NOTHING", (path, sha256)
            )

    def settle_daily(self, path: str, sha256: str | None) -> None:
        """Note that a compacted day is just that file, or with None that there is none."""
        with self._db.transaction():
            self._db.execute("DELETE FROM daily WHERE path = ? AND sha256 IS NOT ?", (path, sha256))

    def daily_of(self, path: str) -> set[str]:
        """Give the checksums that one compacted day may have; none if nothing was noted."""
        found = self._db.execute("SELECT sha256 FROM daily WHERE path = ?", (path,))
        return {sha256 for (sha256,) in found}

    def daily(self) -> dict[str, set[str]]:
        """Give the checksums that each compacted day may have, by its path."""
        found: dict[str, set[str]] = {}
        for path, sha256 in self._db.execute("SELECT path, sha256 FROM daily"):
            found.setdefault(path, set()).add(sha256)
        return found

    def outages(self) -> list[Outage]:
        """Give the spans of which nothing was known, with their causes, oldest first."""
        found = self._db.execute(
            "SELECT book, cause, first_tick, last_tick FROM outage ORDER BY first_tick, book"
        )
        return [Outage(*row) for row in found]

    def end_outages(self, book: str) -> None:
        """End the outages that a crash left open, at the last tick that was recorded."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE outage SET last_tick = (SELECT tick FROM mark WHERE mark.book = ?1) "
                "WHERE book = ?1 AND last_tick IS NULL",
                (book,),
            )

    def _raise_marks(self, ticks: Iterable[tuple[str, int]]) -> None:
        self._db.executemany(
            "INSERT INTO mark VALUES (?, ?) "
            "ON CONFLICT (book) DO UPDATE SET tick = max(tick, excluded.tick)",
            ticks,
        )
