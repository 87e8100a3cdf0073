"""A journal to publish from, without a collection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitso_spread.lake import layout
from bitso_spread.lake.state import LakeState
from bitso_spread.publish.address import parse_address
from bitso_spread.publish.properties import Properties
from bitso_spread.publish.publisher import Publisher
from tests.lake.support import DAY, a_batch, rows_of
from tests.publish.brokers import Brokers

TOPIC = "spread"
BOOKS = ("btc_mxn", "usd_mxn")

Values = dict[str, list[dict[str, Any]]]


class Journal:
    """Records rows as the recorder's journal thread does, a second after another."""

    def __init__(self, lake: Path, books: Sequence[str] = BOOKS, topic: str | None = TOPIC) -> None:
        self.books = books
        self.ticks: list[int] = []
        """Those that were recorded."""
        self._state = LakeState(layout.state_file(lake, layout.TABLE), topic=topic)

    def record(self, ticks: int) -> None:
        """Commit so many more ticks of each book at once."""
        first = max(self._state.marks().values(), default=DAY) + 1
        pairs = [pair for book in self.books for pair in rows_of(a_batch(book, first), ticks)]
        self._state.record(pairs)
        self.ticks += range(first, first + ticks)

    def finish(self) -> None:
        """Make files of all batches, as far as the journal knows."""
        for batch in self._state.batches():
            self._state.finish(batch, None)

    def close(self) -> None:
        self._state.close()


def publisher(
    brokers: Brokers, lake: Path, books: Sequence[str] = BOOKS, topic: str = TOPIC
) -> Publisher:
    """A publisher of these books that has not been started."""
    address = parse_address(f"kafka://{brokers.addresses}/{topic}")
    return Publisher(address, Properties(), lake, layout.TABLE, lambda: books)


def ticks_of(values: Values, book: str) -> list[str]:
    """The times of a book's records, in the order in which they came."""
    return [value["orderbook_timestamp"] for value in values[book]]
