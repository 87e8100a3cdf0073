"""The simulated exchange: a Bitso on loopback, REST and WebSocket on one port.

Owns the thread in which it runs. What it answers is the job of `rest` and `feed`, what the
books do that of its market, and what goes wrong is told through `faults`.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from bitso_spread.errors import BitsoSpreadError, MissingExtraError
from bitso_spread.lifetime import Running
from bitso_spread.sim.faults import Action, Counts, Faults
from bitso_spread.sim.feed import Feed
from bitso_spread.sim.limits import RequestLimit
from bitso_spread.sim.market import Market
from bitso_spread.sim.rest import Rest
from bitso_spread.sim.synthetic import SyntheticMarket

if TYPE_CHECKING:
    from bitso_spread.sim.gateway import Gateway

# How long a change waits at most for the loop to look again: a first subscription, which
# gives it something to wait for, wakes nobody.
_IDLE_S = 0.02
_ACTION_TIMEOUT_S = 10.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (read, not bound)


class SimulatedExchange(Running):
    """A Bitso of one's own, for trying things out and for tests.

    ::

        with SimulatedExchange() as exchange:
            httpx.get(f"{exchange.rest_url}/ticker/")

    Args:
        market: the books; by default a `SyntheticMarket` of a dozen.
        host: the address to listen on: loopback unless you know better.
        port: the port, or 0 for any free one.
        requests_per_minute: REST requests that one address may make in any 60 s.
        lockout_s: how long 420 is answered once there were more.
        keepalive_s: seconds between two `ka`, on one timer for all connections.
        wall: the clock that the market follows, seconds since the epoch.

    Raises:
        MissingExtraError: the package is installed without its extra `sim`.
    """

    def __init__(
        self,
        market: Market | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        requests_per_minute: int = 60,
        lockout_s: float = 60.0,
        keepalive_s: float = 20.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.market: Market = market if market is not None else SyntheticMarket()
        """Where its books come from. Not to be asked for depths while the exchange runs."""
        self.counts = Counts()
        """What it has seen so far."""
        self.faults = Faults(self._submit)
        """What goes wrong; to be set from any thread."""
        self._host = host
        self._port = port
        self._keepalive_s = keepalive_s
        self._wall = wall
        self._limit = RequestLimit(requests_per_minute, lockout_s)
        self._feed = Feed(self.market, self.faults, self.counts, self._now_ms)
        self._rest = Rest(self.market, self._feed.depth, self._limit, self.faults, self.counts)
        self._gateway = self._make_gateway()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def rest_url(self) -> str:
        """The REST URL to give to a client, such as ``http://127.0.0.1:8080/v3``."""
        return f"http://{self._authority}/v3"

    @property
    def ws_url(self) -> str:
        """The WebSocket URL to give to a client, such as ``ws://127.0.0.1:8080``."""
        return f"ws://{self._authority}"

    def start(self) -> Self:
        """Listen, in a thread of its own.

        Raises:
            BitsoSpreadError: the port is in use, or the address cannot be had.
        """
        started: Future[None] = Future()
        thread = threading.Thread(
            target=lambda: asyncio.run(self._run(started)),
            name="simulated-exchange",
            daemon=True,
        )
        thread.start()
        try:
            started.result()
        except (OSError, OverflowError) as error:
            thread.join()
            raise BitsoSpreadError(self._why_not(error)) from error
        self._thread = thread
        return self

    def stop(self) -> None:
        """Close all connections and end the thread; does nothing where it does not run."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stopping is None:
            return
        # The loop is closed already where a broken market has ended it.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join()

    @property
    def _authority(self) -> str:
        host, port = self._gateway.address
        host = _WILDCARDS.get(host, host)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _make_gateway(self) -> Gateway:
        try:
            from bitso_spread.sim.gateway import Gateway  # noqa: PLC0415  (an optional extra)
        except ModuleNotFoundError as error:
            raise MissingExtraError("the simulated exchange", "sim") from error
        return Gateway(
            self._host,
            self._port,
            feed=self._feed,
            rest=self._rest,
            faults=self.faults,
            clocks=(self._wall, time.monotonic),
            lock_out=lambda: self._limit.lock_out(time.monotonic()),
        )

    def _why_not(self, error: OSError | OverflowError) -> str:
        address = f"{self._host}:{self._port}"
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return f"{address} is in use: choose another port, or 0 for a free one"
        return f"cannot listen on {address}: {error}"

    def _now_ms(self) -> int:
        return int(self._wall() * 1000)

    async def _run(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            async with self._gateway.running(), asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._publish()),
                    group.create_task(self._keep_alive()),
                ]
                started.set_result(None)
                await self._stopping.wait()
                for task in tasks:
                    task.cancel()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _publish(self) -> None:
        while True:
            self._feed.publish()
            due_ms = self._feed.next_publication_ms()
            wait_s = _IDLE_S if due_ms is None else due_ms / 1000 - self._wall()
            await asyncio.sleep(min(_IDLE_S, max(0.001, wait_s)))

    async def _keep_alive(self) -> None:
        due = time.monotonic()
        while True:
            due += self._keepalive_s
            await asyncio.sleep(due - time.monotonic())
            self._feed.keep_alive()

    def _submit(self, action: Action) -> None:
        if self._thread is None or not self._thread.is_alive() or self._loop is None:
            raise BitsoSpreadError("the simulated exchange does not run: start it first")
        act = asyncio.run_coroutine_threadsafe(self._act(action), self._loop)
        act.result(_ACTION_TIMEOUT_S)

    async def _act(self, action: Action) -> None:
        doing = action(self._gateway)
        if inspect.isawaitable(doing):
            await doing
