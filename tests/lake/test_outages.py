"""The spans of which nothing is known."""

from __future__ import annotations

from bitso_spread.lake.journal import Outage
from bitso_spread.lake.outages import MISSED, OutageLog
from bitso_spread.model import Sample, State
from tests.lake.support import a_row

BOOK = "btc_mxn"


def spans(states: str, *, interval: int = 1, cause: str = "the link is down") -> list[Outage]:
    """All that the log says of one letter a tick: known, unknown (?) or missed (!)."""
    log = OutageLog(interval)
    said = []
    for i, letter in enumerate(states):
        tick = 100 + i * interval
        row = a_row(tick)
        if letter in "?!":
            row = Sample.blank(tick, BOOK, State.UNKNOWN if letter == "?" else State.MISSED)
        said += log.add(row, lambda book: f"{book}: {cause}")
    return said


def test_what_is_known_is_no_outage() -> None:
    assert spans("kkkk") == []


def test_an_outage_begins_with_its_first_unknown_tick_and_tells_its_cause() -> None:
    assert spans("k??") == [Outage(BOOK, "btc_mxn: the link is down", 101, None)]


def test_an_outage_ends_with_its_last_unknown_tick() -> None:
    cause = "btc_mxn: the link is down"
    assert spans("k??k") == [Outage(BOOK, cause, 101, None), Outage(BOOK, cause, 101, 102)]
    assert spans("k??kk", interval=60)[-1] == Outage(BOOK, cause, 160, 220)


def test_missed_ticks_are_an_outage_of_their_own() -> None:
    assert spans("k!!k") == [Outage(BOOK, MISSED, 101, None), Outage(BOOK, MISSED, 101, 102)]


def test_a_miss_within_an_unknown_span_splits_it() -> None:
    cause = "btc_mxn: the link is down"
    ended = [outage for outage in spans("?!!??k") if outage.last_tick is not None]
    assert ended == [
        Outage(BOOK, cause, 100, 100),
        Outage(BOOK, MISSED, 101, 102),
        Outage(BOOK, cause, 103, 104),
    ]


def test_every_state_that_has_a_quote_ends_an_outage() -> None:
    for state in (State.FRESH, State.QUIET, State.HELD):
        log = OutageLog(1)
        log.add(Sample.blank(100, BOOK, State.UNKNOWN), lambda _: "why")
        ended = log.add(Sample(101, BOOK, 1.0, 2.0, 50.0, state), lambda _: "why")
        assert ended == [Outage(BOOK, "why", 100, 100)]


def test_the_cause_is_the_one_at_its_beginning() -> None:
    log = OutageLog(1)
    causes = iter(["the link is down"])
    log.add(Sample.blank(100, BOOK, State.UNKNOWN), lambda _: next(causes))
    assert log.add(Sample.blank(101, BOOK, State.UNKNOWN), lambda _: next(causes)) == []


def test_the_end_ends_what_is_open_of_just_these_books() -> None:
    log = OutageLog(1)
    for book in ("btc_mxn", "usd_mxn"):
        log.add(Sample.blank(100, book, State.UNKNOWN), lambda _: "why")
    assert log.end(["btc_mxn", "eth_mxn"], 107) == [Outage("btc_mxn", "why", 100, 107)]
    assert log.end(["btc_mxn", "usd_mxn"], 109) == [Outage("usd_mxn", "why", 100, 109)]
    assert log.end(["btc_mxn", "usd_mxn"], 111) == []


def test_books_have_outages_of_their_own() -> None:
    log = OutageLog(1)
    log.add(Sample.blank(100, "btc_mxn", State.UNKNOWN), lambda _: "why")
    assert log.add(a_row(101, "usd_mxn"), lambda _: "why") == []
    assert log.add(a_row(101, "btc_mxn"), lambda _: "why") == [Outage("btc_mxn", "why", 100, 100)]
