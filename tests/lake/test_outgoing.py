"""What waits in the journal to be published."""

from __future__ import annotations

from pathlib import Path

from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.outgoing import Outgoing, Waiting
from bitso_spread.lake.state import LakeState
from tests.lake.support import NOON, a_batch, rows_of

BOOKS = ("btc_mxn", "eth_mxn", "usd_mxn")


def record(lake: Path, topic: str, *books: str, count: int = 5) -> None:
    with LakeState(state_file(lake, TABLE), topic=topic) as state:
        state.record([pair for book in books for pair in rows_of(a_batch(book), count)])


def test_what_waits_is_told_by_topic_and_book(tmp_path: Path) -> None:
    record(tmp_path, "spread", *BOOKS)
    record(tmp_path, "other", "xrp_mxn")
    with Outgoing(state_file(tmp_path, TABLE)) as outgoing:
        assert outgoing.topics() == ["other", "spread"]
        assert outgoing.books("spread") == list(BOOKS)
        assert outgoing.books("other") == ["xrp_mxn"]
        assert outgoing.waiting("spread") == Waiting("spread", 15, NOON)
        outgoing.confirm("other", {"xrp_mxn": NOON + 5})
        assert outgoing.topics() == ["spread"]
        assert (outgoing.waiting("other"), outgoing.books("other")) == (None, [])


def test_of_millions_of_rows_the_books_are_found_without_a_look_at_each(tmp_path: Path) -> None:
    record(tmp_path, "spread", *BOOKS, count=10_000)
    with Outgoing(state_file(tmp_path, TABLE)) as outgoing:
        steps = [0]

        def stepped() -> None:
            steps[0] += 1

        outgoing._db._db.set_progress_handler(stepped, 10)
        assert outgoing.topics() == ["spread"]
        assert outgoing.books("spread") == list(BOOKS)
        assert steps[0] < 1000
