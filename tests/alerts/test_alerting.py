"""The rules beside a collection: what is logged, kept and sent, across restarts and kills too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from bitso_spread.alerts.alerting import Alerting
from bitso_spread.alerts.channel import Channel, Outcome
from bitso_spread.alerts.config import Webhook
from bitso_spread.alerts.events import Change, Kind
from bitso_spread.alerts.rules import AlertRules, Threshold
from bitso_spread.alerts.webhook import WebhookChannel
from bitso_spread.lake.alert_log import Kept, alert_file, read_alerts
from bitso_spread.lake.layout import TABLE
from bitso_spread.model import Sample, State
from bitso_spread.sampling import Gap, Tick
from tests.alerts.support import Hook, eventually
from tests.lake.support import python

RULES = AlertRules((Threshold(0.5),))
SENT, PENDING, LAPSED = Outcome.SENT, Outcome.PENDING, Outcome.LAPSED
Open = Callable[..., Alerting]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    made: list[Alerting] = []

    def opened(*channels: Channel, rules: AlertRules = RULES, lake: Path = tmp_path) -> Alerting:
        path = alert_file(lake, TABLE)
        made.append(Alerting(rules, path, "sim", channels, lambda book: f"no link to {book}"))
        made[-1].start()
        return made[-1]

    yield opened
    for each in made:
        each.stop()


def tick(time: int, spread: float | None, *books: str, state: State = State.FRESH) -> Tick:
    rows = (
        Sample.blank(time, book, State.UNKNOWN if state is State.FRESH else state)
        if spread is None
        else Sample(time, book, 100.0, 100.0 / (1 - spread / 100), spread, state)
        for book in books or ("btc_mxn",)
    )
    return Tick(time, tuple(rows), {}, 0.0)


def play(alerting: Alerting, first: int, *runs: tuple[int, float | None]) -> None:
    spreads = [spread for count, spread in runs for _ in range(count)]
    for time, spread in enumerate(spreads, first):
        alerting.put(tick(time, spread), ["btc_mxn"])


def kept(lake: Path) -> list[Kept]:
    return read_alerts(lake, TABLE)


def outcomes(lake: Path) -> list[tuple[Change, Outcome]]:
    found = [(change, outcome) for each in kept(lake) for (change, _), outcome in each.told.items()]
    return sorted(found, key=lambda each: list(Change).index(each[0]))


def test_what_happens_is_logged_shown_kept_and_sent(
    opened: Open, hook: Hook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="bitso_spread")
    alerting = opened(WebhookChannel(Webhook(hook.url)))
    play(alerting, 1000, (5, 0.1), (10, 0.625))
    eventually(lambda: len(alerting.now.in_force) == 1 and alerting.now.in_force[0].seen == 1014)
    (event,) = alerting.now.last
    assert (event.change, event.tick, event.alert.since) == (Change.FIRED, 1008, 1005)
    play(alerting, 1015, (4, 0.1))
    alerting.stop()
    assert alerting.now.in_force == ()
    assert [each.change for each in alerting.now.last] == [Change.FIRED, Change.CLEARED]
    said = [r.getMessage() for r in caplog.records if r.name == "bitso_spread.alerts"]
    assert said == [
        "alert: SIMULATED btc_mxn: spread above 0.5 % since 1970-01-01T00:16:45Z, up to 0.6250 %",
        "alert: SIMULATED btc_mxn: spread narrow again: was above 0.5 % for 10 s, up to 0.6250 %",
    ]
    assert hook.texts == [line.removeprefix("alert: ") for line in said]
    (row,) = kept(tmp_path)
    assert (row.alert, row.environment) == (alerting.now.last[-1].alert, "sim")
    assert row.told == {(Change.FIRED, "webhook"): SENT, (Change.CLEARED, "webhook"): SENT}
    assert alerting.fired == {Kind.SPREAD: 1}
    assert alerting.deliveries["webhook", SENT] == 2
    assert alerting.undelivered == 0


def test_undelivered_alerts_are_counted_and_kept_as_such(
    opened: Open, hook: Hook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answers.append((404, {}, b""))
    alerting = opened(WebhookChannel(Webhook(hook.url)))
    play(alerting, 1000, (4, 0.7), (4, 0.1))
    eventually(lambda: alerting.deliveries["webhook", LAPSED] == 1)
    alerting.stop()
    assert alerting.undelivered == 1
    assert outcomes(tmp_path) == [
        (Change.FIRED, Outcome.FAILED),
        (Change.CLEARED, LAPSED),
    ]
    assert "alert of btc_mxn undelivered by webhook: 127.0.0.1 answers HTTP 404" in caplog.text
    assert len(hook.taken) == 1


def test_no_data_of_all_books_is_one_message_with_the_cause(opened: Open, hook: Hook) -> None:
    alerting = opened(WebhookChannel(Webhook(hook.url)), rules=AlertRules())
    for time in range(1000, 1062):
        alerting.put(tick(time, None, "btc_mxn", "usd_mxn"), [])
    eventually(lambda: len(hook.taken) == 1)
    assert hook.texts[0].splitlines() == [
        "SIMULATED btc_mxn: no data since 1970-01-01T00:16:40Z: no link to btc_mxn",
        "SIMULATED usd_mxn: no data since 1970-01-01T00:16:40Z: no link to usd_mxn",
    ]


def test_missed_ticks_and_a_gap_without_rows_are_missing_data_too(opened: Open) -> None:
    alerting = opened(rules=AlertRules(cooldown_s=0))
    for time in range(1000, 1100):
        alerting.put(tick(time, None, state=State.MISSED), ["btc_mxn"])
    alerting.put(tick(1100, 0.1), ["btc_mxn"])
    alerting.put(Gap(1101, 5000), ["btc_mxn"])
    alerting.put(tick(5001, 0.1), ["btc_mxn"])
    eventually(lambda: len(alerting.now.last) == 4)
    missed, _, gap, end = (event.alert for event in alerting.now.last)
    assert missed.cause is not None
    assert missed.cause.startswith("missed: the recorder was stopped")
    assert gap.cause is not None
    assert gap.cause.startswith("absent: the recorder stood still")
    assert (gap.since, end.until) == (1101, 5001)


def test_a_restart_neither_fires_twice_nor_forgets_and_tells_the_end(
    opened: Open, hook: Hook, tmp_path: Path
) -> None:
    first = opened(WebhookChannel(Webhook(hook.url)))
    play(first, 1000, (20, 0.7))
    first.stop()
    second = opened(WebhookChannel(Webhook(hook.url)))
    play(second, 1050, (20, 0.9))
    eventually(lambda: [alert.seen for alert in second.now.in_force] == [1069])
    second.stop()
    third = opened(WebhookChannel(Webhook(hook.url)))
    play(third, 1100, (4, 0.1), (50, 0.9))
    third.stop()
    assert [event["event"] for each in hook.taken for event in each["bitso_spread"]["events"]] == [
        "fired", "cleared",
    ]  # fmt: skip
    (row,) = kept(tmp_path)
    assert (row.alert.since, row.alert.until, row.alert.widest) == (1000, 1100, 0.9)


def test_what_waited_to_be_sent_is_sent_by_the_next_one_unless_it_is_old_news(
    opened: Open, hook: Hook, tmp_path: Path
) -> None:
    nowhere = Webhook("http://127.0.0.1:9/x")
    rules = AlertRules((Threshold(0.5), Threshold(1.0)))
    first = opened(WebhookChannel(nowhere), rules=rules)
    play(first, 1000, (4, 0.7), (4, 1.2), (4, 0.7))
    first.stop()
    assert outcomes(tmp_path) == [
        (Change.FIRED, PENDING),
        (Change.FIRED, PENDING),
        (Change.CLEARED, LAPSED),
    ]
    second = opened(WebhookChannel(Webhook(hook.url)), rules=rules)
    play(second, 1012, (1, 0.7))
    eventually(lambda: second.deliveries["webhook", SENT] == 1)
    second.stop()
    assert ["above 0.5 %" in text for text in hook.texts] == [True]
    told = {each.alert.threshold: each.told for each in kept(tmp_path)}
    assert told[0.5] == {(Change.FIRED, "webhook"): SENT}
    assert set(told[1.0].values()) == {LAPSED}


def test_what_is_no_longer_watched_is_withdrawn_for_whoever_was_told(
    opened: Open, hook: Hook, tmp_path: Path
) -> None:
    first = opened(WebhookChannel(Webhook(hook.url)))
    play(first, 1000, (4, 0.7))
    first.stop()
    second = opened(WebhookChannel(Webhook(hook.url)), rules=AlertRules((Threshold(0.8),)))
    play(second, 1010, (1, 0.7))
    second.stop()
    assert hook.texts[-1].startswith(
        "SIMULATED btc_mxn: no longer watched for a spread above 0.5 %: was above"
    )
    assert [each.alert.ending for each in kept(tmp_path)] == [Change.WITHDRAWN]


def test_a_book_that_is_no_longer_there_is_withdrawn(opened: Open, tmp_path: Path) -> None:
    alerting = opened()
    play(alerting, 1000, (4, 0.7))
    alerting.forget(["btc_mxn", "usd_mxn"])
    alerting.stop()
    assert [each.alert.ending for each in kept(tmp_path)] == [Change.WITHDRAWN]


CHILD = """
import os, sys, time
from pathlib import Path
from bitso_spread.alerts.alerting import Alerting
from bitso_spread.alerts.config import Webhook
from bitso_spread.alerts.rules import AlertRules, Threshold
from bitso_spread.alerts.webhook import WebhookChannel
from bitso_spread.model import Sample, State
from bitso_spread.sampling import Tick

