"""The small lake of the README's examples: twenty minutes of two books, the same each time.

The market is an invented one, and so the rows are marked as simulated.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bitso_spread.lake.journal import Outage
from bitso_spread.lake.layout import SIMULATED
from bitso_spread.model import Quote, Sample, State
from bitso_spread.sim.specs import spec_of
from bitso_spread.sim.synthetic import TopOfBook
from tests.lake.audit_support import record

BOOKS = ("btc_mxn", "usd_mxn")
START = int(datetime(2024, 7, 26, 3, 15, tzinfo=UTC).timestamp())
_BATCH = 600
# Of the first batch of usd_mxn some seconds are not known; between the batches nobody recorded.
_UNKNOWN = range(200, 242)
_CAUSE = "the connection was lost: Connection reset by peer"
_ABSENT_S = 20


def make(folder: Path) -> None:
    """Record it, as a collector does."""
    for book in BOOKS:
        rows = list(_rows(book))
        first, last = START + _UNKNOWN.start, START + _UNKNOWN.stop - 1
        outages = [Outage(book, _CAUSE, first, last)] if book == "usd_mxn" else []
        for batch in (rows[:_BATCH], rows[_BATCH + _ABSENT_S :]):
            record(folder, batch, outages=outages, environment=SIMULATED, format="parquet")
            outages = []


def _rows(book: str) -> Iterator[Sample]:
    spec = spec_of(book)
    top = TopOfBook(spec, seed=4)
    change_ms = top.wait_ms()
    for second in range(2 * _BATCH + _ABSENT_S):
        while change_ms <= second * 1000:
            top.change()
            change_ms += top.wait_ms()
        if book == "usd_mxn" and second in _UNKNOWN:
            yield Sample.blank(START + second, book, State.UNKNOWN)
        else:
            quote = Quote(book, top.bid * spec.tick, top.ask * spec.tick)
            yield Sample.of(START + second, quote, State.FRESH)
