import contextlib
import json
import queue
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from bitso_spread.backoff import Backoff
from bitso_spread.exchange import feed as feed_module
from bitso_spread.exchange import wire
from bitso_spread.exchange.connection import open_connection
from bitso_spread.exchange.feed import Cause, Ended, Feed, LinkWatch
from bitso_spread.exchange.wire import Ack, KeepAlive, Message, Orders, RejectedError, Rejection
from bitso_spread.sim.server import SimulatedExchange
from tests.exchange.support import HandMarket, Serve, eventually, orders_frame, quote

# The rules of a link, without one.


def test_without_pongs_three_keep_alives_must_be_missed() -> None:
    watch = LinkWatch(100)
    watch.heard(101, pong=False)
    for now in range(102, 161):
        assert watch.look(now) is None
    assert watch.look(161) == "nothing came for 60 s"


def test_a_link_that_never_says_anything_is_dead_too() -> None:
    watch = LinkWatch(100)
    for now in range(101, 160):
        assert watch.look(now) is None
    assert watch.look(160) == "nothing came for 60 s"


def test_once_a_pong_was_seen_ten_seconds_without_a_sign_of_life_are_enough() -> None:
    watch = LinkWatch(100)
    watch.heard(105, pong=True)
    watch.heard(107, pong=False)
    for now in range(108, 117):
        assert watch.look(now) is None
    assert watch.look(117) == "nothing came for 10 s"


def test_any_frame_is_a_sign_of_life() -> None:
    watch = LinkWatch(100)
    watch.heard(100.5, pong=True)
    for now in range(101, 200):
        watch.heard(now, pong=False)
        assert watch.look(now) is None


def test_a_process_that_stood_still_gives_its_link_five_seconds_to_answer() -> None:
    watch = LinkWatch(100)
    watch.heard(101, pong=True)
    assert watch.look(102) is None
    # Stopped for an hour: neither pings nor pongs could have come.
    for now in (3702, 3703, 3704, 3705, 3706):
        assert watch.look(now) is None
    assert watch.look(3707) == "nothing came for 10 s"


def test_a_link_is_in_doubt_when_a_sign_of_life_is_overdue() -> None:
    watch = LinkWatch(0.0)
    # Without pongs a keep-alive every 20 s is all that comes.
    assert [watch.doubts(now) for now in (7.1, 22.0, 22.1)] == [False, False, True]
    watch.heard(100.0, pong=True)
    assert [watch.doubts(now) for now in (105.0, 107.0, 107.1)] == [False, False, True]
    watch.heard(107.2, pong=False)
    assert not watch.doubts(108.0)


def test_a_ping_is_due_soon_and_then_every_five_seconds() -> None:
    watch = LinkWatch(100)
    assert [now for now in range(100, 120) if watch.ping_due(now)] == [101, 106, 111, 116]


# A feed on real sockets, and what its listener hears.


@dataclass
class Heard:
    """A listener that keeps everything."""

    ups: list[int] = field(default_factory=list)
    downs: list[Ended] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    rejected: list[RejectedError] = field(default_factory=list)
    alive: float = 0.0
    doubtful: bool = False
    pinged: list[float] = field(default_factory=list)

    def on_up(self, number: int) -> None:
        self.ups.append(number)

    def on_alive(self, now: float, *, doubtful: bool = False) -> None:
        self.alive = now
        self.doubtful = doubtful

    def on_pong(self, pinged: float) -> None:
        self.pinged.append(pinged)

    def on_message(self, message: Message, now: float) -> None:  # noqa: ARG002  (the form)
        self.messages.append(message)

    def on_rejected(self, error: RejectedError, now: float) -> None:  # noqa: ARG002  (the form)
        self.rejected.append(error)

    def on_down(self, ended: Ended, now: float) -> None:  # noqa: ARG002  (the form)
        self.downs.append(ended)

    @property
    def acked(self) -> list[str | None]:
        return [message.book for message in self.messages if isinstance(message, Ack)]

    @property
    def frames(self) -> list[Orders]:
        return [message for message in self.messages if isinstance(message, Orders)]


class RecordedBackoff(Backoff):
    """A backoff that keeps what it gave."""

    def __init__(self, base_s: float = 0.01) -> None:
        super().__init__(base_s=base_s, at_once=True, draw=lambda: 1.0)
        self.given: list[float] = []

    def next(self) -> float:
        self.given.append(super().next())
        return self.given[-1]


