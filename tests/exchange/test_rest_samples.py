"""Each recorded REST reply, read as a person would read it. Trades are not asked for."""

from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from bitso_spread.exchange.budget import RequestBudget
from bitso_spread.exchange.rest import RestClient
from bitso_spread.exchange.rest_errors import BitsoError, UnknownOrderBookError
from bitso_spread.exchange.wire import RejectedError, Rejection
from bitso_spread.model import Quote

NEWEST = "rest-order_book-btc_mxn-2025-06-05.json"
OLDEST = "rest-order_book-btc_mxn-2017.json"
DOCUMENTED = "docs-rest-order_book-unaggregated.json"


@pytest.fixture
def samples(shared: Path) -> Path:
    return shared / "bitso" / "samples"


def client(path: Path, status: int = 200, wrap: bool = False) -> RestClient:
    body = path.read_bytes()
    if wrap:
        body = b'{"success":true,"payload":[' + body + b"]}"
    reply = httpx.Response(status, content=body)
    transport = httpx.MockTransport(lambda _: reply)
    return RestClient(budget=RequestBudget.in_memory(), credentials=None, transport=transport)


def test_the_order_book_of_2025(samples: Path) -> None:
    book = client(samples / NEWEST).order_book("btc_mxn")
    assert book.quote() == Quote("btc_mxn", Decimal(2023000), Decimal(2023010))
    assert (len(book.bids), len(book.asks)) == (50, 50)
    assert book.sequence == 3191392623
    assert book.updated_at.isoformat() == "2025-06-05T13:32:36+00:00"
    assert book.bids[0].amount == Decimal("0.00002965")
    assert book.bid_depth(3)[-1].cumulative == Decimal("0.00002965") + Decimal("0.84646")
    assert book.ask_depth(1)[0].amount == Decimal("0.14390247")


def test_the_order_book_of_2017(samples: Path) -> None:
    book = client(samples / OLDEST).order_book("btc_mxn")
    assert book.quote() == Quote("btc_mxn", Decimal("46850.01"), Decimal(46990))
    assert (len(book.bids), len(book.asks)) == (32, 34)
    assert book.updated_at.isoformat() == "2017-08-01T21:07:54+00:00"


def test_the_documented_order_book_is_crossed(samples: Path) -> None:
    book = client(samples / DOCUMENTED).order_book("btc_mxn", aggregate=False)
    assert (book.sequence, book.updated_at.isoformat()) == (27214, "2016-04-08T17:52:31+00:00")
    with pytest.raises(RejectedError) as caught:
        book.quote()
    assert caught.value.reason is Rejection.CROSSED


@pytest.mark.parametrize(
    ("name", "book", "bid", "ask", "created_at"),
    [
        ("btc_mxn-2025-06-05", "btc_mxn", "2023000", "2023010", "2025-06-05T13:32:29+00:00"),
        ("btc_usdt-2024", "btc_usdt", "73288", "73440", "2024-03-13T11:10:45+00:00"),
        ("ltc_mxn-2018", "ltc_mxn", "2740", "2789.99", "2018-05-16T23:25:41+00:00"),
    ],
)
def test_a_ticker(
    samples: Path,
    name: str,
    book: str,
    bid: str,
    ask: str,
    created_at: str,
) -> None:
    ticker = client(samples / f"rest-ticker-{name}.json").ticker(book)
    assert ticker.quote() == Quote(book, Decimal(bid), Decimal(ask))
    assert ticker.created_at.isoformat() == created_at


def test_the_tickers_of_2017(samples: Path) -> None:
    with client(samples / "rest-ticker-all-2017.json") as asked:
        quotes = {ticker.book: ticker.quote() for ticker in asked.tickers()}
    assert asked.rejected == {}
    assert list(quotes) == ["btc_mxn", "eth_mxn", "xrp_btc", "xrp_mxn", "eth_btc", "bch_btc"]
    assert quotes["btc_mxn"] == Quote("btc_mxn", Decimal(57700), Decimal(57800))
    assert quotes["xrp_btc"].bid == Decimal("0.00005124")
    assert quotes["bch_btc"].spread == pytest.approx(100 * 0.011 / 0.113)


def test_the_books_of_2017_have_limits_and_no_tick_size(samples: Path) -> None:
    with client(samples / "rest-available_books-2017.json") as asked:
        infos = {info.book: info for info in asked.available_books()}
    assert asked.rejected == {}
    assert list(infos) == ["btc_mxn", "eth_mxn", "xrp_btc", "xrp_mxn", "eth_btc", "bch_btc"]
    bitcoin = infos["btc_mxn"]
    assert bitcoin.tick_size is None
    assert (bitcoin.minimum_amount, bitcoin.maximum_amount) == (Decimal("0.00015"), Decimal(500))
    assert (bitcoin.minimum_price, bitcoin.maximum_price) == (Decimal(500), Decimal(80000))
    assert (bitcoin.minimum_value, bitcoin.maximum_value) == (Decimal(5), Decimal(10_000_000))


def test_a_book_of_2024_has_a_tick_size(samples: Path) -> None:
    path = samples / "rest-available_books-entry-btc_usd.json"
    (info,) = client(path, wrap=True).available_books()
    assert (info.book, info.tick_size) == ("btc_usd", Decimal(1))
    assert (info.minimum_amount, info.maximum_amount) == (Decimal("0.0000006"), Decimal(600))
    assert (info.minimum_price, info.maximum_price) == (Decimal(800), Decimal(300_000))
    assert (info.minimum_value, info.maximum_value) == (Decimal("0.5"), Decimal(10_000_000))


@pytest.mark.parametrize(
    ("name", "status", "code", "message"),
    [
        ("400-order_book-unknown-book", 400, "0301", "Unknown order book nope_usd"),
        ("400-order_book-missing-book", 400, "0301", "Unknown order book missing"),
        ("400-ticker-unknown-book", 400, "20", "Unknown OrderBook nope_usd"),
        ("ticker-unknown-book-2018-api-dev", 200, "0301", "Unknown OrderBook ltc_mxn"),
        ("400-terms-jurisdiction", 400, "0304", "Incorrect identifier: US"),
        ("error-0304-ohlc", 400, "0304", "The field time_bucket () is either invalid or missing"),
        ("error-nonce-104", 400, "104", "nonce must be higher than 1520307203724237"),
    ],
)
def test_an_error(samples: Path, name: str, status: int, code: str, message: str) -> None:
    with pytest.raises(BitsoError) as caught:
        client(samples / f"rest-{name}.json", status).order_book("nope_usd")
    assert caught.value.code == code
    assert message in str(caught.value)
    assert isinstance(caught.value, UnknownOrderBookError) is (code in {"0301", "20"})


def test_no_recorded_reply_is_left_out(samples: Path) -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    names = [path.stem for path in samples.glob("*rest-*.json") if "trades" not in path.name]
    assert names
    assert [
        name for name in names if name.split("rest-")[1].removeprefix("ticker-") not in source
    ] == []
