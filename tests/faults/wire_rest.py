"""Faults of REST and of name resolution: nothing is lost while the feed works."""

from __future__ import annotations

from collections.abc import Callable

from bitso_spread.model import State
from bitso_spread.sim.faults import CLOUDFLARE_PAGE
from bitso_spread.sim.server import SimulatedExchange
from tests.faults.matrix import row
from tests.faults.stage import Stage, eventually

Break = Callable[[SimulatedExchange], None]


def _down(exchange: SimulatedExchange) -> None:
    exchange.faults.rest_down = True


def _forbid(exchange: SimulatedExchange) -> None:
    exchange.faults.rest_body = CLOUDFLARE_PAGE
    exchange.faults.rest_status = 403


def _mangle(exchange: SimulatedExchange) -> None:
    exchange.faults.rest_wrong_json = True


def _slow(exchange: SimulatedExchange) -> None:
    exchange.faults.rest_delay_s = 12.0


def _mend(exchange: SimulatedExchange) -> None:
    exchange.faults.rest_down = exchange.faults.rest_wrong_json = False
    exchange.faults.rest_status = None
    exchange.faults.rest_delay_s = 0.0


def _without_rest(
    stage: Stage, breaks: Break, failures: int = 2, refresh_after_s: float = 6
) -> None:
    """Break REST while the feed works; one book stands still, and has to be confirmed."""
    exchange = stage.exchange()
    stage.market.still("usd_mxn")
    with stage.collect(exchange, refresh_after_s=refresh_after_s) as recording:
        recording.wait(2)
        asked = exchange.counts.requests.total()
        breaks(exchange)
        eventually(lambda: recording.counts["rest_failures"] >= failures, within=60)
        assert exchange.counts.requests.total() - asked <= failures + 2
        _mend(exchange)
        # REST goes on where it left off, and confirms the book before it would be unknown.
        recording.until(State.FRESH, "usd_mxn")
        recording.wait(3)
        assert recording.counts["connections"] == 1
    stage.check()


def _without_both(stage: Stage, breaks: Break, most: int, cause: str) -> None:
    """Break REST while there is no feed, and see that no storm follows."""
    exchange = stage.exchange()
    with stage.collect(exchange) as recording:
        recording.wait(2)
        with stage.fault(loses=True, room_s=14):
            asked = exchange.counts.requests.total()
            breaks(exchange)
            exchange.faults.refuse_connections = True
            exchange.faults.drop_connections()
            recording.wait(20)
            assert exchange.counts.requests.total() - asked <= most
            _mend(exchange)
            exchange.faults.refuse_connections = False
            recording.until(State.FRESH, "btc_mxn")
        recording.wait(3)
    stage.check()
    assert cause in stage.causes("btc_mxn")[0]


@row(injected="REST down", lost="nothing while the feed works", takes=14)
def rest_down(stage: Stage) -> None:
    _without_rest(stage, _down)


@row(injected="REST down at the start", lost="nothing: the feed is enough", takes=8)
def rest_down_at_the_start(stage: Stage) -> None:
    exchange = stage.exchange()
    _down(exchange)
    with stage.collect(exchange) as recording:
        recording.wait(4)
    stage.check()


@row(injected="REST slow (12 s)", lost="nothing while the feed works", takes=52)
def rest_slow(stage: Stage) -> None:
    # A book is known for as long again; two requests may take ten seconds each to fail meanwhile.
    _without_rest(stage, _slow, failures=1, refresh_after_s=25)


@row(injected="REST slow (a second), and no feed", lost="nothing", takes=14)
def rest_slow_alone(stage: Stage) -> None:
    exchange = stage.exchange()
    with stage.collect(exchange) as recording:
        recording.wait(2)
        with stage.fault():
            exchange.faults.rest_delay_s = 1.0
            exchange.faults.refuse_connections = True
            exchange.faults.drop_connections()
            recording.wait(10)
            exchange.faults.refuse_connections = False
            recording.wait(2)
    stage.check()


@row(
    injected="420 with lock-out",
    lost="nothing while the feed works; nobody asks for a minute",
    takes=18,
)
def throttled(stage: Stage) -> None:
    # Each book is asked for after every change but not known without one for long.
    exchange = stage.exchange(period_ms=4000)
    with stage.collect(exchange, refresh_after_s=3) as recording:
        recording.wait(2)
        exchange.faults.throttle()
        recording.wait(12)
        assert exchange.counts.throttled == 1
        assert recording.counts["connections"] == 1
    stage.check()


@row(
    injected="420 with lock-out, and no feed",
    lost="what is more than 3 s after it, until the feed is back or 61 s are over",
    takes=32,
)
def throttled_without_feed(stage: Stage) -> None:
    def lock_out(exchange: SimulatedExchange) -> None:
        exchange.faults.throttle()

    # The request that was refused, and no other.
    _without_both(stage, lock_out, 1, "too many requests")


@row(injected="403 with a page of HTML", lost="nothing while the feed works", takes=14)
def forbidden(stage: Stage) -> None:
    _without_rest(stage, _forbid)


@row(
    injected="403 with a page of HTML, and no feed",
    lost="what is more than 3 s after it, until either is back; no storm of requests",
    takes=32,
)
def forbidden_without_feed(stage: Stage) -> None:
    # Delays are drawn from 0.5, 1, 2, 4, 8 and 10 s: some eight requests, and not one a second.
    _without_both(stage, _forbid, 15, "HTTP 403")


@row(injected="wrong JSON from REST", lost="nothing while the feed works", takes=14)
def wrong_json(stage: Stage) -> None:
    _without_rest(stage, _mangle)


@row(
    injected="wrong JSON from REST, and no feed",
    lost="what is more than 3 s after it, until either is back; no storm of requests",
    takes=32,
)
def wrong_json_without_feed(stage: Stage) -> None:
    _without_both(stage, _mangle, 15, "no link")
