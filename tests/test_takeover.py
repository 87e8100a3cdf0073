"""Taking books over, in one process: what the one before left costs no tick."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bitso_spread.collector import Collector, Plan
from bitso_spread.exchange.environment import environment
from bitso_spread.lake import layout
from bitso_spread.lake.columns import FIVE
from bitso_spread.lake.heartbeat import Phase
from bitso_spread.lake.journal import Batch, Outage
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.lake.writer import BatchWriter, Written
from bitso_spread.model import Sample, State
from bitso_spread.sim.server import SimulatedExchange

BOOK = "btc_mxn"


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.02)


def leave(lake: Path, first_tick: int, ticks: int) -> None:
    """Leave what a killed collector leaves: rows in the journal, an outage that lasts."""
    batch = Batch(BOOK, first_tick, "sim", "csv", FIVE, 1)
    rows = [
        (batch, Sample.blank(first_tick + number, BOOK, State.UNKNOWN)) for number in range(ticks)
    ]
    with LakeState(layout.state_file(lake, layout.TABLE)) as state:
        state.record(rows, [Outage(BOOK, "no link", first_tick, None)])


def test_files_that_are_slow_to_write_and_an_outage_that_lasts_delay_no_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_at = int(time.time()) - 20
    leave(tmp_path, left_at, 10)
    disk = threading.Event()
    write = BatchWriter.write

    def slow(writer: BatchWriter, batch: Batch) -> Written | None:
        assert disk.wait(60)
        return write(writer, batch)

    monkeypatch.setattr(BatchWriter, "write", slow)
    with (
        SimulatedExchange() as exchange,
        BookLocks(layout.locks_folder(tmp_path, layout.TABLE)) as other,
    ):
        other.acquire([BOOK])
        here = environment("sim", exchange.rest_url, exchange.ws_url)
        ticks: list[int] = []
        collector = Collector(
            here,
            Plan(books=[BOOK], lake=tmp_path, wait=True),
            on_tick=lambda tick: ticks.append(tick.time),
        )
        thread = threading.Thread(target=collector.run)
        thread.start()
        try:
            eventually(lambda: collector.phase is Phase.STANDBY)
            eventually(lambda: bool(collector.client and collector.client.quote(BOOK)))
            released = time.time()
            other.release([BOOK])
            eventually(lambda: len(ticks) >= 4)
            # Not one file could be written so far.
            assert Lake(tmp_path).books() == []
            # Between a tick's row and its being told of, there is one more.
            eventually(lambda: collector.rows_in_journal + collector.rows_in_memory == len(ticks))
        finally:
            disk.set()
            collector.stop()
            thread.join()
    assert ticks[0] <= released + 15
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    recorded = Lake(tmp_path).read()["orderbook_timestamp"].dt.epoch("s").to_list()
    assert recorded == [*range(left_at, left_at + 10), *ticks]
    assert collector.rows_in_journal == 0
    with LakeState(layout.state_file(tmp_path, layout.TABLE)) as state:
        assert state.outages() == [Outage(BOOK, "no link", left_at, left_at + 9)]
        assert state.batches() == []


def test_a_book_that_the_exchange_refuses_is_said_at_once_and_not_waited_for(
    tmp_path: Path,
) -> None:
    from bitso_spread.sampling import NothingKnownError

    with (
        SimulatedExchange() as exchange,
        BookLocks(layout.locks_folder(tmp_path, layout.TABLE)) as other,
    ):
        other.acquire([BOOK])
        exchange.faults.rest_down = True
        here = environment("sim", exchange.rest_url, exchange.ws_url)
        plan = Plan(books=[BOOK, "nope_mxn"], lake=tmp_path, wait=True)
        # With REST down the names are taken as written; the feed knows better.
        with pytest.raises(NothingKnownError, match="nope_mxn"):
            Collector(here, plan).run()
        assert other.held == {BOOK}
    assert list(layout.heartbeats_folder(tmp_path, layout.TABLE).iterdir()) == []
