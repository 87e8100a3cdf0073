"""A sample as JSON: the schema that consumers rely on."""

from __future__ import annotations

import json
import re

from bitso_spread.lake.columns import ALL
from bitso_spread.model import Sample, State
from bitso_spread.publish import record
from bitso_spread.publish.record import Record, value_of

TICK = 1_721_964_340


def test_a_known_sample_is_just_this() -> None:
    sample = Sample(
        *(TICK, "btc_mxn", 1230000.0, 1231000.5, 0.08127143, State.FRESH, 0.5, 12.0),
        *(TICK * 1000 - 999, 999, "feed"),
    )
    assert value_of("production", sample).decode() == (
        '{"schema":1,"environment":"production",'
        '"orderbook_timestamp":"2024-07-26T03:25:40+00:00","book":"btc_mxn",'
        '"bid":1230000.0,"ask":1231000.5,"spread":0.08127143,"bid_amount":0.5,"ask_amount":12.0,'
        '"exchange_time":"2024-07-26T03:25:39.001+00:00","age_ms":999,"state":"fresh",'
        '"source":"feed"}'
    )


def test_what_is_not_known_is_null() -> None:
    value = json.loads(value_of("sim", Sample.blank(TICK, "btc_mxn", State.MISSED)))
    told = {name for name, each in value.items() if each is not None}
    assert told == {"schema", "environment", "orderbook_timestamp", "book", "state"}
    assert (value["environment"], value["state"]) == ("sim", "missed")


def test_its_fields_are_the_lakes_columns() -> None:
    assert Record.__struct_fields__[:2] == ("schema", "environment")
    assert set(Record.__struct_fields__[2:]) == set(ALL)


def test_the_documented_fields_are_those_that_there_are() -> None:
    _, _, table, _ = re.split(r"={20}.*\n", record.__doc__ or "", maxsplit=3)
    names = re.findall(r"^(\w+(?:, \w+)*)  ", table, re.MULTILINE)
    assert ", ".join(names).split(", ") == list(Record.__struct_fields__)
