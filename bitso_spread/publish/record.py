"""A sample as a record: its key is its book, its value one JSON object. Pure.

What a consumer may rely on, under one number of `SCHEMA`: each field is there, in this order, with
this meaning and type. Fields may be added under the same number; whatever else changes raises it.

==================== ======================== =====================================================
field                JSON                     meaning
==================== ======================== =====================================================
schema               1                        the version of this schema
environment          text                     ``production``; ``sim`` for simulated prices; or what
                                              else the lake is marked with
orderbook_timestamp  text                     the tick, ISO 8601 in UTC, whole seconds
book                 text                     ``btc_mxn``; also the record's key
bid, ask             number or null           best bid and best ask, in the minor currency
spread               number or null           (ask - bid) * 100 / ask, in percent
bid_amount           number or null           amount at the best bid, in the major currency
ask_amount           number or null           at the best ask
exchange_time        text or null             the exchange's own time of the book's last word,
                                              ISO 8601 in UTC, milliseconds
age_ms               whole number or null     how old that word was at the tick
state                text                     ``fresh``, ``quiet``, ``held``, ``unknown`` or
                                              ``missed``: see `bitso_spread.model.State`
source               text or null             ``feed`` or ``rest``
==================== ======================== =====================================================

The names and values are those of the lake with full columns; null is what is not known. The
record's own time is the tick, and its only header ``content-type: application/json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from bitso_spread.model import Sample

SCHEMA = 1
"""The version of the schema."""
HEADERS: Mapping[str, bytes] = {"content-type": b"application/json"}
"""As CloudEvents' and Spring's bindings to Kafka name it."""


class Record(msgspec.Struct, frozen=True):
    """The value of a record: see the module."""

    schema: int
    environment: str
    orderbook_timestamp: str
    book: str
    bid: float | None
    ask: float | None
    spread: float | None
    bid_amount: float | None
    ask_amount: float | None
    exchange_time: str | None
    age_ms: int | None
    state: str
    source: str | None


_encoder = msgspec.json.Encoder()


def value_of(environment: str, sample: Sample) -> bytes:
    """Give the value of a sample's record."""
    ms = sample.exchange_ms
    return _encoder.encode(
        Record(
            schema=SCHEMA,
            environment=environment,
            orderbook_timestamp=datetime.fromtimestamp(sample.tick, UTC).isoformat(),
            book=sample.book,
            bid=sample.bid,
            ask=sample.ask,
            spread=sample.spread,
            bid_amount=sample.bid_amount,
            ask_amount=sample.ask_amount,
            exchange_time=None if ms is None else _milliseconds(ms),
            age_ms=sample.age_ms,
            state=sample.state.value,
            source=sample.source,
        )
    )


def _milliseconds(ms: int) -> str:
    # Whole numbers all along: a float of seconds may be a millisecond off.
    seconds, rest = divmod(ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
    return moment.isoformat(timespec="milliseconds")
