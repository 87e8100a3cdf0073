"""What is counted of days agrees with counting tick by tick, whatever is there."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from bitso_spread.clock import DAY_S
from bitso_spread.lake.coverage import Coverage, Scope
from bitso_spread.lake.filters import Filters
from bitso_spread.lake.journal import Outage
from bitso_spread.lake.records import day_of
from tests.lake.support import DAY

INTERVAL = 1800
GRID = [DAY + place * INTERVAL for place in range(3 * DAY_S // INTERVAL)]
BOOK = "btc_mxn"


def add(coverage: Coverage, there: dict[int, str]) -> None:
    for date in sorted({day_of(tick) for tick in there}):
        ticks = sorted(tick for tick in there if day_of(tick) == date)
        frame = pl.DataFrame(
            {
                "tick": ticks,
                "known": [there[tick] != "blank" for tick in ticks],
                "journal": [there[tick] == "journal" for tick in ticks],
            }
        )
        coverage.add(BOOK, date, frame)


@settings(max_examples=150, deadline=None)
@given(
    there=st.dictionaries(
        st.sampled_from(GRID), st.sampled_from(["known", "blank", "journal"]), max_size=60
    ),
    edges=st.lists(st.sampled_from(GRID), max_size=6, unique=True).map(sorted),
    bounds=st.tuples(st.sampled_from(GRID), st.sampled_from(GRID)).map(sorted),
    recorded=st.tuples(st.sampled_from(GRID), st.sampled_from(GRID)).map(sorted),
)
def test_days_agree_with_counting_tick_by_tick(
    there: dict[int, str], edges: list[int], bounds: list[int], recorded: list[int]
) -> None:
    start, end = bounds[0], bounds[1] + INTERVAL
    first, last = recorded
    spans = [
        Outage(BOOK, f"{'missed' if number % 2 else 'lost'} {number}", begin, finish)
        for number, (begin, finish) in enumerate(zip(edges[::2], edges[1::2], strict=False))
    ]
    there = {tick: kind for tick, kind in there.items() if start <= tick < end}
    coverage = Coverage(Scope(start, end), INTERVAL, {BOOK: spans})
    coverage.expect(BOOK, first, last)
    add(coverage, there)

    # What is recorded outside of the scope makes its ends expected, if anything is left within.
    within = [tick for tick in GRID if first <= tick <= last or tick in there]
    within = [tick for tick in range(min(within), max(within) + 1, INTERVAL) if start <= tick < end]
    days = list(coverage.days())
    assert [day.date for day in days] == sorted({day_of(tick) for tick in within})
    for day in days:
        expected = [tick for tick in within if day_of(tick) == day.date]
        blank = [tick for tick in expected if there.get(tick) == "blank"]
        absent = [tick for tick in expected if tick not in there]
        missed = [
            tick
            for tick in blank
            for span in spans
            if span.cause.startswith("missed") and span.first_tick <= tick <= (span.last_tick or 0)
        ]
        not_known = sorted(blank + absent)
        assert day.expected == len(expected)
        assert day.known == sum(there.get(tick) == "known" for tick in expected)
        assert day.journal == sum(there.get(tick) == "journal" for tick in expected)
        assert (day.unknown, day.missed) == (len(blank) - len(missed), len(missed))
        assert day.absent == len(absent)
        assert day.first_missing == (not_known[0] if not_known else None)
        for hour in range(24):
            ticks = [tick for tick in expected if tick % DAY_S // 3600 == hour]
            assert day.hours_expected[hour] == len(ticks)
            assert day.hours[hour] == sum(tick in not_known for tick in ticks)
        for span in spans:
            count = sum(span.first_tick <= tick <= (span.last_tick or 0) for tick in not_known)
            assert day.causes.get(span.cause, 0) == count


def test_the_scope_of_days_and_instants_is_cut_to_the_grid() -> None:
    filters = Filters.of(date="20260921..20260922", start="2026-09-21T00:10:00.5")
    assert Scope.of(filters, 60) == Scope(DAY + 660, DAY + 2 * DAY_S)
    assert Scope.of(Filters.of(end="2026-09-21T00:00:30"), 60) == Scope(None, DAY + 60)
    assert Scope.of(Filters(), 1) == Scope(None, None)
