from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import websocket

from bitso_spread.errors import BitsoSpreadError
from bitso_spread.sim.faults import CLOUDFLARE_PAGE, Controls
from bitso_spread.sim.server import SimulatedExchange

Listen = Callable[[SimulatedExchange], Any]


def test_dropped_connections_end_without_a_close_frame(
    still: SimulatedExchange, listen: Listen
) -> None:
    listener = listen(still)
    listener.subscribe("btc_mxn")
    still.faults.drop_connections()
    with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
        listener.socket.recv_data()
    assert listen(still).subscribe("btc_mxn")["response"] == "ok"


@pytest.mark.parametrize("code", [1001, 1011])
def test_closed_connections_get_a_close_frame(
    still: SimulatedExchange, listen: Listen, code: int
) -> None:
    listener = listen(still)
    listener.subscribe("btc_mxn")
    still.faults.close_connections(code, "maintenance")
    opcode, data = listener.socket.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    assert data == code.to_bytes(2, "big") + b"maintenance"


def test_handshakes_can_be_refused_while_rest_works(
    still: SimulatedExchange, listen: Listen, http: httpx.Client
) -> None:
    still.faults.refuse_connections = True
    with pytest.raises(websocket.WebSocketBadStatusException, match="503"):
        listen(still)
    assert http.get(f"{still.rest_url}/ticker").status_code == 200
    assert (still.counts.handshakes_refused, still.counts.connections) == (1, 0)
    still.faults.refuse_connections = False
    assert listen(still).subscribe("btc_mxn")["response"] == "ok"


def test_connections_can_be_refused_before_the_handshake_while_old_ones_stay(
    still: SimulatedExchange, listen: Listen, http: httpx.Client
) -> None:
    old = listen(still)
    still.faults.stop_listening()
    with pytest.raises(ConnectionRefusedError):
        listen(still)
    with pytest.raises(httpx.ConnectError):
        http.get(f"{still.rest_url}/ticker")
    assert old.subscribe("btc_mxn")["response"] == "ok"
    still.faults.listen_again()
    assert listen(still).subscribe("btc_mxn")["response"] == "ok"


def test_silence_is_an_open_socket_that_nothing_comes_from(listen: Listen) -> None:
    with SimulatedExchange(keepalive_s=0.05) as exchange:
        listener = listen(exchange)
        listener.subscribe("btc_mxn")
        exchange.faults.silent = True
        while not listener.hears_nothing_for(0.1):
            pass
        listener.say({"action": "subscribe", "book": "usd_mxn", "type": "orders"})
        assert not listener.is_answered(timeout=0.15)
        newcomer = listen(exchange)
        assert newcomer.hears_nothing_for(0.1)
        exchange.faults.silent = False
        assert listener.hear()
        assert newcomer.hear()


def test_a_mute_book_sends_nothing_while_others_and_keep_alives_go_on(
    lively: SimulatedExchange, listen: Listen
) -> None:
    listener = listen(lively)
    listener.subscribe("btc_mxn")
    lively.faults.mute = {"btc_mxn"}
    listener.say({"action": "subscribe", "book": "usd_mxn", "type": "orders"})
    while listener.hear().get("book") == "btc_mxn":
        pass
    assert {listener.frame()["book"] for _ in range(10)} == {"usd_mxn"}
    lively.faults.mute = set()
    ends = time.monotonic() + 30
    while listener.frame()["book"] != "btc_mxn":
        assert time.monotonic() < ends


def test_every_book_can_be_mute_with_keep_alives_going_on(listen: Listen) -> None:
    with SimulatedExchange(keepalive_s=0.1) as exchange:
        exchange.faults.mute = "all"
        listener = listen(exchange)
        for book in exchange.market.specs:
            listener.say({"action": "subscribe", "book": book, "type": "orders"})
        heard: list[dict[str, Any]] = []
        while heard.count({"type": "ka"}) < 3:
            heard.append(listener.hear())
        assert not any("payload" in message for message in heard)


def test_pongs_and_keep_alives_can_be_left_out(listen: Listen) -> None:
    with SimulatedExchange(keepalive_s=0.05) as exchange:
        exchange.faults.pongs = False
        listener = listen(exchange)
        assert not listener.is_answered(timeout=0.15)
        exchange.faults.pongs = True
        assert listener.is_answered(timeout=30)
        exchange.faults.keepalive = False
        while not listener.hears_nothing_for(0.15):
            pass


def test_anything_can_be_sent(still: SimulatedExchange, listen: Listen) -> None:
    listener = listen(still)
    listener.subscribe("btc_mxn")
    still.faults.send_raw('{"half":')
    assert listener.socket.recv_data() == (websocket.ABNF.OPCODE_TEXT, b'{"half":')
    still.faults.send_raw(b"\xff\x00")
    assert listener.socket.recv_data() == (websocket.ABNF.OPCODE_BINARY, b"\xff\x00")


