"""From the socket to the quote: how many frames of 4.6 KB a second.

The alternative is what a script would do: websocket-client without its own check of UTF-8,
which is in Python and takes ten times as long as all the rest, `json.loads`, and `max` and
`min` over floats. Ours is what the recorder runs, up to the point where a client asked for a
book gives its quote: it also checks each price, watches the link, measures the lag and keeps
the last seconds of each book. A pump in another process feeds both through a real socket.

The second comparison is of decoding alone: it is why the package depends on msgspec.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from threading import Event

import pytest
import websocket

from bitso_spread.clock import monotonic
from bitso_spread.exchange import wire
from bitso_spread.exchange.feed_side import FeedSide
from bitso_spread.exchange.standing import Rules
from tests.benchmarks.measure import Measurement, by_turns, say
from tests.benchmarks.pump import BOOKS, frames, pump

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

FRAMES = 5_000


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with pump(FRAMES) as url:
        yield url


def test_frames_become_quotes_half_again_as_fast_as_in_a_bare_loop(url: str) -> None:
    seen = by_turns(lambda: _feed_side(url), lambda: _bare_loop(url), turns=31)
    say(
        f"frames of 4.6 KB, socket to quote: {FRAMES / seen.ours_s:,.0f} a second; bare loop: "
        f"{FRAMES / seen.alternative_s:,.0f}; {seen.ratio:.2f} times as many (at least 1.5)"
    )
    assert seen.ratio >= 1.5


def test_the_typed_decoder_is_worth_its_dependency() -> None:
    made = frames()
    seen = by_turns(_decoding(made, wire.decode), _decoding(made, _top_of_book), turns=15)
    ours_us, json_us = (seconds / len(made) * 1e6 for seconds in (seen.ours_s, seen.alternative_s))
    say(
        f"decoding alone: {ours_us:.1f} µs a frame, prices checked; json, max and min: "
        f"{json_us:.1f} µs; {seen.ratio:.2f} times as fast (at least 2)"
    )
    assert seen.ratio >= 2


def _bare_loop(url: str) -> float:
    connection = websocket.create_connection(url, skip_utf8_validation=True)
    connection.send(wire.subscribe(BOOKS[0]))
    connection.recv()
    start = time.perf_counter()
    for _ in range(FRAMES):
        bid, ask = _top_of_book(connection.recv())
        assert bid < ask
    seconds = time.perf_counter() - start
    connection.shutdown()
    return seconds


def _top_of_book(data: str | bytes) -> tuple[float, float]:
    payload = json.loads(data)["payload"]
    return (
        max(float(order["r"]) for order in payload["bids"]),
        min(float(order["r"]) for order in payload["asks"]),
    )


def _feed_side(url: str) -> float:
    counts: Counter[str] = Counter()
    acknowledged: dict[int, float] = {}
    done = Event()

    def changed() -> None:
        # Called for each acknowledgement: one comes before the frames, and one after them.
        acknowledged[counts["frames"]] = time.perf_counter()
        if counts["frames"] == FRAMES:
            done.set()

    side = FeedSide(url, BOOKS, counts=counts, clock=monotonic, rules=Rules(), changed=changed)
    side.start()
    try:
        assert done.wait(30), counts
        assert all(side.view(book).words[-1].quote for book in BOOKS)
    finally:
        side.stop()
    assert not [name for name in counts if name.startswith("rejected")]
    return acknowledged[FRAMES] - acknowledged[0]


def _decoding(made: list[bytes], decode: object) -> Measurement:
    assert callable(decode)

    def run() -> float:
        start = time.perf_counter()
        for frame in made:
            decode(frame)
        return time.perf_counter() - start

    return run
