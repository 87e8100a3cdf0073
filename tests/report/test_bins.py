"""How a distribution is cut into bins, and told."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.report.bins import Bins
from bitso_spread.report.histogram import histogram


def numbers(bins: Bins, *spreads: float) -> list[int]:
    frame = pl.DataFrame({"spread": spreads})
    return frame.select(bins.number(pl.col("spread")))["spread"].to_list()


def test_bins_are_of_round_width_and_begin_at_a_multiple_of_it() -> None:
    bins = Bins.of({"min": 0.0623, "p99": 0.2071})
    assert (bins.width, round(bins.start, 9)) == (0.005, 0.06)
    assert numbers(bins, 0.0623, 0.0651, 0.2071) == [0, 1, 29]


def test_spreads_of_few_digits_which_stand_on_the_edges_of_bins_are_each_in_their_own() -> None:
    spreads = [round(0.1 + 0.0001 * number, 4) for number in range(50)]
    bins = Bins.of({"min": spreads[0], "p99": spreads[-1]})
    assert bins.width == 0.0001
    assert numbers(bins, *spreads) == list(range(50))


def test_what_is_wider_than_the_99th_percentile_is_in_the_last_bin() -> None:
    bins = Bins.of({"min": 0.0, "p99": 1.0})
    assert numbers(bins, 1.0, 1.5, 99.0) == [50, bins.count, bins.count]


@given(st.floats(1e-9, 1e3), st.floats(0, 1e3))
def test_every_spread_between_has_a_bin_of_its_own_width(low: float, more: float) -> None:
    high = low + more
    bins = Bins.of({"min": low, "p99": high})
    assert bins.count <= 110
    lowest, highest = numbers(bins, low, high)
    assert 0 <= lowest <= highest < bins.count or more < 1e-6


def test_a_spread_that_stands_still_is_one_bar() -> None:
    bins = Bins.of({"min": 0.1, "p99": 0.1})
    (number,) = numbers(bins, 0.1)
    bars = histogram(bins.with_counts([int(n == number) for n in range(bins.places)]))
    assert [bar.height for bar in bars].count(100.0) == 1


def test_a_bar_tells_its_spreads_and_its_share_of_the_time() -> None:
    bars = histogram(Bins(0.1, 0.01, 2, (60, 30, 10)))
    assert [bar.tip for bar in bars] == [
        "0.1000 % to 0.1100 %: 60.00 % of the known time; wider in 40.00 %",
        "0.1100 % to 0.1200 %: 30.00 % of the known time; wider in 10.00 %",
        "0.1200 % and wider: 10.00 % of the known time",
    ]
    assert [bar.height for bar in bars] == [100, 50, 100 / 6]
    assert [bar.is_last for bar in bars] == [False, False, True]


def test_nothing_known_has_no_bars() -> None:
    assert histogram(Bins.of({"min": None, "p99": None}).with_counts([0])) == ()
