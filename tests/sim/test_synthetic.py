from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from bitso_spread.sim.market import Depth
from bitso_spread.sim.synthetic import DEFAULT_BOOKS, SyntheticMarket

START_MS = 1_721_963_739_000
HOUR_S = 3600


def prices(depth: Depth) -> tuple[Decimal, Decimal]:
    return Decimal(depth.bids[0].price), Decimal(depth.asks[0].price)


def seconds_of(market: SyntheticMarket, book: str, seconds: int) -> list[tuple[Decimal, Decimal]]:
    return [prices(market.depth(book, START_MS + s * 1000)) for s in range(seconds)]


@pytest.mark.parametrize("book", list(SyntheticMarket().specs))
def test_the_rhythm_and_the_spread_are_those_of_the_real_data(book: str) -> None:
    tops = seconds_of(SyntheticMarket(frames_per_second=0), book, 2 * HOUR_S)

    changes = [before != after for before, after in pairwise(tops)]
    assert 0.33 < sum(changes) / len(changes) < 0.43

    longest = run = 1
    for changed in changes:
        run = 1 if changed else run + 1
        longest = max(longest, run)
    assert 25 <= longest <= 60

    spreads = sorted((ask - bid) * 100 / ask for bid, ask in tops)
    assert Decimal("0.02") <= spreads[0]
    assert spreads[-1] <= Decimal("0.5")
    assert Decimal("0.15") < spreads[len(spreads) // 2] < Decimal("0.25")


def test_changes_come_in_bursts() -> None:
    tops = seconds_of(SyntheticMarket(["btc_mxn"], frames_per_second=0), "btc_mxn", 2 * HOUR_S)
    changes = [before != after for before, after in pairwise(tops)]
    after_change = [after for before, after in pairwise(changes) if before]
    after_rest = [after for before, after in pairwise(changes) if not before]
    assert 0.55 < sum(after_change) / len(after_change) < 0.69
    assert 0.20 < sum(after_rest) / len(after_rest) < 0.29


def test_every_price_is_a_whole_multiple_of_the_tick() -> None:
    market = SyntheticMarket()
    for book, spec in market.specs.items():
        depth = market.depth(book, START_MS)
        assert all(Decimal(o.price) % spec.tick == 0 for o in (*depth.bids, *depth.asks))
    assert market.specs["btc_mxn"].tick == 10
    assert market.specs["usd_mxn"].tick == Decimal("0.001")


def test_a_seed_gives_the_same_market_again_and_another_seed_another() -> None:
    def course(seed: int) -> list[Depth]:
        market = SyntheticMarket(["btc_mxn"], seed=seed)
        return [market.depth("btc_mxn", START_MS + s * 1000) for s in range(60)]

    assert course(7) == course(7)
    assert course(7) != course(8)


def test_how_often_it_is_looked_at_does_not_change_what_happens() -> None:
    often, seldom = SyntheticMarket(["btc_mxn"]), SyntheticMarket(["btc_mxn"])
    for ms in range(0, 50_000, 7):
        often.depth("btc_mxn", START_MS + ms)
    seldom.depth("btc_mxn", START_MS)
    end_ms = START_MS + 50_000
    assert often.depth("btc_mxn", end_ms) == seldom.depth("btc_mxn", end_ms)


def test_the_top_takes_the_same_course_however_many_frames_there_are() -> None:
    quiet, busy = (SyntheticMarket(["usd_mxn"], frames_per_second=f) for f in (0, 20))
    assert seconds_of(quiet, "usd_mxn", 120) == seconds_of(busy, "usd_mxn", 120)


def test_books_make_as_many_frames_as_asked_for() -> None:
    market = SyntheticMarket(["btc_mxn"], frames_per_second=17)
    market.depth("btc_mxn", START_MS)
    frames = 0
    while (due := market.next_change_ms("btc_mxn") or 0) < START_MS + 600_000:
        market.depth("btc_mxn", due)
        frames += 1
    assert 16 < frames / 600 < 18


def test_there_are_as_many_books_as_asked_for_real_names_first() -> None:
    assert list(SyntheticMarket().specs)[:2] == ["btc_mxn", "usd_mxn"]
    assert len(SyntheticMarket().specs) == DEFAULT_BOOKS
    market = SyntheticMarket(100)
    assert len(market.specs) == 100
    for book, spec in market.specs.items():
        bid, ask = prices(market.depth(book, START_MS))
        assert bid < ask
        assert spec.tick <= spec.price / 10_000


def test_a_market_that_nobody_watched_goes_on_where_it_was() -> None:
    market = SyntheticMarket(["btc_mxn"])
    before = market.depth("btc_mxn", START_MS)
    a_week_later = START_MS + 7 * 24 * HOUR_S * 1000
    assert market.depth("btc_mxn", a_week_later) == before
    due = market.next_change_ms("btc_mxn")
    assert due is not None
    assert a_week_later < due < a_week_later + 60_000


def test_a_clock_that_steps_back_does_not_stop_it() -> None:
    market = SyntheticMarket(["btc_mxn"])
    market.depth("btc_mxn", START_MS)
    market.depth("btc_mxn", START_MS - HOUR_S * 1000)
    due = market.next_change_ms("btc_mxn")
    assert due is not None
    assert due < START_MS - HOUR_S * 1000 + 60_000
