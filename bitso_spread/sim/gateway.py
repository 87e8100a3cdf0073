"""One port for both halves of the simulated exchange, on the `websockets` library.

A request that asks for an upgrade becomes a connection of the feed; any other is answered
by REST in the same HTTP exchange, and its connection closed. Needs the extra `sim`; the
thread that it runs in is the job of `server`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Literal, cast

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from bitso_spread.sim.faults import Faults
from bitso_spread.sim.feed import Feed
from bitso_spread.sim.rest import Reply, Rest

# A client that has stopped reading: two seconds of all of Bitso's books are 5 MB.
_MOST_UNSENT_BYTES = 32 * 1024 * 1024
_OPEN_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 5.0
# On loopback a client that reads answers a close frame within a few milliseconds.
_STOP_PATIENCE_S = 0.1
_THROTTLED_PHRASE = "Enhance Your Calm"
_GOING_AWAY = 1001


class Gateway:
    """The listening socket and its connections; lives in one event loop.

    Args:
        host: the address to listen on.
        port: the port, or 0 for any free one.
        feed: answers and feeds WebSocket connections.
        rest: answers plain requests.
        faults: what goes wrong.
        clocks: the wall clock and the monotonic one, in seconds.
        lock_out: begins a lock-out of REST for everybody.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        feed: Feed,
        rest: Rest,
        faults: Faults,
        clocks: tuple[Callable[[], float], Callable[[], float]],
        lock_out: Callable[[], None],
    ) -> None:
        self._host = host
        self._port = port
        self._feed = feed
        self._rest = rest
        self._faults = faults
        self._now, self._monotonic = clocks
        self._lock_out = lock_out
        self._servers: list[Server] = []
        self._connections: set[_Connection] = set()
        # The library reports each reset connection as an error with a traceback.
        self._logger = logging.getLogger("bitso_spread.sim.websockets")
        self._logger.setLevel(logging.CRITICAL)

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that it listens on."""
        return self._host, self._port

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the context ends, then close everything without waiting for clients.

        Raises:
            OSError: the address cannot be had.
        """
        await self._listen()
        try:
            yield
        finally:
            await self._stop()

    def drop(self) -> None:
        """Abort all connections."""
        for link in self._links():
            link.abort()

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake on all connections."""
        for link in self._links():
            link.close(code, reason)

    def stop_listening(self) -> None:
        """Refuse TCP connections."""
        self._servers[-1].close(close_connections=False)

    async def listen_again(self) -> None:
        """Accept TCP connections on the same port."""
        await self._listen()

    def send_raw(self, data: str | bytes) -> None:
        """Send a message to all connections."""
        for link in self._links():
            link.send(data)

    def send_faulty(
        self, book: str, kind: Literal["crossed", "no bids", "no asks", "empty"]
    ) -> None:
        """Send one wrong frame to the subscribers of a book."""
        self._feed.send_faulty(book, kind)

    def lock_out(self) -> None:
        """Begin a lock-out of REST for everybody."""
        self._lock_out()

    def _links(self) -> list[_Link]:
        return cast("list[_Link]", self._feed.links)

    async def _listen(self) -> None:
        server = await serve(
            self._serve,
            self._host,
            self._port,
            process_request=self._answer,
            server_header="bitso-spread-sim",
            open_timeout=_OPEN_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            # Bitso sends no pings of its own.
            ping_interval=None,
            logger=self._logger,
            create_connection=cast("type[ServerConnection]", self._connect),
        )
        self._servers.append(server)
        self._host, self._port = server.sockets[0].getsockname()[:2]

    async def _stop(self) -> None:
        for server in self._servers:
            server.close(code=_GOING_AWAY)
        ending = asyncio.gather(*(server.wait_closed() for server in self._servers))
        await asyncio.wait([ending], timeout=_STOP_PATIENCE_S)
        while self._connections:
            for connection in list(self._connections):
                connection.transport.abort()
            await asyncio.sleep(0)
        await ending

    def _connect(self, protocol: ServerProtocol, server: Server, **options: Any) -> _Connection:
        return _Connection(protocol, server, self._faults, self._connections, **options)

    async def _serve(self, connection: ServerConnection) -> None:
        link = _Link(cast("_Connection", connection))
        self._feed.opened(link)
        try:
            with suppress(ConnectionClosed):
                async for message in connection:
                    self._feed.receive(link, message)
        finally:
            self._feed.closed(link)
            link.forget()

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if self._faults.refuse_connections:
                return self._feed_refusal()
            return None
        reply = self._rest.answer(
            request.path,
            str(connection.remote_address[0]),
            now_s=self._now(),
            monotonic_s=self._monotonic(),
        )
        with suppress(TimeoutError):
            await asyncio.wait_for(connection.wait_closed(), self._faults.rest_delay_s)
        if self._faults.rest_down and not connection.transport.is_closing():
            _reset(connection)
        return _response(reply)

    def _feed_refusal(self) -> Response:
        self._feed.refused()
        return _response(Reply(HTTPStatus.SERVICE_UNAVAILABLE, ""))


class _Connection(ServerConnection):
    """A connection that a fault can gag, known to the gateway for as long as it is open."""

    def __init__(
        self,
        protocol: ServerProtocol,
        server: Server,
        faults: Faults,
        registry: set[_Connection],
        **options: Any,
    ) -> None:
        super().__init__(protocol, server, **options)
        self._faults = faults
        self._registry = registry
        self._send_frame = protocol.send_frame
        # All frames pass here, answers to pings included, which the library sends itself.
        protocol.send_frame = self._send_unless_gagged  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._registry.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._registry.discard(self)
        super().connection_lost(exc)

    def _send_unless_gagged(self, frame: Frame) -> None:
        if self._faults.silent or (frame.opcode is Opcode.PONG and not self._faults.pongs):
            return
        self._send_frame(frame)


class _Link:
    """A connection of the feed, written to without waiting."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._closing: set[asyncio.Task[None]] = set()

    def send(self, message: str | bytes) -> None:
        if self._connection.transport.is_closing():
            # asyncio reports each write to a client that has left, and there may be many.
            return
        if self._connection.transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            self.abort()
            return
        broadcast([self._connection], message)

    def close(self, code: int, reason: str = "", *, after_s: float = 0.0) -> None:
        task = asyncio.get_running_loop().create_task(self._close(code, reason, after_s))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def abort(self) -> None:
        self._connection.transport.abort()

    def forget(self) -> None:
        for task in self._closing:
            task.cancel()

    async def _close(self, code: int, reason: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._connection.close(code, reason)


def _reset(connection: ServerConnection) -> None:
    """End the connection with a TCP reset instead of an orderly end."""
    sock = cast("socket.socket", connection.transport.get_extra_info("socket"))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


def _response(reply: Reply) -> Response:
    body = reply.body.encode()
    headers = Headers(
        [
            ("Date", formatdate(usegmt=True)),
            ("Connection", "close"),
            ("Content-Length", str(len(body))),
        ],
    )
    if body:
        headers["Content-Type"] = reply.content_type
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = _THROTTLED_PHRASE
    return Response(reply.status, phrase, headers, body)