@pytest.fixture
def heard() -> Heard:
    return Heard()


Start = Callable[..., Feed]


@pytest.fixture
def start(heard: Heard) -> Iterator[Start]:
    feeds: list[Feed] = []

    def start(url: str, *books: str, **options: Any) -> Feed:
        feed = Feed(url, list(books or ("btc_mxn",)), heard, **options)
        feeds.append(feed)
        feed.start()
        return feed

    yield start
    for feed in feeds:
        feed.stop()


def test_each_book_is_subscribed_and_what_comes_is_told(
    exchange: SimulatedExchange, market: HandMarket, start: Start, heard: Heard
) -> None:
    start(exchange.ws_url, "btc_mxn", "usd_mxn")
    eventually(lambda: heard.acked == ["btc_mxn", "usd_mxn"])
    market.move(quote(1010, 1020))
    eventually(lambda: heard.frames)
    assert heard.frames[0].quote == quote(1010, 1020)
    assert heard.ups == [1]
    assert heard.downs == []


def test_a_link_that_is_cut_is_made_again_at_once(
    exchange: SimulatedExchange, market: HandMarket, start: Start, heard: Heard
) -> None:
    backoff = RecordedBackoff()
    start(exchange.ws_url, backoff=backoff)
    eventually(lambda: heard.acked)
    exchange.faults.drop_connections()
    eventually(lambda: len(heard.acked) == 2)
    assert [ended.cause for ended in heard.downs] == [Cause.LOST]
    assert heard.ups == [1, 2]
    assert backoff.given == [0.0]
    market.move(quote(1010, 1020))
    eventually(lambda: heard.frames)


def test_why_the_exchange_closed_is_told(
    exchange: SimulatedExchange, start: Start, heard: Heard
) -> None:
    start(exchange.ws_url)
    eventually(lambda: heard.acked)
    exchange.faults.close_connections(1011, "bad\x1b[2Jmood")
    eventually(lambda: len(heard.acked) == 2)
    assert heard.downs == [Ended(Cause.CLOSED, "closed by the exchange with 1011 (bad [2Jmood)")]


def test_a_refused_handshake_is_told_in_one_line_and_tried_again(
    exchange: SimulatedExchange, start: Start, heard: Heard
) -> None:
    exchange.faults.refuse_connections = True
    start(exchange.ws_url, backoff=RecordedBackoff())
    eventually(lambda: len(heard.downs) >= 3)
    assert heard.downs[0].text == "unreachable: Handshake status 503 Service Unavailable"
    exchange.faults.refuse_connections = False
    eventually(lambda: heard.acked)
    # Only what came up is a connection.
    assert heard.ups == [1]


def test_a_port_that_nobody_listens_on_is_tried_again(
    exchange: SimulatedExchange, start: Start, heard: Heard
) -> None:
    exchange.faults.stop_listening()
    start(exchange.ws_url, backoff=RecordedBackoff())
    eventually(lambda: len(heard.downs) >= 3)
    assert heard.downs[0].cause is Cause.UNREACHABLE
    assert "refused" in heard.downs[0].detail
    exchange.faults.listen_again()
    eventually(lambda: heard.acked)


def test_a_host_that_does_not_exist_is_told(start: Start, heard: Heard) -> None:
    start("ws://nowhere.invalid", backoff=RecordedBackoff(base_s=5))
    eventually(lambda: heard.downs)
    assert heard.downs[0].cause is Cause.UNREACHABLE
    assert heard.downs[0].detail


