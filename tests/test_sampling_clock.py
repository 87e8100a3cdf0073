"""The grid under a clock that steps, a process that stalls, and marks that are kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitso_spread.model import State
from bitso_spread.sampling import LATE_S, MISSED_LIMIT, Gap, NothingKnownError, Tick
from tests.sampling_bench import BOOKS, NOW, YEAR, Bench, Kind, missed, times


def test_nothing_at_or_below_a_mark_is_recorded_again() -> None:
    assert times(Bench(after={"btc_mxn": NOW - 1}).take(2)) == [NOW, NOW + 1]
    assert times(Bench(after={"btc_mxn": NOW}).take(2)) == [NOW + 1, NOW + 2]
    assert times(Bench(after={"btc_mxn": NOW + 5}).take(2)) == [NOW + 6, NOW + 7]


def test_each_book_has_its_own_mark(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(books=BOOKS, after={"btc_mxn": NOW + 3, "usd_mxn": NOW + 1})
    rows = [(row.tick - NOW, row.book) for tick in bench.take(4) for row in tick.samples]
    assert rows == [
        (2, "usd_mxn"),
        (3, "usd_mxn"),
        (4, "btc_mxn"),
        (4, "usd_mxn"),
        (5, "btc_mxn"),
        (5, "usd_mxn"),
    ]
    assert caplog.messages == [
        "recording starts without btc_mxn: the clock is 1 s behind what is already recorded of it"
    ]


def test_a_book_without_a_mark_does_not_wait_for_another_books() -> None:
    bench = Bench(books=BOOKS, after={"btc_mxn": NOW + 3600})
    tick = bench.next()
    assert tick.time == NOW
    assert [row.book for row in tick.samples] == ["usd_mxn"]


def test_missed_ticks_respect_the_marks_too() -> None:
    bench = Bench(books=BOOKS, after={"btc_mxn": NOW + 5, "usd_mxn": NOW - 1})
    bench.clock.at(1.0, "stall", 10)
    ticks = bench.take(14)
    rows = [row for tick in ticks for row in tick.samples]
    assert min(row.tick for row in rows if row.book == "btc_mxn") == NOW + 6
    assert [row.tick for row in rows if row.book == "usd_mxn"] == list(range(NOW, NOW + 14))


@pytest.mark.parametrize("ahead", [3600, YEAR])
def test_a_clock_behind_the_marks_is_waited_for_and_says_so(
    ahead: int, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(after={"btc_mxn": NOW + ahead})
    bench.clock.at(150.2, "step", ahead)
    tick = bench.next()
    assert tick.time > NOW + ahead
    assert 150 <= bench.clock.monotonic() <= 153
    assert caplog.messages == [
        f"the clock is {ahead + 1 - 60 * minute} s behind what is already recorded: waiting for it"
        for minute in range(3)
    ]


def test_a_refusal_is_told_though_the_clock_is_behind_the_marks() -> None:
    bench = Bench(after={"btc_mxn": NOW + 3600})
    bench.source.refused["btc_mxn"] = "the exchange has no such book"
    with pytest.raises(NothingKnownError):
        bench.next()
    assert bench.clock.monotonic() < 2


@given(
    marks=st.dictionaries(st.sampled_from(BOOKS), st.integers(NOW - 20, NOW + 20)),
    interval=st.sampled_from([1, 2, 5]),
    stall=st.floats(0, 30),
    step=st.floats(-30, 30),
)
def test_no_row_is_ever_at_or_below_its_books_mark(
    marks: dict[str, int], interval: int, stall: float, step: float
) -> None:
    bench = Bench(books=BOOKS, after=marks, interval=interval)
    bench.clock.at(7.3, "stall", stall)
    bench.clock.at(12.1, "step", step)
    rows = [row for tick in bench.until(120) if isinstance(tick, Tick) for row in tick.samples]
    assert {row.book for row in rows} == set(BOOKS)
    assert all(row.tick > marks.get(row.book, 0) for row in rows)
    assert len({(row.book, row.tick) for row in rows}) == len(rows)


@pytest.mark.parametrize("back", [1.5, 3600, YEAR])
def test_a_clock_set_back_before_anything_is_recorded_is_followed(back: float) -> None:
    bench = Bench(known_from={"btc_mxn": 5.0})
    bench.clock.at(2.2, "step", -back)
    tick = bench.next()
    assert 5.0 <= bench.clock.monotonic() <= 6.5
    assert tick.time == math.floor(bench.clock.wall())
    assert tick.late_s == 0.0


def test_while_the_clock_is_set_back_before_the_start_bad_news_still_comes() -> None:
    bench = Bench(known_from={"btc_mxn": 1e9}, max_wait=10.0)
    bench.clock.at(2.2, "step", -3600)
    with pytest.raises(NothingKnownError):
        bench.next()
    assert bench.clock.monotonic() < 12


def test_the_first_tick_is_not_one_that_a_stop_has_made_late() -> None:
    bench = Bench()
    bench.clock.at(0.3, "stall", 10)
    tick = bench.next()
    assert tick.late_s == pytest.approx(0, abs=1e-5)
    assert tick.time == NOW + 10


def test_a_second_back_costs_nothing_and_doubles_nothing() -> None:
    bench = Bench()
    bench.clock.at(10.2, "step", -1)
    ticks = bench.until(20)
    assert times(ticks) == list(range(NOW, NOW + 19))
    assert missed(ticks) == []
    # The wait has lasted two seconds instead of one.
    assert bench.clock.monotonic() == pytest.approx(20, abs=0.6)


@pytest.mark.parametrize("back", [3600, YEAR])
def test_a_clock_set_back_is_waited_for_and_says_so(
    back: int, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    bench.clock.at(10.2, "step", -back)
    bench.clock.at(200.2, "step", back)
    ticks = bench.until(210)
    # While it was away no tick was due. Those that it passed when it was set right were not taken.
    assert times(ticks) == list(range(NOW, NOW + 210))
    assert missed(ticks) == list(range(NOW + 10, NOW + 201))
    behind = [message for message in caplog.messages if "behind" in message]
    assert behind == [
        f"the clock is {back - 60 * minute} s behind what is already recorded: waiting for it"
        for minute in range(4)
    ]


def test_a_second_forwards_is_not_lost() -> None:
    bench = Bench()
    bench.clock.at(10.2, "step", 1)
    ticks = bench.until(20)
    assert times(ticks) == list(range(NOW, NOW + 21))
    assert len(missed(ticks)) <= 2


def test_five_minutes_forwards_are_missed_rows(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(books=BOOKS)
    bench.clock.at(10.2, "step", 300)
    ticks = bench.until(20)
    assert times(ticks) == list(range(NOW, NOW + 320))
    assert missed(ticks) == list(range(NOW + 10, NOW + 311))
    assert caplog.messages[0].startswith("301 ticks were missed")


@pytest.mark.parametrize("forwards", [3600, YEAR])
def test_an_hour_forwards_is_a_gap(forwards: int) -> None:
    bench = Bench()
    bench.clock.at(10.2, "step", forwards)
    ticks = bench.until(20)
    assert [tick for tick in ticks if isinstance(tick, Gap)] == [Gap(NOW + 10, NOW + 10 + forwards)]
    assert missed(ticks) == []
    assert times(ticks) == [
        *range(NOW, NOW + 10),
        *range(NOW + forwards + 11, NOW + forwards + 20),
    ]


def test_a_stop_of_ten_seconds_misses_just_its_ticks() -> None:
    bench = Bench(books=BOOKS)
    bench.clock.at(10.2, "stall", 10)
    ticks = bench.until(40)
    assert times(ticks) == list(range(NOW, NOW + 40))
    # Stopped from 9.7 s after NOW to 19.7: ten ticks passed.
    assert missed(ticks) == list(range(NOW + 10, NOW + 20))


def test_a_stop_while_a_tick_is_handled_misses_just_its_ticks() -> None:
    bench = Bench()
    bench.next()
    bench.clock.pass_(10.3)
    ticks = bench.take(12)
    assert times(ticks) == list(range(NOW + 1, NOW + 13))
    assert missed(ticks) == list(range(NOW + 1, NOW + 11))


def test_a_second_stop_just_after_the_first_is_missed_too() -> None:
    bench = Bench()
    bench.clock.at(10.2, "stall", 10)
    # While the sampler waits for the tick after those that it missed:
    bench.clock.at(20.3, "stall", 20)
    ticks = bench.until(50)
    assert times(ticks) == list(range(NOW, NOW + 50))
    assert missed(ticks) == list(range(NOW + 10, NOW + 40))


def test_a_stop_that_is_short_enough_misses_nothing() -> None:
    bench = Bench()
    bench.clock.at(10.2, "stall", 1.2)
    ticks = bench.until(20)
    assert missed(ticks) == []
    late = [tick.late_s for tick in ticks if isinstance(tick, Tick) and tick.late_s]
    assert late == [pytest.approx(0.9)]


@pytest.mark.parametrize("count", [MISSED_LIMIT, MISSED_LIMIT + 1])
@pytest.mark.parametrize("interval", [1, 60])
def test_a_stop_of_more_than_600_ticks_is_a_gap(count: int, interval: int) -> None:
    bench = Bench(interval=interval)
    bench.next()
    bench.clock.pass_(count * interval)
    after = NOW + interval * (count + 1)
    if count > MISSED_LIMIT:
        assert next(bench.events) == Gap(NOW + interval, after - interval)
    else:
        ticks = bench.take(count)
        assert missed(ticks) == times(ticks) == list(range(NOW + interval, after, interval))
    assert bench.next().time == after


def test_a_stop_is_missed_minutes_where_ticks_are_minutes_apart() -> None:
    bench = Bench(interval=60)
    bench.clock.at(100, "stall", 150)
    ticks = bench.until(400)
    assert times(ticks) == list(range(NOW, NOW + 400, 60))
    assert missed(ticks) == [NOW + 120, NOW + 180, NOW + 240]


DISTURBANCES = st.lists(
    st.tuples(
        st.floats(0, 60),
        st.one_of(
            st.tuples(
                st.just("step"),
                st.floats(-5, 5) | st.sampled_from([-YEAR, -3600, -300, 300, 599, 3600, YEAR]),
            ),
            st.tuples(
                st.just("stall"),
                st.floats(0, 3) | st.floats(0, 30) | st.sampled_from([599.0, 600.0, 601.0, 7200.0]),
            ),
        ),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=200)
@given(
    fraction=st.floats(0, 0.999999),
    interval=st.sampled_from([1, 2, 5, 60]),
    disturbances=DISTURBANCES,
    handling=st.lists(st.floats(0, 3), max_size=20),
)
def test_whatever_the_clock_each_tick_is_given_once_and_none_is_left_out(
    fraction: float,
    interval: int,
    disturbances: list[tuple[float, tuple[Kind, float]]],
    handling: list[float],
) -> None:
    bench = Bench(wall=NOW + fraction, books=BOOKS, interval=interval)
    for seconds, (kind, amount) in disturbances:
        bench.clock.at(seconds, kind, amount)
    bench.clock.end(
        200 + sum(amount for _, (kind, amount) in disturbances if kind == "stall"), bench.stop
    )
    seen: list[Tick | Gap] = []
    for event in bench.events:
        seen.append(event)
        if handling:
            bench.clock.pass_(handling.pop())
    due: int | None = None
    for event in seen:
        first, last = (event.first, event.last) if isinstance(event, Gap) else (event.time,) * 2
        assert first % interval == last % interval == 0
        # Contiguous: so nothing comes twice, nothing out of order, and no stop leaves a hole.
        assert due is None or first == due
        due = last + interval
        if isinstance(event, Gap):
            assert (last - first) // interval + 1 > MISSED_LIMIT
            continue
        assert [row.book for row in event.samples] == BOOKS
        assert {row.tick for row in event.samples} == {event.time}
        if event.late_s is None:
            assert missed([event])
        else:
            assert 0 <= event.late_s <= LATE_S
            assert {row.state for row in event.samples} == {State.FRESH}
