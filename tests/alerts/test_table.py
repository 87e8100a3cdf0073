"""Which of the alerts that are kept a question means."""

from __future__ import annotations

import pytest

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