def test_one_frame_can_be_crossed_while_rest_stays_sound(
    still: SimulatedExchange, listen: Listen, http: httpx.Client
) -> None:
    listener = listen(still)
    listener.subscribe("btc_mxn")
    still.faults.send_crossed("btc_mxn")
    sides = listener.frame()["payload"]
    bids, asks = ([float(o["r"]) for o in sides[side]] for side in ("bids", "asks"))
    assert bids[0] > asks[0]
    assert len(bids) == len(asks) == 20
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    ticker = http.get(f"{still.rest_url}/ticker?book=btc_mxn").json()["payload"]
    assert float(ticker["bid"]) < float(ticker["ask"])


def test_one_frame_can_lack_a_side_or_both(still: SimulatedExchange, listen: Listen) -> None:
    listener = listen(still)
    listener.subscribe("btc_mxn")
    still.faults.send_one_sided("btc_mxn")
    still.faults.send_one_sided("btc_mxn", missing="bids")
    still.faults.send_empty("btc_mxn")
    sizes = [
        {side: len(orders) for side, orders in listener.frame()["payload"].items()}
        for _ in range(3)
    ]
    assert sizes == [{"bids": 20, "asks": 0}, {"bids": 0, "asks": 20}, {"bids": 0, "asks": 0}]


def test_a_lag_delays_frames_and_their_order_survives_its_end(
    lively: SimulatedExchange, listen: Listen
) -> None:
    lively.faults.lag_s = 0.3
    listener = listen(lively)
    listener.subscribe("btc_mxn")
    first = listener.frame()
    assert 300 <= time.time() * 1000 - first["sent"] < 10_000
    lively.faults.lag_s = 0.0
    sent = [first["sent"]]
    while len(sent) <= 5 or time.time() * 1000 - sent[-1] > 200:
        sent.append(listener.frame()["sent"])
    assert sent == sorted(sent)


def test_the_feed_can_refuse_a_book_that_rest_knows(
    still: SimulatedExchange, listen: Listen, http: httpx.Client
) -> None:
    still.faults.refuse_books = {"btc_mxn"}
    listener = listen(still)
    assert listener.subscribe("btc_mxn")["error"] == "This book is not supported - btc_mxn"
    assert listener.subscribe("usd_mxn")["response"] == "ok"
    assert http.get(f"{still.rest_url}/order_book?book=btc_mxn").status_code == 200


def test_rest_can_be_slow(still: SimulatedExchange, http: httpx.Client) -> None:
    still.faults.rest_delay_s = 0.2
    asked = time.monotonic()
    assert http.get(f"{still.rest_url}/ticker").status_code == 200
    assert 0.2 <= time.monotonic() - asked < 10
    still.faults.rest_delay_s = 30
    with pytest.raises(httpx.ReadTimeout):
        http.get(f"{still.rest_url}/ticker", timeout=0.1)


def test_rest_can_be_down_while_the_feed_works(
    still: SimulatedExchange, listen: Listen, http: httpx.Client
) -> None:
    still.faults.rest_down = True
    with pytest.raises(httpx.ReadError, match="reset"):
        http.get(f"{still.rest_url}/ticker")
    assert listen(still).subscribe("btc_mxn")["response"] == "ok"
    assert still.counts.requests["ticker"] == 1
    still.faults.rest_down = False
    assert http.get(f"{still.rest_url}/ticker").status_code == 200


def test_rest_can_answer_anything(still: SimulatedExchange, http: httpx.Client) -> None:
    url = f"{still.rest_url}/order_book?book=btc_mxn"
    still.faults.rest_status, still.faults.rest_body = 403, CLOUDFLARE_PAGE
    page = http.get(url)
    assert (page.status_code, page.text) == (403, CLOUDFLARE_PAGE)
    assert page.headers["Content-Type"].startswith("text/html")
    still.faults.rest_status, still.faults.rest_body = 500, ""
    assert http.get(url).status_code == 500
    still.faults.rest_status = None
    still.faults.rest_wrong_json = True
    wrong = http.get(url)
    assert wrong.status_code == 200
    assert "bids" not in json.dumps(wrong.json())
    still.faults.rest_wrong_json = False
    assert "bids" in http.get(url).json()["payload"]


def test_rest_can_be_throttled_for_the_length_of_a_lock_out(http: httpx.Client) -> None:
    with SimulatedExchange(lockout_s=60) as exchange:
        exchange.faults.throttle()
        reply = http.get(f"{exchange.rest_url}/ticker")
        assert (reply.status_code, reply.json()["error"]["code"]) == (420, "0801")
        exchange._gateway._monotonic = lambda: time.monotonic() + 60
        assert http.get(f"{exchange.rest_url}/ticker").status_code == 200


def test_an_exchange_that_does_not_run_can_do_nothing() -> None:
    with pytest.raises(BitsoSpreadError, match="start it first"):
        SimulatedExchange().faults.drop_connections()


def test_what_is_sent_to_a_client_that_has_left_is_dropped_without_a_word(
    still: SimulatedExchange, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    listen(still).subscribe("btc_mxn")

    def leave(controls: Controls) -> None:
        controls.drop()
        # As many frames as there may be before the loop takes note of it.
        for _ in range(20):
            controls.send_raw("late")

    still.faults._submit(leave)
    # asyncio would say "socket.send() raised exception" of each one.
    assert caplog.text == ""
