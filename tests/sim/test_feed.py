from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket
from websockets.sync.client import connect

from bitso_spread.sim.replay import ReplayMarket, Row
from bitso_spread.sim.server import SimulatedExchange

Listen = Callable[[SimulatedExchange], Any]

SUBSCRIBE = {"action": "subscribe", "book": "btc_mxn", "type": "orders"}


def without_time(message: dict[str, Any]) -> dict[str, Any]:
    assert abs(message["time"] - time.time() * 1000) < 30_000
    return {key: value for key, value in message.items() if key != "time"}


@pytest.mark.parametrize("channel", ["orders", "trades", "diff-orders"])
def test_a_subscription_is_acknowledged_with_its_book(
    still: SimulatedExchange, listen: Listen, channel: str
) -> None:
    ack = listen(still).subscribe("btc_mxn", channel)
    assert list(ack) == ["action", "response", "time", "type", "book"]
    assert without_time(ack) == {
        "action": "subscribe",
        "response": "ok",
        "type": channel,
        "book": "btc_mxn",
    }


def test_a_second_subscription_is_told_so_and_frames_still_come_once(
    lively: SimulatedExchange, listen: Listen
) -> None:
    listener = listen(lively)
    lively.faults.mute = "all"
    listener.subscribe("btc_mxn")
    again = listener.subscribe("btc_mxn")
    assert again["response"] == "Already subscribed to channel: orders:btc_mxn"
    lively.faults.mute = set()
    payloads = [listener.frame()["payload"] for _ in range(10)]
    assert all(before != after for before, after in pairwise(payloads))


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({**SUBSCRIBE, "book": "nope_usd"}, "This book is not supported - nope_usd"),
        ({**SUBSCRIBE, "book": "BTC_MXN"}, "This book is not supported - BTC_MXN"),
        ({**SUBSCRIBE, "book": ["btc_mxn"]}, "This book is not supported - ['btc_mxn']"),
        ({**SUBSCRIBE, "type": "nope"}, "This type of channel is not supported - nope"),
        ({**SUBSCRIBE, "action": "nope"}, "unknown subscription"),
        ("not JSON", "invalid message"),
        ("[1]", "invalid message"),
    ],
)
def test_what_it_refuses_it_says_and_goes_on(
    still: SimulatedExchange, listen: Listen, message: object, error: str
) -> None:
    listener = listen(still)
    reply = listener.ask(message)
    assert reply["error"] == error
    assert "response" not in reply
    assert "book" not in reply
    assert listener.subscribe("btc_mxn")["response"] == "ok"


@pytest.mark.parametrize(
    ("message", "sample"),
    [
        (SUBSCRIBE | {"book": "nope_usd"}, "ws-error-unknown-book.json"),
        (SUBSCRIBE | {"action": "nope"}, "ws-error-unknown-action.json"),
        ("{", "ws-error-not-json.json"),
    ],
)
def test_refusals_have_the_fields_that_were_recorded(
    still: SimulatedExchange, listen: Listen, shared: Path, message: object, sample: str
) -> None:
    recorded = json.loads((shared / "bitso/samples" / sample).read_text())
    reply = listen(still).ask(message)
    assert list(reply) == list(recorded)
    assert without_time(reply) == {k: v for k, v in recorded.items() if k != "time"}


def test_a_subscription_without_a_book_is_closed_after_half_a_second(
    still: SimulatedExchange, listen: Listen
) -> None:
    listener = listen(still)
    said = time.monotonic()
    listener.say({"action": "subscribe", "type": "orders"})
    opcode, data = listener.socket.recv_data()
    assert 0.4 < time.monotonic() - said < 10
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    assert int.from_bytes(data[:2], "big") == 1011


def test_after_unsubscribing_no_frames_come(lively: SimulatedExchange, listen: Listen) -> None:
    listener = listen(lively)
    listener.subscribe("btc_mxn")
    listener.frame()
    listener.say(SUBSCRIBE | {"action": "unsubscribe"})
    while "action" not in (message := listener.hear()):
        pass
    assert (message["action"], message["response"]) == ("unsubscribe", "ok")
    assert listener.hears_nothing_for(0.2)


def test_subscribing_brings_no_snapshot_and_a_quiet_book_sends_nothing(
    still: SimulatedExchange, listen: Listen
) -> None:
    listener = listen(still)
    listener.subscribe("btc_mxn")
    assert listener.hears_nothing_for(0.25)
    assert still.counts.frames.total() == 0


def test_channels_other_than_orders_send_nothing(lively: SimulatedExchange, listen: Listen) -> None:
    listener = listen(lively)
    listener.subscribe("btc_mxn", "trades")
    listener.subscribe("btc_mxn", "diff-orders")
    assert listener.hears_nothing_for(0.2)


