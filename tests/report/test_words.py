"""Numbers and times as a report writes them."""

from __future__ import annotations

import pytest

from bitso_spread.report import words


@pytest.mark.parametrize(
    ("means", "places"),
    [([0.17, 0.2], 4), ([0.00031], 6), ([1e-12], 8), ([None], 4), ([0.0], 4), ([float("nan")], 4)],
)
def test_the_smallest_mean_has_three_digits(means: list[float | None], places: int) -> None:
    assert words.places(means) == places


def test_what_is_not_known_is_a_dash() -> None:
    assert words.percent(None) == words.count(None) == words.share(None) == words.NOTHING
    assert words.percent(float("nan")) == words.share(1, 0) == words.NOTHING


@pytest.mark.parametrize(
    ("part", "text"),
    [(0, "0.00"), (1e-4, "< 0.01"), (12.344, "12.34"), (99.9999, "> 99.99"), (100, "100.00")],
)
def test_a_little_is_not_none_and_almost_all_is_not_all(part: float, text: str) -> None:
    assert words.share(part) == text


def test_lengths_are_in_the_largest_unit_that_fits() -> None:
    assert [words.length(seconds) for seconds in (10, 120, 3600, 43_200, 86_400, 90)] == [
        "10 s",
        "2 min",
        "1 h",
        "12 h",
        "1 d",
        "90 s",
    ]
    assert [words.duration(seconds) for seconds in (0, 59.6, 3661, 90_061)] == [
        "0 s",
        "1 min",
        "1 h 1 min",
        "1 d 1 h",
    ]


def test_times_say_their_offset() -> None:
    assert words.times([1_721_963_700], "UTC") == ["2024-07-26 03:15:00 UTC"]
    assert words.times([1_721_963_700], "America/Mexico_City") == ["2024-07-25 21:15:00-06:00"]
