"""The check of the brokers to which samples are to be published; no record is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bitso_spread.counting import many
from bitso_spread.doctor.finding import Finding, failed, ok
from bitso_spread.errors import BitsoSpreadError
from bitso_spread.plan import PublishPlan
from bitso_spread.publish.properties import VARIABLE

if TYPE_CHECKING:
    from bitso_spread.publish.sender import Sender

BROKERS = "Kafka"


def check_brokers(plan: PublishPlan, timeout_s: float) -> Iterator[Finding]:
    """Look for a cluster and its topic once the first finding is asked for.

    Raises:
        UsageError: librdkafka refuses one of the user's properties.
        MissingExtraError: the extra `kafka` is missing.
    """
    if plan.address is None:
        return iter(())
    from bitso_spread.publish.sender import Sender  # noqa: PLC0415  (an extra)

    return _look(Sender(plan.address, plan.properties), plan.address.topic, timeout_s)


def _look(sender: Sender, topic: str, timeout_s: float) -> Iterator[Finding]:
    try:
        brokers, partitions = sender.look(timeout_s)
    except BitsoSpreadError as error:
        advice = f"check the address, and TLS and user in the file that {VARIABLE} names"
        yield failed(BROKERS, str(error), advice)
        return
    finally:
        sender.close()
    seen = many(brokers, "broker")
    if not partitions:
        advice = "make the topic, or allow this user to see it"
        yield failed(BROKERS, f"{seen}, and no topic {topic}", advice)
    else:
        yield ok(BROKERS, f"{seen}; topic {topic} has {many(partitions, 'partition')}")
