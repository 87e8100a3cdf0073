"""Faults of the link: refused, reset, closed, cut, half-open, silent."""

from __future__ import annotations

import time

from bitso_spread.model import State
from tests.faults.matrix import row
from tests.faults.stage import MAX_STALE_S, Stage, eventually

# Of a link that answered pings nothing may come for seven seconds before REST looks, and for ten
# before it is dead. It is looked at every second.
_DOUBT_S = 9.0


@row(injected="connection refused, the feed's alone", lost="nothing: REST carries the books")
def refused(stage: Stage) -> None:
    exchange = stage.exchange()
    proxy = stage.proxy(exchange.ws_url)
    with stage.collect(exchange, ws_url=proxy.ws_url) as recording:
        recording.wait(2)
        with stage.fault():
            proxy.refuse()
            recording.wait(8)
            assert recording.counts["connections"] == 1
            proxy.accept()
            eventually(lambda: recording.counts["connections"] == 2)
        recording.wait(4)
    stage.check()


@row(
    injected="connection refused, the feed's and REST's",
    lost="what is more than `--max-stale` (3 s) after it, until the exchange is back",
    takes=20,
)
def refused_all(stage: Stage) -> None:
    exchange = stage.exchange()
    proxy = stage.proxy(exchange.ws_url)
    ws_url, rest_url = proxy.ws_url, proxy.rest_url
    with stage.collect(exchange, ws_url=ws_url, rest_url=rest_url) as recording:
        recording.wait(2)
        # The backoff is at most two seconds after so short a time, and REST's after it.
        with stage.fault(loses=True, room_s=8):
            proxy.refuse()
            recording.until(State.UNKNOWN, "btc_mxn")
            assert State.HELD in recording.states("btc_mxn")
            proxy.accept()
            recording.until(State.FRESH, "btc_mxn")
        recording.wait(4)
    stage.check()
    (cause,) = stage.causes("usd_mxn")
    assert "no link" in cause


@row(
    injected="connection refused at the start",
    lost="everything: after `--max-wait` it says so in a line, with status 1",
    takes=5,
)
def refused_at_the_start(stage: Stage) -> None:
    exchange = stage.exchange()
    exchange.faults.stop_listening()
    process = stage.process(exchange, "--max-wait", "2")
    assert process.wait() == 1
    last = process.err.splitlines()[-1]
    assert last.startswith("bitso-spread: no book could be had in 2 s; btc_mxn, usd_mxn: no link")
    assert "Traceback" not in process.err


@row(injected="connection reset", lost="nothing", takes=8)
def reset(stage: Stage) -> None:
    exchange = stage.exchange()
    proxy = stage.proxy(exchange.ws_url)
    with stage.collect(exchange, ws_url=proxy.ws_url) as recording:
        recording.wait(2)
        with stage.fault():
            proxy.reset()
            eventually(lambda: recording.counts["connections"] == 2)
            # A machine that stands still later on may cost one more.
            assert (recording.counts["disconnects"], proxy.connections) == (1, 2)
        recording.wait(4)
    stage.check()


@row(injected="closed with 1011", lost="nothing", takes=8)
def closed(stage: Stage) -> None:
    exchange = stage.exchange()
    with stage.collect(exchange) as recording:
        recording.wait(2)
        with stage.fault():
            exchange.faults.close_connections(1011, "internal error")
            eventually(lambda: recording.counts["connections"] == 2)
        recording.wait(4)
    stage.check()


@row(injected="closed with no close frame", lost="nothing", takes=8)
def cut(stage: Stage) -> None:
    exchange = stage.exchange()
    with stage.collect(exchange) as recording:
        recording.wait(2)
        with stage.fault():
            exchange.faults.drop_connections()
            eventually(lambda: recording.counts["connections"] == 2)
        recording.wait(4)
    stage.check()


@row(injected="closed in the middle of a frame", lost="nothing", takes=8)
def cut_in_a_frame(stage: Stage) -> None:
    exchange = stage.exchange()
    proxy = stage.proxy(exchange.ws_url)
    with stage.collect(exchange, ws_url=proxy.ws_url) as recording:
        recording.wait(2)
        with stage.fault():
            proxy.cut(100)
            eventually(lambda: recording.counts["connections"] == 2)
        recording.wait(4)
        assert not [name for name in recording.counts if name.startswith("rejected")]
    stage.check()


@row(
    injected="half-open (packets vanish), pings were answered",
    lost="nothing; for up to 8 s the last quotes stand, then REST carries; dead after 10 s",
    takes=25,
)
def half_open(stage: Stage) -> None:
    exchange = stage.exchange()
    proxy = stage.proxy(exchange.ws_url)
    with stage.collect(exchange, ws_url=proxy.ws_url) as recording:
        # The first ping goes out after five seconds.
        recording.wait(7)
        with stage.fault(stale_s=_DOUBT_S):
            proxy.hold(new=True)
            eventually(lambda: recording.counts["disconnects"] == 1)
        # A new connection takes ten seconds to fail meanwhile.
        with stage.fault():
            recording.wait(3)
            proxy.release()
            eventually(lambda: recording.counts["connections"] == 2)
        recording.wait(4)
    stage.check()


@row(
    injected="half-open, and pings were never answered",
    lost="nothing; for up to 23 s the last quotes stand, then REST carries; dead after 60 s",
    takes=75,
)
def half_open_without_pongs(stage: Stage) -> None:
    exchange = stage.exchange(keepalive_s=5)
    exchange.faults.pongs = False
    proxy = stage.proxy(exchange.ws_url)
    with stage.collect(exchange, ws_url=proxy.ws_url) as recording:
        recording.wait(7)
        start = time.monotonic()
        with stage.fault(stale_s=24):
            proxy.hold()
            eventually(lambda: exchange.counts.requests["ticker"] >= 1)
        # From here on REST tells, and no quote is older than it says.
        with stage.fault():
            assert time.monotonic() - start < 45
            eventually(lambda: recording.counts["connections"] == 2, within=90)
            assert 58 < time.monotonic() - start < 90
        recording.wait(4)
        assert recording.counts["mute"] == 0
    stage.check()


