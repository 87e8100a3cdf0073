"""A buffered connection takes what websocket-client takes, however the bytes come in."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import websocket
from hypothesis import given
from hypothesis import strategies as st
from websocket import ABNF

from bitso_spread.exchange.buffered import BufferedWebSocket

TEXT, CONTINUED, PING, PONG, CLOSE = (
    ABNF.OPCODE_TEXT,
    ABNF.OPCODE_CONT,
    ABNF.OPCODE_PING,
    ABNF.OPCODE_PONG,
    ABNF.OPCODE_CLOSE,
)
Frames = list[tuple[int, bytes]]


def framed(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    return bytes(ABNF(int(fin), 0, 0, 0, opcode, 0, data).format())


class Line:
    """A connection to itself: what is put in at one end is read at the other."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self.far, near = socket.socketpair()
        self.connection = connection
        self.connection.sock = near
        self.connection.connected = True
        self.connection.settimeout(0.001)

    def take(self, chunks: list[bytes]) -> Frames:
        """Give the frames that come of these bytes, read as far as possible after each chunk."""
        frames: Frames = []
        for chunk in chunks:
            self.far.sendall(chunk)
            frames += self.read()
        return frames

    def read(self) -> Frames:
        frames: Frames = []
        while True:
            try:
                opcode, frame = self.connection.recv_data_frame(control_frame=True)
            except websocket.WebSocketTimeoutException:
                return frames
            frames.append((opcode, bytes(frame.data)))

    def close(self) -> None:
        self.far.close()
        self.connection.shutdown()


def buffered(gather_s: float = 0.0, **options: Any) -> BufferedWebSocket:
    options = {"wall": lambda: 1000.0, "message_s": 60.0, **options}
    return BufferedWebSocket(gather_s=gather_s, skip_utf8_validation=True, **options)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line(buffered())
    yield line
    line.close()


def test_frames_that_came_together_are_given_one_by_one(line: Line) -> None:
    texts = [b"%d" % number * 1_000 for number in range(1, 9)]
    together = b"".join(framed(TEXT, text) for text in texts)
    assert line.take([together]) == [(TEXT, text) for text in texts]


def test_a_frame_may_come_byte_by_byte(line: Line) -> None:
    text = b'{"type":"orders"}' * 20
    assert line.take([bytes([byte]) for byte in framed(TEXT, text)]) == [(TEXT, text)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 4_600, 65_535, 65_536, 150_000])
def test_a_frame_may_have_any_size(line: Line, size: int) -> None:
    data = framed(TEXT, b"x" * size) + framed(TEXT, b"next")
    chunks = [data[start : start + 50_000] for start in range(0, len(data), 50_000)]
    assert line.take(chunks) == [(TEXT, b"x" * size), (TEXT, b"next")]


def test_a_message_in_fragments_is_joined_and_control_frames_may_come_between(line: Line) -> None:
    chunk = (
        framed(TEXT, b"a" * 200, fin=False)
        + framed(PONG, b"")
        + framed(CONTINUED, b"b" * 200)
        + framed(TEXT, b"c" * 200)
    )
    expected = [(PONG, b""), (TEXT, b"a" * 200 + b"b" * 200), (TEXT, b"c" * 200)]
    assert line.take([chunk]) == expected


def test_a_text_in_the_middle_of_a_fragmented_one_is_refused(line: Line) -> None:
    line.far.sendall(framed(TEXT, b"a" * 200, fin=False) + framed(TEXT, b"b" * 200))
    with pytest.raises(websocket.WebSocketProtocolException):
        line.read()


def test_a_ping_behind_a_frame_is_answered(line: Line) -> None:
    assert line.take([framed(TEXT, b"x" * 200) + framed(PING, b"?")]) == [
        (TEXT, b"x" * 200),
        (PING, b"?"),
    ]
    assert line.far.recv(100)[:2] == b"\x8a\x81"


def test_what_had_come_before_the_end_is_still_given(line: Line) -> None:
    line.far.sendall(framed(TEXT, b"x" * 200) + framed(TEXT, b"y" * 200))
    line.far.close()
    taken = [line.connection.recv_data_frame()[1].data for _ in range(2)]
    assert taken == [b"x" * 200, b"y" * 200]
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        line.connection.recv_data_frame()


