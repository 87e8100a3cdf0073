"""The figures of how late ticks were taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.lateness import Lateness


def lateness_of(*seconds: float) -> Lateness:
    lateness = Lateness()
    for late_s in seconds:
        lateness.add(late_s)
    return lateness


def test_without_a_tick_there_is_no_lateness() -> None:
    lateness = Lateness()
    assert lateness.percentile(50) == 0.0
    assert lateness.percentile(99) == 0.0
    assert lateness.max_s == 0.0


def test_one_tick_is_every_percentile() -> None:
    lateness = lateness_of(0.25)
    assert [lateness.percentile(p) for p in (0, 1, 50, 99, 100)] == [0.25] * 5


@pytest.mark.parametrize(("percent", "late_s"), [(50, 0.5), (99, 0.99), (100, 1.0), (1, 0.01)])
def test_a_percentile_is_what_so_many_ticks_did_not_pass(percent: float, late_s: float) -> None:
    hundred = [i / 100 for i in range(100, 0, -1)]
    assert lateness_of(*hundred).percentile(percent) == late_s


def test_one_late_tick_in_a_hundred_is_not_the_99th_percentile_but_the_worst() -> None:
    lateness = lateness_of(*[0.001] * 99, 0.9)
    assert lateness.percentile(99) == 0.001
    assert lateness.max_s == 0.9


@given(st.lists(st.floats(0, 10), min_size=1), st.integers(0, 100))
def test_a_percentile_is_the_least_lateness_that_enough_ticks_did_not_pass(
    seconds: list[float], percent: int
) -> None:
    found = lateness_of(*seconds).percentile(percent)
    assert found in seconds
    assert sum(late_s <= found for late_s in seconds) * 100 >= percent * len(seconds)
    below = sum(late_s < found for late_s in seconds)
    assert below == 0 or below * 100 < percent * len(seconds)


def test_percentiles_are_of_the_last_day_and_the_worst_is_of_ever() -> None:
    lateness = lateness_of(0.9, 0.8, *[0.001] * 86_400)
    assert lateness.percentile(100) == 0.001
    assert lateness.max_s == 0.9
