"""The WebSocket half of the simulated exchange: subscriptions, acks, frames. No sockets.

A connection is a `Link`; carrying its messages is the job of `gateway`. Only the `orders`
channel sends anything: `trades` and `diff-orders` are acknowledged and stay quiet.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from bitso_spread.sim import payloads
from bitso_spread.sim.faults import Counts, Faults
from bitso_spread.sim.market import Depth, Market, Order

CHANNELS = ("orders", "trades", "diff-orders")
# `sent` lies 5 to 160 ms after the event on the real feed.
PUBLISHED_AFTER_MS = 15
# A subscription without a book: the real server says nothing and closes this much later.
_CLOSED_AFTER_S = 0.45
_INTERNAL_ERROR = 1011


class Link(Protocol):
    """One open connection."""

    def send(self, message: str | bytes) -> None:
        """Send a message, text for a str, without waiting."""

    def close(self, code: int, reason: str = "", *, after_s: float = 0.0) -> None:
        """Begin the closing handshake."""


class Feed:
    """Who has subscribed to what, and what they are sent.

    Args:
        market: the books.
        faults: what goes wrong.
        counts: where connections, subscriptions and frames are counted.
        now_ms: the wall clock, ms since the epoch.
    """

    def __init__(
        self,
        market: Market,
        faults: Faults,
        counts: Counts,
        now_ms: Callable[[], int],
    ) -> None:
        self._market = market
        self._faults = faults
        self._counts = counts
        self._now_ms = now_ms
        self._channels: dict[Link, set[tuple[str, str]]] = {}
        self._subscribers: dict[str, list[Link]] = {}
        self._last: dict[str, str] = {}
        self._outbox: deque[tuple[int, str, str]] = deque()

    @property
    def links(self) -> list[Link]:
        """The open connections."""
        return list(self._channels)

    def opened(self, link: Link) -> None:
        """Take in a new connection. It is sent nothing but `ka` until it subscribes."""
        self._counts.connections += 1
        self._channels[link] = set()

    def refused(self) -> None:
        """Take note of a connection that was not let in."""
        self._counts.handshakes_refused += 1

    def closed(self, link: Link) -> None:
        """Forget a connection."""
        for channel, book in self._channels.pop(link, set()):
            if channel == "orders":
                self._subscribers[book].remove(link)

    def receive(self, link: Link, message: str | bytes) -> None:
        """Answer what a client sent. The texts are those that were recorded."""
        try:
            request = json.loads(message)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            self._reply(link, {"error": "invalid message"})
            return
        action, channel = str(request.get("action")), str(request.get("type"))
        if action not in ("subscribe", "unsubscribe"):
            error = "unknown subscription"
        elif "book" not in request:
            link.close(_INTERNAL_ERROR, after_s=_CLOSED_AFTER_S)
            return
        elif refusal := self._refusal(channel, str(request["book"])):
            error = refusal
        else:
            self._accept(link, action, channel, str(request["book"]))
            return
        self._reply(link, {"action": action, "type": channel, "error": error})

    def publish(self, *, ahead: bool = False) -> None:
        """Send what has happened since the last time, an event a frame.

        Args:
            ahead: leave nothing for later, so that REST is not ahead of the feed.
        """
        now_ms = self._now_ms()
        until_ms = now_ms if ahead else now_ms - PUBLISHED_AFTER_MS
        for book, subscribers in self._subscribers.items():
            if not subscribers:
                continue
            while (due := self._market.next_change_ms(book)) is not None and due <= until_ms:
                self._offer(self._market.depth(book, due), now_ms)
        while self._outbox and self._outbox[0][0] <= now_ms:
            _, book, frame = self._outbox.popleft()
            self._deliver(book, frame)

    def next_publication_ms(self) -> int | None:
        """Give when there is something to publish next."""
        dues = [
            due + PUBLISHED_AFTER_MS
            for book, subscribers in self._subscribers.items()
            if subscribers and (due := self._market.next_change_ms(book)) is not None
        ]
        if self._outbox:
            dues.append(self._outbox[0][0])
        return min(dues, default=None)

    def depth(self, book: str) -> Depth:
        """Give a book as it stands now, for REST."""
        self.publish(ahead=True)
        return self._market.depth(book, self._now_ms())

    def keep_alive(self) -> None:
        """Send `ka` to every connection, whatever it has subscribed to."""
        if self._faults.keepalive:
            for link in self.links:
                link.send(payloads.KEEP_ALIVE)

    def send_faulty(
        self, book: str, kind: Literal["crossed", "no bids", "no asks", "empty"]
    ) -> None:
        """Send a frame that the book does not call for."""
        depth = self.depth(book)
        bids: Sequence[Order] = () if kind in ("no bids", "empty") else depth.bids
        asks: Sequence[Order] = () if kind in ("no asks", "empty") else depth.asks
        if kind == "crossed":
            # Bids where the asks are and asks where the bids are: each side in its own order.
            bids, asks = depth.asks[19::-1], depth.bids[19::-1]
        payload = payloads.orders_payload(bids, asks)
        self._deliver(book, payloads.orders_frame(book, payload, self._now_ms()))

    def _refusal(self, channel: str, book: str) -> str | None:
        if channel not in CHANNELS:
            return f"This type of channel is not supported - {channel}"
        if book not in self._market.specs or book in self._faults.refuse_books:
            return f"This book is not supported - {book}"
        return None

    def _accept(self, link: Link, action: str, channel: str, book: str) -> None:
        change = self._subscribe if action == "subscribe" else self._unsubscribe
        message = {
            "action": action,
            "response": change(link, channel, book),
            "time": self._now_ms(),
            "type": channel,
            "book": book,
        }
        link.send(payloads.compact(message))

    def _subscribe(self, link: Link, channel: str, book: str) -> str:
        if (channel, book) in self._channels[link]:
            return f"Already subscribed to channel: {channel}:{book}"
        self._channels[link].add((channel, book))
        self._counts.subscriptions[book] += 1
        if channel == "orders":
            now_ms = self._now_ms()
            self._market.subscribed(now_ms)
            if not self._subscribers.setdefault(book, []):
                # What happened while nobody listened is nobody's news.
                self._market.depth(book, now_ms)
            self._subscribers[book].append(link)
        return "ok"

    def _unsubscribe(self, link: Link, channel: str, book: str) -> str:
        if (channel, book) in self._channels[link]:
            self._channels[link].remove((channel, book))
            if channel == "orders":
                self._subscribers[book].remove(link)
        return "ok"

    def _reply(self, link: Link, message: dict[str, Any]) -> None:
        link.send(payloads.compact({**message, "time": self._now_ms()}))

    def _offer(self, depth: Depth, now_ms: int) -> None:
        payload = payloads.orders_payload(depth.bids, depth.asks)
        if payload == self._last.get(depth.book):
            return
        self._last[depth.book] = payload
        frame = payloads.orders_frame(depth.book, payload, now_ms)
        deliver_ms = now_ms + int(self._faults.lag_s * 1000)
        if self._outbox:
            # When the lag shrinks, no frame overtakes an earlier one.
            deliver_ms = max(deliver_ms, self._outbox[-1][0])
        self._outbox.append((deliver_ms, depth.book, frame))

    def _deliver(self, book: str, frame: str) -> None:
        if self._faults.withholds(book):
            return
        subscribers = self._subscribers.get(book, ())
        for link in subscribers:
            link.send(frame)
        self._counts.frames[book] += len(subscribers)
