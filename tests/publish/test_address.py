"""``kafka://broker:9092/topic``, as people write it and mistype it."""

from __future__ import annotations

import pytest

from bitso_spread.errors import UsageError
from bitso_spread.publish.address import parse_address


@pytest.mark.parametrize(
    ("text", "brokers", "topic"),
    [
        ("kafka://broker:9092/spread", ("broker:9092",), "spread"),
        ("kafka://broker/spread", ("broker:9092",), "spread"),
        ("kafka://a:1,b.example.com:65535/A-b_c.1", ("a:1", "b.example.com:65535"), "A-b_c.1"),
        ("kafka://[::1]:19092/spread", ("[::1]:19092",), "spread"),
    ],
)
def test_brokers_and_topic_are_read(text: str, brokers: tuple[str, ...], topic: str) -> None:
    address = parse_address(text)
    assert (address.brokers, address.topic) == (brokers, topic)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "broker:9092",
        "http://broker:9092/spread",
        "kafka+ssl://broker:9092/spread",
        "kafka://broker:9092",
        "kafka:///spread",
        "kafka://broker:9092/",
        "kafka://broker:9092/a/b",
        "kafka://broker:9092/..",
        "kafka://broker:9092/" + "x" * 250,
        "kafka://broker:9092/spread?acks=0",
        "kafka://broker:0/spread",
        "kafka://broker:65536/spread",
        "kafka://broker:9092,,other/spread",
        "kafka://bro ker/spread",
    ],
)
def test_what_is_none_is_refused_with_the_form_to_write(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"write it as kafka://broker:9092/topic|cannot be a topic"
    ):
        parse_address(text)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="BITSO_SPREAD_PUBLISH_PROPERTIES") as raised:
        parse_address("kafka://alice:hunter2@broker:9092/spread")
    assert "hunter2" not in str(raised.value)
    assert "alice" not in str(raised.value)
