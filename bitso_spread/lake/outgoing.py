"""The rows of a journal that are to be published, and have not been confirmed yet.

The journal thread notes them in the transaction that makes them durable
(`bitso_spread.lake.state.LakeState.record`), and they stay until whoever publishes says that they
have arrived. Neither waits for the other, nor for a batch to become a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bitso_spread.lake.state import LakeState
from bitso_spread.model import Sample, State

_ROW = "tick, book, bid, ask, spread, state, bid_amount, ask_amount, exchange_ms, age_ms, source"
# From one to the next in the order of the key: DISTINCT goes through every row, of which there are
# millions where brokers were away for days.
_TOPICS = """
WITH RECURSIVE each (topic) AS (
    SELECT min(topic) FROM outgoing
    UNION ALL
    SELECT (SELECT min(topic) FROM outgoing WHERE topic > each.topic) FROM each
    WHERE each.topic IS NOT NULL
)
SELECT topic FROM each WHERE topic IS NOT NULL
"""
_BOOKS = """
WITH RECURSIVE each (book) AS (
    SELECT min(book) FROM outgoing WHERE topic = ?
    UNION ALL
    SELECT (SELECT min(book) FROM outgoing WHERE topic = ? AND book > each.book) FROM each
    WHERE each.book IS NOT NULL
)
SELECT book FROM each WHERE book IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one topic."""

    topic: str
    rows: int
    first_tick: int
    """Of the oldest row, in seconds since the epoch."""


class Outgoing(LakeState):
    """A connection to a journal for what is to be published; for one thread at a time."""

    def changes(self) -> int:
        """Give a number that changes when another connection has committed something."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def next(self, topic: str, book: str, *, after: int, limit: int) -> list[tuple[str, Sample]]:
        """Give the next rows of a book, in order, with the environment that each is from."""
        found = self._db.execute(
            f"SELECT environment, {_ROW} FROM outgoing "  # noqa: S608  (names of our own)
            "WHERE topic = ? AND book = ? AND tick > ? ORDER BY tick LIMIT ?",
            (topic, book, after, limit),
        )
        rows = ((environment, Sample(*values)) for environment, *values in found)
        return [(environment, replace(row, state=State(row.state))) for environment, row in rows]

    def count(self, topic: str, book: str, *, after: int) -> tuple[int, int]:
        """Give how many rows of a book are above a tick, and the last one's tick."""
        count, last = self._db.execute(
            "SELECT count(*), max(tick) FROM outgoing WHERE topic = ? AND book = ? AND tick > ?",
            (topic, book, after),
        ).fetchone()
        return count, after if last is None else last

    def oldest(self, topic: str, book: str) -> int | None:
        """Give the tick of a book's first row; None without one."""
        (tick,) = self._db.execute(
            "SELECT min(tick) FROM outgoing WHERE topic = ? AND book = ?", (topic, book)
        ).fetchone()
        return None if tick is None else int(tick)

    def books(self, topic: str) -> list[str]:
        """Give the books of which rows wait for a topic."""
        return [book for (book,) in self._db.execute(_BOOKS, (topic, topic))]

    def topics(self) -> list[str]:
        """Give the topics for which something waits."""
        return [topic for (topic,) in self._db.execute(_TOPICS)]

    def waiting(self, topic: str) -> Waiting | None:
        """Count what waits for a topic, row by row; None where nothing does."""
        rows, first = self._db.execute(
            "SELECT count(*), min(tick) FROM outgoing WHERE topic = ?", (topic,)
        ).fetchone()
        return Waiting(topic, rows, first) if rows else None

    def confirm(self, topic: str, upto: Mapping[str, int]) -> None:
        """Drop the rows of books up to a tick each: they have arrived.

        It reaches the disk with the next rows: a power cut before that has them sent again.
        """
        with self._db.transaction(synced=False):
            self._db.executemany(
                "DELETE FROM outgoing WHERE topic = ? AND book = ? AND tick <= ?",
                [(topic, book, tick) for book, tick in upto.items()],
            )

    def drop(self, topic: str, book: str) -> int:
        """Drop all rows of a book that wait for a topic, unpublished; give their number."""
        with self._db.transaction():
            found = self._db.execute(
                "DELETE FROM outgoing WHERE topic = ? AND book = ?", (topic, book)
            )
            return found.rowcount
