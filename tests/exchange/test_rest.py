import json
import logging
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from bitso_spread import __version__
from bitso_spread.errors import ExchangeError, UnknownBookError, UsageError
from bitso_spread.exchange.budget import RequestBudget
from bitso_spread.exchange.environment import PRODUCTION, Environment, environment
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_errors import (
    BadReplyError,
    BitsoError,
    BudgetExhausted,
    HttpError,
    Throttled,
    TransportError,
    UnknownOrderBookError,
)
from bitso_spread.exchange.signing import Credentials, authorization
from bitso_spread.sim.server import SimulatedExchange

CREDENTIALS = Credentials("not-a-key", "not-a-secret")
PAGE = "<html><title>Access denied | api.bitso.com used Cloudflare</title></html>"
TICKER = {
    "book": "btc_mxn",
    "bid": "100",
    "ask": "101.50",
    "created_at": "2025-06-05T13:32:29+00:00",
}

Answer = httpx.Response | Exception


class Exchange:
    """Answers with the given replies, one after the other, and then with the last for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(
        self,
        where: Environment = PRODUCTION,
        budget: RequestBudget | None = None,
        credentials: Credentials | None = None,
        random: Callable[[], float] = lambda: 1.0,
    ) -> RestClient:
        return RestClient(
            where,
            budget=budget or RequestBudget.in_memory(),
            credentials=credentials,
            sleep=self.slept.append,
            random=random,
            transport=httpx.MockTransport(self),
        )


def ok(payload: object) -> httpx.Response:
    return httpx.Response(200, json={"success": True, "payload": payload})


def order_book(**changes: object) -> httpx.Response:
    book: dict[str, object] = {
        "updated_at": "2025-06-05T13:32:36+00:00",
        "sequence": "3191392623",
        "bids": [{"book": "btc_mxn", "price": "100", "amount": "1"}],
        "asks": [{"book": "btc_mxn", "price": "101", "amount": "2"}],
    }
    return ok(book | changes)


def sides(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> httpx.Response:
    def rows(levels: list[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"book": "btc_mxn", "price": price, "amount": amount} for price, amount in levels]

    return order_book(bids=rows(bids), asks=rows(asks))


def test_a_request_has_the_documented_path_and_names_this_program() -> None:
    exchange = Exchange(order_book())
    with exchange.client() as client:
        client.order_book("btc_mxn")
        client.order_book("btc_mxn", aggregate=False)
    whole, single = exchange.requests
    assert str(whole.url) == "https://api.bitso.com/v3/order_book/?book=btc_mxn"
    assert single.url.params["aggregate"] == "false"
    assert whole.headers["User-Agent"] == f"bitso-spread/{__version__}"
    assert "Authorization" not in whole.headers


def test_the_best_bid_and_ask_are_found_whatever_the_order_and_as_numbers() -> None:
    exchange = Exchange(sides([("999", "1"), ("1000.0", "1")], [("10000", "1"), ("1001", "1")]))
    quote = exchange.client().order_book("btc_mxn").quote()
    assert (quote.bid, quote.ask) == (Decimal(1000), Decimal(1001))


def test_the_amounts_at_the_top_come_with_it() -> None:
    levels = sides([("99", "4"), ("100", "0.8"), ("100.00", "0.2")], [("101", "2")])
    quote = Exchange(levels).client().order_book("btc_mxn", aggregate=False).quote()
    assert (quote.bid_amount, quote.ask_amount) == (Decimal(1), Decimal(2))
    ticker = ok(
        {"book": "btc_mxn", "bid": "99", "ask": "101", "created_at": "2025-06-05T13:32:36Z"}
    )
    assert Exchange(ticker).client().ticker("btc_mxn").quote().bid_amount is None


def test_a_tiny_price_is_a_price() -> None:
    exchange = Exchange(sides([("0.00000001", "1")], [("0.00000002", "1")]))
    assert exchange.client().order_book("btc_mxn").quote().ask == Decimal("0.00000002")


def test_depth_sums_the_orders_of_a_price_and_accumulates_from_the_best() -> None:
    exchange = Exchange(
        sides(
            [("99", "4"), ("100", "0.8"), ("100.00", "0.00048690"), ("98", "1")],
            [("103", "1"), ("101", "2"), ("102", "3")],
        ),
    )
    book = exchange.client().order_book("btc_mxn", aggregate=False)
    bids = [(level.price, level.amount, level.cumulative) for level in book.bid_depth(2)]
    assert bids == [
        (Decimal(100), Decimal("0.8004869"), Decimal("0.8004869")),
        (Decimal(99), Decimal(4), Decimal("4.8004869")),
    ]
    assert [level.cumulative for level in book.ask_depth(9)] == [2, 5, 6]


@pytest.mark.parametrize(
    ("bids", "asks", "reason"),
    [
        ([("101", "1")], [("100", "1")], "crossed"),
        ([("100", "1")], [("100.00", "1")], "locked"),
        ([], [("100", "1")], "one_sided"),
        ([], [], "empty"),
        ([("0", "1")], [("100", "1")], "bad_price"),
    ],
)
def test_a_book_that_cannot_be_a_quote_says_why(
    bids: list[tuple[str, str]],
    asks: list[tuple[str, str]],
    reason: str,
) -> None:
    book = Exchange(sides(bids, asks)).client().order_book("btc_mxn")
    with pytest.raises(ExchangeError, match=reason):
        book.quote()


@pytest.mark.parametrize(
    "price",
    ["NaN", "Infinity", "-1", "+1", "1e3", "1_000", " 1", "1\n", "1.", ".5", "", "٣", "0x1"],
)
def test_a_price_that_is_not_plain_decimal_text_spoils_the_reply(price: str) -> None:
    with pytest.raises(BadReplyError, match="bad_price"):
        Exchange(sides([(price, "1")], [("2", "1")])).client().order_book("btc_mxn")


@pytest.mark.parametrize("sequence", [9_191_392_623, "9191392623"])
def test_a_sequence_may_be_a_number_or_text(sequence: object) -> None:
    book = Exchange(order_book(sequence=sequence)).client().order_book("btc_mxn")
    assert book.sequence == 9_191_392_623


@pytest.mark.parametrize(
    "text",
    ["2025-06-05T13:32:36+00:00", "2025-06-05T13:32:36.000+00:00", "2025-06-05T13:32:36+0000"],
)
def test_a_time_may_have_its_offset_in_three_ways(text: str) -> None:
    book = Exchange(order_book(updated_at=text)).client().order_book("btc_mxn")
    assert book.updated_at.isoformat() == "2025-06-05T13:32:36+00:00"


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200, text=PAGE),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"\xff\xfe"),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"success": True}),
        ok(None),
        ok([]),
        order_book(bids=None),
        order_book(bids=[{"price": 100, "amount": "1"}]),
        order_book(sequence="-1"),
        order_book(sequence="9" * 5000),
        order_book(updated_at="yesterday"),
        order_book(updated_at="2025-06-05T13:32:36"),
        order_book(bids=[{"book": "usd_mxn", "price": "18.3", "amount": "1"}]),
    ],
)
def test_a_reply_that_is_no_order_book_is_refused_whole(reply: httpx.Response) -> None:
    exchange = Exchange(reply)
    with pytest.raises(BadReplyError, match="no order book of btc_mxn"):
        exchange.client().order_book("btc_mxn")
    assert len(exchange.requests) == 1


def test_the_ticker_of_another_book_is_refused() -> None:
    with pytest.raises(BadReplyError, match="btc_mxn"):
        Exchange(ok(TICKER)).client().ticker("usd_mxn")


def test_a_bad_row_of_a_list_costs_only_itself_and_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [
        TICKER,
        TICKER | {"book": "usd_mxn", "bid": "NaN"},
        TICKER | {"book": "../../etc", "bid": "1"},
        TICKER | {"book": "eth_mxn", "ask": None},
        7,
        TICKER | {"book": "eth_usd", "new_field": {"deep": []}},
    ]
    client = Exchange(ok(rows)).client()
    with caplog.at_level(logging.WARNING):
        tickers = client.tickers()
    assert [ticker.book for ticker in tickers] == ["btc_mxn", "eth_usd"]
    assert client.rejected == {"bad_price": 1, "bad_shape": 3}
    assert len(caplog.records) == 4


def test_a_book_on_offer_without_a_tick_size_has_none() -> None:
    rows = [{"book": "btc_mxn", "minimum_amount": "0.00015"}, {"book": "BTC_MXN"}]
    client = Exchange(ok(rows)).client()
    (info,) = client.available_books()
    assert (info.tick_size, info.minimum_amount) == (None, Decimal("0.00015"))
    assert client.rejected == {"bad_shape": 1}


ENVELOPES = [
    (
        400,
        '{"error":{"code":"0301","details":[],"message":"Unknown order book nope_usd"}}',
        UnknownOrderBookError,
        "Unknown order book nope_usd (code 0301, HTTP 400)",
    ),
    (
        400,
        '{"error":{"code":20,"message":"Unknown OrderBook nope_usd"}}',
        UnknownOrderBookError,
        "Unknown OrderBook nope_usd (code 20, HTTP 400)",
    ),
    (
        200,
        '{"success":false,"error":{"code":"0301","message":"Unknown OrderBook ltc_mxn"}}',
        UnknownOrderBookError,
        "code 0301, HTTP 200",
    ),
    (401, '{"success":false,"error":{"code":"0215"}}', BitsoError, "check BITSO_API_KEY"),
    (400, '{"success":false,"error":"something went wrong"}', BitsoError, "something went wrong"),
    (400, '{"success":false,"error":["odd"]}', BitsoError, "odd"),
    (200, '{"success":false}', HttpError, "HTTP 200 with a body that is not Bitso's"),
    (404, "", HttpError, "HTTP 404 with an empty body"),
    (404, PAGE, HttpError, "HTTP 404 with a body that is not Bitso's"),
    (301, "", HttpError, "sends elsewhere (HTTP 301)"),
    (403, '{"success":false,"error":{"code":"0213","message":"IP"}}', BitsoError, "0213"),
]


@pytest.mark.parametrize(("status", "body", "kind", "text"), ENVELOPES)
def test_each_form_of_an_error_is_understood_and_not_asked_again(
    status: int,
    body: str,
    kind: type[HttpError],
    text: str,
) -> None:
    exchange = Exchange(httpx.Response(status, text=body, headers={"Location": "https://x/"}))
    with pytest.raises(HttpError) as caught:
        exchange.client().ticker("nope_usd")
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert caught.value.status == status
    assert len(exchange.requests) == 1


def test_an_unknown_book_is_one_error_of_both_kinds() -> None:
    reply = httpx.Response(400, text='{"error":{"code":20,"message":"Unknown OrderBook a_b"}}')
    with pytest.raises(UnknownBookError, match="bitso-spread books"):
        Exchange(reply).client().ticker("a_b")


def test_a_message_of_the_exchange_cannot_steer_the_terminal() -> None:
    reply = httpx.Response(400, json={"error": {"code": "0304", "message": "\x1b[2J\nx" * 500}})
    with pytest.raises(BitsoError) as caught:
        Exchange(reply).client().ticker("a_b")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("[Errno -2] Name or service not known"),
        httpx.ReadTimeout("timed out"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        httpx.Response(500, text='{"success":false,"error":{"code":"0101","message":"?"}}'),
        httpx.Response(502, text=PAGE),
        httpx.Response(503),
        httpx.Response(403, text=PAGE),
    ],
)
def test_what_may_pass_is_asked_again(failure: Answer) -> None:
    exchange = Exchange(failure, failure, order_book())
    assert exchange.client().order_book("btc_mxn").sequence == 3_191_392_623
    assert len(exchange.requests) == 3


def test_pauses_double_up_to_the_cap_and_are_drawn_evenly_from_zero() -> None:
    exchange = Exchange(httpx.Response(503))
    with pytest.raises(HttpError, match="HTTP 503"):
        exchange.client().order_book("btc_mxn", attempts=8)
    assert exchange.slept == [0.5, 1, 2, 4, 8, 10, 10]
    drawn = Exchange(httpx.Response(503))
    with pytest.raises(HttpError):
        drawn.client(random=lambda: 0.25).order_book("btc_mxn")
    assert drawn.slept == [0.125, 0.25, 0.5]


def test_one_attempt_is_one_request() -> None:
    exchange = Exchange(httpx.ConnectError("refused"))
    with pytest.raises(TransportError, match=r"cannot reach api.bitso.com: refused; check"):
        exchange.client().tickers(attempts=1)
    assert len(exchange.requests) == 1


def test_a_timeout_says_how_long_it_was() -> None:
    with pytest.raises(TransportError, match=r"no reply from api.bitso.com within 10 s"):
        Exchange(httpx.ConnectTimeout("")).client().order_book("btc_mxn", attempts=1)


@pytest.mark.parametrize("status", [418, 420, 429])
def test_too_many_requests_silences_everybody_and_is_not_asked_again(status: int) -> None:
    body = (
        '{"success":false,"error":{"code":"0801","message":"You have hit the request rate-limit"}}'
    )
    budget = RequestBudget.in_memory()
    exchange = Exchange(httpx.Response(status, text=body), order_book())
    with pytest.raises(Throttled, match=f"HTTP {status}.*61 s") as caught:
        exchange.client(budget=budget).order_book("btc_mxn")
    assert caught.value.silence_s == 61
    with pytest.raises(BudgetExhausted, match="too many requests"):
        exchange.client(budget=budget).ticker("btc_mxn")
    assert len(exchange.requests) == 1


def test_the_code_of_throttling_is_believed_whatever_the_status() -> None:
    budget = RequestBudget.in_memory()
    exchange = Exchange(httpx.Response(400, text='{"error":{"code":"0802","message":"?"}}'))
    with pytest.raises(Throttled):
        exchange.client(budget=budget).order_book("btc_mxn")
    assert budget.reserve().silenced


def test_each_attempt_takes_a_slot_of_its_own() -> None:
    exchange = Exchange(httpx.Response(503))
    with pytest.raises(BudgetExhausted, match="all 3 requests"):
        exchange.client(budget=RequestBudget.in_memory(requests=3)).order_book("btc_mxn")
    assert len(exchange.requests) == 3


def test_a_request_that_failed_holds_its_slot_no_longer_than_a_reply_would() -> None:
    now = [0.0]
    budget = RequestBudget.in_memory(requests=1, clock=lambda: now[0])
    exchange = Exchange(httpx.ConnectError("refused"))
    with pytest.raises(TransportError):
        exchange.client(budget=budget).order_book("btc_mxn", attempts=1)
    now[0] = 61.1
    assert budget.reserve().slot is not None


def test_a_signed_request_signs_its_path_and_query_with_a_new_nonce_each_time() -> None:
    exchange = Exchange(httpx.Response(503), ok(TICKER))
    client = exchange.client(
        environment("production", "https://bitso.com/api/v3"),
        credentials=CREDENTIALS,
        random=iter([0.000042, 0.5, 0.999999]).__next__,
    )
    client.ticker("btc_mxn")
    first, second = (request.headers["Authorization"] for request in exchange.requests)
    assert first != second
    scheme, _, rest = first.partition(" ")
    key, nonce, _ = rest.split(":")
    assert (scheme, key, len(nonce), nonce[13:]) == ("Bitso", "not-a-key", 19, "000042")
    path = "/api/v3/ticker/?book=btc_mxn"
    assert first == authorization(CREDENTIALS, "GET", path, now_ms=int(nonce[:13]), salt=42)


@pytest.mark.parametrize(
    ("where", "signs"),
    [
        (PRODUCTION, True),
        (environment("production", "http://127.0.0.1:1/v3"), True),
        (environment("production", "http://example.com/v3"), False),
        (environment("sim", "http://127.0.0.1:1/v3", "ws://127.0.0.1:1"), False),
    ],
)
def test_the_users_credentials_sign_only_where_nobody_else_can_read_them(
    where: Environment,
    signs: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BITSO_API_KEY", "not-a-key")
    monkeypatch.setenv("BITSO_API_SECRET", "not-a-secret")
    exchange = Exchange(ok(TICKER))
    with RestClient(where, transport=httpx.MockTransport(exchange)) as client:
        client.ticker("btc_mxn")
    assert ("Authorization" in exchange.requests[0].headers) is signs


def test_half_of_the_credentials_ends_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BITSO_API_KEY", "not-a-key")
    with pytest.raises(UsageError, match="BITSO_API_SECRET"):
        RestClient(PRODUCTION)


def test_no_error_and_no_log_shows_the_credentials(caplog: pytest.LogCaptureFixture) -> None:
    texts = []
    with caplog.at_level(logging.DEBUG):
        for answer in (httpx.ConnectError("refused"), httpx.Response(401), httpx.Response(420)):
            with pytest.raises(ExchangeError) as caught:
                Exchange(answer).client(credentials=CREDENTIALS).order_book("btc_mxn")
            texts.append(str(caught.value))
    shown = caplog.text + "".join(texts)
    assert "not-a-key" not in shown
    assert "not-a-secret" not in shown


class _Handler(BaseHTTPRequestHandler):
    paths: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.paths.append(self.path)
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/v3/ticker/?book=btc_mxn")
            self.end_headers()
            return
        body = json.dumps({"success": True, "payload": TICKER}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path.startswith("/drip"):
            self.wfile.write(body[:1])
            self.wfile.flush()
            self.server.released.wait(5)  # type: ignore[attr-defined]
            return
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its base's name)
        pass


@pytest.fixture
def server() -> Iterator[str]:
    _Handler.paths.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as listening:
        released = listening.released = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=listening.serve_forever, args=[0.01])
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        released.set()
        listening.shutdown()
        thread.join()


def _client(url: str, timeout_s: float = 5.0) -> RestClient:
    budget = RequestBudget.in_memory()
    return RestClient(environment("production", url), budget=budget, timeout_s=timeout_s)


def test_a_real_server_is_asked_without_the_proxy_of_the_machine(
    server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with _client(f"{server}/v3") as client:
        assert client.ticker("btc_mxn").quote().spread == pytest.approx(100 * 1.5 / 101.5)
    assert _Handler.paths == ["/v3/ticker/?book=btc_mxn"]


def test_a_redirect_is_not_followed(server: str) -> None:
    with _client(f"{server}/moved") as client, pytest.raises(HttpError, match="sends elsewhere"):
        client.ticker("btc_mxn")
    assert len(_Handler.paths) == 1


def test_a_reply_that_stalls_half_way_ends_in_time(server: str) -> None:
    with (
        _client(f"{server}/drip", timeout_s=0.2) as client,
        pytest.raises(TransportError, match=r"within 0\.2 s"),
    ):
        client.ticker("btc_mxn", attempts=1)


def test_a_port_where_nobody_listens_is_a_transport_error() -> None:
    with (
        _client("http://127.0.0.1:1") as client,
        pytest.raises(TransportError, match=r"cannot reach 127\.0\.0\.1"),
    ):
        client.ticker("btc_mxn", attempts=1)


def test_the_limit_is_kept_and_not_learnt_from_refusals() -> None:
    with SimulatedExchange(requests_per_minute=60) as exchange:
        where = environment("sim", exchange.rest_url, exchange.ws_url)
        with RestClient(where, budget=RequestBudget.in_memory()) as client:
            for _ in range(60):
                client.ticker("btc_mxn")
            with pytest.raises(BudgetExhausted, match="all 60 requests"):
                client.ticker("btc_mxn")
        assert exchange.counts.requests["ticker"] == 60
        assert exchange.counts.throttled == 0


def test_certificates_that_cannot_be_read_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(UsageError, match="the certificates cannot be read"):
        RestClient()
