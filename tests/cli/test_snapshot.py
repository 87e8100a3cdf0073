import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

from bitso_spread.cli.tables import Format, chosen_format
from bitso_spread.model import spread
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import CrossedMarket, Run, here, rows

HEADER = "orderbook_timestamp,book,bid,ask,spread,age_ms,state"


def test_a_pipe_gets_the_two_books_as_csv(run: Run) -> None:
    status, out, err = run("snapshot", "-e", "sim")
    assert status == 0
    assert out.startswith(f"{HEADER}\n")
    first, second = rows(out)
    assert (first["book"], second["book"]) == ("btc_mxn", "usd_mxn")
    assert 0 < float(first["bid"]) < float(first["ask"])
    assert first["state"] == "fresh"
    assert 0 <= int(first["age_ms"]) < 5000
    stamp = datetime.fromisoformat(first["orderbook_timestamp"])
    assert abs(datetime.now(UTC) - stamp) < timedelta(minutes=1)
    assert len(first["orderbook_timestamp"]) == len("2024-07-26T03:25:40+00:00")
    assert "SIMULATED" in err


def test_the_spread_is_that_of_the_prices_shown(run: Run) -> None:
    from decimal import Decimal

    _, out, _ = run("snapshot", "-e", "sim")
    for row in rows(out):
        assert float(row["spread"]) == spread(Decimal(row["bid"]), Decimal(row["ask"]))


def test_a_name_may_be_written_in_other_ways(run: Run, exchange: SimulatedExchange) -> None:
    status, out, _ = run("snapshot", *here(exchange), "-b", "mxn_btc,BTC/MXN", "-b", "USD-MXN")
    assert status == 0
    assert [row["book"] for row in rows(out)] == ["btc_mxn", "usd_mxn"]
    assert exchange.counts.requests == {"available_books": 1, "order_book": 2}


def test_more_than_ten_books_are_one_request(run: Run, exchange: SimulatedExchange) -> None:
    status, out, _ = run("snapshot", *here(exchange), "-b", "all")
    assert status == 0
    names = [row["book"] for row in rows(out)]
    assert names == sorted(exchange.market.specs)
    assert len(names) > 10
    assert exchange.counts.requests == {"available_books": 1, "ticker": 1}


def test_a_book_that_does_not_exist_is_named_and_the_others_are_shown(run: Run) -> None:
    status, out, err = run("snapshot", "-e", "sim", "-b", "btc_mxn,btc_mxm")
    assert status == 1
    assert [row["book"] for row in rows(out)] == ["btc_mxn"]
    assert "there is no book btc_mxm; did you mean btc_mxn" in err


@pytest.mark.parametrize("books", ["btc_mxn,usd_mxn", "all"])
def test_a_book_without_a_quote_is_unknown_and_says_why(run: Run, books: str) -> None:
    with SimulatedExchange(CrossedMarket()) as exchange:
        status, out, err = run("snapshot", *here(exchange), "-b", books)
    assert status == 1
    found = {row["book"]: row for row in rows(out)}
    assert found["btc_mxn"]["state"] == "fresh"
    del found["usd_mxn"]["orderbook_timestamp"]
    assert list(found["usd_mxn"].values()) == ["usd_mxn", "", "", "", "", "unknown"]
    (line,) = [line for line in err.splitlines() if "usd_mxn" in line]
    assert "crossed" in line


@pytest.mark.parametrize("form", ["csv", "json", "table"])
@pytest.mark.parametrize("more", [[], ["--depth", "2"]])
def test_nothing_is_on_stdout_where_no_book_could_be_had(
    run: Run, exchange: SimulatedExchange, form: str, more: list[str]
) -> None:
    status, out, err = run("snapshot", *here(exchange), "-b", "btc_mnx", "--format", form, *more)
    assert (status, out) == (1, "")
    assert "there is no book btc_mnx; did you mean btc_mxn" in err


