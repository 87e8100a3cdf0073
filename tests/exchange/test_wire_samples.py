"""Each recorded WebSocket message, read as a person would read it."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from bitso_spread.exchange import wire
from bitso_spread.exchange.wire import Ack, KeepAlive, Message, Orders, Refusal, Unknown
from bitso_spread.model import Quote

READINGS: dict[str, Message] = {
    "ws-ack-already-subscribed.json": Ack("subscribe", "btc_usd", "orders"),
    "ws-ack-ok.json": Ack("subscribe", "btc_usd", "orders"),
    "ws-diff-cancelled-z0-with-a-v.json": Unknown("diff-orders"),
    "ws-diff-fill-completed-plus-partial.json": Unknown("diff-orders"),
    "ws-diff-modify-1-cancelled-old-price.json": Unknown("diff-orders"),
    "ws-diff-modify-2-open-new-price-same-oid.json": Unknown("diff-orders"),
    "ws-error-not-json.json": Refusal("invalid message", None),
    "ws-error-unknown-action.json": Refusal("unknown subscription", None),
    "ws-error-unknown-book.json": Refusal("This book is not supported - nope_usd", "nope_usd"),
    "ws-ka.json": KeepAlive(),
    "ws-orders-btc_usd.json": Orders(
        Quote("btc_usd", Decimal(86612), Decimal(86636)), 1790126714262
    ),
    "ws-trades-eth_usd.json": Unknown("trades"),
    "docs-ws-diff-cancelled.json": Unknown("diff-orders"),
    "docs-ws-diff-open.json": Unknown("diff-orders"),
    "docs-ws-trades.json": Unknown("trades"),
    # Its bids say t=1 and its asks t=0: the side is that of the array.
    "docs2022-ws-orders.json": Orders(
        Quote("btc_mxn", Decimal(7185), Decimal("7251.1")),
        None,
    ),
}
# What a client sends, and not what it is sent.
SENT = "ws-c2s-subscribe.json"


@pytest.fixture
def samples(shared: Path) -> Path:
    return shared / "bitso" / "samples"


@pytest.mark.parametrize("name", READINGS)
def test_a_recorded_message_is_read(samples: Path, name: str) -> None:
    assert wire.decode((samples / name).read_bytes()) == READINGS[name]


def test_what_the_client_sends_is_what_was_recorded(samples: Path) -> None:
    assert json.loads(wire.subscribe("btc_usd")) == json.loads((samples / SENT).read_text())


def test_no_recorded_message_is_left_out(samples: Path) -> None:
    recorded = {path.name for pattern in ("ws-*", "docs*ws-*") for path in samples.glob(pattern)}
    assert recorded == {*READINGS, SENT}
