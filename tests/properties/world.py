"""An exchange whose truth the test knows, the network to it, and the two sides of a client.

One thread, one clock, no sockets: what the client's threads would do is done in turn. A `Seen`
keeps in plain words what has reached the client of a book, to hold what it claims against.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import cast

from bitso_spread.backoff import Backoff
from bitso_spread.exchange import wire
from bitso_spread.exchange.feed import Cause, Ended, LinkWatch
from bitso_spread.exchange.feed_side import FeedSide
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_errors import TransportError
from bitso_spread.exchange.rest_side import RestSide
from bitso_spread.exchange.standing import Rules, Standing, stand
from bitso_spread.model import Quote
from tests.exchange.support import quote

BOOKS = ("btc_mxn", "usd_mxn")
RULES = Rules(interval_s=1.0, refresh_after_s=60.0, max_stale_s=3.0)
EPOCH = 1_790_000_000.0
# What a message takes from the exchange to the client where nothing delays it.
WAY_S = 0.02
KEEP_ALIVE_S = 20.0


@dataclass(frozen=True)
class Pong:
    """The answer to a ping, which has the ping's time."""

    pinged: float


@dataclass
class Seen:
    """What was true of a book, and what of it has reached the client."""

    market: list[tuple[float, Quote]]
    """All quotes that it ever had, each with the time from when on."""
    word: float | None = None
    """The last valid word: when its frame came, or when its reply was asked for."""
    rejected: float | None = None
    """When the first rejected frame came that no valid word has followed."""
    last_rejected: float = 0.0
    acked: float | None = None
    """When this connection's subscription was acknowledged."""
    confirmed: bool = False
    """Whether a frame came since, or a reply that was asked for since."""
    hidden: bool = False
    """Whether the exchange has kept a change to itself, as of a mute book, and the client has had
    no word since that could tell it."""

    @property
    def truth(self) -> Quote:
        """What it has now."""
        return self.market[-1][1]

    def had(self, held: Quote, since: float, until: float) -> bool:
        """Tell whether it had this quote at some instant of a span."""
        ends = [*(at for at, _ in self.market[1:]), until]
        return any(
            quote == held and at <= until and end >= since
            for (at, quote), end in zip(self.market, ends, strict=True)
        )


@dataclass
class Connection:
    """One connection as the exchange and the network have it."""

    opened: float
    watch: LinkWatch
    half_open: bool = False
    kept_alive: float = 0.0
    coming: deque[tuple[float, float, object]] = field(default_factory=deque)
    """What is on its way, in order: when it arrives, when it was sent, and what it is."""


