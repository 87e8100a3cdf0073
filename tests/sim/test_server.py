from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bitso_spread.errors import BitsoSpreadError, MissingExtraError
from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket

Listen = Callable[[SimulatedExchange], Any]


def test_both_halves_are_on_one_port_of_loopback(still: SimulatedExchange) -> None:
    port = still.rest_url.removeprefix("http://127.0.0.1:").removesuffix("/v3")
    assert int(port) > 0
    assert still.ws_url == f"ws://127.0.0.1:{port}"


def test_a_port_in_use_is_said_in_one_line(still: SimulatedExchange) -> None:
    port = int(still.ws_url.rpartition(":")[2])
    with pytest.raises(BitsoSpreadError, match=f"^127.0.0.1:{port} is in use: .*$"):
        SimulatedExchange(port=port).start()


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0)])
def test_an_address_that_cannot_be_had_is_said_in_one_line(host: str, port: int) -> None:
    with pytest.raises(BitsoSpreadError, match=f"^cannot listen on {host}:{port}: .*$"):
        SimulatedExchange(host=host, port=port).start()


def test_stopping_is_prompt_and_leaves_no_thread_whatever_clients_do(
    listen: Listen, http: httpx.Client
) -> None:
    before = set(threading.enumerate())
    exchange = SimulatedExchange(SyntheticMarket(["btc_mxn"], frames_per_second=50)).start()
    for _ in range(3):
        listen(exchange).subscribe("btc_mxn")
    exchange.faults.rest_delay_s = 30
    with pytest.raises(httpx.ReadTimeout):
        http.get(f"{exchange.rest_url}/ticker", timeout=0.05)
    began = time.monotonic()
    exchange.stop()
    # Not as long as the slow request takes.
    assert time.monotonic() - began < 10
    assert {*threading.enumerate()} <= before
    exchange.stop()


def test_a_port_is_free_again_once_stopped(http: httpx.Client) -> None:
    with SimulatedExchange() as exchange:
        port = int(exchange.ws_url.rpartition(":")[2])
        http.get(f"{exchange.rest_url}/ticker")
    with SimulatedExchange(port=port) as exchange:
        assert http.get(f"{exchange.rest_url}/ticker").status_code == 200


def test_a_market_that_breaks_ends_the_exchange_loudly(
    monkeypatch: pytest.MonkeyPatch, listen: Listen
) -> None:
    class BrokenMarket(SyntheticMarket):
        def next_change_ms(self, book: str) -> int | None:
            raise LookupError(book)

    ends: list[BaseException | None] = []
    ended = threading.Event()

    def note(args: threading.ExceptHookArgs) -> None:
        ends.append(args.exc_value)
        ended.set()

    monkeypatch.setattr(threading, "excepthook", note)
    with SimulatedExchange(BrokenMarket(["btc_mxn"])) as exchange:
        listen(exchange).subscribe("btc_mxn")
        assert ended.wait(30)
    assert isinstance(ends[0], ExceptionGroup)


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bitso_spread.sim.gateway", raising=False)
    monkeypatch.setitem(sys.modules, "websockets.asyncio.server", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'bitso-spread\[sim\]'"):
        SimulatedExchange()
