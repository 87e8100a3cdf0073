"""The doctor against the simulated exchange: all is well, or just what was broken is found."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from bitso_spread.clock import SystemClock
from bitso_spread.doctor import Finding, Outcome, Timings, examine
from bitso_spread.doctor.lake import check_room
from bitso_spread.doctor.network import reach
from bitso_spread.errors import UsageError
from bitso_spread.exchange.environment import Environment, environment
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.state import LakeState
from bitso_spread.sim import payloads
from bitso_spread.sim.faults import CLOUDFLARE_PAGE
from bitso_spread.sim.market import Market
from bitso_spread.sim.rest import Reply
from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket
from tests.cli.support import CrossedMarket
from tests.exchange.support import HandMarket, quote

FAST = Timings(timeout_s=2, listen_s=0.5, keepalive_s=0.5, margin_s=0.3, settle_s=0.1)
BOOKS = ["btc_mxn", "usd_mxn"]


class WrongClock(SystemClock):
    """A clock that is wrong by so many seconds."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead_s = ahead_s

    def wall(self) -> float:
        return super().wall() + self._ahead_s


def lively(**options: Any) -> SimulatedExchange:
    market = SyntheticMarket(BOOKS, frames_per_second=50)
    return SimulatedExchange(**{"market": market, "keepalive_s": 0.3, **options})


@pytest.fixture
def exchange() -> Iterator[SimulatedExchange]:
    with lively() as running:
        yield running


def where(exchange: SimulatedExchange) -> Environment:
    return environment("sim", exchange.rest_url, exchange.ws_url)


def diagnose(
    exchange: SimulatedExchange | Environment,
    books: Sequence[str] = BOOKS,
    *,
    timings: Timings = FAST,
    during: tuple[str, Callable[[], object]] | None = None,
    **options: Any,
) -> dict[str, Finding]:
    """Give the findings by their checks; `during` acts when a certain one has been made."""
    there = exchange if isinstance(exchange, Environment) else where(exchange)
    findings = {}
    for finding in examine(there, books, timings=timings, **options):
        findings[finding.check] = finding
        if during is not None and finding.check == during[0]:
            during[1]()
    return findings


def of(findings: dict[str, Finding], *outcomes: Outcome) -> set[str]:
    return {check for check, finding in findings.items() if finding.outcome in outcomes}


def failed(findings: dict[str, Finding]) -> set[str]:
    return of(findings, Outcome.FAILED)


def wrong(findings: dict[str, Finding]) -> set[str]:
    return of(findings, Outcome.FAILED, Outcome.WARNING)


def test_all_is_well_with_a_healthy_exchange(exchange: SimulatedExchange, tmp_path: Path) -> None:
    findings = diagnose(exchange, lake=tmp_path / "lake")
    assert of(findings, Outcome.WARNING, Outcome.FAILED, Outcome.SKIPPED) == set()
    assert list(findings) == [
        *("REST host", "REST connection", "WebSocket host", "WebSocket connection"),
        *("request budget", "REST reply", "books on offer"),
        *("WebSocket handshake", "acknowledgement"),
        *("tickers of all books", "unknown book by REST", "keep-alive"),
        *("first frames", "frames", "time of frames", "pings", "unknown book by the feed"),
        *("WebSocket link", "delay of frames"),
        *("order book btc_mxn", "agreement btc_mxn", "order book usd_mxn", "agreement usd_mxn"),
        *("price grid", "times in replies", "REST latency", "clock"),
        *("lake writable", "room on the disk", "other collectors"),
    ]
    assert all(finding.advice is None and finding.detail for finding in findings.values())
    assert "\n" not in "".join(finding.detail for finding in findings.values())


def test_the_requests_that_it_makes_are_those_that_it_announces() -> None:
    # Prices stand still, so that nobody has to look twice.
    with lively(market=HandMarket(quote(1000, 1010), quote(18, 19, "usd_mxn"))) as exchange:
        findings = diagnose(exchange)
        made = exchange.counts.requests
    assert made == {"available_books": 1, "ticker": 2, "order_book": 3}
    assert "this run makes 6," in findings["request budget"].detail


