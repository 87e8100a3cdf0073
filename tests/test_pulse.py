"""The heartbeat of a collector: on a thread of its own, that nothing kills."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.collector import Collector, Plan
from bitso_spread.exchange.environment import environment
from bitso_spread.lake.heartbeat import Heartbeat, HeartbeatFile, Phase, paths, read
from bitso_spread.pulse import Pulse, until_next


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.02)


@pytest.fixture
def collector(tmp_path: Path) -> Collector:
    """Give a collector that was not started; nothing is asked of its exchange."""
    nowhere = environment("sim", "http://127.0.0.1:9", "ws://127.0.0.1:9")
    collector = Collector(nowhere, Plan(books=["btc_mxn"], lake=tmp_path))
    collector.books = ("btc_mxn", "usd_mxn")
    return collector


def test_a_collector_that_has_not_begun_has_a_pulse(collector: Collector) -> None:
    beat = collector.beat()
    assert abs(beat.at - time.time()) < 30
    assert (beat.phase, beat.last_tick, beat.ticks, beat.books) == (Phase.STARTING, None, 0, ())
    assert beat.names == ("btc_mxn", "usd_mxn")
    assert (beat.reconnects, beat.rejected) == (0, {})
    assert (beat.rows_in_memory, beat.rows_in_journal) == (0, 0)


def test_it_beats_until_it_ends_and_then_is_gone(collector: Collector, tmp_path: Path) -> None:
    with Pulse(collector.beat, tmp_path):
        eventually(lambda: len(paths(tmp_path)) == 1)
        (path,) = paths(tmp_path)
        collector.phase = Phase.RECORDING
        eventually(lambda: read(path).phase is Phase.RECORDING)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("now", [100.0, 100.1, 100.39, 100.45, 100.5, 100.501, 100.9, 100.9999])
def test_it_beats_once_a_second_half_way_between_two_ticks(now: float) -> None:
    wait_s = until_next(now)
    assert 0.1 < wait_s <= 1.1
    assert (now + wait_s) % 1.0 == pytest.approx(0.5)


def test_a_disk_that_refuses_does_not_end_it(
    collector: Collector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tried = 0
    write = HeartbeatFile.write

    def refusing(file: HeartbeatFile, beat: Heartbeat) -> None:
        nonlocal tried
        tried += 1
        if tried <= 2:
            raise OSError(errno.EROFS, "Read-only file system")
        write(file, beat)

    monkeypatch.setattr(HeartbeatFile, "write", refusing)
    with Pulse(collector.beat, tmp_path):
        eventually(lambda: len(paths(tmp_path)) == 1)
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if "heartbeat cannot be written" in line] == said
    assert len(said) == 1


def put(folder: Path, collector: Collector, **changes: object) -> Path:
    beat = replace(collector.beat(), phase=Phase.RECORDING, names=("btc_mxn",))
    file = HeartbeatFile(folder, "box", 7)
    file.write(replace(beat, **changes))  # type: ignore[arg-type]
    return file.path


def test_whoever_holds_the_books_buries_those_that_had_them(
    collector: Collector, tmp_path: Path
) -> None:
    long_ago = time.time() - 1000
    gone = {
        put(tmp_path, collector, names=("usd_mxn", "btc_mxn")),
        put(tmp_path, collector, at=long_ago),
        put(tmp_path, collector, at=long_ago, phase=Phase.STANDBY),
    }
    kept = {
        put(tmp_path, collector, names=("eth_mxn",), at=long_ago),
        # It holds none of its books, and may live.
        put(tmp_path, collector, phase=Phase.STANDBY),
        tmp_path / "unreadable.json",
    }
    (tmp_path / "unreadable.json").write_text("{")
    assert set(paths(tmp_path)) == gone | kept
    Pulse(collector.beat, tmp_path).bury(frozenset({"btc_mxn"}))
    assert set(paths(tmp_path)) == kept


def test_it_knows_who_holds_a_book(collector: Collector, tmp_path: Path) -> None:
    pulse = Pulse(collector.beat, tmp_path)
    assert pulse.holders(("btc_mxn",)) == "another collector"
    put(tmp_path, collector, pid=1, names=("eth_mxn",))
    put(tmp_path, collector, pid=2, phase=Phase.STANDBY)
    put(tmp_path, collector, pid=3, at=time.time() - 1000)
    assert pulse.holders(("btc_mxn",)) == "another collector"
    put(tmp_path, collector, pid=4, host="box")
    assert pulse.holders(("usd_mxn", "btc_mxn")) == "the collector 4 on box"
