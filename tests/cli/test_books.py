import json

import pytest

from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import CrossedMarket, Run, here, rows

HEADER = "book,tick_size,minimum_amount,minimum_value,bid,ask,spread"


def test_every_book_is_listed_with_its_limits_and_prices_in_two_requests(
    run: Run,
    exchange: SimulatedExchange,
) -> None:
    status, out, err = run("books", *here(exchange))
    assert status == 0
    assert out.startswith(f"{HEADER}\n")
    found = {row["book"]: row for row in rows(out)}
    assert list(found) == sorted(exchange.market.specs)
    assert found["btc_mxn"]["tick_size"] == "10"
    assert float(found["usd_mxn"]["bid"]) < float(found["usd_mxn"]["ask"])
    assert all(float(row["minimum_amount"]) > 0 for row in found.values())
    assert exchange.counts.requests == {"available_books": 1, "ticker": 1}
    assert "SIMULATED" in err


def test_a_choice_of_books_is_listed_alone(run: Run) -> None:
    status, out, err = run("books", "-e", "sim", "-b", "MXN-BTC,nope_mxn")
    assert status == 1
    assert [row["book"] for row in rows(out)] == ["btc_mxn"]
    assert "there is no book nope_mxn" in err


def test_a_book_without_a_quote_is_listed_without_prices(run: Run) -> None:
    with SimulatedExchange(CrossedMarket()) as exchange:
        status, out, _ = run("books", *here(exchange), "-b", "usd_mxn")
    assert status == 0
    (row,) = rows(out)
    assert row["tick_size"] == "0.001"
    assert (row["bid"], row["ask"], row["spread"]) == ("", "", "")


def test_the_books_are_listed_even_if_their_prices_cannot_be_had(run: Run) -> None:
    with SimulatedExchange(requests_per_minute=1) as exchange:
        status, out, err = run("books", *here(exchange), "--format", "json")
        assert exchange.counts.throttled == 1
    assert status == 1
    found = {row["book"]: row for row in json.loads(out)}
    assert found["btc_mxn"]["tick_size"] == 10
    assert found["btc_mxn"]["bid"] is None
    assert "without prices: 127.0.0.1 says too many requests" in err


def test_a_table_fits_80_columns_and_says_that_it_is_simulated(run: Run) -> None:
    _, out, _ = run("books", "-e", "sim", "--format", "table")
    lines = out.splitlines()
    assert lines[0].split() == ["SIMULATED"]
    assert max(map(len, lines)) <= 80
    assert any(line.split()[:2] == ["btc_mxn", "10"] for line in lines)


def test_the_environment_variables_serve_it_too(
    run: Run,
    exchange: SimulatedExchange,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BITSO_SPREAD_ENVIRONMENT", "sim")
    monkeypatch.setenv("BITSO_SPREAD_REST_URL", exchange.rest_url)
    monkeypatch.setenv("BITSO_SPREAD_WS_URL", exchange.ws_url)
    monkeypatch.setenv("BITSO_SPREAD_BOOK", "btc_mxn,usd_mxn")
    monkeypatch.setenv("BITSO_SPREAD_BOOKS_FORMAT", "json")
    status, out, _ = run("books")
    assert status == 0
    assert [row["book"] for row in json.loads(out)] == ["btc_mxn", "usd_mxn"]
