"""Which spans a period is cut into."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.lake.findings import BookDay
from bitso_spread.report.grid import MOST_IN_ALL, MOST_SPANS, Grid, extent, fine, is_vague

DAY_S = 86_400
MIDNIGHT = 1_721_952_000
"""2024-07-26, UTC."""
DAYS_IN_INTERVALS = [n for n in range(1, 301) if DAY_S % n == 0]


def a_day(expected: dict[int, int], date: int = 20240726) -> BookDay:
    hours = tuple(expected.get(hour, 0) for hour in range(24))
    return BookDay(
        "btc_mxn", date, sum(hours), 0, 0, 0, sum(hours), 0, 0, 0, {}, (0,) * 24, hours, None
    )


def test_a_short_period_has_every_tick() -> None:
    grid = Grid.over(MIDNIGHT + 7, MIDNIGHT + 7 + MOST_SPANS, 1)
    assert (grid.step, grid.start, grid.count) == (1, MIDNIGHT + 7, MOST_SPANS)


def test_a_day_has_spans_of_ten_seconds_and_a_year_of_an_hour() -> None:
    assert Grid.over(MIDNIGHT, MIDNIGHT + DAY_S, 1).step == 10
    assert Grid.over(MIDNIGHT, MIDNIGHT + 365 * DAY_S, 1).step == 3600


def test_many_books_share_what_a_page_may_hold() -> None:
    grid = Grid.over(MIDNIGHT, MIDNIGHT + 365 * DAY_S, 1, books=54)
    assert grid.step == 43_200
    assert grid.count * 54 <= MOST_IN_ALL


@given(
    st.integers(0, 2**31),
    st.integers(1, 20_000 * DAY_S),
    st.sampled_from(DAYS_IN_INTERVALS),
    st.integers(1, 100),
)
def test_spans_cover_the_period_and_hold_whole_ticks(
    first: int, length: int, interval: int, books: int
) -> None:
    first -= first % interval
    end = first + math.ceil(length / interval) * interval
    grid = Grid.over(first, end, interval, books=books)
    assert grid.start <= first < grid.start + grid.step
    assert grid.start + (grid.count - 1) * grid.step < end <= grid.start + grid.count * grid.step
    assert grid.step % interval == 0
    # One more than fits, where the period does not begin with a span.
    assert grid.count <= min(MOST_SPANS, MOST_IN_ALL // books) + 1
    assert grid.step % fine(grid.step) == 0
    assert 900 % fine(grid.step) == 0


def test_the_spans_at_the_ends_have_the_ticks_of_the_period_only() -> None:
    grid = Grid(MIDNIGHT, 10, 3, 1, MIDNIGHT + 4, MIDNIGHT + 25)
    assert [grid.ticks(span) for span in range(3)] == [6, 10, 5]


def test_a_period_reaches_into_its_first_and_last_hour_as_far_as_is_expected() -> None:
    days = [a_day({3: 600, 4: 3600, 5: 1})]
    assert extent(days, 1) == (MIDNIGHT + 4 * 3600 - 600, MIDNIGHT + 5 * 3600 + 1)
    minutes = [a_day({3: 10, 4: 60}), a_day({0: 5}, 20240727)]
    assert extent(minutes, 60) == (MIDNIGHT + 4 * 3600 - 600, MIDNIGHT + DAY_S + 300)


@pytest.mark.parametrize(("ticks", "vague"), [(600, True), (3600, False)])
def test_a_part_of_an_hour_does_not_tell_which_part(ticks: int, vague: bool) -> None:
    days = [a_day({3: ticks})]
    period = extent(days, 1)
    assert period == (MIDNIGHT + 3 * 3600, MIDNIGHT + 4 * 3600)
    assert is_vague(days, period) is vague
