import json
import string
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.exchange import wire
from bitso_spread.exchange.wire import Ack, Orders, Refusal, RejectedError, Rejection
from bitso_spread.model import Quote
from tests.exchange.support import order, orders_frame


def quote_of(data: bytes) -> Quote:
    message = wire.decode(data)
    assert isinstance(message, Orders)
    return message.quote


def rejection_of(data: bytes) -> RejectedError:
    with pytest.raises(RejectedError) as rejected:
        wire.decode(data)
    return rejected.value


def text(message: object) -> bytes:
    return json.dumps(message).encode()


def test_an_orders_frame_gives_the_top_of_its_book_and_when_it_was_sent() -> None:
    message = wire.decode(orders_frame(["86612", "86610"], ["86636", "86639"], book="btc_usd"))
    assert message == Orders(Quote("btc_usd", Decimal(86612), Decimal(86636)), 1790126714262)


BIDS = [str(1_000_000 - 10 * (i // 3)) for i in range(20)]
ASKS = [str(1_000_010 + 10 * (i // 3)) for i in range(20)]


@given(st.permutations(BIDS), st.permutations(ASKS))
def test_the_order_of_the_orders_does_not_matter(bids: list[str], asks: list[str]) -> None:
    quote = quote_of(orders_frame(bids, asks))
    assert quote == Quote("btc_mxn", Decimal(1_000_000), Decimal(1_000_010))


def test_the_side_is_that_of_the_array_whatever_the_order_says() -> None:
    # Bitso's documentation has had `t` the wrong way round, and back.
    payload = {"bids": [order("99", t=1)], "asks": [order("101", t=0)]}
    frame = text({"type": "orders", "book": "btc_mxn", "payload": payload})
    assert quote_of(frame) == Quote("btc_mxn", Decimal(99), Decimal(101))


def test_prices_are_compared_as_numbers_and_not_as_text() -> None:
    frame = orders_frame(["999", "1000.0", "0998"], ["10000", "1001.50", "9000"])
    assert quote_of(frame) == Quote("btc_mxn", Decimal(1000), Decimal("1001.5"))


def test_prices_that_are_one_float_are_told_apart() -> None:
    low, high = "0.12345678901234567801", "0.12345678901234567802"
    assert float(low) == float(high)
    quote = quote_of(orders_frame([low, high], ["0.2"]))
    assert quote.bid == Decimal(high)
    quote = quote_of(orders_frame(["0.1"], [high, low]))
    assert quote.ask == Decimal(low)
    assert quote_of(orders_frame([low], [high])) == Quote("btc_mxn", Decimal(low), Decimal(high))
    assert rejection_of(orders_frame([high], [low])).reason is Rejection.CROSSED


def amounts_of(
    bids: Sequence[tuple[str, object]], asks: Sequence[tuple[str, object]]
) -> tuple[Any, Any]:
    sides = {
        side: [order(price) | {"a": amount} for price, amount in orders]
        for side, orders in (("bids", bids), ("asks", asks))
    }
    quote = quote_of(text({"type": "orders", "book": "btc_mxn", "payload": sides}))
    return quote.bid_amount, quote.ask_amount


def test_the_amounts_of_all_orders_at_the_best_price_are_added_up() -> None:
    bids = [("99", "1.5"), ("98", "7"), ("99.00", "0.00000001")]
    assert amounts_of(bids, [("101", "0.8")]) == (Decimal("1.50000001"), Decimal("0.8"))


@pytest.mark.parametrize("amount", [None, 1.5, "", "-1", "1e3", "NaN", "٣", ["1"], {}])
def test_an_amount_that_cannot_be_read_is_not_known_and_costs_nothing_else(amount: object) -> None:
    assert amounts_of([("99", amount)], [("101", "2")]) == (None, Decimal(2))
    # Nor is a sum of which a part is not known.
    assert amounts_of([("99", "1"), ("99", amount)], [("101", "2")]) == (None, Decimal(2))
    assert amounts_of([("99", "1"), ("98", amount)], [("101", "2")]) == (Decimal(1), Decimal(2))


def test_a_side_that_is_full_of_one_price_may_have_more_of_it() -> None:
    asks = [("101", "2")]
    assert amounts_of([("99", "1")] * 19, asks) == (Decimal(19), Decimal(2))
    assert amounts_of([("99", "1")] * 20, asks) == (None, Decimal(2))
    assert amounts_of([("99", "1")] * 19 + [("98", "1")], asks) == (Decimal(19), Decimal(2))


def test_two_prices_that_are_one_float_keep_their_amounts_apart() -> None:
    low, high = "0.12345678901234567801", "0.12345678901234567802"
    assert amounts_of([(low, "5"), (high, "7")], [("1", "2")]) == (Decimal(7), Decimal(2))


def test_a_quote_is_the_same_whatever_stands_at_its_prices() -> None:
    one, other = (quote_of(orders_frame(bids, ["101"])) for bids in (["99"], ["99", "99"]))
    assert one == other
    assert one.bid_amount != other.bid_amount


@pytest.mark.parametrize(
    ("bids", "asks", "reason"),
    [
        (["101"], ["100"], Rejection.CROSSED),
        (["99", "101"], ["100", "102"], Rejection.CROSSED),
        (["100"], ["100"], Rejection.LOCKED),
        (["100"], ["100.00"], Rejection.LOCKED),
        (["99"], [], Rejection.ONE_SIDED),
        ([], ["100"], Rejection.ONE_SIDED),
        ([], [], Rejection.EMPTY),
        (["0"], ["100"], Rejection.BAD_PRICE),
        (["99", "0.000"], ["100"], Rejection.BAD_PRICE),
        (["9" * 400], ["100"], Rejection.BAD_PRICE),
        (["99"], ["0." + "0" * 400 + "1"], Rejection.BAD_PRICE),
    ],
)
def test_what_cannot_be_a_top_of_book_is_rejected(
    bids: list[object], asks: list[object], reason: Rejection
) -> None:
    rejected = rejection_of(orders_frame(bids, asks))
    assert (rejected.reason, rejected.book) == (reason, "btc_mxn")


NOT_PLAIN = (
    *("-1", "+1", "NaN", "nan", "Infinity", "-inf", "1e5", "1E5", "1_000", "0x10", "one"),
    *("", " ", " 1", "1 ", "1\n", "1,5", "1.2.3", "."),
    # Arabic-Indic, full width, superscript, and a blank that is not seen.
    *("\u0661\u0662", "\uff11\uff12", "\u00b2", "1\u200b"),
)


@pytest.mark.parametrize("price", NOT_PLAIN)
def test_a_price_is_a_plain_decimal_and_nothing_else(price: str) -> None:
    for frame in (
        orders_frame([price], ["100"]),
        orders_frame(["99"], [price]),
        # However good the best one is: a book with one bad order is not understood.
        orders_frame(["99", price], ["100"]),
        orders_frame(["99"], ["100", price]),
    ):
        rejected = rejection_of(frame)
        assert (rejected.reason, rejected.book) == (Rejection.BAD_PRICE, "btc_mxn")


@pytest.mark.parametrize("price", [100, 100.5, None, True, ["100"], {"r": "100"}])
def test_a_price_that_is_not_text_is_rejected(price: object) -> None:
    rejected = rejection_of(orders_frame(["99"], ["101", price]))
    assert (rejected.reason, rejected.book) == (Rejection.BAD_SHAPE, "btc_mxn")


@pytest.mark.parametrize(
    "payload",
    [
        [],
        "a book",
        5,
        {"bids": [order("99")]},
        {"bids": None, "asks": [order("100")]},
        {"bids": [order("99")], "asks": {}},
        {"bids": [{"price": "99"}], "asks": [order("100")]},
        {"bids": ["99"], "asks": ["100"]},
    ],
)
def test_a_payload_of_another_shape_is_rejected_and_its_book_is_named(payload: object) -> None:
    frame = text({"type": "orders", "book": "btc_mxn", "payload": payload})
    rejected = rejection_of(frame)
    assert (rejected.reason, rejected.book) == (Rejection.BAD_SHAPE, "btc_mxn")


@pytest.mark.parametrize("book", [None, 5, ["btc_mxn"]])
def test_a_frame_that_names_no_book_is_rejected(book: object) -> None:
    rejected = rejection_of(orders_frame(["99"], ["100"], book=book))
    assert (rejected.reason, rejected.book) == (Rejection.BAD_SHAPE, None)


def test_a_message_of_a_type_that_nobody_asked_for_is_no_junk_whatever_it_holds() -> None:
    halted = {"type": "book-status", "book": "btc_mxn", "payload": {"status": "halted"}}
    assert wire.decode(text(halted)) == wire.Unknown("book-status")
    assert wire.decode(text({"type": "news", "book": 5})) == wire.Unknown("news")
    assert wire.decode(b"{}") == wire.Unknown(None)


def test_every_truncated_frame_is_rejected() -> None:
    frame = orders_frame(["99", "98"], ["100", "101"])
    for length in range(len(frame)):
        assert rejection_of(frame[:length]).reason is Rejection.NOT_JSON


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ka",
        b"\x00\xff\xfe" * 50,
        b'{"type":"ka"} {"type":"ka"}',
        b'{"type":"k\xff"}',
        orders_frame(["99"], ["100"]).replace(b'"99"', b'"9\xff9"'),
        orders_frame(["99"], ["100"]).replace(b"1790126714262", b"NaN"),
        b'{"sent":' + b"[" * 100_000,
        b'{"payload":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    ],
    ids=range(9),
)
def test_junk_is_rejected(data: bytes) -> None:
    rejected = rejection_of(data)
    assert (rejected.reason, rejected.book) == (Rejection.NOT_JSON, None)


@pytest.mark.parametrize("data", [b"null", b"5", b'"ka"', b'[{"type":"ka"}]', b"[" * 100_000])
def test_json_that_is_no_object_is_rejected(data: bytes) -> None:
    assert rejection_of(data).reason in {Rejection.BAD_SHAPE, Rejection.NOT_JSON}


def test_a_frame_beyond_any_book_s_size_is_not_even_read() -> None:
    frame = orders_frame(["99"], ["100"])
    largest = frame.ljust(wire.MAX_FRAME_BYTES)
    assert quote_of(largest).bid == 99
    assert rejection_of(largest + b" ").reason is Rejection.TOO_LARGE


@pytest.mark.parametrize("sent", ["soon", None, 1.5, True, [], {}, 0, -5, 10**30, 10**400])
def test_a_book_is_not_lost_for_a_sending_time_that_is_none(sent: object) -> None:
    message = wire.decode(orders_frame(["99"], ["100"], sent=sent))
    assert message == Orders(Quote("btc_mxn", Decimal(99), Decimal(100)), None)


def test_an_ack_is_not_taken_for_data() -> None:
    ack = {"action": "subscribe", "response": "ok", "time": 1, "type": "orders", "book": "btc_usd"}
    assert wire.decode(text(ack)) == Ack("subscribe", "btc_usd", "orders")
    # As in Bitso's documentation.
    del ack["book"]
    assert wire.decode(text(ack)) == Ack("subscribe", None, "orders")
    ack["payload"] = {"bids": [order("99")], "asks": [order("100")]}
    assert wire.decode(text(ack)) == Ack("subscribe", None, "orders")


def test_a_refusal_names_the_book_of_its_text() -> None:
    refusal = {"action": "subscribe", "type": "orders", "time": 1}
    book = wire.decode(text(refusal | {"error": "This book is not supported - nope_usd"}))
    assert book == Refusal("This book is not supported - nope_usd", "nope_usd")
    # A refused channel is named in the same words, and is no book.
    said = "This type of channel is not supported - orders"
    assert wire.decode(text(refusal | {"error": said})) == Refusal(said, None)


@pytest.mark.parametrize("error", [5, ["a"], {"message": "no"}, False])
def test_a_refusal_may_be_no_text(error: object) -> None:
    assert wire.decode(text({"error": error})) == Refusal(str(error), None)


def test_fields_in_any_order_and_unknown_ones_are_taken() -> None:
    message = json.loads(orders_frame(["99"], ["100"], sequence=1, news={"a": [1]}))
    turned: dict[str, Any] = dict(reversed(message.items()))
    assert quote_of(text(turned)) == Quote("btc_mxn", Decimal(99), Decimal(100))


def test_what_is_sent_is_what_was_recorded() -> None:
    asked = json.loads(wire.subscribe("btc_usd"))
    assert asked == {"action": "subscribe", "book": "btc_usd", "type": "orders"}
    assert json.loads(wire.unsubscribe("btc_usd")) == asked | {"action": "unsubscribe"}


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_a_rejection(data: bytes) -> None:
    is_message_or_rejection(data)


ODDITIES = [None, True, 0, -1, 1.5, 10**30, "", "99", "orders", "btc_mxn"]
oddities: st.SearchStrategy[object] = st.sampled_from(
    [*ODDITIES, [], ["99"], [[]], {}, {"r": "99"}, {"bids": []}]
)
sides = st.lists(
    st.fixed_dictionaries({"r": st.sampled_from(["99", "100"]) | oddities}), max_size=3
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["orders", "ka", "diff-orders"]) | oddities,
            "book": st.just("btc_mxn") | oddities,
            "payload": st.fixed_dictionaries({"bids": sides, "asks": sides}) | oddities,
            "sent": oddities,
            "action": st.just("subscribe") | oddities,
            "error": oddities,
        },
    )
)
def test_any_json_gives_a_message_or_a_rejection(message: dict[str, object]) -> None:
    is_message_or_rejection(text(message))


def is_message_or_rejection(data: bytes) -> None:
    try:
        message = wire.decode(data)
    except RejectedError:
        return
    assert isinstance(message, wire.Message)
    if isinstance(message, Orders):
        assert message.quote.bid < message.quote.ask


@given(st.text(string.digits + ".+-eE_ nainf\u0661\u00b2", max_size=6))
def test_no_price_is_taken_that_is_not_written_plainly(price: str) -> None:
    try:
        quote = quote_of(orders_frame(["0.0000001"], [price]))
    except RejectedError:
        return
    assert set(price) <= set(string.digits + ".")
    assert quote.ask == Decimal(price)


prices = st.decimals(
    min_value=Decimal("1e-12"), max_value=Decimal("1e12"), allow_nan=False, places=12
).map(lambda price: f"{price:f}")


@given(st.lists(prices, min_size=1, max_size=20), st.lists(prices, min_size=1, max_size=20))
def test_the_best_prices_are_those_that_decimals_find(bids: list[str], asks: list[str]) -> None:
    bid, ask = max(map(Decimal, bids)), min(map(Decimal, asks))
    frame = orders_frame(bids, asks)
    if bid < ask:
        assert quote_of(frame) == Quote("btc_mxn", bid, ask)
    else:
        reason = Rejection.LOCKED if bid == ask else Rejection.CROSSED
        assert rejection_of(frame).reason is reason


def test_any_valid_frame_has_one_reading_however_it_is_padded() -> None:
    padded = orders_frame(["2023000.000000000000", "2022990"], ["2023010.000000000000"])
    assert quote_of(padded) == quote_of(orders_frame(["2023000"], ["2023010"]))
    assert str(quote_of(padded).spread) == str(10 * 100 / 2023010)