def test_no_header_is_on_stdout_where_no_book_has_a_depth(run: Run) -> None:
    with SimulatedExchange(CrossedMarket()) as exchange:
        status, out, err = run("snapshot", *here(exchange), "-b", "usd_mxn", "--depth", "2")
    assert (status, out) == (1, "")
    assert "crossed" in err


def test_what_is_not_known_is_null_in_json(run: Run) -> None:
    with SimulatedExchange(CrossedMarket()) as exchange:
        status, out, _ = run("snapshot", *here(exchange), "--format", "json")
    known, unknown = json.loads(out)
    assert status == 1
    assert isinstance(known["bid"], float)
    assert [unknown[key] for key in ("bid", "ask", "spread", "age_ms")] == [None] * 4
    assert unknown["state"] == "unknown"


def test_an_exchange_that_answers_nothing_useful_is_one_line(
    run: Run,
    exchange: SimulatedExchange,
) -> None:
    exchange.faults.rest_status = 404
    status, out, err = run("snapshot", *here(exchange))
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 2, "the notice of SIMULATED, and the error"
    assert "127.0.0.1 answered HTTP 404 with an empty body" in err


def test_depth_is_long_csv_with_sums(run: Run) -> None:
    status, out, _ = run("snapshot", "-e", "sim", "-b", "btc_mxn", "--depth", "3")
    assert status == 0
    found = rows(out)
    assert list(found[0]) == ["book", "side", "level", "price", "amount", "cumulative"]
    keys = [(row["side"], row["level"]) for row in found]
    assert keys == [(side, level) for side in ("bid", "ask") for level in ("1", "2", "3")]
    bids, asks = found[:3], found[3:]
    assert float(bids[0]["price"]) > float(bids[2]["price"])
    assert float(asks[0]["price"]) < float(asks[2]["price"])
    for side in (bids, asks):
        total = sum(float(row["amount"]) for row in side)
        assert float(side[-1]["cumulative"]) == pytest.approx(total)


def test_a_table_has_a_row_a_book_and_says_that_it_is_simulated(run: Run) -> None:
    _, out, _ = run("snapshot", "-e", "sim", "--format", "table")
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[0] == ["SIMULATED"]
    assert lines[1] == ["book", "bid", "ask", "spread", "%", "age"]
    assert [line[0] for line in lines[3:]] == ["btc_mxn", "usd_mxn"]


def test_a_table_of_depth_has_both_sides_in_80_columns(run: Run) -> None:
    _, out, _ = run("snapshot", "-e", "sim", "--depth", "5", "--format", "table")
    lines = [line.rstrip() for line in out.splitlines() if line.strip()]
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["btc_mxn", "SIMULATED"]
    assert lines[1].split() == ["cumulative", "amount", "bid", "ask", "amount", "cumulative"]
    _, _, bid, ask, _, _ = map(float, lines[3].split())
    assert bid < ask


def test_a_table_says_where_the_prices_come_from(run: Run, exchange: SimulatedExchange) -> None:
    _, out, err = run("snapshot", "--rest-url", exchange.rest_url, "--format", "table")
    assert f"(127.0.0.1-{exchange.rest_url.split(':')[2].split('/')[0]})" in out
    assert "SIMULATED" not in out + err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-b", ","], "no book is named"),
        (["-b", "btc"], "'btc' is not a book"),
        (["-e", "prod"], "there is no environment 'prod'"),
        (["--rest-url", "api.bitso.com"], "--rest-url"),
        (["-e", "sim", "--rest-url", "http://127.0.0.1:1/v3"], "needs both"),
    ],
)
def test_a_wrong_command_line_is_status_2(run: Run, arguments: list[str], says: str) -> None:
    status, out, err = run("snapshot", *arguments)
    assert (status, out) == (2, "")
    assert says in err


def test_half_of_the_credentials_is_status_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITSO_API_SECRET", "not-a-secret")
    status, _, err = run("snapshot")
    assert status == 2
    assert "BITSO_API_KEY is not" in err
    assert "not-a-secret" not in err


def test_a_person_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    assert chosen_format(None) is Format.TABLE
    assert chosen_format(Format.JSON) is Format.JSON
