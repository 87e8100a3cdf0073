"""What waits in a journal reaches the brokers, in order, whatever happens."""

from __future__ import annotations

import sqlite3
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaError

from bitso_spread.lake import layout
from bitso_spread.lake.outgoing import Outgoing
from bitso_spread.plan import Plan, PublishPlan
from bitso_spread.publish.leftovers import drop_leftovers, tell_leftovers
from bitso_spread.publish.publisher import Publisher
from bitso_spread.publish.sender import BATCH, IN_FLIGHT
from bitso_spread.publish.setup import see_to_leftovers
from tests.lake.support import a_row, eventually
from tests.publish.brokers import Brokers, values_of
from tests.publish.support import BOOKS, TOPIC, Journal, publisher, ticks_of

PARTITIONS = 3


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path)
    yield made
    made.close()


def left(lake: Path, topic: str = TOPIC) -> int:
    with Outgoing(layout.state_file(lake, layout.TABLE)) as outgoing:
        waiting = outgoing.waiting(topic)
        return 0 if waiting is None else waiting.rows


def is_empty(lake: Path) -> bool:
    return left(lake) == 0


def texts(ticks: list[int]) -> list[str]:
    return [datetime.fromtimestamp(tick, UTC).isoformat() for tick in ticks]


def assert_each_once(brokers: Brokers, journal: Journal, topic: str = TOPIC) -> None:
    values = values_of(brokers.read(topic))
    assert set(values) == set(journal.books)
    for book in journal.books:
        assert ticks_of(values, book) == texts(journal.ticks)
        assert [value["bid"] for value in values[book]] == [a_row(t).bid for t in journal.ticks]


def wait_for_word(sender: Publisher, word: str) -> None:
    """Wait until it says that this is what keeps it."""
    eventually(lambda: word in (sender.now.why or ""), within=30)


