"""One connection to the feed for as long as the checks take, on a thread of its own.

It connects as `bitso_spread.exchange.feed` does, sends what it is told to, and puts what comes
on a queue, each with its times. It never reconnects and judges nothing: what came is gathered
in a `Transcript`, and judged in `bitso_spread.doctor.feed`.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import websocket
from websocket import ABNF

from bitso_spread.clock import Clock
from bitso_spread.doctor.transcript import Event, Kind, Transcript
from bitso_spread.exchange import wire
from bitso_spread.exchange.connection import close_reason, open_connection, said
from bitso_spread.exchange.feed import CLOSE_S, PING_S
from bitso_spread.lifetime import Closing

# How long one read may block, and so how soon what is to be sent is sent.
_LOOK_S = 0.1
_END_S = 1.0
_KINDS = {ABNF.OPCODE_TEXT: Kind.TEXT, ABNF.OPCODE_BINARY: Kind.BINARY, ABNF.OPCODE_PONG: Kind.PONG}


class Session(Closing):
    """An open connection, and what has come over it so far; as a context manager it is closed.

    `transcript` is gathered by whoever calls `until`, on the caller's thread.

    Raises:
        ConnectionError: it could not be opened; the text says why, for a person.
    """

    def __init__(self, url: str, books: Sequence[str], *, clock: Clock, timeout_s: float) -> None:
        self._clock = clock
        began = clock.monotonic()
        try:
            self._connection = open_connection(url, timeout_s)
        except Exception as error:  # websocket-client lets many kinds through
            raise ConnectionError(said(error)) from error
        self.transcript = Transcript(opened=clock.monotonic(), books=tuple(books))
        self.took_s = self.transcript.opened - began
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._wanted = deque(wire.subscribe(book) for book in books)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="doctor-feed", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close the connection and end the thread."""
        self._stop.set()
        self._thread.join(_END_S)

    def send(self, text: str) -> None:
        """Have a text sent, by the thread that reads: TLS bears no two at once."""
        self._wanted.append(text)

    def until(self, condition: Callable[[Transcript], object], deadline: float) -> bool:
        """Listen until a condition holds (True), or a monotonic instant or the end has come."""
        while True:
            self._gather()
            if condition(self.transcript):
                return True
            left = deadline - self._clock.monotonic()
            if left <= 0 or self.transcript.ended is not None:
                return False
            with suppress(queue.Empty):
                self.transcript.take(self._events.get(timeout=left))

    def _gather(self) -> None:
        with suppress(queue.Empty):
            while True:
                self.transcript.take(self._events.get_nowait())

    def _run(self) -> None:
        ended = "closed by the doctor"
        try:
            ended = self._converse() or ended
        except websocket.WebSocketConnectionClosedException:
            ended = "the connection was cut without a close frame"
        except (OSError, websocket.WebSocketException, ValueError) as error:
            ended = said(error)
        finally:
            self._connection.shutdown()
            self._put(Kind.ENDED, ended.encode())

    def _converse(self) -> str | None:
        """Read until the other side closes, and say why; None where it was we who stopped."""
        connection, pinged = self._connection, -PING_S
        connection.settimeout(_LOOK_S)
        while not self._stop.is_set():
            while self._wanted:
                connection.send(self._wanted.popleft())
            now = self._clock.monotonic()
            if now - pinged >= PING_S:
                pinged = now
                connection.ping()
                self._put(Kind.PING)
            try:
                opcode, frame = connection.recv_data_frame(control_frame=True)
            except websocket.WebSocketTimeoutException:
                continue
            if opcode == ABNF.OPCODE_CLOSE:
                return close_reason(frame.data)
            if (kind := _KINDS.get(opcode)) is not None:
                self._put(kind, bytes(frame.data))
        connection.close(timeout=CLOSE_S)
        return None

    def _put(self, kind: Kind, data: bytes = b"") -> None:
        self._events.put(Event(self._clock.monotonic(), self._clock.wall(), kind, data))
