"""Where samples are published: ``kafka://broker:9092[,broker2:9092]/topic``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bitso_spread.errors import UsageError

PORT = 9092
"""Kafka's own, where none is named."""

_FORM = "kafka://broker:9092/topic, with commas between several brokers"
_SCHEME = "kafka://"
# https://kafka.apache.org: org.apache.kafka.common.internals.Topic
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_BROKER = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Address:
    """Some brokers of a cluster, from which the others are learned, and a topic."""

    brokers: tuple[str, ...]
    """Each as ``host:port``."""
    topic: str

    def __str__(self) -> str:
        return f"{_SCHEME}{','.join(self.brokers)}/{self.topic}"


def parse_address(text: str) -> Address:
    """Read an address as a user writes it.

    Raises:
        UsageError: it is none, or holds a password, which the message does not say.
    """
    if "@" in text:
        raise UsageError(
            "--publish holds a user or a password, which every user of this host can read there: "
            "write them into a file that BITSO_SPREAD_PUBLISH_PROPERTIES names, as sasl.username "
            "and sasl.password"
        )
    brokers, slash, topic = text.removeprefix(_SCHEME).partition("/")
    if not text.startswith(_SCHEME) or not brokers or not slash:
        raise UsageError(f"--publish {text!r}: write it as {_FORM}")
    if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        raise UsageError(
            f"--publish: {topic!r} cannot be a topic: 1 to 249 of letters, digits, '.', '_' and '-'"
        )
    return Address(tuple(map(_broker, brokers.split(","))), topic)


def _broker(text: str) -> str:
    match = _BROKER.fullmatch(text.strip())
    if match is None or not 0 < int(match["port"] or PORT) < 65536:
        raise UsageError(f"--publish: {text!r} is not a broker: write it as {_FORM}")
    return f"{match['host']}:{match['port'] or PORT}"
