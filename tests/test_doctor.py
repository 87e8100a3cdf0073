"""The doctor as a whole: all is well, or what is not is told, with what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bitso_spread.doctor import Outcome, examine
from bitso_spread.errors import UsageError
from bitso_spread.exchange.environment import environment
from bitso_spread.sim.server import SimulatedExchange
from tests.doctor.support import (
    BOOKS,
    FAST,
    diagnose,
    lively,
    of,
    where,
    wrong,
)
from tests.exchange.support import HandMarket, quote


@pytest.fixture
def exchange() -> Iterator[SimulatedExchange]:
    with lively() as running:
        yield running


def test_all_is_well_with_a_healthy_exchange(exchange: SimulatedExchange, tmp_path: Path) -> None:
    findings = diagnose(exchange, lake=tmp_path / "lake")
    assert of(findings, Outcome.WARNING, Outcome.FAILED, Outcome.SKIPPED) == set()
    assert list(findings) == [
        *("REST host", "REST connection", "WebSocket host", "WebSocket connection"),
        *("request budget", "REST reply", "books on offer"),
        *("WebSocket handshake", "acknowledgement"),
        *("tickers of all books", "unknown book by REST", "keep-alive"),
        *("first frames", "frames", "time of frames", "pings", "unknown book by the feed"),
        *("subscribing again", "WebSocket link", "delay of frames"),
        *("order book btc_mxn", "agreement btc_mxn", "order book usd_mxn", "agreement usd_mxn"),
        *("price grid", "times in replies", "REST latency", "clock"),
        *("lake writable", "room on the disk", "other collectors"),
    ]
    assert all(finding.advice is None and finding.detail for finding in findings.values())
    assert "\n" not in "".join(finding.detail for finding in findings.values())


def test_the_requests_that_it_makes_are_those_that_it_announces() -> None:
    # Prices stand still, so that nobody has to look twice.
    with lively(market=HandMarket(quote(1000, 1010), quote(18, 19, "usd_mxn"))) as exchange:
        findings = diagnose(exchange)
        made = exchange.counts.requests
    assert made == {"available_books": 1, "ticker": 2, "order_book": 3}
    assert "this run makes 6," in findings["request budget"].detail


def test_each_finding_that_is_not_ok_says_what_to_do(exchange: SimulatedExchange) -> None:
    exchange.faults.pongs = False
    exchange.faults.refuse_books = {"usd_mxn"}
    findings = diagnose(exchange, ["btc_mxn", "usd_mxn", "nope_mxn"])
    assert wrong(findings) >= {"pings", "acknowledgement", "books on offer"}
    assert all(findings[check].advice for check in wrong(findings))


def test_closing_it_half_way_leaves_no_connection(exchange: SimulatedExchange) -> None:
    with closing(examine(where(exchange), BOOKS, timings=FAST)) as findings:
        assert any(finding.check == "acknowledgement" for finding in findings)
        assert [thread for thread in threading.enumerate() if thread.name == "doctor-feed"]
    assert not [thread for thread in threading.enumerate() if thread.name == "doctor-feed"]


@pytest.mark.parametrize(
    ("books", "table", "says"),
    [([","], "T", "no book"), (["btc"], "T", "not a book"), (BOOKS, "../up", "cannot be a table")],
)
def test_what_makes_no_sense_is_said_before_anything_is_asked(
    books: list[str], table: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        examine(environment("stage"), books, table=table)
