"""Faults in what the feed says, or does not say, while its link lives."""

from __future__ import annotations

from bitso_spread.model import State
from tests.faults.matrix import row
from tests.faults.stage import Stage, eventually

# What the recorder is given for `--refresh-after`, and how old a quote of a mute book may get:
# that, or five seconds between two looks at a book that is known to be mute, and one reply.
_REFRESH_S = 4.0
_MUTE_S = 6.0


@row(
    injected="mute with keep-alive alive",
    lost="nothing; REST finds it after `--refresh-after`, and looks every 5 s from then on",
    takes=24,
)
def mute(stage: Stage) -> None:
    exchange = stage.exchange(keepalive_s=1)
    with stage.collect(exchange, refresh_after_s=_REFRESH_S) as recording:
        recording.wait(2)
        with stage.fault(stale_s=_MUTE_S):
            exchange.faults.mute = "all"
            eventually(lambda: recording.counts["mute"] >= 2)
            # It is subscribed again, to no avail.
            eventually(lambda: exchange.counts.subscriptions["btc_mxn"] >= 2)
            recording.wait(8)
            exchange.faults.mute = set()
        recording.wait(4)
        assert recording.counts["connections"] == 1
    stage.check()


@row(
    injected="one book mute while the others move",
    lost="nothing; REST finds it after `--refresh-after`, and the others are left alone",
    takes=16,
)
def one_mute(stage: Stage) -> None:
    exchange = stage.exchange("btc_mxn", "usd_mxn", "eth_mxn")
    with stage.collect(exchange, refresh_after_s=_REFRESH_S) as recording:
        recording.wait(2)
        with stage.fault("usd_mxn", stale_s=_MUTE_S):
            exchange.faults.mute = {"usd_mxn"}
            eventually(lambda: recording.counts["mute"] >= 1)
            recording.wait(3)
            exchange.faults.mute = set()
        recording.wait(4)
        assert recording.counts["connections"] == 1
        # Asked for again, and no other.
        assert exchange.counts.subscriptions == {"btc_mxn": 1, "usd_mxn": 2, "eth_mxn": 1}
    stage.check()


@row(
    injected="lagging by 2.5 s",
    lost="nothing: the rows are that much behind; it is labelled, counted, and no reconnect",
)
def lagging(stage: Stage) -> None:
    exchange = stage.exchange()
    with stage.collect(exchange) as recording:
        recording.wait(3)
        with stage.fault():
            exchange.faults.lag_s = 2.5
            eventually(lambda: recording.counts["lagging"] == 1)
            recording.wait(4)
            exchange.faults.lag_s = 0.0
        recording.wait(4)
        assert recording.counts["lagging"] == 1
        assert recording.counts["connections"] == 1
        # A word that lags is no fresh one.
        assert State.QUIET in recording.states("btc_mxn")
    stage.check()


@row(
    injected="lagging by more than `--max-stale`",
    lost="nothing: REST carries the books; counted, and no reconnect",
    takes=20,
)
def lagging_too_far(stage: Stage) -> None:
    exchange = stage.exchange()
    with stage.collect(exchange) as recording:
        recording.wait(3)
        with stage.fault(stale_s=5):
            exchange.faults.lag_s = 5.0
            eventually(lambda: recording.counts["lagging"] == 1)
        with stage.fault():
            recording.wait(8)
            exchange.faults.lag_s = 0.0
            recording.wait(6)
        assert recording.counts["lagging"] == 1
        assert recording.counts["connections"] == 1
        assert any("the feed lags by" in reason for reason in recording.reasons("btc_mxn"))
    stage.check()


@row(
    injected="the same, with REST down",
    lost="all while it lags; the cause says so, and no reconnect",
    takes=24,
)
def lagging_without_rest(stage: Stage) -> None:
    exchange = stage.exchange()
    with stage.collect(exchange) as recording:
        recording.wait(3)
        with stage.fault(loses=True, stale_s=5, room_s=6):
            exchange.faults.rest_down = True
            exchange.faults.lag_s = 6.0
            recording.until(State.UNKNOWN, "usd_mxn")
            recording.wait(3)
            exchange.faults.rest_down = False
            exchange.faults.lag_s = 0.0
            recording.until(State.FRESH, "usd_mxn")
        recording.wait(4)
        assert recording.counts["connections"] == 1
    stage.check()
    assert "the feed lags by" in stage.causes("usd_mxn")[0]


@row(injected="an exchange clock that is an hour behind, or ahead", lost="nothing", takes=16)
def clock_off(stage: Stage) -> None:
    for ahead_s, book in ((-3600.0, "btc_mxn"), (3600.0, "usd_mxn")):
        exchange = stage.exchange(book, ahead_s=ahead_s)
        with stage.collect(exchange) as recording:
            recording.wait(6)
            assert recording.counts["lagging"] == 0
            assert State.UNKNOWN not in recording.states(book)
        stage.check_prices(book, stage.rows()[book])


