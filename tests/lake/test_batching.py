"""Which ticks become one file."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.lake.batching import Batcher
from tests.lake.support import DAY, NOON

BOOK = "btc_mxn"


def batches_of(batcher: Batcher, ticks: range) -> dict[int, list[int]]:
    """The ticks of each batch by its first, the last one ended by hand."""
    found: dict[int, list[int]] = defaultdict(list)
    ended: list[int] = []
    for tick in ticks:
        first, ends = batcher.place(BOOK, tick)
        assert first not in ended
        found[first].append(tick)
        if ends:
            ended.append(first)
    if (last := batcher.end(BOOK)) is not None:
        ended.append(last)
    assert ended == list(found)
    return found


def lengths(batches: dict[int, list[int]]) -> list[int]:
    return [len(ticks) for ticks in batches.values()]


def test_six_hundred_ticks_are_one_file() -> None:
    found = batches_of(Batcher(600, 1), range(NOON + 7, NOON + 7 + 1500))
    assert list(found) == [NOON + 7, NOON + 607, NOON + 1207]
    assert lengths(found) == [600, 600, 300]


def test_a_batch_ends_with_its_last_tick_and_not_with_the_next_ones_first() -> None:
    batcher = Batcher(3, 1)
    assert [batcher.place(BOOK, NOON + i) for i in range(4)] == [
        (NOON, False),
        (NOON, False),
        (NOON, True),
        (NOON + 3, False),
    ]


def test_a_batch_of_one_tick_ends_with_it() -> None:
    batcher = Batcher(1, 1)
    assert batcher.place(BOOK, NOON) == (NOON, True)
    assert batcher.place(BOOK, NOON + 1) == (NOON + 1, True)
    assert batcher.end(BOOK) is None


def test_midnight_splits_a_batch_and_its_halves_count_together() -> None:
    found = batches_of(Batcher(600, 1), range(DAY - 100, DAY + 1100))
    assert list(found) == [DAY - 100, DAY, DAY + 500]
    assert lengths(found) == [100, 500, 600]


def test_a_batch_that_ends_at_midnight_leaves_no_half() -> None:
    found = batches_of(Batcher(600, 1), range(DAY - 600, DAY + 600))
    assert list(found) == [DAY - 600, DAY]
    assert lengths(found) == [600, 600]


def test_a_batch_longer_than_a_day_is_split_at_each_midnight() -> None:
    found = batches_of(Batcher(60, 3600), range(NOON, NOON + 60 * 3600, 3600))
    assert lengths(found) == [12, 24, 24]


def test_midnight_splits_where_ticks_are_minutes_apart() -> None:
    found = batches_of(Batcher(10, 60), range(DAY - 180, DAY + 600, 60))
    assert list(found) == [DAY - 180, DAY, DAY + 420]
    assert lengths(found) == [3, 7, 3]


def test_aligned_batches_start_on_multiples_of_their_length() -> None:
    found = batches_of(Batcher(600, 1, align=True), range(NOON + 250, NOON + 1300))
    assert list(found) == [NOON + 250, NOON + 600, NOON + 1200]
    assert lengths(found) == [350, 600, 100]


def test_aligned_batches_start_over_at_midnight_where_they_do_not_divide_a_day() -> None:
    # 7 h: batches start at 0, 7, 14 and 21 h, and the last of the day is short.
    found = batches_of(Batcher(7, 3600, align=True), range(DAY, DAY + 32 * 3600, 3600))
    assert [(first - DAY) // 3600 for first in found] == [0, 7, 14, 21, 24, 31]


def test_an_aligned_batch_that_begins_on_a_multiple_is_whole() -> None:
    assert lengths(batches_of(Batcher(600, 1, align=True), range(DAY, DAY + 600))) == [600]


def test_ending_gives_the_open_batch_and_the_next_tick_begins_another() -> None:
    batcher = Batcher(600, 1)
    batcher.place(BOOK, NOON)
    assert batcher.end(BOOK) == NOON
    assert batcher.end(BOOK) is None
    assert batcher.place(BOOK, NOON + 5000) == (NOON + 5000, False)
    assert batcher.progress(BOOK) == 1


def test_the_second_half_of_a_batch_without_a_row_is_no_batch() -> None:
    batcher = Batcher(600, 1)
    assert batcher.place(BOOK, DAY - 1) == (DAY - 1, True)
    assert batcher.end(BOOK) is None
    assert batcher.place(BOOK, DAY + 4000) == (DAY + 4000, False)


def test_books_have_batches_of_their_own() -> None:
    batcher = Batcher(2, 1)
    assert batcher.place("btc_mxn", NOON) == (NOON, False)
    assert batcher.place("usd_mxn", NOON + 1) == (NOON + 1, False)
    assert batcher.place("btc_mxn", NOON + 1) == (NOON, True)
    assert batcher.place("usd_mxn", NOON + 2) == (NOON + 1, True)


def test_progress_counts_the_ticks_of_both_halves() -> None:
    batcher = Batcher(600, 1)
    assert batcher.progress(BOOK) == 0
    for tick in range(DAY - 2, DAY + 3):
        batcher.place(BOOK, tick)
    assert batcher.progress(BOOK) == 5
    assert batcher.progress("usd_mxn") == 0


@given(
    start=st.integers(-700, 700),
    size=st.integers(1, 60),
    interval=st.sampled_from([1, 2, 10, 60, 3600]),
    align=st.booleans(),
    runs=st.lists(st.tuples(st.integers(1, 80), st.integers(0, 100)), min_size=1, max_size=5),
)
def test_each_tick_is_in_one_batch_that_is_not_too_long_and_of_one_day(
    start: int, size: int, interval: int, align: bool, runs: list[tuple[int, int]]
) -> None:
    batcher = Batcher(size, interval, align=align)
    found: dict[int, list[int]] = defaultdict(list)
    ended: list[int] = []
    tick = DAY + start * interval
    placed = []
    for count, gap in runs:
        for _ in range(count):
            first, ends = batcher.place(BOOK, tick)
            assert first not in ended
            found[first].append(tick)
            placed.append(tick)
            if ends:
                ended.append(first)
            tick += interval
        # A gap: what is open ends, as it does at the end of the recording.
        tick += gap * interval
        if (last := batcher.end(BOOK)) is not None:
            ended.append(last)
    assert sorted(tick for ticks in found.values() for tick in ticks) == placed
    assert sorted(ended) == sorted(found)
    for first, ticks in found.items():
        assert ticks[0] == first
        assert len(ticks) <= size
        assert ticks[0] // 86_400 == ticks[-1] // 86_400
        assert ticks == list(range(first, ticks[-1] + interval, interval))


@pytest.mark.parametrize("interval", [1, 60])
@given(start=st.integers(-300, 0), size=st.integers(1, 100))
def test_a_batch_has_just_its_ticks_over_a_midnight_too(
    interval: int, start: int, size: int
) -> None:
    count = 4 * size
    first = DAY + start * interval
    batcher = Batcher(size, interval)
    full = []
    for i in range(count):
        batcher.place(BOOK, first + i * interval)
        if batcher.progress(BOOK) == 0:
            full.append(i + 1)
    assert full == [size, 2 * size, 3 * size, 4 * size]
