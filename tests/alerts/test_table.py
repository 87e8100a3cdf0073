"""Which of the alerts that are kept a question means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bitso_spread.alerts.events import Change
from bitso_spread.alerts.table import in_question, ticks_of
from bitso_spread.lake.alert_log import Kept
from bitso_spread.lake.filters import Question
from tests.alerts.support import an_alert

MIDNIGHT = 1_721_952_000
"""2024-07-26 in UTC."""
EDGES = [
    tick + off
    for tick in (0, MIDNIGHT, MIDNIGHT + 3600, MIDNIGHT + 86_400, MIDNIGHT + 2 * 86_400)
    for off in (0, 1, -1)
    if tick + off >= 0
]


@pytest.mark.parametrize(
    "question",
    [
        Question(),
        Question(date="2024-07-26"),
        Question(date="20240726..20240727"),
        Question(date="..20240726"),
        Question(date="20240726.."),
        Question(start="2024-07-26T01:00Z"),
        Question(start="2024-07-26T00:59:59.5Z", end="2024-07-26T01:00:00.5Z"),
        Question(end="2024-07-26", tz="America/Mexico_City"),
        Question(date="2024-07-26", start="2024-07-26T01:00Z", end="2024-07-28"),
    ],
)
def test_the_ticks_that_are_read_are_those_that_are_meant(question: Question) -> None:
    first, last = ticks_of(question)
    kept = [Kept(an_alert(fired=tick), "sim") for tick in EDGES]
    within = [each for each in kept if first <= each.alert.fired <= last]
    assert in_question(kept, question) == within


def test_of_no_book_but_one_none_is_left_that_is_of_others() -> None:
    kept = [Kept(an_alert(book), "sim") for book in ("btc_mxn", "usd_mxn")]
    assert in_question(kept, Question(book="mxn_usd")) == [kept[1]]


def test_what_was_in_force_when_the_time_began_is_given_where_that_is_asked_for() -> None:
    earlier = an_alert(fired=MIDNIGHT - 100)
    ending = replace(earlier, until=MIDNIGHT - 5, ending=Change.CLEARED)
    there = [
        replace(earlier, seen=MIDNIGHT),
        replace(ending, seen=MIDNIGHT + 1, ended=MIDNIGHT + 1),
    ]
    gone = [
        # Nobody looked after that: what became of it is not known.
        replace(earlier, seen=MIDNIGHT - 1),
        replace(ending, seen=MIDNIGHT, ended=MIDNIGHT),
        an_alert(fired=MIDNIGHT + 86_400),
    ]
    fired = an_alert(fired=MIDNIGHT)
    kept = [Kept(alert, "sim") for alert in (*there, *gone, fired)]
    question = Question(date="2024-07-26", book="btc_mxn")
    asked = in_question(kept, question, with_earlier=True)
    assert [each.alert for each in asked] == [*there, fired]
    assert in_question(kept, question) == [Kept(fired, "sim")]
    assert in_question(kept, Question(), with_earlier=True) == kept
