"""What the doctor hears of the feed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from websockets.sync.server import ServerConnection

from bitso_spread.doctor import Outcome
from bitso_spread.doctor.feed import check_delay, check_first, check_frames, check_sent
from bitso_spread.doctor.replies import Offset
from bitso_spread.doctor.transcript import Event, Kind, Said, Transcript
from bitso_spread.sim.server import SimulatedExchange
from tests.doctor.support import (
    FAST,
    Feed,
    diagnose,
    failed,
    lively,
    still,
    where,
    wrong,
)
from tests.exchange.support import orders_frame, quote


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
    findings = diagnose(exchange, timings=replace(FAST, timeout_s=0.4))
    assert failed(findings) == {"acknowledgement"}
    assert findings["keep-alive"].detail == "nothing at all came over the connection"


def test_a_book_that_the_feed_refuses_is_told(exchange: SimulatedExchange) -> None:
    exchange.faults.refuse_books = {"usd_mxn"}
    findings = diagnose(exchange)
    assert failed(findings) == {"acknowledgement"}
    assert "not supported - usd_mxn" in findings["acknowledgement"].detail


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
    findings = diagnose(exchange, timings=replace(FAST, margin_s=0.15))
    assert failed(findings) == {"keep-alive"}
    assert "none in 0.45 s" in findings["keep-alive"].detail


def test_a_keep_alive_is_waited_for_beyond_the_listening() -> None:
    with lively(keepalive_s=0.7) as exchange:
        findings = diagnose(exchange, timings=replace(FAST, listen_s=0.1, keepalive_s=0.7))
    assert findings["keep-alive"].outcome is Outcome.OK


def test_pings_that_are_not_answered_are_a_warning(exchange: SimulatedExchange) -> None:
    exchange.faults.pongs = False
    findings = diagnose(exchange)
    assert wrong(findings) == {"pings"}
    assert findings["pings"].outcome is Outcome.WARNING
    assert "unnoticed for 60 s" in (findings["pings"].advice or "")


def test_a_frame_that_cannot_be_true_is_told(exchange: SimulatedExchange) -> None:
    crossing = ("acknowledgement", lambda: exchange.faults.send_crossed("btc_mxn"))
    findings = diagnose(exchange, during=crossing)
    assert failed(findings) == {"frames"}
    assert "1 crossed btc_mxn" in findings["frames"].detail
    assert "--max-stale" in (findings["frames"].advice or "")


def test_a_message_that_is_no_text_is_told(exchange: SimulatedExchange) -> None:
    sending = ("acknowledgement", lambda: exchange.faults.send_raw(b"bytes"))
    findings = diagnose(exchange, during=sending)
    assert failed(findings) == {"frames"}
    assert "1 not_text" in findings["frames"].detail


def test_frames_that_come_late_from_the_first_one_on_are_told(
    exchange: SimulatedExchange,
) -> None:
    # A `Date` has whole seconds, so of 5 s only 4 s are sure.
    exchange.faults.lag_s = 5
    findings = diagnose(exchange, timings=replace(FAST, listen_s=6, max_stale_s=3))
    assert failed(findings) == {"delay of frames"}
    assert findings["agreement btc_mxn"].detail == "the feed is late"


def test_a_link_that_does_not_hold_is_told(exchange: SimulatedExchange) -> None:
    def end() -> None:
        exchange.faults.close_connections(1011, "maintenance")

    findings = diagnose(exchange, during=("unknown book by REST", end))
    assert failed(findings) == {"WebSocket link"}
    assert "1011 (maintenance)" in findings["WebSocket link"].detail


def ack(book: str | None) -> str:
    fields = {"action": "subscribe", "response": "ok", "time": 1, "type": "orders"}
    return json.dumps(fields if book is None else {**fields, "book": book})


def test_subscriptions_without_an_answer_are_told(exchange: SimulatedExchange, feed: Feed) -> None:
    def handle(connection: ServerConnection) -> None:
        connection.send('{"type":"ka"}')
        for request in connection:
            if "btc_mxn" in str(request):
                connection.send(ack("btc_mxn"))

    there = replace(where(exchange), ws_url=feed(handle))
    findings = diagnose(there, timings=replace(FAST, timeout_s=0.4, margin_s=1))
    assert findings["acknowledgement"].outcome is Outcome.FAILED
    assert "1 of 2 have none after 0.4 s: usd_mxn" in findings["acknowledgement"].detail
    assert findings["keep-alive"].outcome is Outcome.OK


def test_an_answer_without_a_book_and_a_refusal_without_a_name_are_warnings(
    exchange: SimulatedExchange, feed: Feed
) -> None:
    def handle(connection: ServerConnection) -> None:
        connection.send('{"type":"ka"}')
        for request in connection:
            known = "nope_nope" not in str(request)
            connection.send(ack(None) if known else '{"error":"invalid message","time":1}')

    findings = diagnose(
        replace(where(exchange), ws_url=feed(handle)), timings=replace(FAST, margin_s=1)
    )
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

    findings = diagnose(
        replace(where(exchange), ws_url=feed(handle)), timings=replace(FAST, margin_s=1)
    )
    assert "unknown book by the feed" in failed(findings)
    assert "is acknowledged" in findings["unknown book by the feed"].detail


def test_a_subscription_that_cannot_be_made_anew_is_a_warning(
    exchange: SimulatedExchange, feed: Feed
) -> None:
    def handle(connection: ServerConnection) -> None:
        connection.send('{"type":"ka"}')
        for request in connection:
            asked = json.loads(request)
            if asked["action"] == "subscribe":
                connection.send(ack(asked["book"]))

    findings = diagnose(
        replace(where(exchange), ws_url=feed(handle)), timings=replace(FAST, margin_s=1)
    )
    assert findings["subscribing again"].outcome is Outcome.WARNING
    assert "unsubscribe is not acknowledged" in findings["subscribing again"].detail


# What a transcript says, without a connection.


def test_a_connection_that_ended_is_not_mute() -> None:
    transcript = Transcript(opened=100.0, books=("btc_mxn",), acks={"btc_mxn": 100.1})
    assert check_first(transcript, {"btc_mxn": True}).outcome is Outcome.FAILED
    transcript.ended = "closed by the exchange"
    assert check_first(transcript, {"btc_mxn": True}).outcome is Outcome.WARNING


def heard(*messages: bytes, books: tuple[str, ...] = ("btc_mxn",)) -> Transcript:
    transcript = Transcript(opened=100.0, books=books)
    for number, message in enumerate(messages):
        at = 100 + number / 10
        transcript.take(Event(at, 1790126714 + at, Kind.TEXT, message))
    return transcript


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (orders_frame([999 - n for n in range(21)], [1000]), "1 with more than 20 orders a side"),
        (orders_frame([998, 999], [1000]), "1 not best first"),
        (orders_frame([999], [1001, 1000]), "1 not best first"),
        (orders_frame([999], [1000], sent=1790126714000), "1 sent before the one that came"),
        (orders_frame([999], [1000], book="eth_mxn"), "1 a frame of eth_mxn"),
    ],
)
def test_a_frame_of_another_make_is_a_warning(frame: bytes, says: str) -> None:
    usual = orders_frame(["999"], ["1000"])
    frame = frame.replace(b'"r":', b'"r":"').replace(b',"s":', b'","s":').replace(b'""', b'"')
    finding = check_frames(heard(usual, frame))
    assert finding.outcome is Outcome.WARNING
    assert says in finding.detail


@pytest.mark.parametrize(
    ("message", "outcome", "says"),
    [
        (b"not json", Outcome.FAILED, "1 not_json"),
        (orders_frame(["999"], []), Outcome.FAILED, "1 one_sided btc_mxn"),
        (orders_frame([], []), Outcome.FAILED, "1 empty btc_mxn"),
        (orders_frame([999], [1000]), Outcome.FAILED, "1 bad_shape btc_mxn"),
        (orders_frame(["9e2"], ["1000"]), Outcome.FAILED, "1 bad_price btc_mxn"),
        (b'{"type":"news","payload":[]}', Outcome.WARNING, "type 'news'"),
    ],
)
def test_a_message_that_the_recorder_would_not_take_is_told(
    message: bytes, outcome: Outcome, says: str
) -> None:
    finding = check_frames(heard(orders_frame(["999"], ["1000"]), message))
    assert finding.outcome is outcome
    assert says in finding.detail


def test_a_frame_that_does_not_say_when_it_was_sent_is_a_warning() -> None:
    finding = check_sent(heard(orders_frame(["999"], ["1000"], sent=None)))
    assert finding.outcome is Outcome.WARNING
    assert finding.detail == "1 of 1 do not say `sent`"


@pytest.mark.parametrize(
    ("delays", "outcome"),
    [
        ((0.1, 0.2), Outcome.OK),
        ((0.1, 2.3), Outcome.WARNING),
        ((0.1, 3.3), Outcome.FAILED),
        # All alike, which the recorder cannot see: here the exchange's own clock tells.
        ((2.7, 2.7), Outcome.WARNING),
        ((3.7, 3.7), Outcome.FAILED),
    ],
)
def test_the_delay_of_frames_is_the_constant_one_and_what_comes_on_top(
    delays: tuple[float, ...], outcome: Outcome
) -> None:
    transcript = Transcript(opened=0.0, books=("btc_mxn",))
    for number, delay in enumerate(delays):
        said = Said(
            10.0 + number + delay, 1000.0 + number + delay, quote(1, 2), 1000 * (1000 + number)
        )
        transcript.said["btc_mxn"].append(said)
    assert check_delay(transcript, Offset(-0.5, 0.5), 3.0).outcome is outcome
