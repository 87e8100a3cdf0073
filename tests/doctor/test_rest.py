"""What the doctor finds out by REST, and about the clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from bitso_spread.doctor import Outcome
from bitso_spread.doctor.replies import Reply, check_clock, offset_of
from bitso_spread.doctor.told import told
from bitso_spread.exchange.budget import budget_of
from bitso_spread.exchange.rest_errors import error_of
from bitso_spread.sim import payloads
from bitso_spread.sim.faults import CLOUDFLARE_PAGE
from bitso_spread.sim.market import Market
from bitso_spread.sim.rest import Reply as Answer
from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket
from tests.cli.support import CrossedMarket
from tests.doctor.support import (
    BOOKS,
    FAST,
    WrongClock,
    answering,
    diagnose,
    failed,
    lively,
    of,
    still,
    where,
    wrong,
)
from tests.exchange.support import HandMarket, quote


def test_rest_that_gives_no_data_is_not_asked_again(exchange: SimulatedExchange) -> None:
    exchange.faults.rest_status, exchange.faults.rest_body = 403, CLOUDFLARE_PAGE
    findings = diagnose(exchange)
    assert failed(findings) == {"REST reply"}
    assert "HTTP 403" in findings["REST reply"].detail
    assert "Cloudflare" in (findings["REST reply"].advice or "")
    assert exchange.counts.requests.total() == 1
    assert {"acknowledgement", "first frames", "keep-alive"} <= of(findings, Outcome.OK)


@pytest.mark.parametrize(
    ("status", "body", "advises"),
    [
        (500, b"", "trouble of its own"),
        (503, b"<html>", "trouble of its own"),
        (403, CLOUDFLARE_PAGE.encode(), "Cloudflare"),
        (404, b"", "--rest-url"),
        (401, b'{"error":{"code":"0201","message":"no"},"success":false}', "BITSO_API_KEY"),
    ],
)
def test_each_error_says_what_to_do(status: int, body: bytes, advises: str) -> None:
    what, advice = told(error_of("api.bitso.com", status, body))
    assert f"HTTP {status}" in what
    assert advises in advice


def test_a_lock_out_is_told_and_kept(exchange: SimulatedExchange) -> None:
    exchange.faults.throttle()
    findings = diagnose(exchange)
    assert failed(findings) == {"REST reply"}
    assert "HTTP 420" in findings["REST reply"].detail
    again = diagnose(exchange)
    assert failed(again) == {"request budget"}
    assert "silent for" in again["request budget"].detail
    assert exchange.counts.requests.total() == 1


def test_too_few_free_requests_are_left_alone(exchange: SimulatedExchange) -> None:

    budget = budget_of(where(exchange))
    slots = [budget.acquire() for _ in range(56)]
    findings = diagnose(exchange)
    assert len(slots) == 56
    assert failed(findings) == {"request budget"}
    assert "4 of 60 requests a minute are free; this run makes 6" in (
        findings["request budget"].detail
    )
    assert exchange.counts.requests.total() == 0


def test_rest_that_is_down_and_rest_that_never_answers_are_told(
    exchange: SimulatedExchange,
) -> None:
    exchange.faults.rest_down = True
    findings = diagnose(exchange)
    assert failed(findings) == {"REST reply"}
    exchange.faults.rest_down, exchange.faults.rest_delay_s = False, 0.6
    findings = diagnose(exchange, timings=replace(FAST, timeout_s=0.3))
    assert failed(findings) == {"REST reply"}
    assert "no reply from 127.0.0.1 within 0.3 s" in findings["REST reply"].detail


def test_json_of_another_shape_is_not_taken_for_bitso(exchange: SimulatedExchange) -> None:
    exchange.faults.rest_wrong_json = True
    findings = diagnose(exchange)
    assert findings["REST reply"].outcome is Outcome.OK
    assert failed(findings) >= {"books on offer", "order book btc_mxn"}
    assert "none of 5 that are listed can be read" in findings["books on offer"].detail
    assert findings["acknowledgement"].outcome is Outcome.OK
    assert "--rest-url" in (findings["books on offer"].advice or "")


def test_rest_that_is_too_slow_to_stand_in_for_the_feed_is_told() -> None:
    with lively(market=still()) as exchange:
        exchange.faults.rest_delay_s = 0.1
        findings = diagnose(exchange, ["btc_mxn"], timings=replace(FAST, max_stale_s=0.08))
    assert failed(findings) == {"REST latency"}
    assert "--max-stale" in (findings["REST latency"].advice or "")


def test_tickers_that_leave_books_out_are_told(exchange: SimulatedExchange) -> None:
    before = exchange._rest._endpoints["ticker"]

    def answer(query: dict[str, str], now_s: float) -> Answer:
        rows = json.loads(before(query, now_s).body)["payload"]
        return Answer(200, payloads.success([row for row in rows if row["book"] != "usd_mxn"]))

    answering(exchange, "ticker", answer)
    ours, others = diagnose(exchange), diagnose(exchange, ["btc_mxn"])
    assert ours["tickers of all books"].outcome is Outcome.FAILED
    assert "usd_mxn is missing" in ours["tickers of all books"].detail
    assert others["tickers of all books"].outcome is Outcome.WARNING
    assert "none of usd_mxn" in others["tickers of all books"].detail


def test_a_book_that_does_not_exist_is_told_and_the_others_are_checked(
    exchange: SimulatedExchange,
) -> None:
    findings = diagnose(exchange, ["MXN-BTC", "nope_mxn"])
    assert failed(findings) == {"books on offer"}
    assert "there is no book nope_mxn" in findings["books on offer"].detail
    assert findings["agreement btc_mxn"].outcome is Outcome.OK


def test_all_books_are_checked_with_few_requests() -> None:
    market = SyntheticMarket(12, frames_per_second=20)
    with lively(market=market) as exchange:
        findings = diagnose(exchange, ["all"], timings=replace(FAST, listen_s=0.6))
        asked = exchange.counts.requests
    assert failed(findings) == set()
    assert "12 of 12 within" in findings["acknowledgement"].detail
    assert findings["agreement of the others"].outcome is Outcome.OK
    assert asked["order_book"] <= 1 + 5 * 3
    assert asked["ticker"] <= 1 + 3


def test_a_book_whose_sides_are_swapped_is_found_in_each_of_its_checks() -> None:
    with lively(market=CrossedMarket(BOOKS, frames_per_second=100)) as exchange:
        findings = diagnose(exchange)
    assert failed(findings) == {"tickers of all books", "frames", "order book usd_mxn"}
    assert "crossed usd_mxn" in findings["frames"].detail
    assert findings["agreement usd_mxn"].outcome is Outcome.SKIPPED


def stuck_ticker(market: Market) -> Callable[..., Answer]:
    """Answer as ticker with what the books were, for ever."""
    now_ms = int(time.time() * 1000)
    first = {
        book: payloads.ticker(spec, market.depth(book, now_ms), time.time())
        for book, spec in market.specs.items()
    }

    def answer(_query: dict[str, str], now_s: float) -> Answer:
        rows = [{**row, "created_at": payloads.timestamp(now_s)} for row in first.values()]
        return Answer(200, payloads.success(rows))

    return answer


def test_a_ticker_that_says_something_else_is_found() -> None:
    market = HandMarket(quote(1000, 1010), quote("18.319", "18.387", "usd_mxn"))
    with lively(market=market) as exchange:
        answering(exchange, "ticker", stuck_ticker(market))
        market.move(quote(1020, 1030))
        moving = ("tickers of all books", lambda: market.move(quote(1040, 1050)))
        findings = diagnose(exchange, during=moving)
        assert failed(findings) == {"agreement btc_mxn"}
        assert findings["agreement btc_mxn"].detail == (
            "ticker says 1000 / 1010, feed says 1040 / 1050, in 3 looks"
        )
        assert exchange.counts.requests["ticker"] == 4


def test_tickers_that_come_no_more_are_told(exchange: SimulatedExchange) -> None:
    down = ("keep-alive", lambda: answering(exchange, "ticker", lambda *_: Answer(500, "")))
    findings = diagnose(exchange, during=down)
    assert failed(findings) == {"agreement btc_mxn", "agreement usd_mxn"}
    assert "HTTP 500" in findings["agreement usd_mxn"].detail


def test_prices_off_the_grid_are_told(exchange: SimulatedExchange) -> None:
    def answer(_query: dict[str, str], _now_s: float) -> Answer:
        rows = [{"book": "btc_mxn", "tick_size": "700"}, {"book": "usd_mxn"}]
        return Answer(200, payloads.success(rows))

    answering(exchange, "available_books", answer)
    findings = diagnose(exchange)
    assert wrong(findings) == {"price grid"}
    detail = findings["price grid"].detail
    assert "(tick 700)" in detail
    assert "without a tick size: usd_mxn" in detail


def test_levels_that_are_not_best_first_and_times_that_are_old_are_told(
    exchange: SimulatedExchange,
) -> None:
    before = exchange._rest._endpoints["order_book"]

    def answer(query: dict[str, str], now_s: float) -> Answer:
        reply = before(query, now_s)
        if reply.status != 200:
            return reply
        body = json.loads(reply.body)
        body["payload"]["bids"].reverse()
        body["payload"]["updated_at"] = "2016-04-08T17:52:31.000+00:00"
        return Answer(200, json.dumps(body))

    answering(exchange, "order_book", answer)
    findings = diagnose(exchange, ["btc_mxn"])
    assert wrong(findings) == {"order book btc_mxn", "times in replies"}
    assert "not best first" in findings["order book btc_mxn"].detail
    assert "updated_at is 2016-04-08" in findings["times in replies"].detail


def test_a_book_that_does_not_exist_and_is_not_refused_is_told(
    exchange: SimulatedExchange,
) -> None:
    before = exchange._rest._endpoints["order_book"]
    error = json.dumps({"success": False, "error": {"code": "0304", "message": "not valid"}})

    def answer(query: dict[str, str], now_s: float) -> Answer:
        return Answer(400, error) if query["book"] == "nope_nope" else before(query, now_s)

    answering(exchange, "order_book", answer)
    findings = diagnose(exchange)
    assert failed(findings) == {"unknown book by REST"}
    assert "code 0304" in findings["unknown book by REST"].detail


# The clock.


def test_a_clock_that_is_wrong_is_told_and_spoils_nothing_else(
    exchange: SimulatedExchange,
) -> None:
    findings = diagnose(exchange, clock=WrongClock(3600))
    assert failed(findings) == {"clock"}
    assert "s ahead of the exchange's" in findings["clock"].detail
    assert float(findings["clock"].detail.split()[0]) == pytest.approx(3600, abs=1.1)
    assert "NTP" in (findings["clock"].advice or "")


@pytest.mark.parametrize(
    ("ahead_s", "outcome", "detail"),
    [
        (0.0, Outcome.OK, "0.2 s behind the exchange's, give or take 0.5 s"),
        # Only what is sure counts: half a second of it may be the cut of the `Date`.
        (2.5, Outcome.OK, "2.3 s ahead of the exchange's, give or take 0.5 s"),
        (3.0, Outcome.WARNING, "2.8 s ahead of"),
        (-3.0, Outcome.WARNING, "3.2 s behind"),
        (-3600.0, Outcome.FAILED, "3600.2 s behind"),
    ],
)
def test_a_clock_is_off_by_what_no_reply_can_explain(
    ahead_s: float, outcome: Outcome, detail: str
) -> None:
    finding = check_clock([Reply(200, 0.0, 1000.3 + ahead_s, 1000.0)])
    assert finding.outcome is outcome
    assert finding.detail.startswith(detail)


def test_many_replies_narrow_the_clock_down() -> None:
    # One came just before the exchange's second was over, the other just after it began.
    offset = offset_of([Reply(200, 0.1, 1000.95, 1000.0), Reply(200, 0.1, 2000.15, 2000.0)])
    assert offset is not None
    assert offset.least == pytest.approx(-0.15)
    assert offset.most == pytest.approx(0.15)


def test_without_a_date_nothing_is_said_of_the_clock() -> None:
    assert check_clock([Reply(200, 0.1, 1000.0, None)]).outcome is Outcome.SKIPPED
