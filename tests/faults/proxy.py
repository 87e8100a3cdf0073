"""A TCP proxy of loopback that can stop forwarding without closing, as a cut cable does."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

_READ_BYTES = 64 * 1024
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to the host of a URL until it is told otherwise.

    Each connection has two threads that wait in `recv`.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._server = self._listen(0)
        self._port: int = self._server.getsockname()[1]
        self._pipes: list[_Pipe] = []
        self._holds_new = False
        self.connections = 0
        """How many were made through it."""

    @property
    def ws_url(self) -> str:
        """The WebSocket URL that leads through it."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def rest_url(self) -> str:
        """The REST URL that leads through it."""
        return f"http://127.0.0.1:{self._port}/v3"

    def hold(self, *, new: bool = False) -> None:
        """Let nothing pass on the connections that there are, nor on new ones; close none."""
        self._holds_new = new
        for pipe in self._pipes:
            pipe.flows.clear()

    def release(self) -> None:
        """Let everything pass again, and what was held first."""
        self._holds_new = False
        for pipe in self._pipes:
            pipe.flows.set()

    def reset(self) -> None:
        """End all connections with a TCP reset towards the client."""
        for pipe in self._pipes:
            pipe.reset()

    def inject(self, data: bytes) -> None:
        """Send bytes to all clients, between what the exchange sends."""
        for pipe in self._pipes:
            pipe.client.sendall(data)

    def cut(self, size: int) -> None:
        """Let so many more bytes from the exchange pass on each connection, and then end it."""
        for pipe in self._pipes:
            pipe.left = size

    def refuse(self) -> None:
        """Refuse TCP connections, and end those that there are."""
        self._close()

    def accept(self) -> None:
        """Accept connections again, on the same port."""
        self._server = self._listen(self._port)
        self._begin()

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    @staticmethod
    def _listen(port: int) -> socket.socket:
        return socket.create_server(("127.0.0.1", port))

    def _begin(self) -> None:
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def _close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for pipe in self._pipes:
            pipe.end()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self.connections += 1
            pipe = _Pipe(client, server)
            self._pipes.append(pipe)
            if self._holds_new:
                pipe.flows.clear()
            pipe.start()


class _Pipe:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self._server = client, server
        self.flows = threading.Event()
        self.flows.set()
        self.left: int | None = None
        """How many more bytes of the exchange may pass."""
        self._resetting = False

    def start(self) -> None:
        for run in (self._up, self._down):
            threading.Thread(target=run, daemon=True).start()

    def reset(self) -> None:
        self._resetting = True
        with suppress(OSError):
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # To close it does nothing while a thread reads from it.
            self.client.shutdown(socket.SHUT_RD)
            self.client.close()
        _end(self._server)

    def end(self) -> None:
        self.flows.set()
        _end(self.client)
        _end(self._server)

    def _up(self) -> None:
        self._forward(self.client, self._server)

    def _down(self) -> None:
        self._forward(self._server, self.client)

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := source.recv(_READ_BYTES):
                self.flows.wait()
                if source is self._server and self.left is not None:
                    sink.sendall(data[: self.left])
                    if (left := self.left - len(data)) <= 0:
                        break
                    self.left = left
                else:
                    sink.sendall(data)
        self.flows.wait()
        if not self._resetting:
            self.end()


def _end(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
