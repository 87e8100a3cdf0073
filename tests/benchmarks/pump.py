"""A WebSocket that pushes ready-made `orders` frames as fast as its reader takes them.

Runs as a process of its own (``python -m tests.benchmarks.pump FRAMES``), so that the reader
has its interpreter for itself. To whoever connects and subscribes to the first book it sends an
acknowledgement, so many frames, and another acknowledgement: the clock of a benchmark runs
between the two.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bitso_spread.sim import payloads
from bitso_spread.sim.synthetic import SyntheticMarket

BOOKS = tuple(SyntheticMarket(54).specs)
# As many frames as are made beforehand and then sent in turn; each is another one.
_DIFFERENT = 2_000
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frames(count: int = _DIFFERENT) -> list[bytes]:
    """Make frames of all books in turn, of 20 orders a side, some of them at one price.

    Their prices change from frame to frame as those of the synthetic market do.
    """
    market = SyntheticMarket(BOOKS, frames_per_second=17.0)
    now_ms = int(time.time() * 1000)
    for book in BOOKS:
        market.depth(book, now_ms)
    made = []
    for book in itertools.islice(itertools.cycle(BOOKS), count):
        due = market.next_change_ms(book)
        depth = market.depth(book, now_ms if due is None else due)
        payload = payloads.orders_payload(depth.bids, depth.asks)
        made.append(payloads.orders_frame(book, payload, now_ms).encode())
    return made


@contextmanager
def pump(count: int) -> Iterator[str]:
    """Give the URL of a pump of `count` frames a connection; it ends with the block."""
    command = [sys.executable, "-m", "tests.benchmarks.pump", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def main(count: int) -> None:
    """Serve one connection after another until killed."""
    ready = [_framed(frame) for frame in frames()]
    rounds, rest = divmod(count, len(ready))
    everything = b"".join(ready)
    remainder = b"".join(ready[:rest])
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        print(f"ws://{host}:{port}", flush=True)
        while True:
            connection, _ = server.accept()
            # A reader that hangs up early is no concern of the next one.
            with connection, suppress(ConnectionError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _shake_hands(connection)
                # The reader says that it is there.
                connection.recv(65_536)
                connection.sendall(_ack())
                for _ in range(rounds):
                    connection.sendall(everything)
                connection.sendall(remainder + _ack())
                # Until the reader hangs up.
                while connection.recv(65_536):
                    pass


def _ack() -> bytes:
    reply = {"action": "subscribe", "response": "ok", "type": "orders", "book": BOOKS[0]}
    return _framed(json.dumps(reply).encode())


def _framed(text: bytes) -> bytes:
    size = len(text)
    head = bytes([0x81, size]) if size < 126 else bytes([0x81, 126]) + size.to_bytes(2, "big")
    return head + text


def _shake_hands(connection: socket.socket) -> None:
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += connection.recv(4096)
    lines = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:-2])
    key = {name.lower(): value for name, value in lines.items()}[b"sec-websocket-key"]
    accept = base64.b64encode(hashlib.sha1(key + _ACCEPT).digest())  # noqa: S324  (RFC 6455 asks for it)
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
