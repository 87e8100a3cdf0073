"""Prometheus metrics of a collector: what is there from the start, and that it is true."""

from __future__ import annotations

import math
import socket
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from bitso_spread.alerts.alerting import Alerting
from bitso_spread.alerts.channel import Outcome
from bitso_spread.alerts.command import CommandChannel
from bitso_spread.alerts.events import Kind
from bitso_spread.alerts.rules import AlertRules, Threshold
from bitso_spread.collector import Collector, Plan
from bitso_spread.errors import BitsoSpreadError
from bitso_spread.exchange.client import OrderBookClient
from bitso_spread.exchange.environment import Environment, environment
from bitso_spread.exchange.wire import Rejection
from bitso_spread.lake.reader import Lake
from bitso_spread.metrics.series import Series
from bitso_spread.metrics.server import MetricsServer
from bitso_spread.model import Sample, State
from bitso_spread.sampling import Tick
from bitso_spread.sim.server import SimulatedExchange

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]
NOWHERE = environment("sim", "http://127.0.0.1:9", "ws://127.0.0.1:9")


def get(port: int, accept: str = "text/plain") -> tuple[str, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310  (http, as the line above has it)
        return reply.headers["Content-Type"], reply.read().decode()


def values_of(text: str) -> Values:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(port: int) -> Values:
    return values_of(get(port)[1])


def value(values: Values, name: str, **labels: str) -> float:
    return values[f"bitso_spread_{name}", frozenset(labels.items())]


def unstarted(lake: Path, exchange: Environment = NOWHERE) -> Collector:
    collector = Collector(exchange, Plan(books=["btc_mxn"], lake=lake))
    collector.books = ("btc_mxn", "usd_mxn")
    return collector


def families(collector: Collector) -> dict[str, Metric]:
    return {family.name: family for family in Series(collector, wait=lambda _: None).collect()}


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.02)


def test_every_series_is_there_before_anything_has_happened(tmp_path: Path) -> None:
    with MetricsServer(unstarted(tmp_path), "127.0.0.1", 0) as server:
        values = scrape(server.port)
    for name in (
        "ticks_total", "frames_total", "keepalives_total", "lags_total", "mutes_total",
        "rest_requests_total", "rest_failures_total", "rest_throttles_total",
        "connections_total", "files_written_total", "last_tick_timestamp_seconds",
        "tick_lateness_seconds_count", "tick_lateness_seconds_sum", "feed_up", "feed_lag_seconds",
        "files_uploaded_total", "files_waiting", "files_waiting_since_seconds", "store_trouble",
        "books_without_lease",
    ):  # fmt: skip
        assert value(values, name) == 0, name
    for rejection in Rejection:
        for source in ("feed", "rest"):
            assert value(values, "rejections_total", source=source, reason=rejection.value) == 0
    for reason in ("unreachable", "lost", "closed", "silent"):
        assert value(values, "reconnects_total", reason=reason) == 0
    for book in ("btc_mxn", "usd_mxn"):
        for state in State:
            assert value(values, "rows_total", book=book, state=state.value) == 0
        assert math.isnan(value(values, "book_age_seconds", book=book))
    for place in ("memory", "journal"):
        assert value(values, "rows_waiting", place=place) == 0
    assert value(values, "tick_lateness_seconds_bucket", le="+Inf") == 0
    assert value(values, "phase", phase="starting") == 1
    assert value(values, "phase", phase="recording") == 0


def test_alerts_have_their_series_also_where_none_are_asked_for(tmp_path: Path) -> None:
    with MetricsServer(unstarted(tmp_path), "127.0.0.1", 0) as server:
        values = scrape(server.port)
    for kind in Kind:
        assert value(values, "alerts_fired_total", kind=kind.value) == 0
        assert value(values, "alerts_in_force", kind=kind.value) == 0
    for channel in ("webhook", "command"):
        for outcome in ("sent", "failed", "dropped", "lapsed"):
            name = "alert_deliveries_total"
            assert value(values, name, channel=channel, outcome=outcome) == 0


def test_alerts_are_told_by_kind_and_deliveries_by_what_became_of_them(tmp_path: Path) -> None:
    collector = unstarted(tmp_path)
    rules, path = AlertRules((Threshold(0.5),), hold_s=0), tmp_path / "alerts"
    gone = CommandChannel(["/nowhere/notify"])
    alerting = Alerting(rules, path, "sim", [gone], str)
    collector.alerting = alerting
    with alerting:
        row = Sample(1000, "btc_mxn", 99.0, 100.0, 1.0, State.FRESH)
        alerting.put(Tick(1000, (row,), {}, 0.0), ["btc_mxn"])
        eventually(lambda: alerting.deliveries["command", Outcome.FAILED] == 1)
        with MetricsServer(collector, "127.0.0.1", 0) as server:
            values = scrape(server.port)
    assert value(values, "alerts_fired_total", kind="spread") == 1
    assert value(values, "alerts_in_force", kind="spread") == 1
    assert value(values, "alert_deliveries_total", channel="command", outcome="failed") == 1
    assert value(values, "alert_deliveries_total", channel="webhook", outcome="failed") == 0


