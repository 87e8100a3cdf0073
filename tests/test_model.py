"""The spread, the rows, and how people write the names of books."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitso_spread.errors import UnknownBookError, UsageError
from bitso_spread.lake.layout import Partition
from bitso_spread.model import (
    Quote,
    Sample,
    State,
    parse_book,
    parse_books,
    resolve_book,
    spread,
)

PRICES = st.decimals("0.00000001", "100000000", allow_nan=False, places=8)


@pytest.mark.parametrize(
    ("bid", "ask", "percent"),
    [
        ("99", "100", 1.0),
        ("1", "2", 50.0),
        ("20075.31", "20078.06", 0.01369654239503219),
        ("0.00000001", "0.00000002", 50.0),
        ("17.9990", "18.0000", 0.005555555555555556),
        ("1233830", "1236250", 0.19575328614762386),
        # Both prices are the same float; only decimals tell them apart.
        ("9007199254740992.1", "9007199254740992.2", 1.1102230246251565e-15),
    ],
)
def test_the_spread_is_in_percent_of_the_ask(bid: str, ask: str, percent: float) -> None:
    assert spread(Decimal(bid), Decimal(ask)) == percent
    assert Quote("btc_mxn", Decimal(bid), Decimal(ask)).spread == percent


@given(PRICES, PRICES)
def test_the_spread_is_the_float_nearest_to_the_true_value(bid: Decimal, ask: Decimal) -> None:
    true = (Fraction(ask) - Fraction(bid)) * 100 / Fraction(ask)
    assert spread(bid, ask) == float(true)


def test_a_row_has_the_prices_of_its_quote() -> None:
    quote = Quote("btc_mxn", Decimal("1233830.10"), Decimal("1236250.20"))
    row = Sample.of(7, quote, State.QUIET)
    assert row == Sample(7, "btc_mxn", 1233830.1, 1236250.2, quote.spread, State.QUIET)


def test_a_row_without_a_quote_makes_nothing_up() -> None:
    row = Sample.blank(7, "btc_mxn", State.MISSED)
    assert (row.bid, row.ask, row.spread) == (None, None, None)
    assert (row.tick, row.book, row.state) == (7, "btc_mxn", State.MISSED)


@pytest.mark.parametrize(
    "text",
    ["btc_mxn", "BTC_MXN", "BTC-MXN", "btc/mxn", "Btc Mxn", "  btc_mxn\n", "BTC/mxn"],
)
def test_a_book_is_read_as_people_write_it(text: str) -> None:
    assert parse_book(text) == "btc_mxn"


def test_a_currency_may_have_digits() -> None:
    assert parse_book("1INCH-USD") == "1inch_usd"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "_",
        "btc",
        "btc_",
        "_mxn",
        "btcmxn",
        "btc__mxn",
        "btc_mxn_usd",
        "btc.mxn",
        "btc:mxn",
        "btc\\mxn",
        "../../etc",
        "../../x",
        "..",
        "../x",
        "/etc",
        "/btc/mxn",
        "btc/../mxn",
        "btc_mxn/..",
        "btc_mxn\x00",
        "btc\nmxn",
        "btc_mxń",
        "btc_mxn٣",
        "btc_mxn?x=1",
        "order_book=btc_mxn",
    ],
)
def test_what_is_not_two_currencies_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a book: write it as btc_mxn, BTC-MXN or btc/mxn"):
        parse_book(text)


@given(st.text(max_size=20) | st.from_regex(r"[a-zA-Z./\\_ -]{1,12}", fullmatch=True))
def test_whatever_is_read_as_a_book_is_one_plain_folder_name(text: str) -> None:
    try:
        name = parse_book(text)
    except UsageError:
        return
    assert name.isascii()
    assert name == name.lower()
    assert Partition.of(name, 0).path.parts == ("date=19700101", f"order_book={name}", "minutes=0")


def test_books_come_one_by_one_or_joined_by_commas_and_each_once() -> None:
    assert parse_books(["ETH-MXN,btc_mxn", " usd/mxn , BTC-MXN,", ""]) == [
        "eth_mxn",
        "btc_mxn",
        "usd_mxn",
    ]


def test_one_bad_name_among_good_ones_is_refused() -> None:
    with pytest.raises(UsageError, match="'nope' is not a book"):
        parse_books(["btc_mxn,nope"])


AVAILABLE = ["btc_mxn", "eth_mxn", "usd_mxn", "btc_usd", "usd_btc"]


def test_a_name_that_exists_is_taken_as_written() -> None:
    # Both writings exist: neither is turned into the other.
    assert resolve_book("btc_usd", AVAILABLE) == "btc_usd"
    assert resolve_book("usd_btc", AVAILABLE) == "usd_btc"


def test_a_reversed_name_gives_the_book_that_exists() -> None:
    assert resolve_book("mxn_btc", AVAILABLE) == "btc_mxn"


def test_an_unknown_book_is_refused_with_the_closest_names() -> None:
    with pytest.raises(UnknownBookError) as refused:
        resolve_book("btc_mxm", AVAILABLE)
    assert str(refused.value).startswith("there is no book btc_mxm; did you mean btc_mxn")


def test_an_unknown_book_that_is_close_to_none_gets_no_advice() -> None:
    with pytest.raises(UnknownBookError, match=r"^there is no book zzz_qqq$"):
        resolve_book("zzz_qqq", AVAILABLE)
    with pytest.raises(UnknownBookError, match=r"^there is no book btc_mxn$"):
        resolve_book("btc_mxn", [])
