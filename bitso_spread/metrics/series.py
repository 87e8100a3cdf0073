"""What a collector has done, for Prometheus: read from its own counters when it is asked.

Nothing is counted twice, and every series is there from the start, so that an alert on one
that should be zero has something to look at.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from bitso_spread import __version__
from bitso_spread.alerts.alerting import CHANNELS
from bitso_spread.alerts.channel import Outcome
from bitso_spread.alerts.events import Kind
from bitso_spread.errors import MissingExtraError
from bitso_spread.exchange.feed import Cause
from bitso_spread.exchange.wire import Rejection
from bitso_spread.lake.heartbeat import Phase
from bitso_spread.lateness import BOUNDS_S
from bitso_spread.model import State

try:
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        InfoMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector as Source
except ImportError as error:
    raise MissingExtraError("--metrics-port", "metrics") from error

if TYPE_CHECKING:
    from bitso_spread.collector import Collector

# Writing out the series of 54 books takes some milliseconds, in which no other thread runs. A tick
# that is so near comes first.
_TICK_NEAR_S = 0.1
_TICK_TAKES_S = 0.02

_COUNTS = {
    "frames": ("frames", "Frames of order books that were taken"),
    "keepalives": ("keepalives", "Keep-alives of the feed"),
    "lagging": ("lags", "Times that the feed began to lag by over 2 s"),
    "mute": ("mutes", "Times that REST found a change of which the feed had said nothing"),
    "rest_requests": ("rest_requests", "Requests for books that were made by REST"),
    "rest_failures": ("rest_failures", "Requests by REST without a usable reply"),
    "rest_throttles": ("rest_throttles", "Times that the exchange said it was asked too much"),
}


class Series(Source):
    """The series of one collector."""

    def __init__(
        self,
        collector: Collector,
        *,
        wall: Callable[[], float] = time.time,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._collector = collector
        self._wall = wall
        self._wait = wait

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: nobody else's series are in this registry."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read the collector's counters, away from its ticks."""
        left = -self._wall() % 1.0
        if left < _TICK_NEAR_S:
            self._wait(left + _TICK_TAKES_S)
        counts = self._counts()
        yield from self._of_ticks()
        yield from self._of_books()
        yield from self._of_the_exchange(counts)
        yield from self._of_the_lake()
        yield from self._of_publishing()
        yield from self._of_alerts()

    def _counts(self) -> Counter[str]:
        client = self._collector.client
        # A copy is made in one go, and the original is written by other threads.
        return Counter() if client is None else Counter(dict(client.counts))

    def _of_ticks(self) -> Iterator[Metric]:
        collector, summary = self._collector, self._collector.summary
        about = {"version": __version__, "environment": collector.environment.name}
        yield InfoMetricFamily("bitso_spread_collector", "What collects", about)
        started = "When the collector was started, in seconds since the epoch"
        yield GaugeMetricFamily("bitso_spread_start_time_seconds", started, collector.since)
        phases = GaugeMetricFamily(
            "bitso_spread_phase", "1 for what the collector is about, else 0", labels=["phase"]
        )
        for phase in Phase:
            phases.add_metric([phase.value], phase is collector.phase)
        yield phases
        yield CounterMetricFamily("bitso_spread_ticks", "Ticks that were recorded", summary.ticks)
        last = "Time of the last tick, in seconds since the epoch; 0 before the first"
        yield GaugeMetricFamily("bitso_spread_last_tick_timestamp_seconds", last, summary.last_tick)
        late = summary.lateness
        totals = list(accumulate(late.counts))
        bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
        yield HistogramMetricFamily(
            "bitso_spread_tick_lateness_seconds",
            "How long after its time a tick was taken",
            buckets=list(zip(bounds, totals, strict=True)),
            sum_value=late.sum_s,
        )

    def _of_books(self) -> Iterator[Metric]:
        collector = self._collector
        rows = CounterMetricFamily(
            "bitso_spread_rows", "Rows of each book, by what was known", labels=["book", "state"]
        )
        ages = GaugeMetricFamily(
            "bitso_spread_book_age_seconds",
            "Since the last word of the exchange on a book; NaN before the first",
            labels=["book"],
        )
        states = dict(collector.summary.states)
        for book in sorted({*collector.books, *states}):
            counted = states.get(book, Counter())
            for state in State:
                rows.add_metric([book, state.value], counted[state])
            if book in collector.books:
                ages.add_metric([book], self._age_s(book))
        yield rows
        yield ages

    def _age_s(self, book: str) -> float:
        client = self._collector.client
        if client is None or book not in client.books:
            return float("nan")
        age_s = client.standing(book).age_s
        return float("nan") if age_s is None else max(0.0, age_s)

    def _of_the_exchange(self, counts: Counter[str]) -> Iterator[Metric]:
        client = self._collector.client
        link = None if client is None else client.link
        up = link is not None and link.since is not None
        yield GaugeMetricFamily("bitso_spread_feed_up", "1 while the feed is connected", up)
        lag = "How far the feed's last frame was behind the fastest of ten minutes"
        yield GaugeMetricFamily("bitso_spread_feed_lag_seconds", lag, link.lag_s if link else 0.0)
        for count, (name, text) in _COUNTS.items():
            yield CounterMetricFamily(f"bitso_spread_{name}", text, counts[count])
        connected = "Connections to the feed that came up"
        yield CounterMetricFamily("bitso_spread_connections", connected, counts["connections"])
        again = CounterMetricFamily(
            "bitso_spread_reconnects",
            "Times that the feed had to connect again, by why it was not connected",
            labels=["reason"],
        )
        for cause in Cause:
            if cause is not Cause.STOPPED:
                again.add_metric([cause.value], counts[f"down_{cause.value}"])
        yield again
        rejected = CounterMetricFamily(
            "bitso_spread_rejections",
            "Messages that could not be taken, by reason",
            labels=["source", "reason"],
        )
        for source, prefix in (("feed", "rejected"), ("rest", "rest_rejected")):
            for reason in Rejection:
                rejected.add_metric([source, reason.value], counts[f"{prefix}_{reason.value}"])
        yield rejected

    def _of_the_lake(self) -> Iterator[Metric]:
        collector = self._collector
        waiting = GaugeMetricFamily(
            "bitso_spread_rows_waiting",
            "Rows that are in no file yet: in memory alone, or durable in the journal",
            labels=["place"],
        )
        waiting.add_metric(["memory"], collector.rows_in_memory)
        waiting.add_metric(["journal"], collector.rows_in_journal)
        yield waiting
        files = sum(dict(collector.summary.files).values())
        yield CounterMetricFamily("bitso_spread_files_written", "Files in the table", files)
        yield from self._of_the_store()

    def _of_the_store(self) -> Iterator[Metric]:
        store, put = self._collector.store, self._collector.summary.uploaded
        yield CounterMetricFamily(
            "bitso_spread_files_uploaded", "Files that have come into the store", put
        )
        yield GaugeMetricFamily(
            "bitso_spread_files_waiting",
            "Files that are finished and not in the store yet",
            store.files if store else 0,
        )
        yield GaugeMetricFamily(
            "bitso_spread_files_waiting_since_seconds",
            "When the first of these was finished, in seconds since the epoch; 0 if there is none",
            (store and store.since) or 0.0,
        )
        yield GaugeMetricFamily(
            "bitso_spread_store_trouble",
            "1 while the store cannot be asked, or refuses",
            store is not None and store.trouble is not None,
        )
        yield GaugeMetricFamily(
            "bitso_spread_books_without_lease",
            "Books that another recorder has in the store",
            len(store.unleased) if store else 0,
        )

    def _of_publishing(self) -> Iterator[Metric]:
        publisher = self._collector.publisher
        now = None if publisher is None else publisher.now
        text = "Samples that brokers have confirmed"
        published = 0 if publisher is None else publisher.published
        yield CounterMetricFamily("bitso_spread_published", text, published)
        text = "Times that brokers refused a sample, which is sent again"
        refusals = 0 if publisher is None else publisher.refusals
        yield CounterMetricFamily("bitso_spread_publish_refusals", text, refusals)
        text = "Samples that are in the journal and not published yet"
        waiting = 0 if now is None else now.waiting
        yield GaugeMetricFamily("bitso_spread_publish_waiting", text, waiting)
        text = "Time of the oldest sample that waits, in seconds since the epoch; 0 where none does"
        since = 0 if now is None else now.since or 0
        yield GaugeMetricFamily("bitso_spread_publish_waiting_since_timestamp_seconds", text, since)

    def _of_alerts(self) -> Iterator[Metric]:
        alerting, in_force = self._collector.alerting, self._collector.alerts.in_force
        fires = CounterMetricFamily(
            "bitso_spread_alerts_fired",
            "Alerts that fired, by what they are about",
            labels=["kind"],
        )
        now = GaugeMetricFamily("bitso_spread_alerts_in_force", "Alerts in force", labels=["kind"])
        for kind in Kind:
            fires.add_metric([kind.value], alerting.fired[kind] if alerting else 0)
            now.add_metric([kind.value], sum(alert.kind is kind for alert in in_force))
        yield fires
        yield now
        told = CounterMetricFamily(
            "bitso_spread_alert_deliveries",
            "Fires and ends of alerts, by how they were to be told and what became of that",
            labels=["channel", "outcome"],
        )
        deliveries = alerting.deliveries if alerting else {}
        for channel in CHANNELS:
            for outcome in Outcome:
                if outcome is not Outcome.PENDING:
                    told.add_metric([channel, outcome.value], deliveries.get((channel, outcome), 0))
        yield told
