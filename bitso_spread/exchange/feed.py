"""The WebSocket feed: connect, subscribe, watch the link, reconnect, for ever.

One connection carries all books. A connection is one function from open to close that
returns why it ended; the loop around it decides what to do. What a message means for a book
is its listener's business, and so is REST.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import websocket
from websocket import ABNF

from bitso_spread.backoff import Backoff
from bitso_spread.clock import monotonic
from bitso_spread.complaint import Complaint
from bitso_spread.exchange import wire
from bitso_spread.exchange.connection import close_reason, open_connection, said

log = logging.getLogger("bitso_spread.feed")

# How long one read may block, and so how often the link is looked at while nothing comes.
LOOK_S = 1.0
PING_S = 5.0
# Until a pong has come, a dead link takes long to find: the first ping does not wait for its turn.
FIRST_PING_S = 1.0
# Once a pong has been seen the other side answers pings, so two in a row unanswered are a
# dead link.
DEAD_WITH_PONGS_S = 10.0
# Without pongs the keep-alive, every 20 s, is the only sign of life: three of them missed.
DEAD_WITHOUT_PONGS_S = 60.0
# How long after the next sign of life was due a link is no longer relied upon: pongs come every
# five seconds, or else keep-alives every twenty.
DOUBT_S = 2.0
KEEP_ALIVE_S = 20.0
# A gap this long between two looks means that this process was stopped, not the link.
STALLED_S = 3.0
# All 54 books were acknowledged within 184 ms on the wire; asking twice is harmless.
ACK_S = 10.0
CLOSE_S = 0.5
# A connection that is being made cannot be interrupted; whoever stops should not wait for it.
_END_S = 0.4


class Cause(StrEnum):
    """Why a connection ended, or never came up."""

    UNREACHABLE = "unreachable"
    LOST = "lost"
    CLOSED = "closed"
    SILENT = "silent"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one connection."""

    cause: Cause
    detail: str

    @property
    def text(self) -> str:
        """Both, for a person."""
        return f"{self.cause.value}: {self.detail}"


class Listener(Protocol):
    """What the feed tells, always on its own thread."""

    def on_up(self, number: int) -> None:
        """The connection of this number is open; its subscriptions are about to be sent."""

    def on_alive(self, now: float, *, doubtful: bool = False) -> None:
        """The link was looked at and is not dead, but `doubtful` if a sign of life is overdue."""

    def on_pong(self, pinged: float) -> None:
        """The ping that was sent at this time was answered; the answer comes behind frames."""

    def on_message(self, message: wire.Message, now: float) -> None:
        """A valid message came."""

    def on_rejected(self, error: wire.RejectedError, now: float) -> None:
        """A message came that cannot be taken."""

    def on_down(self, ended: Ended, now: float) -> None:
        """The connection ended, or could not be made."""


