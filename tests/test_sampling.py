"""The one-second grid, and when recording begins and ends."""

from __future__ import annotations

import math
import random
import threading
from dataclasses import replace

import pytest

from bitso_spread.errors import UsageError
from bitso_spread.exchange.standing import Standing
from bitso_spread.model import Sample, State
from bitso_spread.sampling import NothingKnownError, Sampler
from tests.sampling_bench import BOOKS, NOW, YEAR, Bench, FakeClock, FakeSource, missed, times


@pytest.mark.parametrize("fraction", [0.0, 0.000001, 0.25, 0.5, 0.999, 0.999999])
@pytest.mark.parametrize("interval", [1, 2, 5, 60])
def test_ticks_lie_on_the_grid_whatever_the_start(fraction: float, interval: int) -> None:
    ticks = Bench(wall=NOW + 3 + fraction, interval=interval).take(5)
    first = math.ceil((NOW + 3 + max(fraction, 0.000001)) / interval) * interval
    assert times(ticks) == [first + i * interval for i in range(5)]
    assert [tick.late_s for tick in ticks] == pytest.approx([0.0] * 5, abs=1e-5)


def test_all_books_are_sampled_at_the_same_tick() -> None:
    tick = Bench(books=BOOKS).next()
    assert [(row.tick, row.book, row.state) for row in tick.samples] == [
        (NOW, "btc_mxn", State.FRESH),
        (NOW, "usd_mxn", State.FRESH),
    ]
    assert list(tick.standings) == BOOKS


def test_every_tick_comes_once_and_in_order_whatever_the_load() -> None:
    bench = Bench()
    draw = random.Random(7)  # noqa: S311  (no secret)
    seen = []
    for _ in range(500):
        seen.append(bench.next())
        bench.clock.pass_(draw.uniform(0, 1))
    assert times(seen) == list(range(NOW, NOW + 500))
    assert missed(seen) == []


def test_lateness_never_accumulates() -> None:
    bench = Bench()
    late = []
    for _ in range(100):
        late.append(bench.next().late_s)
        bench.clock.pass_(0.999)
    assert late == [0.0] * 100
    bench.clock.pass_(0.5)
    # One slow second makes one late tick, and the next one is on time again.
    assert [tick.late_s for tick in bench.take(3)] == [pytest.approx(0.499), 0.0, 0.0]


def test_a_tick_taken_late_asks_for_what_was_known_at_its_instant() -> None:
    bench = Bench()
    first = bench.next()
    bench.clock.pass_(1.75)
    late = bench.next()
    assert late.late_s == pytest.approx(0.75)
    assert bench.source.asked[-1] == pytest.approx(bench.clock.monotonic() - 0.75)
    assert first.samples[0].bid is not None
    assert late.samples[0].bid == pytest.approx(first.samples[0].bid + 1)


def test_what_is_not_known_at_a_tick_is_a_row_that_says_so() -> None:
    tick = Bench(books=BOOKS, known_from={"usd_mxn": 99.0}).take(1)[0]
    assert tick.samples[1] == Sample(tick.time, "usd_mxn", None, None, None, State.UNKNOWN)
    assert tick.samples[0].bid is not None


def test_a_row_tells_when_and_where_its_word_came_from() -> None:
    bench = Bench(books=BOOKS, known_from={"usd_mxn": 99.0})
    standing = bench.source.standing

    def told(book: str, at: float | None = None) -> Standing:
        return replace(standing(book, at), age_s=1.2345, source="rest", exchange_ms=1234567)

    bench.source.standing = told  # type: ignore[method-assign]
    known, unknown = bench.take(11)[-1].samples
    assert (known.state, unknown.state) == (State.FRESH, State.UNKNOWN)
    for row in (known, unknown):
        assert (row.exchange_ms, row.age_ms, row.source) == (1234567, 1234, "rest")


def test_books_may_be_replaced_between_two_ticks() -> None:
    bench = Bench(books=["btc_mxn"])
    bench.next()
    bench.sampler.books = ("usd_mxn", "eth_mxn")
    assert [row.book for row in bench.next().samples] == ["usd_mxn", "eth_mxn"]