def test_each_finding_that_is_not_ok_says_what_to_do(exchange: SimulatedExchange) -> None:
    exchange.faults.pongs = False
    exchange.faults.refuse_books = {"usd_mxn"}
    findings = diagnose(exchange, ["btc_mxn", "usd_mxn", "nope_mxn"])
    assert wrong(findings) >= {"pings", "acknowledgement", "books on offer"}
    assert all(findings[check].advice for check in wrong(findings))


def test_closing_it_half_way_leaves_no_connection(exchange: SimulatedExchange) -> None:
    with closing(examine(where(exchange), BOOKS, timings=FAST)) as findings:
        assert any(finding.check == "acknowledgement" for finding in findings)
        assert [thread for thread in threading.enumerate() if thread.name == "doctor-feed"]
    assert not [thread for thread in threading.enumerate() if thread.name == "doctor-feed"]


@pytest.mark.parametrize(
    ("books", "table", "says"),
    [([","], "T", "no book"), (["btc"], "T", "not a book"), (BOOKS, "../up", "cannot be a table")],
)
def test_what_makes_no_sense_is_said_before_anything_is_asked(
    books: list[str], table: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        examine(environment("stage"), books, table=table)


# The way to the exchange.


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_a_name_that_nobody_knows_is_all_that_is_tried() -> None:
    nowhere = Environment("nowhere", "https://rest.invalid/v3", "wss://feed.invalid", "nowhere")
    findings = diagnose(nowhere)
    assert failed(findings) == {"REST host", "WebSocket host"}
    assert set(findings) - failed(findings) == of(findings, Outcome.SKIPPED)
    assert "rest.invalid cannot be looked up" in findings["REST host"].detail
    assert "DNS" in (findings["REST host"].advice or "")


def test_a_port_that_refuses_is_all_that_is_tried() -> None:
    at = f"127.0.0.1:{closed_port()}"
    findings = diagnose(Environment("nowhere", f"http://{at}/v3", f"ws://{at}", at))
    assert failed(findings) == {"REST connection", "WebSocket connection"}
    assert of(findings, Outcome.OK) == {"REST host", "WebSocket host"}
    assert "check the URL" in (findings["REST connection"].advice or "")


def test_rest_alone_is_checked_where_no_websocket_is_known(exchange: SimulatedExchange) -> None:
    findings = diagnose(replace(where(exchange), name="stage", ws_url=None))
    assert wrong(findings) == set()
    assert findings["agreement btc_mxn"].detail.startswith("order book and ticker say bid")
    skipped = of(findings, Outcome.SKIPPED)
    assert {"WebSocket handshake", "keep-alive", "frames", "pings", "delay of frames"} <= skipped
    assert {findings[check].detail for check in skipped} == {
        "Bitso documents no WebSocket host for stage"
    }


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate for localhost that nobody has signed."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    path = tmp_path / "localhost.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    subprocess.run(
        [
            *command.split(),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", path, "-out", path.with_suffix(".crt")),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def tls_url(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serve(lambda _: None, "127.0.0.1", 0, ssl=context) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://localhost:{server.socket.getsockname()[1]}/v3"
        server.shutdown()
        thread.join()


def test_a_certificate_that_nobody_signed_is_refused(tls_url: str) -> None:
    _, connection = reach("REST", tls_url, 2)
    assert connection.outcome is Outcome.FAILED
    assert "the certificate is refused: self" in connection.detail
    assert "SSL_CERT_FILE" in (connection.advice or "")


def test_a_certificate_that_the_user_trusts_is_taken(
    tls_url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    _, connection = reach("REST", tls_url, 2)
    assert connection.outcome is Outcome.OK, connection
    assert "TLSv1.3" in connection.detail
    assert "certificate until 20" in connection.detail


def test_certificates_that_are_not_there_are_told(
    tls_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    _, connection = reach("REST", tls_url, 2)
    assert connection.outcome is Outcome.FAILED
    assert "SSL_CERT_FILE" in (connection.advice or "")


def test_behind_a_proxy_names_and_certificates_are_the_proxys_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "")
    findings = list(reach("REST", "https://rest.invalid/v3", 2))
    assert [finding.outcome for finding in findings] == [Outcome.SKIPPED, Outcome.SKIPPED]
    assert "proxy.invalid" in findings[0].detail
    assert "secret" not in str(findings)


# REST.


@pytest.mark.parametrize(
    ("status", "body", "says", "advises"),
    [
        (500, "", "HTTP 500", "trouble of its own"),
        (403, CLOUDFLARE_PAGE, "HTTP 403", "Cloudflare"),
        (404, "", "HTTP 404", "--rest-url"),
    ],
)
def test_rest_that_gives_no_data_is_not_asked_again(
    exchange: SimulatedExchange, status: int, body: str, says: str, advises: str
) -> None:
    exchange.faults.rest_status, exchange.faults.rest_body = status, body
    findings = diagnose(exchange)
    assert failed(findings) == {"REST reply"}
    assert says in findings["REST reply"].detail
    assert advises in (findings["REST reply"].advice or "")
    assert exchange.counts.requests.total() == 1
    assert {"acknowledgement", "first frames", "keep-alive"} <= of(findings, Outcome.OK)


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
    from bitso_spread.exchange.budget import budget_of

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
    assert "no list of books" in findings["books on offer"].detail
    assert "--rest-url" in (findings["books on offer"].advice or "")


def test_rest_that_is_too_slow_to_stand_in_for_the_feed_is_told(
    exchange: SimulatedExchange,
) -> None:
    exchange.faults.rest_delay_s = 0.25
    findings = diagnose(exchange, timings=replace(FAST, max_stale_s=0.2))
    assert "REST latency" in failed(findings)
    assert "--max-stale" in (findings["REST latency"].advice or "")


def test_a_book_that_does_not_exist_is_told_and_the_others_are_checked(
    exchange: SimulatedExchange,
) -> None:
    findings = diagnose(exchange, ["MXN-BTC", "nope_mxn"])
    assert failed(findings) == {"books on offer"}
    assert "there is no book nope_mxn" in findings["books on offer"].detail
    assert findings["agreement btc_mxn"].outcome is Outcome.OK


def test_all_books_are_checked_with_few_requests() -> None:
    market = SyntheticMarket(12, frames_per_second=50)
    with lively(market=market) as exchange:
        findings = diagnose(exchange, ["all"])
        asked = exchange.counts.requests
    assert failed(findings) == set()
    assert "12 of 12 within" in findings["acknowledgement"].detail
    assert findings["agreement of the others"].outcome is Outcome.OK
    assert asked["order_book"] <= 1 + 5 * 3
    assert asked["ticker"] <= 1 + 3


def test_a_book_whose_sides_are_swapped_is_found_in_each_of_its_checks() -> None:
    with lively(market=CrossedMarket(BOOKS, frames_per_second=50)) as exchange:
        findings = diagnose(exchange)
    assert failed(findings) == {"tickers of all books", "frames", "order book usd_mxn"}
    assert "crossed usd_mxn" in findings["frames"].detail
    assert findings["agreement usd_mxn"].outcome is Outcome.SKIPPED


def answering(exchange: SimulatedExchange, endpoint: str, answer: Callable[..., Reply]) -> None:
    exchange._rest._endpoints[endpoint] = answer


def stuck_ticker(market: Market) -> Callable[..., Reply]:
    """Answer as ticker with what the books were, for ever."""
    now_ms = int(time.time() * 1000)
    first = {
        book: payloads.ticker(spec, market.depth(book, now_ms), time.time())
        for book, spec in market.specs.items()
    }

    def answer(_query: dict[str, str], now_s: float) -> Reply:
        rows = [{**row, "created_at": payloads.timestamp(now_s)} for row in first.values()]
        return Reply(200, payloads.success(rows))

    return answer


def test_a_ticker_that_says_something_else_is_found() -> None:
    market = HandMarket(quote(1000, 1010), quote("18.319", "18.387", "usd_mxn"))
    with lively(market=market) as exchange:
        answering(exchange, "ticker", stuck_ticker(market))
        market.move(quote(1020, 1030))
        moving = ("tickers of all books", lambda: market.move(quote(1040, 1050)))
        findings = diagnose(exchange, during=moving)
        assert failed(findings) == {"agreement btc_mxn"}
        assert "order book says 1040 / 1050, ticker says 1000 / 1010" in (
            findings["agreement btc_mxn"].detail
        ), findings["agreement btc_mxn"].detail
        assert "in 3 looks" in findings["agreement btc_mxn"].detail
        assert exchange.counts.requests["ticker"] == 4


def test_prices_off_the_grid_are_told(exchange: SimulatedExchange) -> None:
    def answer(_query: dict[str, str], _now_s: float) -> Reply:
        rows = [{"book": "btc_mxn", "tick_size": "700"}, {"book": "usd_mxn"}]
        return Reply(200, payloads.success(rows))

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

    def answer(query: dict[str, str], now_s: float) -> Reply:
        reply = before(query, now_s)
        if reply.status != 200:
            return reply
        body = json.loads(reply.body)
        body["payload"]["bids"].reverse()
        body["payload"]["updated_at"] = "2016-04-08T17:52:31.000+00:00"
        return Reply(200, json.dumps(body))

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

    def answer(query: dict[str, str], now_s: float) -> Reply:
        return Reply(400, error) if query["book"] == "nope_nope" else before(query, now_s)

    answering(exchange, "order_book", answer)
    findings = diagnose(exchange)
    assert failed(findings) == {"unknown book by REST"}
    assert "code 0304" in findings["unknown book by REST"].detail


# The clock.


@pytest.mark.parametrize(
    ("ahead_s", "outcome", "says"),
    [
        (3600, Outcome.FAILED, "s ahead of the exchange's"),
        (-3600, Outcome.FAILED, "s behind the exchange's"),
        (10, Outcome.WARNING, "s ahead of"),
    ],
)
def test_a_clock_that_is_wrong_is_told_and_spoils_nothing_else(
    exchange: SimulatedExchange, ahead_s: float, outcome: Outcome, says: str
) -> None:
    findings = diagnose(exchange, clock=WrongClock(ahead_s))
    assert wrong(findings) == {"clock"}
    assert findings["clock"].outcome is outcome
    assert says in findings["clock"].detail
    assert float(findings["clock"].detail.split()[0]) == pytest.approx(abs(ahead_s), abs=1.1)
    assert "NTP" in (findings["clock"].advice or "")


# The feed.


def test_a_handshake_that_is_refused_is_told_and_rest_is_checked(
    exchange: SimulatedExchange,
) -> None:
    exchange.faults.refuse_connections = True
    findings = diagnose(exchange)
    assert failed(findings) == {"WebSocket handshake"}
    assert "503" in findings["WebSocket handshake"].detail
    assert findings["order book usd_mxn"].outcome is Outcome.OK
    assert findings["keep-alive"].outcome is Outcome.SKIPPED


def test_a_connection_on_which_nothing_comes_is_told(exchange: SimulatedExchange) -> None:
    exchange.faults.silent = True
    findings = diagnose(exchange)
    assert failed(findings) == {"acknowledgement"}
    assert findings["keep-alive"].detail == "nothing at all came over the connection"


def test_a_book_that_the_feed_refuses_is_told(exchange: SimulatedExchange) -> None:
    exchange.faults.refuse_books = {"usd_mxn"}
    findings = diagnose(exchange)
    assert failed(findings) == {"acknowledgement"}
    assert "not supported - usd_mxn" in findings["acknowledgement"].detail


def still() -> HandMarket:
    return HandMarket(quote(1000, 1010), quote("18.319", "18.387", "usd_mxn"))


def test_a_feed_that_says_nothing_of_a_change_is_mute() -> None:
    market = still()
    with lively(market=market) as exchange:
        exchange.faults.mute = {"btc_mxn"}
        moving = ("tickers of all books", lambda: market.move(quote(1020, 1030)))
        findings = diagnose(exchange, during=moving)
    assert failed(findings) == {"first frames"}
    assert "none of btc_mxn, though REST saw" in findings["first frames"].detail


def test_a_book_that_stands_still_is_quiet_and_not_mute() -> None:
    with lively(market=still()) as exchange:
        findings = diagnose(exchange)
    assert wrong(findings) == {"first frames"}
    assert findings["first frames"].outcome is Outcome.WARNING
    assert "none of btc_mxn, usd_mxn yet" in findings["first frames"].detail


def test_a_keep_alive_that_does_not_come_is_told(exchange: SimulatedExchange) -> None:
    exchange.faults.keepalive = False
    findings = diagnose(exchange)
    assert failed(findings) == {"keep-alive"}
    assert "none in 0.8 s" in findings["keep-alive"].detail


def test_a_keep_alive_is_waited_for_beyond_the_listening() -> None:
    with lively(keepalive_s=1.2) as exchange:
        findings = diagnose(exchange, timings=replace(FAST, listen_s=0.2, keepalive_s=1.2))
    assert findings["keep-alive"].outcome is Outcome.OK


def test_pings_that_are_not_answered_are_a_warning(exchange: SimulatedExchange) -> None:
    exchange.faults.pongs = False
    findings = diagnose(exchange)
    assert wrong(findings) == {"pings"}
    assert findings["pings"].outcome is Outcome.WARNING
    assert "unnoticed for 60 s" in (findings["pings"].advice or "")


@pytest.mark.parametrize("kind", ["crossed", "one_sided", "empty"])
def test_a_frame_that_cannot_be_true_is_told(exchange: SimulatedExchange, kind: str) -> None:
    send = getattr(exchange.faults, f"send_{kind}")
    findings = diagnose(exchange, during=("acknowledgement", lambda: send("btc_mxn")))
    assert failed(findings) == {"frames"}
    assert f"1 {kind} btc_mxn" in findings["frames"].detail


@pytest.mark.parametrize(
    ("sent", "outcome", "says"),
    [
        ("not json", Outcome.FAILED, "1 not_json"),
        (b"bytes", Outcome.FAILED, "1 not_text"),
        ('{"type":"news","payload":[]}', Outcome.WARNING, "type 'news'"),
    ],
)
def test_messages_that_nobody_knows_are_told(
    exchange: SimulatedExchange, sent: str | bytes, outcome: Outcome, says: str
) -> None:
    sending = ("acknowledgement", lambda: exchange.faults.send_raw(sent))
    findings = diagnose(exchange, during=sending)
    assert wrong(findings) == {"frames"}
    assert findings["frames"].outcome is outcome
    assert says in findings["frames"].detail


def test_frames_that_come_late_from_the_first_one_on_are_told(
    exchange: SimulatedExchange,
) -> None:
    exchange.faults.lag_s = 1.8
    findings = diagnose(exchange, timings=replace(FAST, listen_s=2.2, max_stale_s=0.6))
    assert failed(findings) == {"delay of frames"}
    assert findings["agreement btc_mxn"].detail == "the feed is late"


def test_a_link_that_does_not_hold_is_told(exchange: SimulatedExchange) -> None:
    def end() -> None:
        exchange.faults.close_connections(1011, "maintenance")

    findings = diagnose(exchange, during=("unknown book by REST", end))
    assert failed(findings) == {"WebSocket link"}
    assert "1011 (maintenance)" in findings["WebSocket link"].detail


Feed = Callable[[Callable[[ServerConnection], None]], str]


@pytest.fixture
def feed() -> Iterator[Feed]:
    """Start a WebSocket server with a handler of the test's own; gives its URL."""
    running = []

    def start(handler: Callable[[ServerConnection], None]) -> str:
        server = serve(handler, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        running.append((server, thread))
        return f"ws://127.0.0.1:{server.socket.getsockname()[1]}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()


def ack(book: str | None) -> str:
    fields = {"action": "subscribe", "response": "ok", "time": 1, "type": "orders"}
    return json.dumps(fields if book is None else {**fields, "book": book})


def test_subscriptions_without_an_answer_are_told(exchange: SimulatedExchange, feed: Feed) -> None:
    def handle(connection: ServerConnection) -> None:
        connection.send('{"type":"ka"}')
        for request in connection:
            if "btc_mxn" in str(request):
                connection.send(ack("btc_mxn"))

    findings = diagnose(replace(where(exchange), ws_url=feed(handle)))
    assert findings["acknowledgement"].outcome is Outcome.FAILED
    assert "1 of 2 have none after 0.5 s: usd_mxn" in findings["acknowledgement"].detail
    assert findings["keep-alive"].outcome is Outcome.OK


def test_an_answer_without_a_book_and_a_refusal_without_a_name_are_warnings(
    exchange: SimulatedExchange, feed: Feed
) -> None:
    def handle(connection: ServerConnection) -> None:
        connection.send('{"type":"ka"}')
        for request in connection:
            known = "nope_nope" not in str(request)
            connection.send(ack(None) if known else '{"error":"invalid message","time":1}')

    findings = diagnose(replace(where(exchange), ws_url=feed(handle)))
    for check in ("acknowledgement", "unknown book by the feed"):
        assert findings[check].outcome is Outcome.WARNING, check
    assert "2 name no book" in findings["acknowledgement"].detail
    assert "invalid message" in findings["unknown book by the feed"].detail


def test_a_feed_that_takes_any_name_for_a_book_is_told(
    exchange: SimulatedExchange, feed: Feed
) -> None:
    def handle(connection: ServerConnection) -> None:
        connection.send('{"type":"ka"}')
        for request in connection:
            connection.send(ack(json.loads(request)["book"]))

    findings = diagnose(replace(where(exchange), ws_url=feed(handle)))
    assert "unknown book by the feed" in failed(findings)
    assert "is acknowledged" in findings["unknown book by the feed"].detail


# The lake.


LAKE = {"lake writable", "room on the disk", "other collectors"}


def lake_findings(lake: Path, table: str = "BitsoSpreadMonitor") -> dict[str, Finding]:
    from bitso_spread.doctor.lake import check_lake

    return {finding.check: finding for finding in check_lake(lake, table, BOOKS)}


def contents(folder: Path) -> list[tuple[str, bytes]]:
    return sorted(
        (str(path.relative_to(folder)), path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    )


def test_nothing_is_left_behind_where_there_was_no_lake(tmp_path: Path) -> None:
    findings = lake_findings(tmp_path / "a" / "lake")
    assert of(findings, Outcome.OK) == LAKE
    assert "is not there yet, and can be made" in findings["lake writable"].detail
    assert contents(tmp_path) == []


def test_nothing_is_changed_in_a_lake_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "BitsoSpreadMonitor").mkdir()
    locks = tmp_path / ".bitso-spread" / "locks" / "BitsoSpreadMonitor"
    with (
        LakeState(tmp_path / ".bitso-spread" / "BitsoSpreadMonitor.sqlite3"),
        BookLocks(locks) as b,
    ):
        b.acquire(["btc_mxn"])
    before = contents(tmp_path)
    findings = lake_findings(tmp_path)
    assert of(findings, Outcome.OK) == LAKE
    assert contents(tmp_path) == before


def test_a_file_where_the_lake_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    findings = lake_findings(tmp_path / "lake" / "below")
    assert failed(findings) == {"lake writable"}
    assert "is not a folder" in findings["lake writable"].detail


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place where nobody may write")
def test_a_place_where_nothing_can_be_written_is_told() -> None:
    findings = lake_findings(Path("/proc/self/lake"))
    assert failed(findings) == {"lake writable"}
    assert "--lake" in (findings["lake writable"].advice or "")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
@pytest.mark.parametrize("folder", [".", "BitsoSpreadMonitor", ".bitso-spread"])
def test_a_folder_that_is_read_only_is_told(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder
    path.mkdir(exist_ok=True)
    path.chmod(0o555)
    try:
        findings = lake_findings(tmp_path)
    finally:
        path.chmod(0o755)
    assert failed(findings) == {"lake writable"}


@pytest.mark.parametrize(
    ("held", "outcome"), [("usd_mxn", Outcome.FAILED), ("eth_mxn", Outcome.OK)]
)
def test_a_collector_that_runs_is_told_and_disturbs_only_if_it_has_our_books(
    tmp_path: Path, held: str, outcome: Outcome
) -> None:
    locks = tmp_path / ".bitso-spread" / "locks" / "BitsoSpreadMonitor"
    script = (
        "import sys; from pathlib import Path; from bitso_spread.lake.locks import BookLocks\n"
        "with BookLocks(Path(sys.argv[1])) as locks:\n"
        "    locks.acquire([sys.argv[2]]); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(locks), held],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        findings = lake_findings(tmp_path)
        process.communicate()
    assert findings["other collectors"].outcome is outcome
    assert f"another collector records {held}" in findings["other collectors"].detail
    assert lake_findings(tmp_path)["other collectors"].detail == "none records in this lake"


@pytest.mark.parametrize(
    ("free", "outcome"),
    [(5_000_000, Outcome.FAILED), (100_000_000, Outcome.WARNING), (10**12, Outcome.OK)],
)
def test_room_is_counted_in_days(free: int, outcome: Outcome) -> None:
    assert check_room(free, 2).outcome is outcome


def test_a_day_of_a_book_takes_six_megabytes_as_csv() -> None:
    assert "1 days as CSV" in check_room(7_000_000, 1).detail
    assert Decimal(86_400) / 600 * 42_000 == 6_048_000