def test_what_the_client_counts_is_told_under_its_reason(tmp_path: Path) -> None:
    collector = unstarted(tmp_path)
    client = collector.client = OrderBookClient(["btc_mxn", "usd_mxn"], NOWHERE)
    client.counts.update(
        {"frames": 9, "rest_requests": 4, "rest_failures": 3, "rest_throttles": 2,
         "down_lost": 5, "down_silent": 1, "rejected_crossed": 7, "rest_rejected_empty": 8}
    )  # fmt: skip
    found = families(collector)

    def one(family: str, **labels: str) -> float:
        samples = found[f"bitso_spread_{family}"].samples
        return next(sample.value for sample in samples if sample.labels == labels)

    assert one("frames") == 9
    assert [one(f"rest_{name}") for name in ("requests", "failures", "throttles")] == [4, 3, 2]
    assert one("reconnects", reason="lost") == 5
    assert one("reconnects", reason="silent") == 1
    assert one("reconnects", reason="closed") == 0
    assert one("rejections", source="feed", reason="crossed") == 7
    assert one("rejections", source="rest", reason="empty") == 8


def test_the_histogram_counts_every_tick_in_each_bucket_that_it_fits(tmp_path: Path) -> None:
    collector = unstarted(tmp_path)
    for late_s in (0.0001, 0.0005, 0.002, 0.3, 1.5):
        collector.summary.lateness.add(late_s)
    samples = families(collector)["bitso_spread_tick_lateness_seconds"].samples
    counts = {s.labels["le"]: s.value for s in samples if s.name.endswith("_bucket")}
    assert counts["0.0005"] == 2
    assert counts["0.001"] == 2
    assert counts["0.0025"] == 3
    assert counts["0.25"] == 3
    assert counts["0.5"] == counts["1.0"] == 4
    assert counts["+Inf"] == 5
    assert next(s.value for s in samples if s.name.endswith("_sum")) == pytest.approx(1.8026)


@pytest.mark.parametrize(
    ("now", "waits"),
    [(1000.1, []), (1000.5, []), (1000.89, []), (1000.95, [0.07]), (1000.999, [0.021])],
)
def test_a_tick_that_is_near_comes_before_a_scrape(
    now: float, waits: list[float], tmp_path: Path
) -> None:
    waited: list[float] = []
    list(Series(unstarted(tmp_path), wall=lambda: now, wait=waited.append).collect())
    assert waited == pytest.approx(waits)


def test_names_and_units_are_as_prometheus_has_them(tmp_path: Path) -> None:
    for name, family in families(unstarted(tmp_path)).items():
        assert name.startswith("bitso_spread_")
        assert family.documentation
        assert not name.endswith(("_ms", "_total", "_count"))
    registry = CollectorRegistry()
    registry.register(Series(unstarted(tmp_path)))
    # Nothing is given twice.
    names = [family.name for family in registry.collect()]
    assert len(names) == len(set(names))


def test_a_scrape_tells_what_was_recorded(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        address = environment("sim", exchange.rest_url, exchange.ws_url)
        collector = Collector(address, Plan(books=["btc_mxn"], lake=tmp_path, batch_size=2))
        with MetricsServer(collector, "127.0.0.1", 0) as server:
            thread = threading.Thread(target=collector.run)
            thread.start()
            try:
                eventually(lambda: collector.summary.ticks >= 3)
                before = collector.summary.ticks
                values = scrape(server.port)
                kind, _ = get(server.port, "application/openmetrics-text; version=1.0.0")
            finally:
                collector.stop()
                thread.join()
            after = scrape(server.port)
    assert kind.startswith("application/openmetrics-text")
    assert before <= value(values, "ticks_total") <= before + 3
    states = [value(values, "rows_total", book="btc_mxn", state=state.value) for state in State]
    assert (
        sum(states) == value(values, "ticks_total") == value(values, "tick_lateness_seconds_count")
    )
    assert value(values, "feed_up") == 1
    assert value(values, "phase", phase="recording") == 1
    assert value(values, "frames_total") > 0
    assert value(values, "rest_requests_total") > 0
    assert 0 <= value(values, "book_age_seconds", book="btc_mxn") < 60
    assert value(after, "files_written_total") == len(list(Lake(tmp_path).files()))
    assert value(after, "rows_waiting", place="journal") == 0
    assert value(after, "last_tick_timestamp_seconds") == collector.summary.last_tick


def test_books_that_come_and_go_while_it_is_read_do_not_break_a_scrape(tmp_path: Path) -> None:
    collector = unstarted(tmp_path)
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            collector.summary.states[f"a{number}_mxn"] = Counter({State.FRESH: 1})
            collector.summary.files[tmp_path / str(number)] += 1
            if number % 200 == 0:
                collector.summary.states.clear()
                collector.summary.files.clear()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(50):
            assert families(collector)
    finally:
        stop.set()
        thread.join()


def test_an_address_that_is_not_here_is_one_line(tmp_path: Path) -> None:
    for host in ("192.0.2.1", "no-such-host.invalid", "a" * 70):
        with pytest.raises(BitsoSpreadError, match="--metrics-host"):
            MetricsServer(unstarted(tmp_path), host, 0)


def test_a_scraper_that_hangs_up_leaves_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with MetricsServer(unstarted(tmp_path), "127.0.0.1", 0) as server:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", server.port)) as rude:
                linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                rude.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        with socket.create_connection(("127.0.0.1", server.port)) as junk:
            junk.sendall(b"\x16\x03\x01\x00\xff\xfe\r\n\r\n")
            assert b"400" in junk.recv(4096)
        assert scrape(server.port)
    assert capfd.readouterr().err == ""
