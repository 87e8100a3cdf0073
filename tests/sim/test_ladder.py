from __future__ import annotations

import json
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from random import Random

import pytest

from bitso_spread.sim import payloads
from bitso_spread.sim.ladder import TOP, Ladder
from bitso_spread.sim.market import Depth
from bitso_spread.sim.specs import spec_of

NOW_MS = 1_721_963_739_000


@pytest.fixture
def ladder() -> Ladder:
    ladder = Ladder(spec_of("btc_mxn"), Random(1))  # noqa: S311  (a market, not a secret)
    ladder.move(123_383, 123_625, NOW_MS)
    return ladder


def tops(depth: Depth) -> tuple[str, str]:
    return depth.bids[0].price, depth.asks[0].price


def test_the_top_is_where_it_is_put(ladder: Ladder) -> None:
    assert tops(ladder.move(123_000, 123_100, NOW_MS)) == ("1230000", "1231000")
    assert tops(ladder.move(123_050, 123_090, NOW_MS)) == ("1230500", "1230900")
    assert tops(ladder.move(122_000, 124_000, NOW_MS)) == ("1220000", "1240000")


def test_whatever_happens_fifty_levels_lie_best_first_below_the_top(ladder: Ladder) -> None:
    rng = Random(2)  # noqa: S311  (a market, not a secret)
    for _ in range(500):
        bid = 123_383 + rng.randint(-300, 300)
        ladder.move(bid, bid + rng.randint(30, 600), NOW_MS)
        depth = ladder.stir(NOW_MS)
        bids, asks = ([o.ticks for o in side] for side in (depth.bids, depth.asks))
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert min(len(set(bids)), len(set(asks))) >= 50


def test_a_deeper_change_is_seen_in_the_top_twenty_and_leaves_the_best_prices(
    ladder: Ladder,
) -> None:
    before = ladder.depth()
    for _ in range(300):
        after = ladder.stir(NOW_MS)
        assert tops(after) == tops(before)
        shown, shown_before = (payloads.orders_payload(d.bids, d.asks) for d in (after, before))
        assert shown != shown_before
        assert after.sequence > before.sequence
        before = after


def test_a_thin_book_ends_where_prices_would(ladder: Ladder) -> None:
    assert ladder.move(3, 9, NOW_MS).bids[-1].ticks == 1


def test_one_depth_looks_the_same_from_all_sides(ladder: Ladder) -> None:
    for _ in range(50):
        ladder.stir(NOW_MS)
    depth = ladder.depth()
    levels = json.loads(payloads.order_book(depth, 0, aggregate=True))["payload"]
    singles = json.loads(payloads.order_book(depth, 0, aggregate=False))["payload"]
    frame = json.loads(payloads.orders_payload(depth.bids, depth.asks))
    for side in ("bids", "asks"):
        sums = [
            (price, sum(Decimal(row["amount"]) for row in rows))
            for price, rows in groupby(singles[side], key=lambda row: row["price"])
        ]
        assert [(r["price"], Decimal(r["amount"])) for r in levels[side]] == sums[:50]
        assert [(o["o"], o["r"], Decimal(o["a"])) for o in frame[side]] == [
            (r["oid"], r["price"], Decimal(r["amount"])) for r in singles[side][:TOP]
        ]


def test_orders_are_single_with_shared_prices_and_exact_values(ladder: Ladder) -> None:
    frame = json.loads(payloads.orders_payload(ladder.depth().bids, ladder.depth().asks))
    for number, side in enumerate(("bids", "asks")):
        orders = frame[side]
        assert len(orders) == 20
        assert 6 <= len({o["r"] for o in orders}) < 20
        assert len({o["o"] for o in orders}) == 20
        for order in orders:
            assert Decimal(order["v"]) == Decimal(order["r"]) * Decimal(order["a"])
            assert (order["t"], order["s"], len(order["o"])) == (number, "undefined", 16)
            assert order["d"] == NOW_MS


def test_an_order_keeps_its_creation_time(ladder: Ladder) -> None:
    created = {o.oid: o.created_ms for o in ladder.depth().bids}
    later = ladder.move(123_390, 123_625, NOW_MS + 5000)
    assert later.bids[0].created_ms == NOW_MS + 5000
    assert all(created.get(o.oid, NOW_MS + 5000) == o.created_ms for o in later.bids)


def test_rest_mixes_padded_and_stripped_amounts_and_gives_the_sequence_as_text(
    ladder: Ladder,
) -> None:
    payload = json.loads(payloads.order_book(ladder.depth(), 0, aggregate=True))["payload"]
    fractions = {len(row["amount"].partition(".")[2]) for row in payload["bids"]}
    assert 8 in fractions
    assert min(fractions) < 8
    assert any(row["amount"].endswith("0") for row in payload["bids"])
    assert int(payload["sequence"]) > 2**32
    assert isinstance(payload["sequence"], str)
    assert payload["updated_at"] == "1970-01-01T00:00:00+00:00"


def test_a_frame_has_the_fields_of_a_recorded_one_in_the_same_order(
    ladder: Ladder, shared: Path
) -> None:
    recorded = json.loads((shared / "bitso/samples/ws-orders-btc_usd.json").read_text())
    depth = ladder.depth()
    payload = payloads.orders_payload(depth.bids, depth.asks)
    made = json.loads(payloads.orders_frame("btc_mxn", payload, NOW_MS))
    assert list(made) == list(recorded)
    for side in ("bids", "asks"):
        assert list(made["payload"][side][0]) == list(recorded["payload"][side][0])
        assert [type(v) for v in made["payload"][side][0].values()] == [
            type(v) for v in recorded["payload"][side][0].values()
        ]


def test_replies_have_the_fields_of_recorded_ones(ladder: Ladder, shared: Path) -> None:
    samples = shared / "bitso/samples"
    spec, depth = spec_of("btc_mxn"), ladder.depth()
    book = json.loads((samples / "rest-order_book-btc_mxn-2025-06-05.json").read_text())
    made = json.loads(payloads.order_book(depth, 0, aggregate=True))
    assert list(made["payload"]) == list(book["payload"])
    assert list(made["payload"]["asks"][0]) == list(book["payload"]["asks"][0])
    ticker = json.loads((samples / "rest-ticker-btc_mxn-2025-06-05.json").read_text())
    assert list(payloads.ticker(spec, depth, 0)) == list(ticker["payload"])
    row = json.loads((samples / "rest-available_books-entry-btc_usd.json").read_text())
    # The recorded row is of before margin_enabled was added.
    assert set(payloads.available_book(spec)) == {*row, "margin_enabled"}


def test_limits_of_every_kind_of_price_are_plain_positive_decimals() -> None:
    for book in ("btc_mxn", "usd_mxn", "shib_usd", "btc_ars", "sim007_mxn"):
        limits = spec_of(book).limits
        assert all(Decimal(text) > 0 and "E" not in text for text in limits.values())
        low, high = (Decimal(limits[f"{end}_price"]) for end in ("minimum", "maximum"))
        assert low < spec_of(book).price < high