class World:
    """All of it; only `live`, `freeze` and the actions that `later` takes move anything."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.seen = {book: Seen([]) for book in BOOKS}
        self.actions: list[tuple[float, int, Callable[[], None]]] = []
        self.order = count()
        self.tops = count(1)
        for book in BOOKS:
            self.move(book)
        self.connection: Connection | None = None
        self.connections = 0
        self.looked = self.now
        self.retry_at = self.now
        self.asking = False
        # The faults.
        self.refusing = False
        self.answers_pings = True
        self.mute: set[str] = set()
        self.lag_s = 0.0
        self.rest_works = True
        self.rest_takes_s = 0.05
        # How late frames came: the latest, the last by the client's own measure, and how much of it
        # that measure cannot see.
        self.latest_s = 0.0
        self.last_lag_s = 0.0
        self.heard = 0.0
        self.hidden_lag_s = 0.0
        self.delays: deque[tuple[float, float]] = deque()
        counts: Counter[str] = Counter()
        self.feed = FeedSide(
            "ws://127.0.0.1:1",
            BOOKS,
            rules=RULES,
            counts=counts,
            clock=lambda: self.now,
            changed=lambda: None,
        )
        self.feed.resubscribe = self.resubscribe
        client = SimpleNamespace(order_book=self.order_book, tickers=self.tickers)
        self.rest = RestSide(
            cast("RestClient", client),
            BOOKS,
            self.feed,
            rules=RULES,
            counts=counts,
            clock=lambda: self.now,
        )
        self.rest._backoff = Backoff(at_once=True, draw=lambda: 0.5)

    def standing(self, book: str, at: float) -> Standing:
        """Give what the client says."""
        view, told = self.feed.view(book), self.rest.view(book)
        return stand(book, view, told, self.feed.link, at, RULES)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something happen once so much time has passed."""
        heapq.heappush(self.actions, (self.now + seconds, next(self.order), action))

    def live(self, seconds: float) -> None:
        """Let time pass, and the client do what it does meanwhile."""
        until = self.now + seconds
        longest = 0.25 if seconds <= 5 else 1.0
        while self.now < until:
            arrivals = self.connection.coming if self.connection else ()
            due = [at for at, *_ in (*self.actions[:1], *list(arrivals)[:1]) if at > self.now]
            self.now = min(until, self.now + longest, *due)
            self.act()
            self.run_feed()
            if not self.asking:
                self.rest.turn()

    def freeze(self, seconds: float) -> None:
        """Let time pass while the client's process stands still."""
        until = self.now + seconds
        while self.actions and self.actions[0][0] <= until:
            self.now = max(self.now, self.actions[0][0])
            self.act()
        self.now = until

    def act(self) -> None:
        while self.actions and self.actions[0][0] <= self.now:
            heapq.heappop(self.actions)[2]()

    # The exchange.

    def move(self, book: str) -> None:
        # Never the same quote again: so each one tells when it was true.
        bid = next(self.tops)
        seen = self.seen[book]
        seen.market.append((self.now, quote(bid, bid + 1, book)))
        if seen.market[1:]:
            self.tell(book)

    def tell(self, book: str) -> None:
        connection, seen = self.connection, self.seen[book]
        if connection is None:
            return
        if book in self.mute or connection.half_open:
            seen.hidden = True
        else:
            self.send(wire.Orders(seen.truth, round((EPOCH + self.now) * 1000)))

    def send_rejected(self, book: str) -> None:
        self.send(wire.RejectedError(wire.Rejection.CROSSED, "of a test", book))

    def send(self, message: object) -> None:
        connection = self.connection
        if connection is not None and not connection.half_open:
            due = self.now + WAY_S + self.lag_s
            if connection.coming:
                # One connection keeps the order.
                due = max(due, connection.coming[-1][0])
            connection.coming.append((due, self.now, message))

    def resubscribe(self, book: str) -> None:
        self.send(wire.Ack("unsubscribe", book, "orders"))
        self.send(wire.Ack("subscribe", book, "orders"))

    def cut(self) -> None:
        if self.connection is not None:
            self.lose(Ended(Cause.LOST, "it was cut"))

    def half_open(self) -> None:
        if self.connection is not None:
            self.connection.half_open = True
            for _, _, message in self.connection.coming:
                if isinstance(message, wire.Orders):
                    self.seen[message.quote.book].hidden = True
            self.connection.coming.clear()

    def order_book(self, book: str) -> object:
        return self.replies([book])[0]

    def tickers(self) -> list[object]:
        return self.replies(BOOKS)

    def replies(self, books: Sequence[str]) -> list[object]:
        asked, works = self.now, self.rest_works
        truth = {book: self.seen[book].truth for book in books}
        # Meanwhile the market, the feed and time itself go on.
        self.asking = True
        self.live(self.rest_takes_s)
        self.asking = False
        if not works:
            raise TransportError("refused")
        made = datetime.fromtimestamp(EPOCH + asked, UTC)
        for book in books:
            self.note_reply(book, asked)
        return [
            SimpleNamespace(
                book=book,
                quote=lambda book=book: truth[book],
                updated_at=made,
                created_at=made,
            )
            for book in books
        ]

    # The feed's thread.

    def run_feed(self) -> None:
        connection = self.connection
        if connection is None:
            if self.now >= self.retry_at:
                self.connect()
            return
        if self.now - connection.kept_alive >= KEEP_ALIVE_S:
            connection.kept_alive = self.now
            self.send(wire.KeepAlive())
        while connection.coming and connection.coming[0][0] <= self.now:
            _, sent, message = connection.coming.popleft()
            connection.watch.heard(self.now, pong=isinstance(message, Pong))
            self.take(sent, message)
        if (dead := connection.watch.look(self.now)) is not None:
            self.lose(Ended(Cause.SILENT, dead))
            return
        self.looked = self.now
        self.feed.on_alive(self.now)
        if connection.watch.ping_due(self.now) and self.answers_pings:
            self.send(Pong(self.now))

    def connect(self) -> None:
        self.retry_at = self.now + 0.5
        if self.refusing:
            self.feed.on_down(Ended(Cause.UNREACHABLE, "refused"), self.now)
            return
        self.connection = Connection(self.now, LinkWatch(self.now), kept_alive=self.now)
        self.connections += 1
        self.looked = self.now
        self.last_lag_s = 0.0
        self.feed.on_up(self.connections)
        for book in BOOKS:
            self.send(wire.Ack("subscribe", book, "orders"))

    def lose(self, ended: Ended) -> None:
        self.connection = None
        self.retry_at = self.now
        for seen in self.seen.values():
            seen.acked, seen.confirmed = None, False
            # From now on the client has to know by itself what it may have missed.
            seen.hidden = False
        self.feed.on_down(ended, self.now)

    def take(self, sent: float, message: object) -> None:
        match message:
            case Pong():
                if message.pinged > self.heard:
                    self.last_lag_s = 0.0
                self.feed.on_pong(message.pinged)
            case wire.RejectedError():
                self.note_rejected(self.seen[message.book or ""])
                self.feed.on_rejected(message, self.now)
            case wire.Orders():
                self.note_frame(sent, message)
                self.feed.on_message(message, self.now)
            case wire.Ack():
                seen = self.seen[message.book or ""]
                seen.acked = self.now if message.action == wire.SUBSCRIBE else None
                seen.confirmed = False
                self.feed.on_message(message, self.now)
            case wire.KeepAlive():
                self.feed.on_message(message, self.now)

    # What is kept in mind.

    def note_rejected(self, seen: Seen) -> None:
        seen.last_rejected = self.now
        if seen.rejected is None:
            seen.rejected = self.now

    def note_frame(self, sent: float, message: wire.Orders) -> None:
        seen = self.seen[message.quote.book]
        seen.word, seen.rejected, seen.confirmed = self.now, None, True
        if message.quote == seen.truth:
            seen.hidden = False
        delay = self.now - sent
        self.latest_s = max(self.latest_s, delay)
        # The lag is told from the shortest delay of about ten minutes: so much of it is not seen.
        self.delays.append((self.now, delay))
        while self.delays[0][0] < self.now - 540:
            self.delays.popleft()
        least = min(delay for _, delay in self.delays)
        self.hidden_lag_s = max(self.hidden_lag_s, least)
        # At least so much: the client's ten minutes may reach a minute further back.
        self.last_lag_s, self.heard = delay - least, self.now

    def note_reply(self, book: str, asked: float) -> None:
        seen = self.seen[book]
        # A reply is dropped where a frame came after its request: it may be the older one.
        taken = seen.word is None or seen.word <= asked
        seen.word = asked if taken else seen.word
        if asked >= seen.last_rejected:
            seen.rejected = None
        if seen.acked is not None and asked >= seen.acked:
            seen.confirmed = True
        if taken and not self.on_its_way(book) and seen.market[-1][0] <= asked:
            seen.hidden = False

    def on_its_way(self, book: str) -> bool:
        coming = self.connection.coming if self.connection else ()
        orders = (message for _, _, message in coming if isinstance(message, wire.Orders))
        return any(message.quote.book == book for message in orders)