@pytest.mark.parametrize("interval", [0, -1, 7, 50_000, 86_401])
def test_an_interval_that_does_not_divide_a_day_is_refused(interval: int) -> None:
    with pytest.raises(UsageError, match=f"an interval of {interval} s does not divide a day"):
        Bench(interval=interval)


def test_a_tick_each_minute() -> None:
    bench = Bench(wall=NOW + 61.5, interval=60)
    assert times(bench.take(3)) == [NOW + 120, NOW + 180, NOW + 240]


def test_recording_starts_at_the_first_tick_at_which_all_are_known() -> None:
    bench = Bench(books=BOOKS, known_from={"btc_mxn": 1.0, "usd_mxn": 4.2})
    tick = bench.next()
    # The clock stands half a second before NOW: the fourth tick is at 4.5 s.
    assert tick.time == NOW + 4
    assert [row.state for row in tick.samples] == [State.FRESH, State.FRESH]


def test_others_are_given_ten_seconds_after_the_first(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(books=BOOKS, known_from={"btc_mxn": 20.0, "usd_mxn": 1e9})
    tick = bench.next()
    assert tick.time == NOW + 20 + 10
    assert [row.state for row in tick.samples] == [State.FRESH, State.UNKNOWN]
    assert caplog.messages == ["recording starts without usd_mxn: no word of usd_mxn yet"]


def test_it_gives_up_when_no_book_is_known_in_time_and_says_why_of_each() -> None:
    bench = Bench(books=BOOKS, known_from=dict.fromkeys(BOOKS, 1e9), max_wait=30.0)
    with pytest.raises(NothingKnownError) as gave_up:
        bench.next()
    assert str(gave_up.value) == (
        "no book could be had in 30 s; "
        "btc_mxn: no word of btc_mxn yet; usd_mxn: no word of usd_mxn yet"
    )
    assert 30 <= bench.clock.monotonic() <= 31.5


def test_one_known_book_is_enough_not_to_give_up() -> None:
    bench = Bench(books=BOOKS, known_from={"btc_mxn": 4.0, "usd_mxn": 1e9}, max_wait=5.0)
    assert bench.next().time == NOW + 14


def test_it_gives_up_in_time_also_where_ticks_are_far_apart() -> None:
    bench = Bench(interval=3600, known_from={"btc_mxn": 1e9}, max_wait=20.0)
    with pytest.raises(NothingKnownError):
        bench.next()
    assert bench.clock.monotonic() < 22


def test_a_refused_book_ends_it_at_once_though_others_are_known() -> None:
    bench = Bench(books=BOOKS, known_from={"usd_mxn": 1e9})
    bench.source.refused["usd_mxn"] = "the exchange has no such book"
    with pytest.raises(
        NothingKnownError, match=r"^usd_mxn cannot be recorded: the exchange has no such book$"
    ):
        bench.next()
    assert bench.clock.monotonic() < 1.5


@pytest.mark.parametrize("when", ["before the start", "between two ticks", "behind the marks"])
def test_stopping_ends_it_at_once(when: str) -> None:
    bench = Bench(
        wall=NOW - 0.5 if "ticks" in when else NOW + 1.5,
        interval=3600,
        after={"btc_mxn": NOW + YEAR} if "marks" in when else None,
    )
    if when == "between two ticks":
        bench.next()
    began = bench.clock.monotonic()
    assert bench.until(began + 5.5) == []
    assert bench.clock.monotonic() - began <= 6.5


def test_stopped_before_it_began_it_gives_nothing_and_waits_for_nothing() -> None:
    bench = Bench()
    bench.stop.set()
    assert list(bench.sampler.ticks()) == []
    assert bench.clock.monotonic() == 0


def test_a_real_stop_ends_a_real_wait() -> None:
    stop = threading.Event()
    source = FakeSource(FakeClock())
    sampler = Sampler(source, ["btc_mxn"], interval=86_400, stop=stop)
    threading.Timer(0.1, stop.set).start()
    assert list(sampler.ticks()) == []
