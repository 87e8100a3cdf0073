"""An exchange of each test's own, a client of it, and WebSocket servers that misbehave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from bitso_spread.exchange.client import OrderBookClient
from bitso_spread.exchange.environment import Environment, environment
from bitso_spread.exchange.standing import Rules
from bitso_spread.sim.server import SimulatedExchange
from tests.exchange.support import Connect, HandMarket, Serve, quote


@pytest.fixture
def market() -> HandMarket:
    """Two books that stand still until they are told to move."""
    return HandMarket(quote(1000, 1010), quote("18.319", "18.387", "usd_mxn"))


@pytest.fixture
def exchange(market: HandMarket) -> Iterator[SimulatedExchange]:
    with SimulatedExchange(market) as running:
        yield running


@pytest.fixture
def where(exchange: SimulatedExchange) -> Environment:
    return environment("sim", exchange.rest_url, exchange.ws_url)


@pytest.fixture
def connect(where: Environment) -> Iterator[Connect]:
    clients: list[OrderBookClient] = []

    def connect(*books: str, **rules: float) -> OrderBookClient:
        client = OrderBookClient(books or ("btc_mxn",), where, rules=Rules(**rules))
        clients.append(client)
        client.start()
        return client

    yield connect
    for client in clients:
        client.stop()


@pytest.fixture
def serving() -> Iterator[Serve]:
    """Start a WebSocket server with a handler of the test's own; gives its URL."""
    servers: list[tuple[Server, threading.Thread]] = []

    def start(handler: Callable[[ServerConnection], None], **options: Any) -> str:
        server = serve(handler, "127.0.0.1", 0, **options)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        scheme = "wss" if "ssl" in options else "ws"
        return f"{scheme}://127.0.0.1:{server.socket.getsockname()[1]}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