@row(
    injected="silent, keep-alive missing, pings unanswered",
    lost="nothing; for up to 8 s the last quotes stand, then REST carries; dead after 10 s",
    takes=30,
)
def silent(stage: Stage) -> None:
    exchange = stage.exchange(keepalive_s=1)
    with stage.collect(exchange) as recording:
        recording.wait(7)
        with stage.fault(stale_s=_DOUBT_S):
            exchange.faults.silent = True
            eventually(lambda: recording.counts["connections"] == 2)
        # The new connection is as silent: its subscriptions are not acknowledged.
        asked = exchange.counts.requests.total()
        with stage.fault():
            recording.wait(8)
            # One request for both books, not one for each: 60 a minute is all there is.
            assert exchange.counts.requests.total() - asked <= 8
            exchange.faults.drop_connections()
            exchange.faults.silent = False
            eventually(lambda: recording.counts["connections"] == 3)
        recording.wait(4)
    stage.check()


@row(injected="keep-alive missing, pings answered", lost="nothing, and nobody reconnects", takes=16)
def keep_alive_missing(stage: Stage) -> None:
    exchange = stage.exchange(period_ms=None, keepalive_s=1)
    with stage.collect(exchange) as recording:
        exchange.faults.keepalive = False
        recording.wait(13)
        assert recording.counts["connections"] == 1
        assert recording.states("btc_mxn")[-1] is State.QUIET
    stage.check()


@row(
    injected="a change while the link was down, on a book that then stays still",
    lost="nothing: REST is asked once the new link is subscribed",
)
def changed_while_down(stage: Stage) -> None:
    exchange = stage.exchange(period_ms=None)
    proxy = stage.proxy(exchange.ws_url)
    with stage.collect(exchange, ws_url=proxy.ws_url) as recording:
        # A frame of its own is what the old link vouches by.
        stage.market.move("btc_mxn")
        recording.wait(2)
        with stage.fault():
            proxy.reset()
            # After REST was asked for what stands on the old link, if it was.
            stage.market.move("btc_mxn")
            eventually(lambda: recording.counts["connections"] == 2)
        recording.wait(6)
    stage.check()


@row(
    injected="the same, with REST down as well, and back after the link",
    lost="the book from 3 s after the cut, until REST has told it",
    takes=20,
)
def changed_while_all_is_down(stage: Stage) -> None:
    exchange = stage.exchange(period_ms=None)
    proxy = stage.proxy(exchange.ws_url)
    with stage.collect(exchange, ws_url=proxy.ws_url) as recording:
        # A frame of its own is what the old link vouches by.
        stage.market.move("btc_mxn")
        recording.wait(2)
        with stage.fault(loses=True, room_s=8):
            exchange.faults.rest_down = True
            proxy.reset()
            stage.market.move("btc_mxn")
            eventually(lambda: recording.counts["connections"] == 2)
            # The link is there, the book stands still, and its old quote must not come back.
            recording.until(State.UNKNOWN, "btc_mxn", within=MAX_STALE_S + 5)
            recording.wait(3)
            exchange.faults.rest_down = False
            # A reply that took more than a second is not fresh any more at the next tick.
            eventually(lambda: recording.states("btc_mxn")[-1] in {State.FRESH, State.QUIET})
        recording.wait(4)
        assert recording.reasons("btc_mxn") >= {"not confirmed since the link came up"}
    stage.check()


@row(
    injected="late frames of an old connection",
    lost="nothing: they are dropped with their connection",
    takes=25,
)
def late_frames(stage: Stage) -> None:
    exchange = stage.exchange()
    proxy = stage.proxy(exchange.ws_url)
    with stage.collect(exchange, ws_url=proxy.ws_url) as recording:
        recording.wait(7)
        with stage.fault(stale_s=_DOUBT_S):
            proxy.hold()
            eventually(lambda: recording.counts["connections"] == 2)
        recording.wait(2)
        # Fifteen seconds of old frames are on their way.
        proxy.release()
        recording.wait(4)
        assert recording.counts["lagging"] == 0
    stage.check()


@row(
    injected="a burst of stale frames after seven seconds in which nothing came",
    lost="nothing; the last quotes stand meanwhile, and the last of the burst is taken",
    takes=16,
)
def burst(stage: Stage) -> None:
    exchange = stage.exchange(period_ms=20)
    proxy = stage.proxy(exchange.ws_url)
    with stage.collect(exchange, ws_url=proxy.ws_url) as recording:
        recording.wait(2)
        with stage.fault(stale_s=9, room_s=1):
            proxy.hold()
            recording.wait(7)
            proxy.release()
        recording.wait(4)
        assert recording.counts["connections"] == 1
        assert recording.counts["lagging"] >= 1
    stage.check()


@row(
    injected="an outage of everything for six seconds, twice",
    lost="what is more than 3 s after each cut, until the exchange is back",
    takes=35,
)
def restarts(stage: Stage) -> None:
    exchange = stage.exchange()
    with stage.collect(exchange) as recording:
        for _ in range(2):
            recording.wait(3)
            with stage.fault(loses=True, room_s=8):
                exchange.faults.stop_listening()
                exchange.faults.drop_connections()
                recording.wait(6)
                exchange.faults.listen_again()
                recording.until(State.FRESH, "usd_mxn")
            recording.wait(3)
    stage.check()
    assert len(stage.causes("btc_mxn")) == 2
