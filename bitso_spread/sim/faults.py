"""What can be made to go wrong with the simulated exchange, and what it has seen.

Switches and actions for tests, used from any thread. Carrying them out is the job of
`rest`, `feed` and `gateway`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

CLOUDFLARE_PAGE = (
    "<!DOCTYPE html><html><head><title>Access denied | api.bitso.com used Cloudflare to "
    "restrict access</title></head><body>Error 1020</body></html>"
)
"""A body for `rest_status = 403`, as seen at the edge of api.bitso.com in 2018."""

Side = Literal["bids", "asks"]


@dataclass(slots=True)
class Counts:
    """What the exchange has seen since it was started. Read it from any thread."""

    requests: Counter[str] = field(default_factory=Counter)
    """REST requests by endpoint: order_book, ticker, available_books, trades, other."""
    throttled: int = 0
    """REST requests that were answered with 420."""
    connections: int = 0
    """WebSocket connections that were opened, closed ones included."""
    handshakes_refused: int = 0
    subscriptions: Counter[str] = field(default_factory=Counter)
    """Accepted subscriptions by book, repeated ones not counted."""
    frames: Counter[str] = field(default_factory=Counter)
    """`orders` frames by book, counted once for each connection they were sent to."""


class Controls(Protocol):
    """What the running exchange lets itself be told; called on its own thread."""

    def drop(self) -> None:
        """Abort all connections."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake on all connections."""

    def stop_listening(self) -> None:
        """Refuse TCP connections."""

    async def listen_again(self) -> None:
        """Accept TCP connections on the same port."""

    def send_raw(self, data: str | bytes) -> None:
        """Send a message to all connections."""

    def send_faulty(
        self, book: str, kind: Literal["crossed", "no bids", "no asks", "empty"]
    ) -> None:
        """Send one wrong frame to the subscribers of a book."""

    def lock_out(self) -> None:
        """Begin a lock-out for everybody."""


Action = Callable[[Controls], Awaitable[None] | None]


class Faults:
    """Switches that stay as they are set, and actions that happen once.

    An action returns when the exchange has done it.
    """

    def __init__(self, submit: Callable[[Action], None]) -> None:
        self._submit = submit

        self.refuse_connections: bool = False
        """Answer each WebSocket handshake with HTTP 503."""
        self.silent: bool = False
        """Send nothing on any WebSocket, no frames, `ka`, acks or pongs; sockets stay open.

        A handshake still succeeds. What would have been sent is lost.
        """
        self.pongs: bool = True
        """Answer pings."""
        self.keepalive: bool = True
        """Send `ka`."""
        self.mute: set[str] | Literal["all"] = set()
        """Books whose frames are withheld, and lost, while everything else goes on."""
        self.refuse_books: set[str] = set()
        """Books that the feed says it does not support; REST goes on knowing them."""
        self.lag_s: float = 0.0
        """Deliver `orders` frames this late, so that `sent` lies this far behind."""

        self.rest_delay_s: float = 0.0
        """Answer REST this late; the answer holds what was true at the request."""
        self.rest_down: bool = False
        """Reset the connection of each REST request."""
        self.rest_status: int | None = None
        """Answer each REST request with this status and `rest_body`."""
        self.rest_body: str = ""
        """HTML where it begins with ``<``, else called JSON whether it is or not."""
        self.rest_wrong_json: bool = False
        """Answer each REST request with 200 and valid JSON of another shape."""

    def withholds(self, book: str) -> bool:
        """Tell whether a book is mute."""
        return self.mute == "all" or book in self.mute

    def drop_connections(self) -> None:
        """Abort all WebSocket connections without a close frame."""
        self._submit(lambda controls: controls.drop())

    def close_connections(self, code: int = 1011, reason: str = "") -> None:
        """Close all WebSocket connections with a close frame."""
        self._submit(lambda controls: controls.close(code, reason))

    def stop_listening(self) -> None:
        """Refuse new TCP connections, REST ones too; open WebSockets stay."""
        self._submit(lambda controls: controls.stop_listening())

    def listen_again(self) -> None:
        """Accept connections again, on the same port."""
        self._submit(lambda controls: controls.listen_again())

    def send_raw(self, data: str | bytes) -> None:
        """Send any message to all connections: text for a str, binary for bytes."""
        self._submit(lambda controls: controls.send_raw(data))

    def send_crossed(self, book: str) -> None:
        """Send a frame whose best bid lies above its best ask; the book itself is sound."""
        self._submit(lambda controls: controls.send_faulty(book, "crossed"))

    def send_one_sided(self, book: str, missing: Side = "asks") -> None:
        """Send a frame with one empty side."""
        kind: Literal["no bids", "no asks"] = "no bids" if missing == "bids" else "no asks"
        self._submit(lambda controls: controls.send_faulty(book, kind))

    def send_empty(self, book: str) -> None:
        """Send a frame with two empty sides."""
        self._submit(lambda controls: controls.send_faulty(book, "empty"))

    def throttle(self) -> None:
        """Answer all REST requests with 420 for the length of a lock-out, from now."""
        self._submit(lambda controls: controls.lock_out())
