"""One WebSocket connection to the exchange: how it is opened, and how its errors read.

When to open one, and what to make of what comes, is the feed's business.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import websocket

from bitso_spread import __version__
from bitso_spread.exchange.buffered import BufferedWebSocket
from bitso_spread.exchange.environment import is_loopback
from bitso_spread.exchange.rest_errors import printable

CONNECT_TIMEOUT_S = 10.0
_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def open_connection(url: str, timeout_s: float = CONNECT_TIMEOUT_S) -> websocket.WebSocket:
    """Connect as the feed does, subscribed to nothing yet.

    What it raises may be of any kind: websocket-client lets many through. `said` tells it.
    """
    connection: websocket.WebSocket = BufferedWebSocket(
        sockopt=[_NO_DELAY],
        sslopt=_tls(url),
        # Its own check is in Python: 534 µs for a 4.5 KB frame. The JSON decoder checks.
        skip_utf8_validation=True,
    )
    connection.connect(
        url,
        timeout=timeout_s,
        header=[f"User-Agent: bitso-spread/{__version__}"],
        suppress_origin=True,
        redirect_limit=0,
        socket=_direct(url, timeout_s),
    )
    return connection


def _direct(url: str, timeout_s: float) -> socket.socket | None:
    """Reach a plain WebSocket of this machine past the proxy that the environment may name."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "ws" or not is_loopback(host):
        return None
    connection = socket.create_connection((host, parts.port or 80), timeout_s)
    connection.setsockopt(*_NO_DELAY)
    return connection


def _tls(url: str) -> dict[str, object]:
    if not url.startswith("wss:"):
        return {}
    # The same certificates for REST and WebSocket: those that httpx trusts. A context that is
    # given keeps its checks: websocket-client sets only those of one that it makes itself.
    return {"context": httpx.create_ssl_context()}


def close_reason(data: bytes) -> str:
    """Give the code and text of a close frame, for a person."""
    if len(data) < 2:
        return "closed by the exchange"
    code, reason = int.from_bytes(data[:2], "big"), printable(data[2:].decode("utf-8", "replace"))
    return f"closed by the exchange with {code}" + (f" ({reason})" if reason else "")


def said(error: Exception) -> str:
    """Give an error of a connection as one short line."""
    # A failed handshake's text quotes all of the reply's headers: its first line will do.
    first = str(error).strip().split("\n", 1)[0].split(" -+-+- ", 1)[0]
    return printable(first) or type(error).__name__