def murmur2(data: bytes) -> int:
    """The hash of Java's producer (org.apache.kafka.common.utils.Utils), written down anew."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    hashed = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        mixed = k * m & mask
        mixed = (mixed ^ mixed >> 24) * m & mask
        hashed = hashed * m & mask ^ mixed
    if rest := data[whole:]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * m & mask
    hashed = (hashed ^ hashed >> 13) * m & mask
    return hashed ^ hashed >> 15


def test_every_row_arrives_once_and_in_order_and_leaves_the_journal(
    brokers: Brokers, journal: Journal, tmp_path: Path
) -> None:
    brokers.make(TOPIC)
    journal.record(100)
    with publisher(brokers, tmp_path) as sender:
        journal.record(1)
        # Files are made meanwhile, and it makes no difference.
        journal.finish()
        eventually(lambda: is_empty(tmp_path))
        journal.record(20)
    assert sender.now.waiting == left(tmp_path) == 0
    assert sender.published == 2 * 121
    assert_each_once(brokers, journal)


def test_a_record_has_its_book_as_key_its_tick_as_time_and_javas_partition(
    journal: Journal, brokers: Brokers, tmp_path: Path
) -> None:
    # Two of the vectors of Kafka's own UtilsTest.
    assert murmur2(b"foobar") == -790332482 & 0xFFFFFFFF
    assert murmur2(b"a-little-bit-longer-string") == -1486304829 & 0xFFFFFFFF
    brokers.make(TOPIC, PARTITIONS)
    journal.record(1)
    with publisher(brokers, tmp_path):
        pass
    records = brokers.read(TOPIC)
    for record in records:
        key = record.key()
        assert key is not None
        assert record.partition() == (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
        assert record.timestamp() == (TIMESTAMP_CREATE_TIME, journal.ticks[0] * 1000)
        assert record.headers() == [("content-type", b"application/json")]
    assert sorted(record.key() or b"" for record in records) == [b"btc_mxn", b"usd_mxn"]


def test_while_brokers_are_away_rows_wait_and_all_of_them_follow(
    brokers: Brokers, journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    brokers.make(TOPIC)
    with publisher(brokers, tmp_path) as sender:
        journal.record(10)
        eventually(lambda: is_empty(tmp_path))
        brokers.down()
        # More than is ever in memory.
        journal.record(2 * IN_FLIGHT)
        wait_for_word(sender, "no broker can be reached: Connection refused")
        assert sender._sender is not None
        # It counts what librdkafka has to say of itself, too: such as that nobody can be reached.
        assert len(sender._sender._producer) <= IN_FLIGHT + 100
        eventually(lambda: sender.now.waiting == 4 * IN_FLIGHT)
        assert sender.now.since == journal.ticks[10]
        brokers.up()
        eventually(lambda: is_empty(tmp_path), within=30)
        eventually(lambda: sender.now.why is None and sender.now.since is None)
    # Whichever of the two brokers it was.
    assert caplog.text.count("no broker can be reached: Connection refused") == 1
    assert caplog.text.count("topic spread takes samples again") == 1
    assert_each_once(brokers, journal)


def test_slow_brokers_get_all_of_it(brokers: Brokers, journal: Journal, tmp_path: Path) -> None:
    brokers.make(TOPIC)
    brokers.slow(400)
    with publisher(brokers, tmp_path):
        for _ in range(4):
            journal.record(300)
            time.sleep(0.2)
        eventually(lambda: is_empty(tmp_path), within=60)
    assert_each_once(brokers, journal)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            "topic spread: Broker: Topic authorization failed: allow this user to write it",
        ),
        (KafkaError.INVALID_RECORD, "topic spread: Broker: Broker failed to validate record"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "Unknown topic or partition: make the topic"),
    ],
)
def test_a_topic_that_refuses_is_named_and_costs_nothing_once_it_takes_records(
    error: int, said: str, brokers: Brokers, journal: Journal, tmp_path: Path
) -> None:
    brokers.make(TOPIC)
    journal.record(50)
    refused = [error] * 1000
    brokers.answer(*refused)
    with publisher(brokers, tmp_path) as sender:
        if error == KafkaError.UNKNOWN_TOPIC_OR_PART:
            brokers.refuse(TOPIC, error)
        wait_for_word(sender, said)
        assert sender.refusals >= 1
        assert left(tmp_path) == 100
        brokers.forget_errors()
        brokers.refuse(TOPIC)
        eventually(lambda: is_empty(tmp_path), within=60)
    assert_each_once(brokers, journal)


def test_a_refusal_in_the_midst_changes_no_order(
    brokers: Brokers, journal: Journal, tmp_path: Path
) -> None:
    brokers.make(TOPIC, 1)
    journal.record(2000)
    # Some batches are taken, one is refused, and others are under way behind it.
    brokers.answer(0, 0, KafkaError.INVALID_RECORD, 0, 0, 0, KafkaError.INVALID_RECORD)
    with publisher(brokers, tmp_path) as sender:
        eventually(lambda: is_empty(tmp_path), within=60)
        assert sender.refusals >= 1
    values = values_of(brokers.read(TOPIC))
    for book in BOOKS:
        assert ticks_of(values, book) == texts(journal.ticks)


def test_a_batch_that_is_too_large_is_sent_in_smaller_ones(
    brokers: Brokers, tmp_path: Path
) -> None:
    brokers.make(TOPIC, 1)
    journal = Journal(tmp_path, books=["btc_mxn"])
    journal.record(60)
    journal.close()
    brokers.answer(*[KafkaError.MSG_SIZE_TOO_LARGE] * 3)
    brokers.count()
    with publisher(brokers, tmp_path, books=["btc_mxn"]) as sender:
        eventually(lambda: is_empty(tmp_path), within=30)
        # Two batches that are under way at once are one refusal.
        assert 1 <= sender.refusals <= 3
    largest = max(1, BATCH // 8**sender.refusals)
    assert brokers.requests() >= 60 / largest
    assert_each_once(brokers, journal)


def test_a_confirmation_that_is_lost_doubles_nothing(
    brokers: Brokers, journal: Journal, tmp_path: Path
) -> None:
    brokers.make(TOPIC)
    brokers.lose_answers(2, late_ms=50)
    journal.record(500)
    with publisher(brokers, tmp_path) as sender:
        eventually(lambda: is_empty(tmp_path), within=30)
        assert sender.refusals == 0
    assert_each_once(brokers, journal)


def test_the_end_waits_for_a_while_only_and_the_next_one_goes_on(
    brokers: Brokers, journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    brokers.make(TOPIC)
    brokers.down()
    sender = publisher(brokers, tmp_path)
    sender.start()
    journal.record(30)
    began = time.monotonic()
    sender.stop(0.5)
    assert 0.5 <= time.monotonic() - began < 20
    assert sender.now.waiting == left(tmp_path) == 60
    assert "60 samples wait in the journal for topic spread" in caplog.text
    brokers.up()
    with publisher(brokers, tmp_path):
        pass
    assert is_empty(tmp_path)
    assert_each_once(brokers, journal)


def test_of_two_that_publish_the_same_books_one_does_and_the_other_follows(
    brokers: Brokers, journal: Journal, tmp_path: Path
) -> None:
    brokers.make(TOPIC)
    with publisher(brokers, tmp_path) as first:
        journal.record(5)
        eventually(lambda: is_empty(tmp_path))
        with publisher(brokers, tmp_path) as second:
            journal.record(5)
            eventually(lambda: is_empty(tmp_path))
            assert (first.published, second.published) == (20, 0)
            first.stop()
            journal.record(5)
            eventually(lambda: is_empty(tmp_path))
        assert (first.published, second.published) == (20, 10)
    assert_each_once(brokers, journal)


def test_what_waits_of_a_book_that_nobody_records_any_more_is_sent_as_well(
    brokers: Brokers, journal: Journal, tmp_path: Path
) -> None:
    brokers.make(TOPIC)
    journal.record(5)
    with publisher(brokers, tmp_path, books=["btc_mxn"]):
        eventually(lambda: is_empty(tmp_path))
    assert_each_once(brokers, journal)


def test_a_journal_that_refuses_has_nothing_sent_a_second_time(
    brokers: Brokers,
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    brokers.make(TOPIC)
    confirm = Outgoing.confirm
    refused: list[object] = []

    def refuse(*arguments: object) -> None:
        if len(refused) < 2:
            refused.append(arguments)
            raise sqlite3.OperationalError("database or disk is full")
        confirm(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Outgoing, "confirm", refuse)
    with publisher(brokers, tmp_path) as sender:
        journal.record(10)
        eventually(lambda: is_empty(tmp_path))
        assert sender.published == 20
    assert caplog.text.count("samples cannot be published now: database or disk is full") == 1
    assert_each_once(brokers, journal)


def test_rows_that_are_recorded_a_second_time_are_not_published_a_second_time(
    brokers: Brokers, journal: Journal, tmp_path: Path
) -> None:
    brokers.make(TOPIC)
    journal.record(3)
    with publisher(brokers, tmp_path):
        eventually(lambda: is_empty(tmp_path))
        again = [
            (batch, row) for batch in journal._state.batches() for row in journal._state.rows(batch)
        ]
        assert len(again) == 6
        # As where a commit had reached the disk, and failed all the same.
        journal._state.record(again)
        assert is_empty(tmp_path)
        journal.record(1)
    assert_each_once(brokers, journal)


def test_publishing_begins_with_the_first_new_row_of_an_existing_lake(
    brokers: Brokers, tmp_path: Path
) -> None:
    brokers.make(TOPIC)
    before = Journal(tmp_path, topic=None)
    before.record(10)
    before.close()
    now = Journal(tmp_path)
    now.record(3)
    with publisher(brokers, tmp_path):
        pass
    assert_each_once(brokers, now)
    now.close()


def test_rows_for_another_topic_are_told_kept_and_dropped_on_a_word(
    brokers: Brokers, journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    brokers.make("other")
    journal.record(4)
    other = Journal(tmp_path, topic="other")
    other.record(2)
    with publisher(brokers, tmp_path, topic="other"):
        pass
    assert_each_once(brokers, other, "other")
    other.close()
    assert left(tmp_path) == 8
    tell_leftovers(tmp_path, layout.TABLE, "other")
    assert "8 samples wait since 2026-09-21T00:00:01Z for topic spread" in caplog.text
    caplog.clear()
    tell_leftovers(tmp_path, layout.TABLE, TOPIC)
    assert caplog.text == ""
    drop_leftovers(tmp_path, layout.TABLE)
    assert "8 samples that waited for topic spread are dropped; the lake has them" in caplog.text
    assert is_empty(tmp_path)


def test_a_lake_that_is_named_by_its_table_has_the_same_journal(
    journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal.record(4)
    see_to_leftovers(Plan(books=BOOKS, lake=tmp_path / layout.TABLE))
    assert "8 samples wait" in caplog.text
    see_to_leftovers(
        Plan(books=BOOKS, lake=tmp_path / layout.TABLE, publish=PublishPlan(address=None))
    )
    assert is_empty(tmp_path)


def test_what_another_collector_publishes_is_not_dropped(
    brokers: Brokers, journal: Journal, tmp_path: Path
) -> None:
    brokers.make(TOPIC)
    brokers.down()
    journal.record(4)
    sender = publisher(brokers, tmp_path)
    sender.start()
    eventually(lambda: sender.now.waiting == 8)
    drop_leftovers(tmp_path, layout.TABLE)
    assert left(tmp_path) == 8
    sender.stop(0)