channels = [WebhookChannel(Webhook(sys.argv[2]))]
rules = AlertRules((Threshold(0.5),))
alerting = Alerting(rules, Path(sys.argv[1]), "sim", channels, str)
alerting.start()
for time_s in range(1000, 1030):
    row = Sample(time_s, "btc_mxn", 1.0, 2.0, 0.5 + time_s / 10_000, State.FRESH)
    alerting.put(Tick(time_s, (row,), {}, 0.0), [])
while True:
    time.sleep(1)
"""


def test_a_kill_costs_neither_the_alert_nor_its_end(
    opened: Open, hook: Hook, tmp_path: Path
) -> None:
    with python(CHILD, alert_file(tmp_path, TABLE), hook.url) as child:
        eventually(lambda: len(hook.taken) == 1 and SENT in told_of(kept(tmp_path)))
        eventually(lambda: kept(tmp_path)[0].alert.seen >= 1029 - 10)
        child.kill()
    (row,) = kept(tmp_path)
    assert (row.alert.fired, row.alert.until) == (1003, None)
    # What grew in the last seconds before the kill may be missing, and no more.
    assert 1029 - row.alert.seen <= 10
    assert row.alert.widest == pytest.approx(0.5 + row.alert.seen / 10_000)
    alerting = opened(WebhookChannel(Webhook(hook.url)))
    play(alerting, 1040, (10, 0.7), (4, 0.1))
    alerting.stop()
    assert len(hook.taken) == 2
    assert "narrow again: was above 0.5 % for 50 s" in hook.texts[1]
    assert [each.alert.until for each in kept(tmp_path)] == [1050]


def told_of(rows: Iterable[Kept]) -> set[Outcome]:
    return {outcome for each in rows for outcome in each.told.values()}


def test_alerts_that_cannot_be_kept_are_told_all_the_same(
    opened: Open, hook: Hook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".bitso-spread").write_text("in the way")
    alerting = opened(WebhookChannel(Webhook(hook.url)))
    play(alerting, 1000, (4, 0.7))
    eventually(lambda: len(hook.taken) == 1)
    assert "begin anew: cannot keep a journal in" in caplog.text
    assert "alerts cannot be kept, and stay in memory" in caplog.text
    (tmp_path / ".bitso-spread").unlink()
    alerting.stop()
    assert [each.told for each in kept(tmp_path)] == [{(Change.FIRED, "webhook"): SENT}]


def test_a_history_that_cannot_be_written_does_not_fill_the_memory(
    opened: Open, tmp_path: Path
) -> None:
    (tmp_path / ".bitso-spread").write_text("in the way")
    alerting = opened()
    play(alerting, 1000, (10, 0.7))
    eventually(lambda: len(alerting._history.left) > 0 and alerting._history._queue.empty())
    waiting = len(alerting._history.left)
    play(alerting, 1010, (4000, 0.7))
    eventually(lambda: [alert.seen for alert in alerting.now.in_force] == [5009])
    eventually(alerting._history._queue.empty)
    assert len(alerting._history.left) == waiting
    (tmp_path / ".bitso-spread").unlink()
    alerting.stop()
    (row,) = kept(tmp_path)
    assert row.alert.seen == 5009
