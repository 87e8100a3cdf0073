"""websocket-client's connection, reading from the socket all that has come and not piece by piece.

By itself it asks the system for the two bytes of a frame's head, then for its length, then for
its payload, each with a wait before it: six system calls a frame. Here one gives all frames that
have come, and those that lie there whole are taken as they are. All others, such as fragments
and control frames, are websocket-client's business, and what they mean is the feed's.

tests/benchmarks/test_feed.py measures what it gains.
"""

from __future__ import annotations

import math
import select
import ssl
import time
from collections.abc import Callable
from typing import Any

import websocket
from websocket import ABNF

# A dozen frames of 4.6 KB; a TLS record has at most 16 KB.
_READ_BYTES = 64 * 1024
# The first two bytes (RFC 6455, 5.2) of a whole text frame, not masked, whose length of 126 to
# 65,535 bytes follows in two more.
_TEXT_HEAD = b"\x81\x7e"
_HEAD_BYTES = 4
# To be woken for a frame costs more than to read it. When all that had come is read, those that
# follow within this time are left to gather: at 1,000 frames a second that saves a third of the
# processor's time, and makes none as late as they are by themselves (`sent` lies 5 to 160 ms
# after the event). A frame that comes after a longer pause is taken at once.
GATHER_S = 0.01
# A frame's time is when it was read, which is never too early, and so a tick would not see what
# came while frames gathered before it. Ticks are whole seconds of the wall clock: shortly before
# one, frames are taken as they come. The margin is for a sleep that lasts longer than it should.
_BEFORE_TICK_S = 0.002
# A frame may say that it has 2 ** 63 bytes, and a message may never end. Nobody looks at the link
# while one is read, so reading is interrupted as if nothing came; what has come is kept.
_MESSAGE_S = 1.0


class BufferedWebSocket(websocket.WebSocket):
    """A connection whose frames may already lie in its own buffer; for one reading thread.

    Whether there is something to read must be asked by reading, never of its socket.
    """

    def __init__(
        self,
        *,
        gather_s: float = GATHER_S,
        wall: Callable[[], float] = time.time,
        message_s: float = _MESSAGE_S,
        **options: Any,
    ) -> None:
        self._gather_s = gather_s
        self._wall = wall
        self._message_s = message_s
        self._until = math.inf
        self._unread = b""
        self._position = 0
        super().__init__(**options)

    def recv_data_frame(self, control_frame: bool = False) -> tuple[int, ABNF]:
        """Give the next message, or with `control_frame` the next control frame, and its opcode.

        Raises:
            WebSocketTimeoutException: nothing came in time, or no whole message did.
            WebSocketException, OSError: as websocket-client does.
        """
        self._until = math.inf
        if self._between_messages():
            self._fill()
            start = self._position + _HEAD_BYTES
            head = self._unread[self._position : start]
            end = start + int.from_bytes(head[2:], "big")
            if (
                head.startswith(_TEXT_HEAD)
                and len(head) == _HEAD_BYTES
                and end <= len(self._unread)
            ):
                self._position = end
                return ABNF.OPCODE_TEXT, ABNF(fin=1, mask_value=0, data=self._unread[start:end])
        self._until = time.monotonic() + self._message_s
        message: tuple[int, ABNF] = websocket.WebSocket.recv_data_frame(self, control_frame)
        return message

    def _between_messages(self) -> bool:
        """Tell whether websocket-client has neither begun a frame nor kept a fragment."""
        frame = self.frame_buffer
        return frame.header is None and not frame.recv_buffer and self.cont_frame.cont_data is None

    def _recv(self, bufsize: int) -> bytes:
        self._fill()
        start, self._position = self._position, min(self._position + bufsize, len(self._unread))
        return self._unread[start : self._position]

    def _fill(self) -> None:
        if self._position < len(self._unread):
            return
        if time.monotonic() > self._until:
            raise websocket.WebSocketTimeoutException("a message takes too long")
        if not self._has_more() and self._may_gather():
            time.sleep(self._gather_s)
        # What it raises leaves the buffer empty, and the next read asks again.
        self._unread = websocket.WebSocket._recv(self, _READ_BYTES)  # noqa: SLF001  (its superclass's)
        self._position = 0

    def _may_gather(self) -> bool:
        return 1.0 - self._wall() % 1.0 > self._gather_s + _BEFORE_TICK_S

    def _has_more(self) -> bool:
        """Tell whether a read would give something, or fail, at once."""
        if self.sock is None or (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            return True
        if not hasattr(select, "poll"):  # Windows; there select knows no limit of 1,024
            return bool(select.select([self.sock], [], [], 0)[0])
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))
