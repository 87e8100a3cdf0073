"""librdkafka's mock cluster: brokers on loopback that speak Kafka's own protocol, with faults.

`confluent_kafka` itself starts one with `test.mock.num.brokers`, and offers none of the faults. So
its C interface (rdkafka_mock.h) is called here. Any client of any process can use its brokers.
"""

from __future__ import annotations

import ctypes
import json
import time
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import confluent_kafka
from confluent_kafka import Consumer, Message, TopicPartition

PRODUCE = 0
"""The request of a producer: https://kafka.apache.org/protocol (ApiKeys)."""

_PRODUCER = 0
_TEXT = 512


def _library() -> ctypes.CDLL:
    folder = Path(confluent_kafka.__file__).parent
    places = (folder.with_name("confluent_kafka.libs"), folder / ".dylibs")
    (path,) = (path for place in places for path in place.glob("librdkafka*"))
    library = ctypes.CDLL(str(path))
    for name in (
        "rd_kafka_new",
        "rd_kafka_conf_new",
        "rd_kafka_mock_cluster_new",
        "rd_kafka_mock_get_requests",
    ):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_request_api_key.restype = ctypes.c_int16
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class Brokers:
    """A cluster that lives during a ``with`` block, with topics of `partitions` partitions."""

    def __init__(self, count: int = 1, partitions: int = 3) -> None:
        self._library = library = _library()
        text = ctypes.create_string_buffer(_TEXT)
        conf = ctypes.c_void_p(library.rd_kafka_conf_new())
        self._handle = ctypes.c_void_p(library.rd_kafka_new(_PRODUCER, conf, text, _TEXT))
        assert self._handle.value, text.value
        self._cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(self._handle, count))
        self._ids = range(1, count + 1)
        self._partitions = partitions

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)

    @property
    def addresses(self) -> str:
        """Where they are, as an address has it."""
        found: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return found.decode()

    def make(self, topic: str, partitions: int | None = None) -> None:
        """Make a topic."""
        count = self._partitions if partitions is None else partitions
        call = self._library.rd_kafka_mock_topic_create
        assert call(self._cluster, topic.encode(), count, 1) == 0

    def refuse(self, topic: str, error: int = 0) -> None:
        """Have the metadata of a topic say this error, or none any more."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, topic.encode(), error)

    def answer(self, *errors: int, request: int = PRODUCE) -> None:
        """Have the next requests of a kind answered with these errors."""
        codes = (ctypes.c_int * len(errors))(*errors)
        call = self._library.rd_kafka_mock_push_request_errors_array
        call(self._cluster, ctypes.c_int16(request), ctypes.c_size_t(len(errors)), codes)

    def forget_errors(self, request: int = PRODUCE) -> None:
        """Answer the next requests of a kind as they should be."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, ctypes.c_int16(request))

    def lose_answers(self, count: int, late_ms: int) -> None:
        """Take the next records of each broker, and end the connection instead of answering."""
        transport, ok = -195, 0
        for broker in self._ids:
            pairs = [value for _ in range(count) for value in (transport, late_ms)]
            call = self._library.rd_kafka_mock_broker_push_request_error_rtts
            arguments = map(ctypes.c_int, pairs)
            size = ctypes.c_size_t(count)
            assert call(self._cluster, broker, ctypes.c_int16(PRODUCE), size, *arguments) == ok

    def down(self) -> None:
        """End all connections, and take none."""
        for broker in self._ids:
            self._library.rd_kafka_mock_broker_set_down(self._cluster, broker)

    def up(self) -> None:
        """Take connections again."""
        for broker in self._ids:
            self._library.rd_kafka_mock_broker_set_up(self._cluster, broker)

    def slow(self, milliseconds: int) -> None:
        """Answer each request so late."""
        for broker in self._ids:
            self._library.rd_kafka_mock_broker_set_rtt(self._cluster, broker, milliseconds)

    def count(self) -> None:
        """Begin to count requests."""
        self._library.rd_kafka_mock_start_request_tracking(self._cluster)
        self._library.rd_kafka_mock_clear_requests(self._cluster)

    def requests(self, request: int = PRODUCE) -> int:
        """Give how many requests of a kind have come since the count began."""
        size = ctypes.c_size_t()
        found = self._library.rd_kafka_mock_get_requests(self._cluster, ctypes.byref(size))
        each = ctypes.cast(found, ctypes.POINTER(ctypes.c_void_p))
        keys = [
            self._library.rd_kafka_mock_request_api_key(ctypes.c_void_p(each[i]))
            for i in range(size.value)
        ]
        self._library.rd_kafka_mock_request_destroy_array(ctypes.c_void_p(found), size)
        return keys.count(request)

    def read(self, topic: str) -> list[Message]:
        """Give all records of a topic, those of a partition in order."""
        return read_all(self.addresses, topic)


def read_all(addresses: str, topic: str, within_s: float = 60.0) -> list[Message]:
    """Give all records that a topic has now, those of a partition in order."""
    consumer = Consumer(
        {"bootstrap.servers": addresses, "group.id": uuid4().hex, "enable.partition.eof": True}
    )
    try:
        found = consumer.list_topics(topic, timeout=within_s).topics[topic]
        ends = {}
        for number in found.partitions:
            _, high = consumer.get_watermark_offsets(
                TopicPartition(topic, number), timeout=within_s
            )
            ends[number] = high
        consumer.assign([TopicPartition(topic, number, 0) for number in ends])
        records: list[Message] = []
        give_up = time.monotonic() + within_s
        while len(records) < sum(ends.values()):
            assert time.monotonic() < give_up, f"{len(records)} of {ends}"
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                records.append(message)
        return records
    finally:
        consumer.close()


def values_of(records: list[Message]) -> dict[str, list[dict[str, Any]]]:
    """Give what records say, by their key, in order."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        key, value = record.key(), record.value()
        assert key is not None
        assert value is not None
        found[key.decode()].append(json.loads(value))
    return found
