"""What is delivered, in which order, how often it is tried, and what is left undelivered."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bitso_spread.alerts.channel import Attempt, Channel, Outcome
from bitso_spread.alerts.command import CommandChannel
from bitso_spread.alerts.config import Webhook
from bitso_spread.alerts.events import Change, Event
from bitso_spread.alerts.outbox import _BASE_S, _CAP_S, Notice, Outbox
from bitso_spread.alerts.webhook import ATTEMPTS, WebhookChannel
from bitso_spread.backoff import Backoff
from bitso_spread.complaint import Complaint
from tests.alerts.support import SECRET, Hook, cleared, eventually, fired

SENT = Attempt("taken", is_sent=True)
BUSY = Attempt("busy", may_pass=True)
NEVER = Attempt("no such channel")
Open = Callable[..., Outbox]


class Scripted:
    """Answers as it is told to, then takes everything."""

    name = "scripted"

    def __init__(self, *answers: Attempt, attempts: int = 5) -> None:
        self.attempts = attempts
        self.answers = list(answers)
        self.taken: list[str] = []
        self.free = threading.Event()
        self.free.set()

    def send(self, message: Mapping[str, Any]) -> Attempt:
        self.taken.append(message["text"])
        self.free.wait(30)
        return self.answers.pop(0) if self.answers else SENT

    def close(self) -> None:
        self.free.set()


@pytest.fixture
def told() -> list[tuple[str, str, Outcome]]:
    """What became of events: book, change, outcome."""
    return []


@pytest.fixture
def opened(told: list[tuple[str, str, Outcome]]) -> Iterator[Open]:
    boxes: list[Outbox] = []

    def settled(events: Sequence[Event], _channel: str, outcome: Outcome, _said: str) -> None:
        told.extend((event.alert.book, event.change.value, outcome) for event in events)

    def opened(channel: Channel, **options: Any) -> Outbox:
        options.setdefault("backoff", lambda: Backoff(draw=lambda: 0.0))
        boxes.append(Outbox(channel, settled, **options))
        boxes[-1].start()
        return boxes[-1]

    yield opened
    for box in boxes:
        box.end(0)
        box.stop()


def notice(*events: Event) -> Notice:
    made = Notice(events, "production")
    made.kept.set()
    return made


def test_events_of_one_tick_are_one_message(
    opened: Open, told: list[tuple[str, str, Outcome]]
) -> None:
    channel = Scripted()
    opened(channel).put(notice(fired("btc_mxn"), fired("usd_mxn")))
    eventually(lambda: len(told) == 2)
    assert len(channel.taken) == 1
    assert channel.taken[0].count("\n") == 1
    assert told == [("btc_mxn", "fired", Outcome.SENT), ("usd_mxn", "fired", Outcome.SENT)]


def test_what_may_pass_is_tried_again_after_the_backoff_and_what_the_other_side_asks_for(
    opened: Open, told: list[tuple[str, str, Outcome]]
) -> None:
    waited: list[float] = []
    channel = Scripted(BUSY, Attempt("slow down", may_pass=True, after_s=7.0), BUSY)
    box = opened(channel, backoff=lambda: Backoff(base_s=1, cap_s=60, draw=lambda: 1.0))

    def wait(timeout: float | None = None) -> bool:
        waited.append(timeout or 0.0)
        return False

    box._ending.wait = wait  # type: ignore[method-assign]
    box.put(notice(fired()))
    eventually(lambda: len(told) == 1)
    assert told[0][2] is Outcome.SENT
    assert waited == [1.0, 7.0, 4.0]


def test_a_webhook_is_given_an_hour_and_what_keeps_it_is_said_once_as_long_as_it_is_the_same(
    opened: Open, told: list[tuple[str, str, Outcome]], caplog: pytest.LogCaptureFixture
) -> None:
    waited: list[float] = []
    channel = Scripted(*[BUSY] * ATTEMPTS, attempts=WebhookChannel.attempts)
    backoff = Backoff(base_s=_BASE_S, cap_s=_CAP_S, draw=lambda: 0.5)
    box = opened(channel, backoff=lambda: backoff)
    box._complaint = Complaint(lambda: 0.0)

    def wait(timeout: float | None = None) -> bool:
        waited.append(timeout or 0.0)
        return False

    box._ending.wait = wait  # type: ignore[method-assign]
    box.put(notice(fired()))
    eventually(lambda: len(told) == 1)
    assert told[0][2] is Outcome.FAILED
    assert 45 * 60 < sum(waited) < 75 * 60
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert said == ["alerts wait for the scripted, tried again: busy"]


def test_it_gives_up_after_its_attempts_and_at_once_where_that_is_no_use(
    opened: Open, told: list[tuple[str, str, Outcome]], caplog: pytest.LogCaptureFixture
) -> None:
    channel = Scripted(BUSY, BUSY, NEVER, attempts=2)
    box = opened(channel)
    box.put(notice(fired("btc_mxn")))
    box.put(notice(fired("usd_mxn")))
    eventually(lambda: len(told) == 2)
    assert [outcome for _, _, outcome in told] == [Outcome.FAILED, Outcome.FAILED]
    assert len(channel.taken) == 3
    assert box.counts == {Outcome.FAILED: 2}
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert said == [
        "alert of btc_mxn undelivered by scripted: busy",
        "alert of usd_mxn undelivered by scripted: no such channel",
    ]


def test_an_end_is_not_sent_where_its_beginning_was_not(
    opened: Open, told: list[tuple[str, str, Outcome]]
) -> None:
    channel = Scripted(NEVER)
    box = opened(channel)
    box.put(notice(fired("btc_mxn")))
    box.put(notice(cleared("btc_mxn"), fired("usd_mxn")))
    box.put(notice(cleared("usd_mxn")))
    eventually(lambda: len(told) == 4)
    assert told == [
        ("btc_mxn", "fired", Outcome.FAILED),
        ("btc_mxn", "cleared", Outcome.LAPSED),
        ("usd_mxn", "fired", Outcome.SENT),
        ("usd_mxn", "cleared", Outcome.SENT),
    ]
    assert not any("btc_mxn" in text for text in channel.taken[1:])


def test_the_end_of_what_an_earlier_run_has_sent_is_sent(
    opened: Open, told: list[tuple[str, str, Outcome]]
) -> None:
    box = opened(Scripted())
    box.adopt([fired().alert.id])
    box.put(notice(cleared()))
    eventually(lambda: len(told) == 1)
    assert told == [("btc_mxn", "cleared", Outcome.SENT)]


def test_what_there_is_no_room_for_is_dropped_counted_and_said(
    opened: Open, told: list[tuple[str, str, Outcome]], caplog: pytest.LogCaptureFixture
) -> None:
    channel = Scripted()
    channel.free.clear()
    box = opened(channel, limit=2)
    box.put(notice(fired("a_mxn")))
    eventually(lambda: len(channel.taken) == 1)
    for book in ("b_mxn", "c_mxn", "d_mxn"):
        box.put(notice(fired(book)))
    assert told == [("d_mxn", "fired", Outcome.DROPPED)]
    assert "alert of d_mxn undelivered by scripted: 2 messages wait already" in caplog.text
    channel.free.set()
    eventually(lambda: len(told) == 4)
    assert box.counts == {Outcome.DROPPED: 1, Outcome.SENT: 3}


def test_its_row_comes_before_it_is_sent_but_a_disk_that_hangs_does_not_keep_it(
    opened: Open, told: list[tuple[str, str, Outcome]]
) -> None:
    channel = Scripted()
    began = time.monotonic()
    box = opened(channel, row_s=0.2)
    unkept = Notice((fired(),), "production")
    box.put(unkept)
    eventually(lambda: len(told) == 1)
    assert time.monotonic() - began >= 0.19


def test_the_end_waits_for_what_is_under_way_and_not_for_another_attempt(
    opened: Open, told: list[tuple[str, str, Outcome]], caplog: pytest.LogCaptureFixture
) -> None:
    channel = Scripted(BUSY, BUSY)
    box = opened(channel, backoff=lambda: Backoff(base_s=3600, cap_s=3600, draw=lambda: 1.0))
    box.put(notice(fired("btc_mxn")))
    eventually(lambda: len(channel.taken) == 1)
    box.put(notice(fired("usd_mxn")))
    began = time.monotonic()
    box.stop()
    # The next attempt is an hour away.
    assert time.monotonic() - began < 30
    assert told == []
    assert "alerts that wait for the scripted at the end: 2" in caplog.text


@pytest.mark.parametrize(
    ("end", "outcomes"), [("exit 3", [Outcome.FAILED]), ("sleep 60", [])], ids=["ends", "is killed"]
)
def test_a_command_that_has_ended_is_not_run_again_by_the_next_one_but_one_that_was_cut_short_is(
    end: str, outcomes: list[Outcome], opened: Open, told: list[tuple[str, str, Outcome]],
    tmp_path: Path,
) -> None:  # fmt: skip
    began, may_end = tmp_path / "began", tmp_path / "may-end"
    line = f"touch {began}; while [ ! -e {may_end} ]; do sleep 0.01; done; {end}"
    box = opened(CommandChannel(["/bin/sh", "-c", line]))
    box.put(notice(fired()))
    eventually(began.exists)
    box.end(30 if outcomes else 0)
    may_end.touch()
    eventually(lambda: len(told) == len(outcomes), within_s=30)
    box.stop()
    assert [outcome for _, _, outcome in told] == outcomes


def test_a_channel_that_breaks_is_told_without_what_its_error_says(
    opened: Open, told: list[tuple[str, str, Outcome]], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Scripted):
        def send(self, message: Mapping[str, Any]) -> Attempt:
            super().send(message)
            if len(self.taken) == 1:
                raise ZeroDivisionError(SECRET)
            return SENT

    box = opened(Broken())
    box.put(notice(fired("btc_mxn")))
    box.put(notice(fired("usd_mxn")))
    eventually(lambda: len(told) == 2)
    assert [outcome for _, _, outcome in told] == [Outcome.FAILED, Outcome.SENT]
    assert SECRET not in caplog.text


def test_a_webhook_that_fails_and_then_works_gets_the_message_once_it_works(
    hook: Hook, opened: Open, told: list[tuple[str, str, Outcome]]
) -> None:
    hook.answers += [(500, {}, b""), (429, {"Retry-After": "0.01"}, b"")]
    box = opened(WebhookChannel(Webhook(hook.url)))
    box.put(notice(fired()))
    box.put(notice(cleared()))
    eventually(lambda: len(told) == 2)
    assert [change for _, change, _ in told] == [Change.FIRED, Change.CLEARED]
    assert {outcome for _, _, outcome in told} == {Outcome.SENT}
    assert len(hook.texts) == 4
    assert hook.texts[0] == hook.texts[1] == hook.texts[2] != hook.texts[3]


def test_a_webhook_that_hangs_holds_up_neither_who_puts_nor_the_end(
    hook: Hook, opened: Open, told: list[tuple[str, str, Outcome]]
) -> None:
    hook.hangs.set()
    box = opened(WebhookChannel(Webhook(hook.url)))
    began = time.monotonic()
    for _ in range(3):
        box.put(notice(fired()))
    assert time.monotonic() - began < 5
    eventually(lambda: len(hook.taken) == 1)
    box.end(0.1)
    box.stop()
    # One request, which ends after ten seconds, is all that it may wait for; each of the three
    # would take as long.
    assert time.monotonic() - began < 25
    assert told == []
