from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.backoff import Backoff


def delays(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next() for _ in range(count)]


def test_the_bound_doubles_up_to_the_cap_and_stays_there() -> None:
    assert delays(Backoff(draw=lambda: 1.0), 8) == [0.5, 1, 2, 4, 8, 10, 10, 10]


def test_the_first_retry_may_come_at_once() -> None:
    assert delays(Backoff(at_once=True, draw=lambda: 1.0), 5) == [0, 0.5, 1, 2, 4]


def test_each_delay_is_drawn_anew_also_at_the_cap() -> None:
    draws = iter([0.0, 0.5, 0.25, 1.0, 0.5, 0.5, 0.1])
    backoff = Backoff(draw=lambda: next(draws))
    assert delays(backoff, 7) == [0, 0.5, 0.5, 4, 4, 5, 1]


def test_a_reset_starts_over() -> None:
    backoff = Backoff(at_once=True, draw=lambda: 1.0)
    delays(backoff, 5)
    backoff.reset()
    assert delays(backoff, 3) == [0, 0.5, 1]


def test_base_and_cap_are_the_caller_s() -> None:
    assert delays(Backoff(base_s=3, cap_s=5, draw=lambda: 1.0), 3) == [3, 5, 5]


def test_it_never_ends() -> None:
    backoff = Backoff(draw=lambda: 1.0)
    assert set(islice(delays(backoff, 3000), 6, None)) == {10}


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 40))
def test_a_delay_lies_between_zero_and_its_bound(draw: float, tries: int) -> None:
    *_, last = delays(Backoff(draw=lambda: draw), tries)
    assert last == pytest.approx(draw * min(10, 0.5 * 2 ** (tries - 1)))
