from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket


def payload(reply: httpx.Response) -> Any:
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/json"
    body = reply.json()
    assert body["success"] is True
    return body["payload"]


@pytest.mark.parametrize("prefix", ["/v3", "/api/v3"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_form_of_the_url_gives_the_same_book(
    still: SimulatedExchange, http: httpx.Client, prefix: str, slash: str
) -> None:
    host = still.rest_url.removesuffix("/v3")
    reply = http.get(f"{host}{prefix}/order_book{slash}?book=btc_mxn")
    book = payload(reply)
    assert book["bids"][0]["price"] == "1233830"
    assert book["asks"][0]["price"] == "1236250"
    assert len(book["bids"]) == len(book["asks"]) == 50
    said = datetime.fromisoformat(book["updated_at"])
    assert abs((datetime.now(UTC) - said).total_seconds()) < 30
    assert abs((parsedate_to_datetime(reply.headers["Date"]) - said).total_seconds()) < 30


@pytest.mark.parametrize("false", ["false", "False", "FALSE"])
def test_the_whole_book_has_single_orders_with_their_ids(
    still: SimulatedExchange, http: httpx.Client, false: str
) -> None:
    url = f"{still.rest_url}/order_book/?book=usd_mxn"
    levels, orders = payload(http.get(url)), payload(http.get(f"{url}&aggregate={false}"))
    assert orders["sequence"] == levels["sequence"]
    for side in ("bids", "asks"):
        assert len(orders[side]) > 50
        assert len({row["oid"] for row in orders[side]}) == len(orders[side])
        price, amount = levels[side][0]["price"], Decimal(levels[side][0]["amount"])
        best = [row for row in orders[side] if row["price"] == price]
        assert sum(Decimal(row["amount"]) for row in best) == amount


@pytest.mark.parametrize(
    ("request_", "status", "sample"),
    [
        ("order_book/?book=nope_usd", 400, "rest-400-order_book-unknown-book.json"),
        ("order_book/", 400, "rest-400-order_book-missing-book.json"),
        ("ticker/?book=nope_usd", 400, "rest-400-ticker-unknown-book.json"),
        ("trades/?book=nope_usd", 200, "rest-200-trades-unknown-book.json"),
    ],
)
def test_errors_are_those_that_were_recorded(
    still: SimulatedExchange, http: httpx.Client, shared: Path, request_: str, status: int,
    sample: str,
) -> None:  # fmt: skip
    reply = http.get(f"{still.rest_url}/{request_}")
    assert reply.status_code == status
    assert reply.text == (shared / "bitso/samples" / sample).read_text().strip()


@pytest.mark.parametrize("path", ["/v3/nope/", "/v3/", "/order_book/?book=btc_mxn", "/v4/ticker"])
def test_other_paths_are_not_found_and_have_no_body(
    still: SimulatedExchange, http: httpx.Client, path: str
) -> None:
    reply = http.get(still.rest_url.removesuffix("/v3") + path)
    assert (reply.status_code, reply.content) == (404, b"")


def test_the_ticker_is_the_top_of_the_book_of_one_or_of_all(
    still: SimulatedExchange, http: httpx.Client
) -> None:
    one = payload(http.get(f"{still.rest_url}/ticker/?book=usd_mxn"))
    assert (one["bid"], one["ask"]) == ("18.319000000000", "18.387000000000")
    every = payload(http.get(f"{still.rest_url}/ticker"))
    assert [row["book"] for row in every] == ["btc_mxn", "usd_mxn"]
    assert (every[1]["bid"], every[1]["ask"]) == (one["bid"], one["ask"])
    assert len({row["created_at"] for row in every}) == 1


def test_available_books_lists_them_all_with_their_limits(http: httpx.Client) -> None:
    with SimulatedExchange(SyntheticMarket(54)) as exchange:
        rows = payload(http.get(f"{exchange.rest_url}/available_books/"))
    assert len(rows) == 54
    assert all(len(row) == 11 for row in rows)
    ticks = {row["book"]: row["tick_size"] for row in rows}
    assert (ticks["btc_mxn"], ticks["usd_mxn"]) == ("10", "0.001")


def test_one_request_too_many_locks_the_address_out(http: httpx.Client) -> None:
    with SimulatedExchange(requests_per_minute=3, lockout_s=30) as exchange:
        url = f"{exchange.rest_url}/ticker/?book=btc_mxn"
        statuses = [http.get(url).status_code for _ in range(4)]
        refused = http.get(url)
        assert statuses == [200, 200, 200, 420]
        assert refused.json() == {
            "success": False,
            "error": {"code": "0801", "message": "You have hit the request rate-limit"},
        }
        exchange._gateway._monotonic = lambda: time.monotonic() + 30
        assert http.get(url).status_code == 200
        assert exchange.counts.throttled == 2


def test_requests_are_counted_by_endpoint(still: SimulatedExchange, http: httpx.Client) -> None:
    for path in ("ticker", "ticker/?book=btc_mxn", "available_books", "nope"):
        http.get(f"{still.rest_url}/{path}")
    assert still.counts.requests == {"ticker": 2, "available_books": 1, "other": 1}