class Naps:
    """Stands for the module `time`: a sleep takes no time, and something may happen in it."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.taken: list[float] = []
        self.monotonic = time.monotonic
        self._meanwhile = meanwhile

    def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)
        self._meanwhile()


def napping(monkeypatch: pytest.MonkeyPatch, naps: Naps) -> Naps:
    monkeypatch.setattr("bitso_spread.exchange.buffered.time", naps)
    return naps


def test_a_frame_that_comes_after_a_pause_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(buffered(gather_s=0.15))
    line.connection.settimeout(30)
    timer = threading.Timer(0.1, line.far.sendall, [framed(TEXT, b"x" * 200)])
    naps = napping(monkeypatch, Naps(timer.start))
    line.connection.recv_data_frame()
    # The one before it came, and none since.
    assert naps.taken == [0.15]
    timer.join()
    line.close()


def test_frames_that_follow_each_other_are_left_to_gather(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(buffered(gather_s=0.15))
    line.connection.settimeout(30)
    more = [framed(TEXT, b"second"), framed(TEXT, b"third")]
    naps = napping(monkeypatch, Naps(lambda: line.far.sendall(b"".join(more))))
    line.far.sendall(framed(TEXT, b"first"))
    taken = [line.connection.recv_data_frame()[1].data for _ in range(3)]
    assert taken == [b"first", b"second", b"third"]
    assert naps.taken == [0.15]
    line.close()


@pytest.mark.parametrize(("wall", "gathers"), [(1000.84, True), (1000.85, False), (999.99, False)])
def test_none_is_left_to_gather_until_after_a_tick(
    wall: float, gathers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(buffered(gather_s=0.15, wall=lambda: wall))
    line.connection.settimeout(30)
    naps = napping(monkeypatch, Naps())
    # It comes right after it was looked for.
    monkeypatch.setattr(line.connection, "_has_more", lambda: False)
    line.far.sendall(framed(TEXT, b"x"))
    line.connection.recv_data_frame()
    assert bool(naps.taken) == gathers
    line.close()


def _endless_frame(far: socket.socket) -> None:
    far.sendall(b"\x81\x7f" + (1 << 40).to_bytes(8, "big"))


def _endless_message(far: socket.socket) -> None:
    far.sendall(framed(TEXT, b"x", fin=False))


@pytest.mark.parametrize("begin", [_endless_frame, _endless_message])
def test_a_message_without_an_end_does_not_keep_its_reader(
    begin: Callable[[socket.socket], None],
) -> None:
    line = Line(buffered(message_s=0.2))
    line.connection.settimeout(30)
    begin(line.far)
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(0.01):
            line.far.sendall(framed(CONTINUED, b"x" * 100, fin=False))

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        for _ in range(2):
            with pytest.raises(websocket.WebSocketTimeoutException, match="takes too long"):
                line.connection.recv_data_frame(control_frame=True)
    finally:
        stop.set()
        thread.join()
        line.close()


def test_a_message_that_takes_long_is_whole_in_the_end() -> None:
    line = Line(buffered(message_s=0.05))
    line.connection.settimeout(0.02)
    whole = framed(TEXT, b"x" * 300)
    taken: Frames = []
    for start in range(0, len(whole), 20):
        line.far.sendall(whole[start : start + 20])
        time.sleep(0.01)
        taken += line.read()
    ends = time.monotonic() + 30
    while not taken and time.monotonic() < ends:
        taken += line.read()
    assert taken == [(TEXT, b"x" * 300)]
    line.close()


data = st.sampled_from([0, 1, 125, 126, 127, 300, 4_600]).map(lambda size: b"z" * size)
messages = st.lists(
    st.one_of(
        data.map(lambda text: framed(TEXT, text)),
        st.tuples(data, data).map(
            lambda pair: framed(TEXT, pair[0], fin=False) + framed(CONTINUED, pair[1])
        ),
        st.sampled_from([framed(PING, b"?"), framed(PONG, b""), framed(CLOSE, b"\x03\xe8")]),
    ),
    max_size=6,
)


@given(messages, st.lists(st.integers(1, 5_000), max_size=8))
def test_the_frames_are_those_that_websocket_client_gives(
    parts: list[bytes], sizes: list[int]
) -> None:
    left = b"".join(parts)
    chunks = []
    for size in sizes:
        chunks.append(left[:size])
        left = left[size:]
    chunks.append(left)
    ours, plain = Line(buffered()), Line(websocket.WebSocket(skip_utf8_validation=True))
    try:
        assert ours.take(chunks) == plain.take(chunks)
    finally:
        ours.close()
        plain.close()
