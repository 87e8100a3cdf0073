from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.errors import LakeError
from bitso_spread.sim.replay import ReplayMarket, Row

# Subscribed in the middle of a second: the first row's second is the lead after its end.
SUBSCRIBED_MS = 5_000_400
FIRST = 5_004
ROWS: list[Row] = [
    (100, "btc_mxn", 1233830.0, 1236250.0),
    (101, "btc_mxn", 1233840.0, 1236250.0),
    (102, "btc_mxn", None, None),
    (107, "btc_mxn", 1233850.0, 1236260.0),
    (101, "usd_mxn", 18.319, 18.387),
    (102, "usd_mxn", 18.32, 18.387),
]


@pytest.fixture
def market() -> ReplayMarket:
    market = ReplayMarket(ROWS)
    market.subscribed(SUBSCRIBED_MS)
    return market


def top(market: ReplayMarket, book: str, ms: int) -> tuple[str, str]:
    depth = market.depth(book, ms)
    return depth.bids[0].price, depth.asks[0].price


def test_all_books_are_shifted_by_one_whole_number_of_seconds(market: ReplayMarket) -> None:
    assert market.shift == FIRST - 100
    market.subscribed(SUBSCRIBED_MS + 60_000)
    assert market.shift == FIRST - 100


def test_the_lead_can_be_chosen() -> None:
    market = ReplayMarket(ROWS, lead_s=10)
    market.subscribed(5_000_000)
    assert market.shift == 5_010 - 100


def test_a_row_is_in_force_from_half_a_second_before_its_second(market: ReplayMarket) -> None:
    second = (FIRST + 1) * 1000
    assert top(market, "btc_mxn", second - 501) == ("1233830", "1236250")
    assert market.next_change_ms("btc_mxn") == second - 500
    assert top(market, "btc_mxn", second - 500) == ("1233840", "1236250")
    assert market.depth("btc_mxn", second).bids[0].created_ms == second - 500


def test_gaps_rows_without_prices_and_the_end_hold_the_last_row(market: ReplayMarket) -> None:
    assert top(market, "btc_mxn", (FIRST + 6) * 1000) == ("1233840", "1236250")
    assert top(market, "btc_mxn", (FIRST + 7) * 1000) == ("1233850", "1236260")
    assert market.next_change_ms("btc_mxn") is None
    assert top(market, "btc_mxn", (FIRST + 10_000) * 1000) == ("1233850", "1236260")


def test_before_its_first_row_a_book_stands_at_it(market: ReplayMarket) -> None:
    unwatched = ReplayMarket(ROWS)
    assert unwatched.shift is None
    assert unwatched.next_change_ms("usd_mxn") is None
    assert top(unwatched, "usd_mxn", 10**13) == ("18.319", "18.387")
    assert top(market, "usd_mxn", SUBSCRIBED_MS) == ("18.319", "18.387")


def test_it_tells_what_was_played_at_a_second_of_the_wall_clock(market: ReplayMarket) -> None:
    assert market.played("btc_mxn", FIRST - 4) == (Decimal(1233830), Decimal(1236250))
    assert market.played("btc_mxn", FIRST + 1) == (Decimal(1233840), Decimal(1236250))
    assert market.played("btc_mxn", FIRST + 4) == (Decimal(1233840), Decimal(1236250))
    assert market.played("usd_mxn", FIRST + 2) == (Decimal("18.32"), Decimal("18.387"))


def test_rows_may_come_in_any_order_and_the_last_of_a_second_counts() -> None:
    rows: list[Row] = [(7, "a_b", 3.0, 4.0), (5, "a_b", 1.0, 9.0), (7, "a_b", 2.0, 5.0)]
    market = ReplayMarket(rows)
    assert market.played("a_b", 0) == (Decimal(1), Decimal(9))
    market.subscribed(0)
    assert market.played("a_b", (market.shift or 0) + 7) == (Decimal(2), Decimal(5))


def test_prices_that_are_no_prices_count_as_unknown() -> None:
    rows: list[Row] = [
        (1, "a_b", 1.5, 2.0),
        (2, "a_b", math.nan, 2.0),
        (3, "a_b", 1.0, math.inf),
        (4, "a_b", 0.0, 2.0),
        (5, "a_b", 1.25, 2.0),
    ]
    market = ReplayMarket(rows)
    market.subscribed(0)
    shift = market.shift or 0
    assert [market.played("a_b", shift + s)[0] for s in range(1, 6)] == [
        Decimal(text) for text in ("1.5", "1.5", "1.5", "1.5", "1.25")
    ]


def test_prices_off_the_known_tick_are_played_exactly() -> None:
    market = ReplayMarket([(1, "btc_mxn", 457240.015, 457240.02)])
    assert market.specs["btc_mxn"].tick == Decimal("0.001")
    assert top(market, "btc_mxn", 0) == ("457240.015", "457240.02")


def test_nothing_to_replay_is_said() -> None:
    with pytest.raises(LakeError, match="no row has a bid and an ask"):
        ReplayMarket([(1, "btc_mxn", None, None)])


def test_a_folder_without_a_lake_is_said(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=str(tmp_path)):
        ReplayMarket.from_lake(tmp_path)


def test_the_predecessors_lake_is_played_second_by_second_to_the_last_digit(
    shared: Path,
) -> None:
    market = ReplayMarket.from_lake(shared / "lake-2024-07-26")
    market.subscribed(1_800_000_000_000)
    shift = market.shift
    assert shift is not None
    assert sorted(market.specs) == ["btc_mxn", "usd_mxn"]
    for book in market.specs:
        assert market.specs[book].tick == Decimal("10" if book == "btc_mxn" else "0.001")
        (file,) = (shared / "lake-2024-07-26").glob(
            f"BitsoSpreadMonitor/*/order_book={book}/minutes=195/part-*.csv"
        )
        columns = ["orderbook_timestamp", "book", "bid", "ask", "spread"]
        rows = pl.read_csv(file, has_header=False, new_columns=columns, try_parse_dates=True)
        assert rows.height == 600
        for moment, _, bid, ask, _ in rows.sort("orderbook_timestamp").iter_rows():
            second = int(moment.timestamp()) + shift
            sent = top(market, book, second * 1000)
            assert (float(sent[0]), float(sent[1])) == (bid, ask)
            assert market.played(book, second) == (Decimal(sent[0]), Decimal(sent[1]))
