"""One producer of librdkafka: idempotent, confirmed by all replicas, in order without a gap.

The guarantees and the reasons for each are in `_OURS`. A producer that a broker has refused a
record has sent nothing after it, and is of no more use: whoever holds it makes another one, and
begins again at that record.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bitso_spread.errors import BitsoSpreadError, MissingExtraError, UsageError
from bitso_spread.publish.address import Address
from bitso_spread.publish.properties import Properties
from bitso_spread.publish.record import HEADERS

try:
    from confluent_kafka import KafkaError, KafkaException, Message, Producer
except ImportError as error:
    raise MissingExtraError("--publish", "kafka") from error

log = logging.getLogger("bitso_spread.publish")

IN_FLIGHT = 2_000
"""Records in memory at most, some 2 MB: 37 s of 54 books, should the brokers take so long."""
BATCH = 512
"""Records in one request at most, some 180 KB before they are compressed."""

_OURS = {
    # A record that is sent twice, because its confirmation was lost, is kept once, in its place.
    "enable.idempotence": True,
    "acks": "all",
    # A record that is refused for good ends the producer before anything after it is kept.
    "enable.gapless.guarantee": True,
    # It waits for as long as brokers are away: nobody but the journal decides what is dropped.
    "message.timeout.ms": 0,
    "queue.buffering.max.messages": IN_FLIGHT,
    # The partition that Java's producer chooses for a key, so that streams and tables that are
    # joined on the book find each other; librdkafka's own choice is another one.
    "partitioner": "murmur2_random",
}
# What the user's properties may say otherwise.
_USUAL = {
    "client.id": "bitso-spread",
    "compression.type": "lz4",
    "reconnect.backoff.max.ms": 5_000,
    # For how long a topic that brokers do not know may just have been made.
    "topic.metadata.propagation.max.ms": 10_000,
    "socket.keepalive.enable": True,
}
_ADVICE = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: "make the topic",
    KafkaError._UNKNOWN_TOPIC: "make the topic",  # noqa: SLF001  (librdkafka's own errors are named so)
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "allow this user to write it",
    KafkaError.MSG_SIZE_TOO_LARGE: "raise its max.message.bytes: a sample is some 400",
    KafkaError.INVALID_TIMESTAMP: "set its message.timestamp.type to LogAppendTime",
}
_UNREACHABLE = {
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._AUTHENTICATION,  # noqa: SLF001
    KafkaError._SSL,  # noqa: SLF001
}
# Then librdkafka has nothing else to say.
_HUNG_UP = "they hang up, as where TLS or a user is asked for (security.protocol)"
# How often, and for how long: what differs between two complaints of the same.
_COUNTS = re.compile(r" \((after \d+ms|\d+ identical)[^)]*\)")
# Which broker it was, of several.
_WHICH = re.compile(r"^\S+/\S+: (Connect to \S+ failed: |Failed to resolve '[^']*': )?")
_END_S = 1.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a producer is of no more use."""

    reason: str
    is_size: bool
    """Whether what was sent was too large."""


class Sender:
    """A producer for one topic; for one thread, which must call `serve` all the time.

    `batch` is how many records go into one request at most.

    Raises:
        UsageError: librdkafka refuses one of the user's properties.
    """

    def __init__(self, address: Address, properties: Properties, *, batch: int = BATCH) -> None:
        self.refusal: Refusal | None = None
        """Why it is of no more use; None as long as it is."""
        self.trouble: str | None = None
        """Why no broker can be reached; None from the next confirmation on."""
        self._address = address
        self._properties = properties
        self._last_error = ""
        config: dict[str, Any] = {
            **_USUAL,
            **properties.values,
            **_OURS,
            "batch.num.messages": batch,
            "bootstrap.servers": ",".join(address.brokers),
            "error_cb": self._on_error,
        }
        try:
            self._producer = Producer(config, logger=_Quiet())
        except (KafkaException, ValueError, TypeError) as error:
            said = properties.masked(_said(error))
            where = properties.origin or address
            raise UsageError(f"--publish: {where}: {said}") from None

    def send(
        self, book: str, tick: int, value: bytes, on_confirmed: Callable[[int], object]
    ) -> bool:
        """Hand over a record; False if there is no room for it, or it cannot be sent at all.

        `on_confirmed` is called with its tick while `serve` is, once all replicas have it.
        """

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.trouble = None
                on_confirmed(tick)
            else:
                self._refuse(error)

        try:
            self._producer.produce(
                self._address.topic,
                value,
                book,
                timestamp=tick * 1000,
                headers=dict(HEADERS),
                on_delivery=delivered,
            )
        except BufferError:
            return False
        except KafkaException as error:
            self._refuse(error.args[0])
            return False
        return True

    def serve(self, seconds: float) -> None:
        """Take what has come of records; returns at once if something has."""
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            # It has ended for good; the record that it ended for tells why, in plainer words.
            self.close()
            self._refuse(error.args[0])

    def look(self, seconds: float) -> tuple[int, int]:
        """Give how many brokers the cluster has, and partitions the topic: 0 where it is not seen.

        Raises:
            BitsoSpreadError: nobody has said so in time; the message says why.
        """
        try:
            # Of all topics: to ask for one may make it.
            found = self._producer.list_topics(timeout=seconds)
        except KafkaException as error:
            self.serve(0)
            said = self.trouble or self._last_error or self._properties.masked(_said(error))
            raise BitsoSpreadError(said) from None
        topic = found.topics.get(self._address.topic)
        return len(found.brokers), 0 if topic is None else len(topic.partitions)

    def close(self) -> None:
        """End it; what was confirmed is told, and all else is forgotten."""
        # It raises once where it has ended by itself, before it has told of each record.
        for _ in range(2):
            try:
                self._producer.purge()
                self._producer.flush(_END_S)
            except KafkaException as error:
                log.debug("the producer ends: %s", self._properties.masked(_said(error)))

    def _refuse(self, error: KafkaError) -> None:
        purged = error.code() in {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}  # noqa: SLF001
        if self.refusal is not None or purged:
            return
        advice = _ADVICE.get(error.code(), "")
        said = self._properties.masked(_said(error))
        reason = f"topic {self._address.topic}: {said}" + (f": {advice}" if advice else "")
        self.refusal = Refusal(reason, error.code() == KafkaError.MSG_SIZE_TOO_LARGE)

    def _on_error(self, error: KafkaError) -> None:
        said = self._properties.masked(_said(error))
        log.debug("%s", said)
        code = error.code()
        if code != KafkaError._ALL_BROKERS_DOWN and not error.fatal():  # noqa: SLF001
            self._last_error = _WHICH.sub("", said)
        if code in _UNREACHABLE:
            why, asked = self._last_error or _HUNG_UP, ", ".join(self._address.brokers)
            self.trouble = f"no broker can be reached: {why} ({asked})"


def _said(error: Exception | KafkaError) -> str:
    """Give what librdkafka says, on one line, without what changes each time."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    text = cause.str() if isinstance(cause, KafkaError) else str(cause)
    return _COUNTS.sub("", " ".join(text.split())).strip()


class _Quiet(logging.Logger):
    """Takes librdkafka's own log, which is for its developers; `error_cb` has the same facts."""

    def __init__(self) -> None:
        super().__init__("bitso_spread.publish.librdkafka", logging.CRITICAL + 1)
