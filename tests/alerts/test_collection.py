"""Alerts of a collection, on real sockets and in real time, in a spread that widens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from bitso_spread.alerts.channel import Outcome
from bitso_spread.alerts.config import Webhook
from bitso_spread.alerts.events import Alert, Change
from bitso_spread.alerts.rules import AlertRules, Threshold, parse_thresholds
from bitso_spread.collector import Collector
from bitso_spread.errors import UnknownBookError
from bitso_spread.exchange.environment import environment
from bitso_spread.lake.alert_log import read_alerts
from bitso_spread.lake.layout import TABLE
from bitso_spread.lake.reader import Lake
from bitso_spread.plan import AlertPlan, Plan
from bitso_spread.sampling import Tick
from bitso_spread.sim.replay import ReplayMarket, Row
from bitso_spread.sim.server import SimulatedExchange
from tests.alerts.support import Hook, eventually, webhook

NARROW, WIDE = (999_000.0, 1_000_000.0), (990_000.0, 1_000_000.0)
"""Best bid and ask of a spread of 0.1 % and of 1 %."""


def market(*runs: tuple[int, tuple[float, float]]) -> ReplayMarket:
    tops = [top for count, top in runs for _ in range(count)]
    rows: list[Row] = [(i, "btc_mxn", *top) for i, top in enumerate(tops)]
    return ReplayMarket(rows, lead_s=1)


def a_plan(lake: Path, alerts: AlertPlan, **options: object) -> Plan:
    return Plan(books=["btc_mxn"], lake=lake, alerts=alerts, **options)  # type: ignore[arg-type]


def address(exchange: SimulatedExchange) -> list[str]:
    return ["-e", "sim", "--rest-url", exchange.rest_url, "--ws-url", exchange.ws_url]


TICKS = 8


def test_a_webhook_that_hangs_and_a_command_that_sleeps_hold_up_no_tick(
    hook: Hook, tmp_path: Path
) -> None:
    hook.hangs.set()
    done = tmp_path / "done"
    plan = AlertPlan(
        rules=AlertRules((Threshold(0.5),), hold_s=1, cooldown_s=0),
        webhook=Webhook(hook.url),
        command=("/bin/sh", "-c", f"while ! [ -e {done} ]; do sleep 0.1; done"),
    )
    wide = market((2, NARROW), (3, WIDE), (20, NARROW))
    in_force: list[Alert] = []
    with SimulatedExchange(wide) as exchange:
        where = environment("sim", exchange.rest_url, exchange.ws_url)

        def note(_: Tick) -> None:
            in_force.extend(collector.alerts.in_force)
            if collector.summary.ticks == TICKS:
                # Both were under way all along.
                assert collector.alerting is not None
                assert sum(collector.alerting.deliveries.values()) == 0
                hook.hangs.clear()
                hook.released.set()
                done.touch()

        collector = Collector(where, a_plan(tmp_path, plan, ticks=TICKS), on_tick=note)
        summary = collector.run()
    rows = Lake(tmp_path).read()
    ticks = rows["orderbook_timestamp"].dt.epoch("s").to_list()
    assert ticks == list(range(ticks[0], ticks[0] + TICKS))
    assert rows["spread"].null_count() == 0
    # The last bound of the histogram is a second.
    assert summary.lateness.counts[-1] == 0
    assert in_force
    fired, cleared = collector.alerts.last
    assert (fired.change, cleared.change) == (Change.FIRED, Change.CLEARED)
    (kept,) = read_alerts(tmp_path, TABLE)
    assert kept.alert == cleared.alert
    assert set(kept.told.values()) == {Outcome.SENT}
    assert len(kept.told) == 4
    # What it says of the spread is what the lake says.
    wide_ticks = rows.filter(rows["spread"] > 0.5)["orderbook_timestamp"].dt.epoch("s").to_list()
    assert (kept.alert.since, kept.alert.until) == (wide_ticks[0], wide_ticks[-1] + 1)
    assert kept.alert.widest == rows["spread"].max() == 1.0


def test_without_alerts_nothing_is_kept_of_them(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        where = environment("sim", exchange.rest_url, exchange.ws_url)
        collector = Collector(where, Plan(books=["btc_mxn"], lake=tmp_path, ticks=1))
        collector.run()
    assert collector.alerting is None
    assert (collector.alerts.in_force, collector.alerts.last) == ((), ())
    assert not (tmp_path / ".bitso-spread" / "alerts").exists()


def test_a_threshold_of_a_book_that_is_not_recorded_is_refused_at_once(tmp_path: Path) -> None:
    plan = AlertPlan(rules=AlertRules(parse_thresholds(["btc_mnx=0.5"])))
    with SimulatedExchange() as exchange:
        where = environment("sim", exchange.rest_url, exchange.ws_url)
        with pytest.raises(UnknownBookError, match="did you mean btc_mxn"):
            Collector(where, a_plan(tmp_path, plan)).run()
    assert not (tmp_path / TABLE).exists()


@pytest.fixture
def hooked() -> Iterator[tuple[Hook, dict[str, str]]]:
    with webhook() as hook:
        yield hook, {**os.environ, "BITSO_SPREAD_ALERT_WEBHOOK": hook.url}


def collect(
    exchange: SimulatedExchange, lake: Path, environ: dict[str, str], *options: str
) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "bitso_spread", "collect", *address(exchange)]
    where = ["-b", "btc_mxn", "--lake", str(lake)]
    return subprocess.Popen(
        [*program, *where, *options], stderr=subprocess.PIPE, text=True, env=environ
    )


def test_an_alert_in_force_at_a_kill_fires_once_and_its_end_is_told_by_the_next_collector(
    hooked: tuple[Hook, dict[str, str]], tmp_path: Path
) -> None:
    hook, environ = hooked
    noted, script = tmp_path / "noted", tmp_path / "notify.sh"
    script.write_text(f"cat >> {noted}\n")
    options = ["--alert", "btc_mxn=0.5", "--alert-hold", "0", "--alert-command", f"sh {script}"]
    lake = tmp_path / "lake"

    def both_have(messages: int) -> bool:
        lines = noted.read_text().splitlines() if noted.exists() else []
        return len(hook.taken) == len(lines) == messages

    with SimulatedExchange(market((12, WIDE), (60, NARROW))) as exchange:
        with collect(exchange, lake, environ, *options) as first:
            eventually(lambda: both_have(1), 30)
            eventually(lambda: told(lake) == [Outcome.SENT] * 2)
            first.kill()
        with collect(exchange, lake, environ, *options) as second:
            eventually(lambda: both_have(2), 30)
            second.terminate()
            assert second.stderr is not None
            said = second.stderr.read()
    assert [json.loads(line) for line in noted.read_text().splitlines()] == hook.taken
    events = [event for each in hook.taken for event in each["bitso_spread"]["events"]]
    assert [event["event"] for event in events] == ["fired", "cleared"]
    assert events[0]["since"] == events[1]["since"]
    assert all(text.startswith("SIMULATED btc_mxn") for text in hook.texts)
    assert told(lake) == [Outcome.SENT] * 4
    assert "alert still in force: btc_mxn" in said
    assert hook.url not in said
    assert (
        "alerts: btc_mxn above 0.5 % for 0 s, at most every 300 s, no data for a minute; "
        f"to the log, http://127.0.0.1/…, {which('sh')}\n"
    ) in said


def told(lake: Path) -> list[Outcome]:
    (alert,) = read_alerts(lake, TABLE)
    return list(alert.told.values())