def test_a_server_that_speaks_no_websocket_is_told(start: Start, heard: Heard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        start(f"ws://127.0.0.1:{server.getsockname()[1]}", backoff=RecordedBackoff(base_s=5))
        with server.accept()[0] as connection:
            connection.sendall(b"220 mail.example\r\n\r\n")
            eventually(lambda: heard.downs)
    assert heard.downs[0].cause is Cause.UNREACHABLE


def test_junk_is_rejected_and_the_link_stays(
    exchange: SimulatedExchange, market: HandMarket, start: Start, heard: Heard
) -> None:
    start(exchange.ws_url)
    eventually(lambda: heard.acked)
    exchange.faults.send_raw("junk")
    exchange.faults.send_raw(b"\x00\xff")
    exchange.faults.send_raw("")
    exchange.faults.send_raw(orders_frame(["99"], []).decode())
    exchange.faults.send_raw("\u00e9" * 100_000)
    eventually(lambda: len(heard.rejected) == 5)
    reasons = [error.reason for error in heard.rejected]
    assert reasons == [
        Rejection.NOT_JSON,
        Rejection.NOT_TEXT,
        Rejection.NOT_JSON,
        Rejection.ONE_SIDED,
        Rejection.NOT_JSON,
    ]
    market.move(quote(1010, 1020))
    eventually(lambda: heard.frames)
    assert heard.downs == []


def test_text_that_is_no_utf_8_is_rejected_and_the_link_stays(
    serving: Serve, start: Start, heard: Heard
) -> None:
    def serve(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(b'{"type":"k\xff"}', text=True)
        connection.send(orders_frame(["99"], ["100"]).decode())
        hold(connection)

    start(serving(serve))
    eventually(lambda: heard.frames)
    assert [error.reason for error in heard.rejected] == [Rejection.NOT_JSON]
    assert heard.downs == []


def test_a_frame_in_pieces_is_one_frame(serving: Serve, start: Start, heard: Heard) -> None:
    def serve(connection: ServerConnection) -> None:
        text = orders_frame(["99"], ["100"]).decode()
        connection.recv()
        connection.send([text[:50], text[50:100], text[100:]])
        hold(connection)

    start(serving(serve))
    eventually(lambda: heard.frames)
    assert heard.frames[0].quote == quote(99, 100)


@pytest.mark.parametrize("secure", [False, True])
def test_frames_that_come_together_are_told_apart(
    serving: Serve,
    start: Start,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    secure: bool,
) -> None:
    # The lengths at which the head of a frame changes its form, and a few thousand frames.
    lengths = [13, 125, 126, 127, 65535, 65536, 65537, *range(1000, 9000, 5)]

    def serve(connection: ServerConnection) -> None:
        connection.recv()
        together = bytearray()
        for length in lengths:
            text = f'{{"type":"{length}"}}'.ljust(length).encode()
            together += Frame(Opcode.TEXT, text).serialize(mask=False)
            together += Frame(Opcode.PING, b"?").serialize(mask=False)
        with alone(connection):
            connection.socket.sendall(together)
        hold(connection)

    options: dict[str, Any] = {}
    if secure:
        options["ssl"] = request.getfixturevalue("tls")
        monkeypatch.setenv("SSL_CERT_FILE", str(request.getfixturevalue("certificate")))
    start(serving(serve, **options).replace("127.0.0.1", "localhost"))
    eventually(lambda: len(heard.messages) == len(lengths))
    assert heard.messages == [wire.Unknown(str(length)) for length in lengths]
    assert heard.rejected == []


@pytest.mark.usefixtures("often")
def test_a_frame_that_comes_in_dribs_is_one_frame(
    serving: Serve, start: Start, heard: Heard
) -> None:
    def serve(connection: ServerConnection) -> None:
        connection.recv()
        frame = Frame(Opcode.TEXT, orders_frame(["99"], ["100"])).serialize(mask=False)
        with alone(connection):
            for cut in (1, 2, 3, 4, 5, 50, len(frame)):
                # Longer than the feed waits before it looks at its link.
                time.sleep(0.06)
                connection.socket.sendall(frame[:cut])
                frame = frame[cut:]
        hold(connection)

    start(serving(serve))
    eventually(lambda: heard.frames)
    assert heard.frames[0].quote == quote(99, 100)
    assert (heard.rejected, heard.downs) == ([], [])


@pytest.mark.usefixtures("often")
def test_what_looks_like_a_frame_inside_a_frame_is_none(
    serving: Serve, start: Start, heard: Heard
) -> None:
    def serve(connection: ServerConnection) -> None:
        connection.recv()
        inner = Frame(Opcode.TEXT, orders_frame(["1"], ["2"])).serialize(mask=False)
        outer = Frame(Opcode.TEXT, b"junk" + inner).serialize(mask=False)
        beginning = len(outer) - len(inner)
        with alone(connection):
            connection.socket.sendall(outer[:beginning])
            time.sleep(0.1)
            connection.socket.sendall(outer[beginning:])
        connection.send(orders_frame(["99"], ["100"]).decode())
        hold(connection)

    start(serving(serve))
    eventually(lambda: heard.frames)
    assert heard.frames[0].quote == quote(99, 100)
    assert [error.reason for error in heard.rejected] == [Rejection.NOT_JSON]


def alone(connection: ServerConnection) -> AbstractContextManager[object]:
    """Have nobody else write meanwhile: a pong would lie in the midst of what a test writes."""
    return connection.protocol_mutex


def hold(connection: ServerConnection) -> None:
    """Keep a connection open until its client leaves."""
    with contextlib.suppress(ConnectionClosed):
        for _ in connection:
            pass


def then_drop(*messages: str) -> Callable[[ServerConnection], None]:
    def serve(connection: ServerConnection) -> None:
        connection.recv()
        for message in messages:
            connection.send(message)

    return serve


ACK = '{"action":"subscribe","response":"ok","time":1,"type":"orders","book":"btc_mxn"}'


@pytest.mark.parametrize("messages", [[], [ACK], ["junk"], ['{"type":"news"}']])
def test_a_server_that_lets_one_in_and_hangs_up_is_not_stormed(
    serving: Serve, start: Start, heard: Heard, messages: list[str]
) -> None:
    backoff = RecordedBackoff()
    start(serving(then_drop(*messages)), backoff=backoff)
    eventually(lambda: len(heard.downs) >= 4)
    assert backoff.given[:4] == [0.0, 0.01, 0.02, 0.04]


@pytest.mark.parametrize("message", [orders_frame(["99"], ["100"]).decode(), '{"type":"ka"}'])
def test_a_valid_message_shows_that_the_link_works(
    serving: Serve, start: Start, heard: Heard, message: str
) -> None:
    backoff = RecordedBackoff()
    start(serving(then_drop(ACK, message)), backoff=backoff)
    eventually(lambda: len(heard.downs) >= 3)
    assert backoff.given[:3] == [0.0, 0.0, 0.0]


def test_a_redirect_is_not_followed(serving: Serve, start: Start, heard: Heard) -> None:
    visitors: list[ServerConnection] = []
    elsewhere = serving(visitors.append)

    def redirect(connection: ServerConnection, request: Request) -> Response:  # noqa: ARG001
        response = connection.respond(302, "")
        response.headers["Location"] = elsewhere
        return response

    start(serving(hold, process_request=redirect), backoff=RecordedBackoff())
    eventually(lambda: len(heard.downs) >= 3)
    assert {ended.cause for ended in heard.downs} == {Cause.UNREACHABLE}
    assert "edirect" in heard.downs[0].detail
    assert visitors == []


# TLS.


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate for localhost, and for no address, that nobody has signed."""
    if which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    path = tmp_path / "localhost.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ),
            *("-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", path, "-out", path.with_suffix(".crt")),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def tls_url(tls: ssl.SSLContext, serving: Serve) -> str:
    return serving(hold, ssl=tls)


def test_a_certificate_that_nobody_signed_is_refused(
    tls_url: str, start: Start, heard: Heard
) -> None:
    start(tls_url.replace("127.0.0.1", "localhost"), backoff=RecordedBackoff(base_s=5))
    eventually(lambda: heard.downs)
    assert heard.ups == []
    assert heard.downs[0].cause is Cause.UNREACHABLE
    assert "certificate verify failed" in heard.downs[0].detail


def test_a_certificate_of_another_host_is_refused(
    tls_url: str, certificate: Path, start: Start, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    start(tls_url, backoff=RecordedBackoff(base_s=5))
    eventually(lambda: heard.downs)
    assert heard.ups == []
    assert "IP address mismatch" in heard.downs[0].detail


def test_a_certificate_that_the_user_trusts_is_taken(
    tls_url: str, certificate: Path, start: Start, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    feed = start(tls_url.replace("127.0.0.1", "localhost"))
    eventually(lambda: heard.ups)
    assert stopping(feed) < PROMPT_S
    eventually(lambda: heard.downs)
    assert heard.downs == [Ended(Cause.STOPPED, "asked to")]


def test_certificates_that_cannot_be_read_are_told(
    tls_url: str, start: Start, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    start(tls_url, backoff=RecordedBackoff(base_s=5))
    eventually(lambda: heard.downs)
    assert heard.downs[0].cause is Cause.UNREACHABLE


# Time that passes when a test says so.


class HandClock:
    """A clock that stands still, but for what a test lets pass while the feed looks at it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now

    def passes(self, seconds: int) -> None:
        """Let seconds pass, one by one; the feed has looked at its link at each of them."""
        for _ in range(seconds):
            self.now += 1
            # It reads the clock once in a round, and may have done so just before.
            seen = self.looks
            eventually(lambda seen=seen: self.looks >= seen + 2)  # type: ignore[misc]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the feed look at its link every 0.01 s."""
    monkeypatch.setattr(feed_module, "LOOK_S", 0.01)


@pytest.fixture
def clock(often: None) -> HandClock:  # noqa: ARG001  (for what it does)
    return HandClock()


def test_a_link_that_falls_silent_is_made_again(
    exchange: SimulatedExchange, start: Start, heard: Heard, clock: HandClock
) -> None:
    def acked_again() -> bool:
        clock.passes(1)
        return len(heard.acked) >= 2

    start(exchange.ws_url, clock=clock, backoff=RecordedBackoff())
    eventually(lambda: heard.acked)
    clock.passes(2)
    eventually(lambda: heard.pinged)
    exchange.faults.silent = True
    clock.passes(8)
    assert heard.downs == []
    clock.now += 2
    eventually(lambda: heard.downs)
    assert heard.downs[0] == Ended(Cause.SILENT, "nothing came for 10 s")
    exchange.faults.silent = False
    # What it asked for before that is not answered, and asked for again in a while.
    eventually(acked_again)


def test_a_quiet_link_that_answers_pings_lives(
    exchange: SimulatedExchange, start: Start, heard: Heard, clock: HandClock
) -> None:
    exchange.faults.keepalive = False
    start(exchange.ws_url, clock=clock)
    eventually(lambda: heard.acked)
    for pongs in range(1, 5):
        clock.passes(5)
        eventually(lambda pongs=pongs: len(heard.pinged) == pongs)  # type: ignore[misc]
    assert heard.downs == []
    assert heard.alive == 1020
    assert heard.pinged == [1001, 1006, 1011, 1016]


def test_a_link_without_pongs_lives_by_its_keep_alives(
    market: HandMarket, start: Start, heard: Heard, clock: HandClock
) -> None:
    with SimulatedExchange(market, keepalive_s=0.05) as exchange:
        exchange.faults.pongs = False
        feed = start(exchange.ws_url, clock=clock)
        for _ in range(4):
            # One that came at that time, and not before.
            seen = heard.messages.count(KeepAlive())
            eventually(lambda seen=seen: heard.messages.count(KeepAlive()) >= seen + 2)  # type: ignore[misc]
            clock.passes(20)
        assert heard.downs == []
        assert heard.pinged == []
        feed.stop()


class Subscriptions:
    """A server that keeps what it was asked for, and answers as it is told."""

    def __init__(self, answer: Callable[[Any], str | None]) -> None:
        self.asked: queue.Queue[tuple[str, str]] = queue.Queue()
        self._answer = answer

    def __call__(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            for text in connection:
                request = json.loads(text)
                self.asked.put((request["action"], request["book"]))
                if (answer := self._answer(request)) is not None:
                    connection.send(answer)

    def next(self) -> tuple[str, str]:
        return self.asked.get(timeout=30)


def acknowledge(request: Any) -> str:
    return json.dumps({"action": request["action"], "response": "ok", "type": "orders"})


def test_a_subscription_that_is_not_answered_is_asked_for_again(
    serving: Serve, start: Start, heard: Heard, clock: HandClock
) -> None:
    def answer(request: Any) -> str | None:
        return ACK if request["book"] == "btc_mxn" else None

    server = Subscriptions(answer)
    start(serving(server), "btc_mxn", "usd_mxn", clock=clock)
    eventually(lambda: heard.acked)
    assert [server.next() for _ in range(2)] == [("subscribe", "btc_mxn"), ("subscribe", "usd_mxn")]
    for _ in range(2):
        clock.passes(16)
        assert server.next() == ("subscribe", "usd_mxn")
    assert server.asked.empty()


def test_an_answer_that_names_no_book_is_an_answer(
    serving: Serve, start: Start, heard: Heard, clock: HandClock
) -> None:
    # As in Bitso's documentation: on the wire they name it.
    server = Subscriptions(acknowledge)
    start(serving(server), "btc_mxn", "usd_mxn", clock=clock)
    eventually(lambda: len(heard.acked) == 2)
    clock.passes(18)
    eventually(lambda: heard.pinged)
    assert heard.acked == [None, None]
    assert server.asked.qsize() == 2


def test_a_book_that_is_subscribed_anew_is_asked_for_until_it_is_answered(
    serving: Serve, start: Start, heard: Heard, clock: HandClock
) -> None:
    answers = iter([ACK, ACK.replace("subscribe", "unsubscribe"), None, ACK])
    server = Subscriptions(lambda _: next(answers))
    feed = start(serving(server), clock=clock)
    eventually(lambda: heard.acked)
    feed.resubscribe("btc_mxn")
    asked = [server.next()[0] for _ in range(3)]
    assert asked == ["subscribe", "unsubscribe", "subscribe"]
    clock.passes(16)
    assert server.next()[0] == "subscribe"


def test_books_are_taken_up_and_left_on_the_open_connection(
    serving: Serve, start: Start, heard: Heard, clock: HandClock
) -> None:
    server = Subscriptions(acknowledge)
    feed = start(serving(server), "btc_mxn", "usd_mxn", clock=clock)
    eventually(lambda: len(heard.acked) == 2)
    feed.set_books(["usd_mxn", "eth_mxn"])
    assert [server.next() for _ in range(4)] == [
        ("subscribe", "btc_mxn"),
        ("subscribe", "usd_mxn"),
        ("subscribe", "eth_mxn"),
        ("unsubscribe", "btc_mxn"),
    ]
    assert heard.ups == [1]


def test_a_new_connection_subscribes_the_books_of_now(
    exchange: SimulatedExchange, start: Start, heard: Heard
) -> None:
    exchange.faults.refuse_connections = True
    feed = start(exchange.ws_url, "btc_mxn", backoff=RecordedBackoff())
    eventually(lambda: heard.downs)
    feed.set_books(["usd_mxn"])
    exchange.faults.refuse_connections = False
    eventually(lambda: heard.acked)
    assert heard.acked == ["usd_mxn"]


# Stopping, which must be prompt whatever the feed is doing.


# What it may take on a machine that is busy.
PROMPT_S = 5


def stopping(feed: Feed) -> float:
    began = time.monotonic()
    feed.stop()
    return time.monotonic() - began


def test_stopping_an_open_link_is_prompt(
    exchange: SimulatedExchange,
    start: Start,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Nothing but the stop itself ends a read.
    monkeypatch.setattr(feed_module, "LOOK_S", 60)
    feed = start(exchange.ws_url)
    eventually(lambda: heard.acked)
    exchange.faults.silent = True
    assert stopping(feed) < PROMPT_S
    eventually(lambda: heard.downs)
    assert heard.downs == [Ended(Cause.STOPPED, "asked to")]
    eventually(lambda: "feed" not in {thread.name for thread in threading.enumerate()})


def test_stopping_while_waiting_to_try_again_is_prompt(start: Start, heard: Heard) -> None:
    feed = start("ws://127.0.0.1:1", backoff=Backoff(base_s=60, cap_s=60, draw=lambda: 1.0))
    eventually(lambda: heard.downs)
    assert stopping(feed) < PROMPT_S
    eventually(lambda: not feed._thread.is_alive())
    assert len(heard.downs) == 1


def test_stopping_while_a_connection_is_being_made_is_prompt(start: Start, heard: Heard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        feed = start(f"ws://127.0.0.1:{server.getsockname()[1]}")
        # Let in, and then never answered.
        with server.accept()[0] as connection:
            assert connection.recv(3) == b"GET"
            assert stopping(feed) < PROMPT_S
    # What was left behind ends by itself, and nothing comes of it.
    eventually(lambda: heard.downs)
    assert heard.downs == [Ended(Cause.STOPPED, "asked to")]
    assert heard.ups == []


def test_a_feed_that_was_never_started_can_be_stopped(heard: Heard) -> None:
    Feed("ws://127.0.0.1:1", ["btc_mxn"], heard).stop()
    assert heard.downs == []


def test_it_says_who_it_is_and_does_not_pass_for_a_browser(serving: Serve, start: Start) -> None:
    requests: queue.Queue[Request] = queue.Queue()

    def look(connection: ServerConnection, request: Request) -> None:  # noqa: ARG001
        requests.put(request)

    start(serving(hold, process_request=look))
    headers = requests.get(timeout=30).headers
    assert headers["User-Agent"].startswith("bitso-spread/")
    assert "Origin" not in headers


def test_the_channel_asked_for_is_the_orders_of_a_book() -> None:
    assert json.loads(wire.subscribe("btc_mxn"))["type"] == "orders"


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    exchange: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    connection = open_connection(exchange.ws_url)
    connection.close()