class Feed:
    """Keeps one connection to Bitso's WebSocket alive and subscribed.

    Owns one thread, from `start` to `stop`.
    """

    def __init__(
        self,
        url: str,
        books: list[str],
        listener: Listener,
        *,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._url = url
        self._books = tuple(books)
        self._listener = listener
        self._backoff = backoff or Backoff(at_once=True)
        self._clock = clock
        self._complaint = Complaint(clock)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._socket: websocket.WebSocket | None = None
        self._number = 0
        # Subscriptions asked for on this connection and not answered yet: book -> when.
        self._asked: dict[str, float] = {}
        # The last ping of any connection: what it said, and when.
        self._pinged = (b"", -math.inf)
        # What other threads want to be sent: the feed's own thread sends it, within `LOOK_S`,
        # since a TLS connection must not be read and written by two threads at once.
        self._wanted: deque[tuple[Callable[[str], str], str]] = deque()

    def start(self) -> None:
        """Connect in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Close the connection and end the thread; one that is being made is left to time out."""
        self._stop.set()
        if (connection := self._socket) is not None:
            connection.abort()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def set_books(self, books: list[str]) -> None:
        """Follow these books from now on; new ones are subscribed on the open connection."""
        added = [book for book in books if book not in self._books]
        dropped = [book for book in self._books if book not in books]
        self._books = tuple(books)
        self._wanted.extend((wire.subscribe, book) for book in added)
        self._wanted.extend((wire.unsubscribe, book) for book in dropped)

    def resubscribe(self, book: str) -> None:
        """Ask again for a book whose frames have stopped coming while the link lives."""
        self._wanted.extend(((wire.unsubscribe, book), (wire.subscribe, book)))

    def _run(self) -> None:
        while not self._stop.is_set():
            ended = self._connection()
            self._listener.on_down(ended, self._clock())
            if self._stop.is_set():
                return
            delay = self._backoff.next()
            level = logging.WARNING if self._complaint.due(ended.text) else logging.DEBUG
            log.log(level, "feed %s; reconnecting in %.1f s", ended.text, delay)
            self._stop.wait(delay)

    def _connection(self) -> Ended:
        try:
            connection = open_connection(self._url)
        except Exception as error:  # noqa: BLE001  (websocket-client lets many kinds through)
            return self._ended(Cause.UNREACHABLE, said(error))
        self._socket = connection
        try:
            return self._converse(connection)
        except websocket.WebSocketConnectionClosedException:
            return self._ended(Cause.LOST, "the connection was cut without a close frame")
        except Exception as error:  # noqa: BLE001  (a thread that dies would leave every book unknown)
            return self._ended(Cause.LOST, said(error))
        finally:
            self._socket = None
            connection.shutdown()

    def _ended(self, cause: Cause, detail: str) -> Ended:
        return Ended(Cause.STOPPED, "asked to") if self._stop.is_set() else Ended(cause, detail)

    def _converse(self, connection: websocket.WebSocket) -> Ended:
        connection.settimeout(LOOK_S)
        self._number += 1
        self._listener.on_up(self._number)
        opened = self._clock()
        # Emptied before the books are read: what is wanted from here on is sent as well.
        self._wanted.clear()
        self._asked = dict.fromkeys(self._books, opened)
        for book in self._asked:
            connection.send(wire.subscribe(book))
        watch = LinkWatch(opened)
        while not self._stop.is_set():
            self._send_wanted(connection)
            try:
                opcode, frame = connection.recv_data_frame(control_frame=True)
            except websocket.WebSocketTimeoutException:
                opcode, frame = None, None
            now = self._clock()
            if opcode is not None and frame is not None:
                watch.heard(now, pong=opcode == ABNF.OPCODE_PONG)
                if opcode == ABNF.OPCODE_CLOSE:
                    return self._ended(Cause.CLOSED, close_reason(frame.data))
                self._hear(opcode, frame.data, now)
            if (dead := watch.look(now)) is not None:
                return Ended(Cause.SILENT, dead)
            self._listener.on_alive(now, doubtful=watch.doubts(now))
            if watch.ping_due(now):
                self._ping(connection, now)
                self._ask_again(connection, now)
        connection.close(timeout=CLOSE_S)
        return Ended(Cause.STOPPED, "asked to")

    def _hear(self, opcode: int, data: bytes, now: float) -> None:
        if opcode == ABNF.OPCODE_TEXT:
            self._take(data, now)
        elif opcode == ABNF.OPCODE_BINARY:
            rejected = wire.RejectedError(wire.Rejection.NOT_TEXT, "a binary frame")
            self._listener.on_rejected(rejected, now)
        elif opcode == ABNF.OPCODE_PONG and data == self._pinged[0]:
            # Not an answer to an earlier ping, nor one that nobody asked for.
            self._listener.on_pong(self._pinged[1])

    def _ping(self, connection: websocket.WebSocket, now: float) -> None:
        self._pinged = (str(int(now * 1000)).encode(), now)
        connection.ping(self._pinged[0])

    def _take(self, data: bytes, now: float) -> None:
        try:
            message = wire.decode(data)
        except wire.RejectedError as error:
            self._listener.on_rejected(error, now)
            return
        # Not an ack: a server that takes subscriptions and hangs up must not be stormed.
        if isinstance(message, wire.Orders | wire.KeepAlive):
            self._backoff.reset()
        elif isinstance(message, wire.Refusal) or (
            isinstance(message, wire.Ack) and message.action == wire.SUBSCRIBE
        ):
            self._answered(message.book)
        self._listener.on_message(message, now)

    def _answered(self, book: str | None) -> None:
        # Bitso's documentation shows acks without a book: they come in the order of asking.
        asked = next(iter(self._asked), "") if book is None else book
        self._asked.pop(asked, None)

    def _send_wanted(self, connection: websocket.WebSocket) -> None:
        while self._wanted:
            ask, book = self._wanted.popleft()
            connection.send(ask(book))
            if ask is wire.subscribe:
                self._asked[book] = self._clock()
            else:
                self._asked.pop(book, None)

    def _ask_again(self, connection: websocket.WebSocket, now: float) -> None:
        for book, asked in list(self._asked.items()):
            if now - asked > ACK_S:
                self._asked[book] = now
                connection.send(wire.subscribe(book))


class LinkWatch:
    """Decides from what was heard, and when, whether a link is dead. No I/O."""

    def __init__(self, opened: float) -> None:
        self._heard = opened
        self._looked = opened
        self._pinged = opened + FIRST_PING_S - PING_S
        self._pongs = False

    def heard(self, now: float, *, pong: bool) -> None:
        """Note a frame of any kind."""
        self._heard = now
        self._pongs = self._pongs or pong

    def look(self, now: float) -> str | None:
        """Say why the link is dead; None while it is not."""
        if now - self._looked > STALLED_S:
            # This process stood still, and could neither ping nor hear: start the wait anew.
            self._heard = max(self._heard, now - PING_S)
        self._looked = now
        limit = DEAD_WITH_PONGS_S if self._pongs else DEAD_WITHOUT_PONGS_S
        if now - self._heard < limit:
            return None
        return f"nothing came for {limit:.0f} s"

    def doubts(self, now: float) -> bool:
        """Tell whether a sign of life is overdue, which may be the link's end or chance."""
        return now - self._heard > (PING_S if self._pongs else KEEP_ALIVE_S) + DOUBT_S

    def ping_due(self, now: float) -> bool:
        """Tell whether it is time for a ping, and count it as sent."""
        if now - self._pinged < PING_S:
            return False
        self._pinged = now
        return True