@row(
    injected="subscription refused at the start",
    lost="everything: it says so in a line, with status 1",
    takes=5,
)
def subscription_refused_at_the_start(stage: Stage) -> None:
    exchange = stage.exchange()
    exchange.faults.refuse_books = {"usd_mxn"}
    process = stage.process(exchange)
    assert process.wait() == 1
    assert "usd_mxn cannot be recorded: This book is not supported" in process.err.splitlines()[-1]
    assert "Traceback" not in process.err


@row(
    injected="subscriptions refused in mid-run, of two books out of three",
    lost="nothing: REST carries the two, with one request for both",
    takes=22,
)
def subscription_refused(stage: Stage) -> None:
    exchange = stage.exchange("btc_mxn", "usd_mxn", "eth_mxn")
    with stage.collect(exchange) as recording:
        recording.wait(2)
        with stage.fault():
            exchange.faults.refuse_books = {"usd_mxn", "eth_mxn"}
            exchange.faults.drop_connections()
            eventually(lambda: recording.counts["refusals"] == 2)
        asked = exchange.counts.requests.total()
        with stage.fault("usd_mxn", "eth_mxn"):
            recording.wait(12)
            assert exchange.counts.requests.total() - asked <= 11
        assert exchange.counts.requests["ticker"] >= 6
        assert recording.states("btc_mxn")[-1] is State.FRESH
    stage.check()


@row(
    injected="junk, truncated, huge (20 MB) and binary frames",
    lost="nothing: each is counted, and the link stays",
)
def junk(stage: Stage) -> None:
    exchange = stage.exchange()
    with stage.collect(exchange) as recording:
        recording.wait(2)
        counts = recording.counts
        for reason, data in (
            ("not_json", "\x00junk\ud7ff"),
            ("not_json", '{"payload":{"bids":[{"r":"1","a":"1"},{"r":"12'),
            ("bad_shape", '{"payload":{"bids":[{"r":1}],"asks":7},"book":"btc","type":"orders"}'),
            ("too_large", '{"payload":"' + "x" * 20_000_000 + '"}'),
            ("not_text", b"\x00\xff" * 500),
        ):
            before = counts[f"rejected_{reason}"]
            exchange.faults.send_raw(data)
            eventually(lambda: counts[f"rejected_{reason}"] == before + 1)  # noqa: B023  (at once)
        recording.wait(4)
        assert counts["connections"] == 1
    stage.check()


@row(
    injected="a frame that says it has a terabyte",
    lost="nothing; for up to 8 s the last quotes stand, then REST carries, and the link is made "
    "again",
    takes=28,
)
def endless_frame(stage: Stage) -> None:
    exchange = stage.exchange()
    proxy = stage.proxy(exchange.ws_url)
    with stage.collect(exchange, ws_url=proxy.ws_url) as recording:
        recording.wait(7)
        with stage.fault(stale_s=9):
            # All that follows is its payload.
            proxy.inject(b"\x81\x7f" + (1 << 40).to_bytes(8, "big"))
            eventually(lambda: recording.counts["connections"] == 2)
        recording.wait(4)
    stage.check()


@row(injected="crossed, one-sided and empty frames", lost="nothing: REST settles the doubt")
def bad_frames(stage: Stage) -> None:
    exchange = stage.exchange(period_ms=None)
    with stage.collect(exchange) as recording:
        recording.wait(2)
        faults = exchange.faults
        for reason, send in (
            ("crossed", faults.send_crossed),
            ("one_sided", faults.send_one_sided),
            ("empty", faults.send_empty),
        ):
            send("btc_mxn")
            eventually(lambda: recording.counts[f"rejected_{reason}"] == 1)  # noqa: B023  (at once)
            recording.wait(4)
        assert recording.counts["connections"] == 1
        # In doubt, and settled.
        assert any(reason.startswith("rejected: ") for reason in recording.reasons("btc_mxn")) or (
            exchange.counts.requests["order_book"] >= 5
        )
    stage.check()


@row(
    injected="a book that is crossed for good, by feed and REST",
    lost="that book from 3 s after it until it is sound again; the others go on",
    takes=24,
)
def crossed_book(stage: Stage) -> None:
    exchange = stage.exchange()
    with stage.collect(exchange) as recording:
        recording.wait(2)
        with stage.fault("btc_mxn", loses=True):
            stage.market.cross("btc_mxn")
            recording.until(State.UNKNOWN, "btc_mxn")
            recording.wait(3)
            stage.market.cross("btc_mxn", crossed=False)
            recording.until(State.FRESH, "btc_mxn")
        recording.wait(3)
        assert State.UNKNOWN not in recording.states("usd_mxn")
    stage.check()
    assert "crossed" in stage.causes("btc_mxn")[0]
