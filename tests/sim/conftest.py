"""What the tests of the simulated exchange share: a client of each half, on real sockets."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import websocket

from bitso_spread.sim.replay import ReplayMarket
from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket


class Listener:
    """A client of the feed."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        self.socket = websocket.create_connection(exchange.ws_url, timeout=30)

    def say(self, message: object) -> None:
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def hear(self, *, timeout: float = 30.0) -> Any:
        self.socket.settimeout(timeout)
        return json.loads(self.socket.recv())

    def ask(self, message: object) -> Any:
        self.say(message)
        return self.hear()

    def subscribe(self, book: str, channel: str = "orders") -> Any:
        return self.ask({"action": "subscribe", "book": book, "type": channel})

    def frame(self, *, timeout: float = 30.0) -> Any:
        while "payload" not in (message := self.hear(timeout=timeout)):
            pass
        return message

    def hears_nothing_for(self, seconds: float) -> bool:
        with contextlib.suppress(websocket.WebSocketTimeoutException):
            self.hear(timeout=seconds)
            return False
        return True

    def is_answered(self, *, timeout: float) -> bool:
        """Ping, and wait for the pong, whatever else is heard meanwhile."""
        self.socket.ping("anybody there?")
        ends = time.monotonic() + timeout
        with contextlib.suppress(websocket.WebSocketTimeoutException):
            while (left := ends - time.monotonic()) > 0:
                self.socket.settimeout(left)
                opcode, _ = self.socket.recv_data(control_frame=True)
                if opcode == websocket.ABNF.OPCODE_PONG:
                    return True
        return False


Listen = Callable[[SimulatedExchange], Listener]


@pytest.fixture
def listen() -> Iterator[Listen]:
    listeners: list[Listener] = []

    def connect(exchange: SimulatedExchange) -> Listener:
        listeners.append(Listener(exchange))
        return listeners[-1]

    yield connect
    for listener in listeners:
        listener.socket.shutdown()


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def lively() -> Iterator[SimulatedExchange]:
    """An exchange whose two books change about a hundred times a second."""
    market = SyntheticMarket(["btc_mxn", "usd_mxn"], frames_per_second=100)
    with SimulatedExchange(market) as exchange:
        yield exchange


@pytest.fixture
def still() -> Iterator[SimulatedExchange]:
    """An exchange whose books never change."""
    market = ReplayMarket([(0, "btc_mxn", 1233830.0, 1236250.0), (0, "usd_mxn", 18.319, 18.387)])
    with SimulatedExchange(market) as exchange:
        yield exchange
