"""What the tests of the doctor share: a lively exchange, and a quick diagnosis of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from websockets.sync.server import ServerConnection

from bitso_spread.clock import SystemClock
from bitso_spread.doctor import Finding, Outcome, Timings, examine
from bitso_spread.exchange.environment import Environment, environment
from bitso_spread.sim.rest import Reply
from bitso_spread.sim.server import SimulatedExchange
from bitso_spread.sim.synthetic import SyntheticMarket
from tests.exchange.support import HandMarket, quote

FAST = Timings(
    timeout_s=30, listen_s=0.5, keepalive_s=0.3, margin_s=30, settle_s=0.1, max_stale_s=30
)
"""Patient with what comes late on a busy machine; what never comes is to be waited for less."""
Feed = Callable[[Callable[[ServerConnection], None]], str]
"""Starts a WebSocket server with a handler of the test's own, and gives its URL."""
BOOKS = ["btc_mxn", "usd_mxn"]


class WrongClock(SystemClock):
    """A clock that is wrong by so many seconds."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead_s = ahead_s

    def wall(self) -> float:
        return super().wall() + self._ahead_s


def lively(**options: Any) -> SimulatedExchange:
    """Make an exchange whose books change a hundred times a second."""
    market = SyntheticMarket(BOOKS, frames_per_second=100)
    return SimulatedExchange(**{"market": market, "keepalive_s": 0.1, **options})


def still() -> HandMarket:
    """Make a market that stands still until it is told to move."""
    return HandMarket(quote(1000, 1010), quote("18.319", "18.387", "usd_mxn"))


def answering(exchange: SimulatedExchange, endpoint: str, answer: Callable[..., Reply]) -> None:
    """Have an endpoint of the exchange answer in another way."""
    exchange._rest._endpoints[endpoint] = answer


def where(exchange: SimulatedExchange) -> Environment:
    return environment("sim", exchange.rest_url, exchange.ws_url)


def diagnose(
    exchange: SimulatedExchange | Environment,
    books: Sequence[str] = BOOKS,
    *,
    timings: Timings = FAST,
    during: tuple[str, Callable[[], object]] | None = None,
    **options: Any,
) -> dict[str, Finding]:
    """Give the findings by their checks; `during` acts when a certain one has been made."""
    there = exchange if isinstance(exchange, Environment) else where(exchange)
    findings = {}
    for finding in examine(there, books, timings=timings, **options):
        findings[finding.check] = finding
        if during is not None and finding.check == during[0]:
            during[1]()
    return findings


def of(findings: dict[str, Finding], *outcomes: Outcome) -> set[str]:
    return {check for check, finding in findings.items() if finding.outcome in outcomes}


def failed(findings: dict[str, Finding]) -> set[str]:
    return of(findings, Outcome.FAILED)


def wrong(findings: dict[str, Finding]) -> set[str]:
    return of(findings, Outcome.FAILED, Outcome.WARNING)