def test_frames_are_whole_differ_from_the_last_and_say_when_they_were_sent(
    lively: SimulatedExchange, listen: Listen
) -> None:
    listener = listen(lively)
    listener.subscribe("btc_mxn")
    frames = [listener.frame() for _ in range(20)]
    assert all(a["payload"] != b["payload"] for a, b in pairwise(frames))
    assert all(a["sent"] <= b["sent"] for a, b in pairwise(frames))
    for frame in frames:
        assert (frame["book"], frame["type"]) == ("btc_mxn", "orders")
        assert len(frame["payload"]["bids"]) == len(frame["payload"]["asks"]) == 20
        newest = max(order["d"] for side in frame["payload"].values() for order in side)
        assert 0 <= frame["sent"] - newest < 10_000
    assert abs(frames[-1]["sent"] - time.time() * 1000) < 10_000


def test_rest_is_never_ahead_of_the_feed(
    lively: SimulatedExchange, listen: Listen, http: httpx.Client
) -> None:
    listener = listen(lively)
    listener.subscribe("btc_mxn")
    shown = [listener.frame()["payload"]]
    book = http.get(f"{lively.rest_url}/order_book?book=btc_mxn&aggregate=false").json()["payload"]
    # What the answer shows was sent before it, and so before this is acknowledged.
    listener.say(SUBSCRIBE | {"book": "usd_mxn"})
    while "action" not in (message := listener.hear()):
        shown += [message["payload"]] if "payload" in message else []
    for side in ("bids", "asks"):
        top = [row["oid"] for row in book[side][:20]]
        assert top in [[order["o"] for order in payload[side]] for payload in shown]


def test_keep_alives_come_on_one_timer_to_every_connection(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimulatedExchange(keepalive_s=0.3) as exchange:
        keep_alive = exchange._feed.keep_alive
        reached: list[int] = []

        def noted() -> None:
            reached.append(len(exchange._feed.links))
            keep_alive()

        monkeypatch.setattr(exchange._feed, "keep_alive", noted)
        early = listen(exchange)
        assert early.hear() == {"type": "ka"}
        began = time.monotonic()
        late = listen(exchange)
        for _ in range(3):
            assert late.hear() == early.hear() == {"type": "ka"}
        assert time.monotonic() - began > 0.59
    # Whoever is there has it from the same turn as the others.
    assert set(reached) <= {0, 1, 2}
    assert reached.count(2) >= 3


def test_pings_are_answered(still: SimulatedExchange, listen: Listen) -> None:
    assert listen(still).is_answered(timeout=30)


def test_compression_is_only_for_clients_that_offer_it(still: SimulatedExchange) -> None:
    for offered, negotiated in (("deflate", 1), (None, 0)):
        with connect(still.ws_url, compression=offered) as client:
            assert len(client.protocol.extensions) == negotiated
            client.send(json.dumps(SUBSCRIBE))
            assert json.loads(client.recv())["response"] == "ok"


def test_connections_subscriptions_and_frames_are_counted(
    lively: SimulatedExchange, listen: Listen
) -> None:
    first, second = listen(lively), listen(lively)
    second.subscribe("btc_mxn")
    second.frame()
    lively.faults.mute = "all"
    for book in ("btc_mxn", "usd_mxn", "usd_mxn"):
        first.say({"action": "subscribe", "book": book, "type": "orders"})
    acks = 0
    while acks < 3:
        acks += "response" in first.hear()
    assert lively.counts.connections == 2
    assert lively.counts.subscriptions == {"btc_mxn": 2, "usd_mxn": 1}
    assert lively.counts.frames["btc_mxn"] > 0
    assert lively.counts.frames["usd_mxn"] == 0


def test_a_replayed_lake_arrives_second_by_second(listen: Listen) -> None:
    rows: list[Row] = [
        (100, "btc_mxn", 1233830.0, 1236250.0),
        (100, "usd_mxn", 18.319, 18.387),
        (101, "btc_mxn", 1233840.0, 1236250.0),
        (101, "usd_mxn", 18.32, 18.387),
    ]
    market = ReplayMarket(rows, lead_s=0)
    with SimulatedExchange(market) as exchange:
        listener = listen(exchange)
        listener.subscribe("btc_mxn")
        listener.subscribe("usd_mxn")
        frames = [listener.frame() for _ in range(2)]
        listener.socket.close()
    assert market.shift is not None
    for frame in frames:
        # Half a second before its second, and sent then or, on a busy machine, later.
        changed = max(order["d"] for side in frame["payload"].values() for order in side)
        assert changed % 1000 == 500
        assert frame["sent"] >= changed
        second = (changed + 500) // 1000
        sent = tuple(float(frame["payload"][side][0]["r"]) for side in ("bids", "asks"))
        (row,) = (r for r in rows if r[:2] == (second - market.shift, frame["book"]))
        assert sent == row[2:]
        assert sent == tuple(map(float, market.played(frame["book"], second)))
    assert {frame["book"] for frame in frames} == {"btc_mxn", "usd_mxn"}
