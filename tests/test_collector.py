"""A collection as a library call, on real sockets and in real time."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.collector import Collector, Plan
from bitso_spread.errors import LakeBusyError, UnknownBookError, UsageError
from bitso_spread.exchange.client import OrderBookClient
from bitso_spread.exchange.environment import STAGE, Environment, environment
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.recorder import Entry
from bitso_spread.lake.table import Table
from bitso_spread.model import Sample, State
from bitso_spread.sampling import NothingKnownError, Sampler, Tick
from bitso_spread.sim.replay import ReplayMarket
from bitso_spread.sim.server import SimulatedExchange


def env_of(exchange: SimulatedExchange) -> Environment:
    return environment("sim", exchange.rest_url, exchange.ws_url)


def collect(exchange: SimulatedExchange, lake: Path, **options: object) -> Collector:
    defaults: dict[str, object] = {"books": ["btc_mxn", "usd_mxn"], "lake": lake, "max_wait_s": 5}
    collector = Collector(env_of(exchange), Plan(**{**defaults, **options}))  # type: ignore[arg-type]
    collector.run()
    return collector


def ticks_of(rows: pl.DataFrame) -> list[int]:
    return (rows["orderbook_timestamp"].dt.epoch("s")).to_list()


def test_every_tick_gives_one_row_of_each_book(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        summary = collect(exchange, tmp_path, batch_size=2, ticks=5).summary
    assert summary.ticks == 5
    for book in ("btc_mxn", "usd_mxn"):
        rows = Lake(tmp_path).read(book=[book])
        times = ticks_of(rows)
        assert times == list(range(times[0], times[0] + 5))
        assert rows["bid"].null_count() == 0
        assert (rows["bid"] < rows["ask"]).all()
    files = list(Lake(tmp_path).files())
    assert len(files) == summary.files.total() == 6
    assert all(file.path.name.startswith("sim-") for file in files)


def test_nothing_but_whole_data_files_is_ever_in_the_table(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        collect(exchange, tmp_path, batch_size=2, ticks=3, format="parquet")
    files = [path for path in (tmp_path / "BitsoSpreadMonitor").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".parquet"}
    assert pl.scan_parquet(tmp_path / "BitsoSpreadMonitor").collect().height == 6


@pytest.mark.parametrize(
    "ticks", [12, pytest.param(600, marks=[pytest.mark.realtime, pytest.mark.timeout(700)])]
)
def test_a_replayed_market_is_recorded_second_by_second(
    ticks: int, tmp_path: Path, shared: Path
) -> None:
    market = ReplayMarket.from_lake(shared / "lake-2024-07-26")
    with SimulatedExchange(market) as exchange:
        summary = collect(exchange, tmp_path, ticks=ticks, format="parquet").summary
        for book in ("btc_mxn", "usd_mxn"):
            rows = Lake(tmp_path).read(book=[book])
            times = ticks_of(rows)
            assert times == list(range(times[0], times[0] + ticks))
            played = [market.played(book, time) for time in times]
            assert rows["bid"].to_list() == [float(bid) for bid, _ in played]
            assert rows["ask"].to_list() == [float(ask) for _, ask in played]
    states = summary.states["btc_mxn"]
    assert states[State.UNKNOWN] == states[State.MISSED] == 0


def test_a_book_that_does_not_exist_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange, pytest.raises(UnknownBookError, match="nope_mxn"):
        collect(exchange, tmp_path, books=["btc_mxn", "nope_mxn"])
    assert not (tmp_path / "BitsoSpreadMonitor").exists()


def test_a_reversed_name_records_the_book_that_is_meant(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        collect(exchange, tmp_path, books=["MXN/BTC"], ticks=1)
    assert Lake(tmp_path).books() == ["btc_mxn"]


def test_all_records_every_book_that_there_is(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        collect(exchange, tmp_path, books=["all"], ticks=1)
        assert len(Lake(tmp_path).books()) == len(exchange.market.specs) > 10


def test_stage_has_no_feed_and_says_so_before_it_asks_anything(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--ws-url"):
        Collector(STAGE, Plan(books=["btc_mxn"], lake=tmp_path))


def test_without_any_data_it_gives_up_and_says_why(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        exchange.faults.rest_down = True
        exchange.faults.refuse_connections = True
        with pytest.raises(NothingKnownError, match=r"btc_mxn, usd_mxn: no link"):
            collect(exchange, tmp_path, max_wait_s=1)


def test_a_feed_that_is_down_costs_no_row_while_rest_works(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        exchange.faults.refuse_connections = True
        summary = collect(exchange, tmp_path, ticks=6).summary
    for states in summary.states.values():
        assert states[State.UNKNOWN] == 0
        assert states.total() == 6


def test_what_is_not_known_is_empty_and_has_its_cause_beside_the_table(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        plan = Plan(books=["btc_mxn"], lake=tmp_path, ticks=8, max_stale_s=1.0)
        seen: list[Tick] = []

        def cut(tick: Tick) -> None:
            seen.append(tick)
            if len(seen) == 2:
                exchange.faults.rest_down = True
                exchange.faults.refuse_connections = True
                exchange.faults.drop_connections()

        Collector(env_of(exchange), plan, on_tick=cut).run()
    rows = Lake(tmp_path).read()
    assert rows.height == 8
    unknown = rows["bid"].null_count()
    assert unknown >= 4
    assert rows["spread"].null_count() == rows["ask"].null_count() == unknown
    with Table(tmp_path) as table:
        (outage,) = table._state.outages()
    assert outage.last_tick == seen[-1].time
    assert outage.first_tick == seen[8 - unknown].time
    assert "no link" in outage.cause


def test_a_second_collector_of_the_same_book_is_refused(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        first = Collector(env_of(exchange), Plan(books=["btc_mxn"], lake=tmp_path))
        thread = threading.Thread(target=first.run)
        recording = threading.Event()
        first._on_tick = lambda _: recording.set()
        thread.start()
        try:
            assert recording.wait(60)
            with pytest.raises(LakeBusyError, match="btc_mxn"):
                collect(exchange, tmp_path, books=["usd_mxn", "btc_mxn"])
            # All or none: the other book is still free.
            collect(exchange, tmp_path, books=["usd_mxn"], ticks=1)
        finally:
            first.stop()
            thread.join()
    assert Counter(Lake(tmp_path).read()["book"])["usd_mxn"] == 1


def test_a_restart_never_records_a_second_twice(tmp_path: Path) -> None:
    with SimulatedExchange() as exchange:
        for _ in range(3):
            collect(exchange, tmp_path, books=["btc_mxn"], ticks=1)
    times = ticks_of(Lake(tmp_path).read())
    assert len(set(times)) == len(times) == 3


@pytest.mark.parametrize(
    "wrong",
    [{"interval": 7}, {"batch_size": 0}, {"format": "xml"}, {"max_stale_s": -1.0}, {"books": []}],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    options: dict[str, object] = {"books": ["btc_mxn"], "lake": tmp_path, **wrong}
    with pytest.raises(UsageError):
        Collector(STAGE, Plan(**options))  # type: ignore[arg-type]


def test_with_all_books_new_ones_are_recorded_from_midnight_on_and_gone_ones_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    midnight = 1_785_024_000
    with SimulatedExchange() as exchange, Table(tmp_path) as table:
        collector = Collector(env_of(exchange), Plan(books=["all"], lake=tmp_path))
        client = OrderBookClient(["btc_mxn", "old_mxn"], env_of(exchange))
        sampler = Sampler(client, client.books)
        asked = threading.Event()

        def look_up() -> list[str]:
            assert asked.wait(60)
            return ["btc_mxn", "new_mxn"]

        monkeypatch.setattr(collector._books, "look_up", look_up)

        def follow(time: int) -> Entry | None:
            samples = tuple(Sample.blank(time, book, State.UNKNOWN) for book in sampler.books)
            tick = Tick(time, samples, {}, 0.0)
            collector._entries.of(tick, client.trouble)
            return collector._follow_books(tick, table, sampler, client)

        assert follow(midnight - 2) is None
        assert follow(midnight - 1) is None
        assert sampler.books == ("btc_mxn", "old_mxn")
        # No tick waits for the answer.
        assert follow(midnight) is None
        assert collector._books._lookup is not None
        asked.set()
        collector._books._lookup.join()
        ending = follow(midnight + 1)
        assert ending is not None
        assert [batch.book for batch in ending.ended] == ["old_mxn"]
        assert sampler.books == client.books == ("btc_mxn", "new_mxn")
        assert "new_mxn" in table.books
        assert follow(midnight + 2) is None
