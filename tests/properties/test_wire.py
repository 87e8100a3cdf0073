"""What becomes of a frame that was changed on the way, whatever the change."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.exchange import wire
from bitso_spread.exchange.wire import Orders, RejectedError
from tests.exchange.support import orders_frame
from tests.properties.support import examples

BIDS = ["1231660.50", "1231660.5", "1231659", "999999.99", "0.00000001"]
ASKS = ["1231700", "1231690.01", "1231690.010", "1300000", "98765432109876543210.5"]
FRAMES = [
    orders_frame(BIDS, ASKS),
    orders_frame(BIDS[:1], ASKS[:1]),
    orders_frame(["1.1"] * 20, ["1.2"] * 20),
    wire.subscribe("btc_mxn").encode(),
    b'{"type":"ka"}',
    b'{"action":"subscribe","response":"ok","time":1,"type":"orders","book":"btc_mxn"}',
]
# What is likely to make another frame of one, and not just junk.
PIECES = [b'"', b",", b".", b"{", b"}", b"[", b"]", b"-", b"e9", b"0", b"\\", b"\xff", b"null"]
changes = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 12),
        st.sampled_from(PIECES) | st.sampled_from("0123456789").map(str.encode) | st.just(b""),
    ),
    min_size=1,
    max_size=4,
)


def changed(frame: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Cut some bytes out of a frame at some places, and put others in."""
    for where, cut, piece in edits:
        at = int(where * len(frame))
        frame = frame[:at] + piece + frame[at + cut :]
    return frame


def looked_at_otherwise(data: bytes, side: str) -> list[tuple[Decimal, object]]:
    """Read the prices and amounts of a side with nothing of the package's own."""
    payload = json.loads(data.decode("utf-8", "replace"))["payload"]
    return [(Decimal(order["r"]), order.get("a")) for order in payload[side]]


@examples(1500)
@given(st.sampled_from(FRAMES), changes)
def test_a_changed_frame_is_rejected_or_says_what_it_now_says(
    frame: bytes, edits: list[tuple[float, int, bytes]]
) -> None:
    data = changed(frame, edits)
    try:
        message = wire.decode(data)
    except RejectedError:
        return
    assert isinstance(message, wire.Message)
    if not isinstance(message, Orders):
        return
    quote = message.quote
    bids, asks = looked_at_otherwise(data, "bids"), looked_at_otherwise(data, "asks")
    assert quote.bid == max(price for price, _ in bids)
    assert quote.ask == min(price for price, _ in asks)
    assert 0 < quote.bid < quote.ask
    for orders, best, amount in (
        (bids, quote.bid, quote.bid_amount),
        (asks, quote.ask, quote.ask_amount),
    ):
        if amount is not None:
            assert amount == sum(Decimal(str(held)) for price, held in orders if price == best)


@examples(300)
@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_any_bytes_after_any_beginning_give_a_message_or_a_rejection(junk: bytes) -> None:
    for beginning in (b"", b'{"type":"orders","payload":', b'{"type":"ka"}', FRAMES[0][:-1]):
        try:
            message = wire.decode(beginning + junk)
        except RejectedError:
            continue
        assert isinstance(message, wire.Message)
