"""What the tests of the import share: sources in a folder, and a look at what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bitso_spread.lake.importing import Imported, import_rows
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.writer import encode
from bitso_spread.model import Sample, State
from tests.lake.support import NOON, a_row

NOW = NOON + 1_000_000
HEADER = "orderbook_timestamp,book,bid,ask,spread\n"
A_LINE = "2026-09-21T12:00:00+00:00,btc_mxn,100.0,200.0,50.0\n"


def a_source(
    folder: Path, rows: Iterable[Sample], name: str = "rows.csv", columns: str = "five"
) -> Path:
    """Write rows into a file of a folder, as a recorder of these columns would."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(rows, path.suffix[1:], columns))
    return path


def a_text(folder: Path, text: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def bring(lake: Path, *sources: Path, **options: object) -> Imported:
    """Import, at a time after all rows; all rows that were read are accounted for."""
    done = import_rows(sources, lake, **{"now": lambda: NOW, **options})  # type: ignore[arg-type]
    became = done.taken, done.replaced, done.there, done.repeated, done.outranked, done.refusals
    assert done.read == sum(became)
    assert sum(span.rows for span in done.books.values()) == done.taken + done.replaced
    return done


def in_lake(lake: Path, book: str = "btc_mxn") -> dict[int, float | None]:
    """The best bid of each tick of a book; each must be there once."""
    rows = Lake(lake).read(book=book)
    ticks = rows["orderbook_timestamp"].dt.epoch("s").to_list()
    assert len(set(ticks)) == len(ticks)
    return dict(zip(ticks, rows["bid"], strict=True))


def bids(rows: Iterable[Sample]) -> dict[int, float | None]:
    """What `in_lake` gives if just these rows are there."""
    return {row.tick: row.bid for row in rows}


def priced(tick: int, bid: float = 100.0, state: State = State.FRESH) -> Sample:
    """A row of btc_mxn with a best bid."""
    return Sample(tick, "btc_mxn", bid, 200.0, (200 - bid) / 2, state)


def blank(tick: int, state: State = State.UNKNOWN) -> Sample:
    """A row of btc_mxn of which nothing is known."""
    return Sample.blank(tick, "btc_mxn", state)


def rows_from(tick: int, count: int, book: str = "btc_mxn") -> list[Sample]:
    """A row for each of some seconds."""
    return [a_row(tick + i, book) for i in range(count)]
