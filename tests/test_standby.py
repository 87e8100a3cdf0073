"""A standby's ticks: none until the books are its own, then all that nobody has recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from bitso_spread.errors import LakeBusyError
from bitso_spread.lake import layout
from bitso_spread.lake.inheritance import Inheritance
from bitso_spread.lake.journal import Batch
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.table import Table
from bitso_spread.model import Sample, State
from bitso_spread.sampling import Gap, Tick
from bitso_spread.standby import KEPT_TICKS, Heir, held_back


def tick(time: int, *books: str) -> Tick:
    samples = tuple(Sample.blank(time, book, State.UNKNOWN) for book in books or ("btc_mxn",))
    return Tick(time, samples, {}, 0.0)


def free_at(time: int, ticks: list[int], **marks: int) -> Callable[[], Mapping[str, int] | None]:
    """Give the books, and the marks, once the tick of this time has been taken."""
    return lambda: marks if ticks and ticks[-1] >= time else None


def run(events: list[Tick | Gap], time: int, **marks: int) -> list[Tick | Gap]:
    seen: list[int] = []

    def noted() -> Iterator[Tick | Gap]:
        for event in events:
            if isinstance(event, Tick):
                seen.append(event.time)
            yield event

    return list(held_back(noted(), free_at(time, seen, **marks)))


def times(events: list[Tick | Gap]) -> list[int]:
    return [event.time for event in events if isinstance(event, Tick)]


def test_nothing_is_given_while_another_has_the_books() -> None:
    assert run([tick(time) for time in range(10)], 99) == []


def test_the_first_tick_is_the_one_after_the_last_that_was_recorded() -> None:
    given = run([tick(time) for time in range(10, 20)], 14, btc_mxn=14)
    assert times(given) == [15, 16, 17, 18, 19]


def test_seconds_that_the_other_held_the_books_without_recording_them_are_not_lost() -> None:
    given = run([tick(time) for time in range(10, 20)], 17, btc_mxn=12)
    assert times(given) == [13, 14, 15, 16, 17, 18, 19]


def test_each_book_goes_on_from_its_own_mark() -> None:
    books = ("btc_mxn", "usd_mxn")
    given = run([tick(time, *books) for time in range(10, 14)], 12, btc_mxn=12, usd_mxn=10)
    rows = [(row.tick, row.book) for event in given for row in getattr(event, "samples", ())]
    assert rows == [
        (11, "usd_mxn"), (12, "usd_mxn"), (13, "btc_mxn"), (13, "usd_mxn"),
    ]  # fmt: skip


def test_a_book_that_was_never_recorded_begins_with_what_is_kept() -> None:
    assert times(run([tick(time) for time in range(10, 14)], 12)) == [10, 11, 12, 13]


def test_what_is_kept_has_an_end() -> None:
    last = 3 * KEPT_TICKS
    given = run([tick(time) for time in range(1, last + 1)], last)
    assert times(given) == list(range(last - KEPT_TICKS + 1, last + 1))


def test_a_gap_while_standing_by_is_not_ours_to_tell() -> None:
    events: list[Tick | Gap] = [tick(10), Gap(11, 900), tick(901), tick(902), Gap(903, 1800)]
    # After the takeover it is.
    assert run(events, 902, btc_mxn=5) == [tick(901), tick(902), Gap(903, 1800)]


def test_all_books_are_taken_or_none(tmp_path: Path) -> None:
    books = ["btc_mxn", "eth_mxn", "usd_mxn"]
    with BookLocks(layout.locks_folder(tmp_path, layout.TABLE)) as other, Table(tmp_path) as table:
        other.acquire(["eth_mxn"])
        heir = Heir(table, books, lambda _: None)
        assert heir.take() is None
        assert table.books == frozenset()
        # The others may still be taken by somebody else, also after we have looked.
        other.acquire(["btc_mxn", "usd_mxn"])
        other.release(["eth_mxn"])
        assert heir.take() is None
        other.release(["btc_mxn", "usd_mxn"])
        assert heir.take() == {}
        assert table.books == frozenset(books)
        with pytest.raises(LakeBusyError):
            other.acquire(["usd_mxn"])


def test_a_journal_that_cannot_be_read_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refusals = 3
    marks = LakeState.marks

    def refusing(state: LakeState) -> dict[str, int]:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise sqlite3.OperationalError("disk I/O error")
        return marks(state)

    taken: list[Inheritance] = []
    with Table(tmp_path) as table:
        batch = Batch("btc_mxn", 100, "sim", "csv", "five", 1)
        with LakeState(layout.state_file(tmp_path, layout.TABLE)) as state:
            state.record([(batch, Sample.blank(100, "btc_mxn", State.UNKNOWN))])
        heir = Heir(table, ["btc_mxn"], taken.append)
        monkeypatch.setattr(LakeState, "marks", refusing)
        for _ in range(3):
            assert heir.take() is None
            assert table.books == frozenset()
        assert heir.take() == {"btc_mxn": 100}
    assert [list(left.entry.ended) for left in taken] == [[batch]]
    # Said once, and not at every tick.
    (said,) = caplog.records
    assert said.getMessage() == (
        "the books are free and cannot be taken over: "
        f"cannot read the journal of {tmp_path}: disk I/O error"
    )


class FakeRemote:
    """The leases of a lake in object storage, as a test has them."""

    def __init__(self, **marks: int) -> None:
        self.has = False
        self.is_out_of_reach = False
        self.asked: list[list[str]] = []
        self._marks = marks

    def wants(self, books: list[str]) -> None:
        self.asked.append(sorted(books))

    def marks(self) -> dict[str, int]:
        return self._marks


def test_with_a_store_the_leases_are_waited_for_once_the_local_locks_are_there(
    tmp_path: Path,
) -> None:
    remote = FakeRemote(btc_mxn=70, eth_mxn=9)
    taken: list[Inheritance] = []
    with BookLocks(layout.locks_folder(tmp_path, layout.TABLE)) as other, Table(tmp_path) as table:
        batch = Batch("eth_mxn", 60, "sim", "csv", "five", 1)
        with LakeState(layout.state_file(tmp_path, layout.TABLE)) as state:
            state.record([(batch, Sample.blank(60, "eth_mxn", State.UNKNOWN))])
        other.acquire(["btc_mxn"])
        heir = Heir(table, ["eth_mxn", "btc_mxn"], taken.append, remote)  # type: ignore[arg-type]
        assert heir.take() is None
        assert remote.asked == []
        other.release(["btc_mxn"])
        assert heir.take() is None
        assert heir.take() is None
        assert remote.asked == [["btc_mxn", "eth_mxn"]]
        assert taken == []
        remote.has = True
        # Of what was recorded here and what the other host told, the later counts.
        assert heir.take() == {"btc_mxn": 70, "eth_mxn": 60}
        assert len(taken) == 1


def test_a_store_that_is_away_keeps_nobody_from_following_a_neighbour(tmp_path: Path) -> None:
    remote = FakeRemote()
    remote.is_out_of_reach = True
    with BookLocks(layout.locks_folder(tmp_path, layout.TABLE)) as other, Table(tmp_path) as table:
        other.acquire(["btc_mxn"])
        heir = Heir(table, ["btc_mxn"], lambda _: None, remote)  # type: ignore[arg-type]
        assert heir.take() is None
        other.release(["btc_mxn"])
        assert heir.take() == {}


def test_a_store_that_is_away_makes_no_standby_of_another_host_record(tmp_path: Path) -> None:
    remote = FakeRemote()
    remote.is_out_of_reach = True
    with Table(tmp_path) as table:
        heir = Heir(table, ["btc_mxn"], lambda _: None, remote)  # type: ignore[arg-type]
        assert [heir.take() for _ in range(3)] == [None] * 3
