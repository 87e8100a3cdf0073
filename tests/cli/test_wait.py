"""``collect --wait``: a warm standby, as processes that are ended and killed."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from bitso_spread.health import Verdict, examine
from bitso_spread.lake.layout import TABLE, locks_folder, state_file
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Run, Start, here

BOOKS = ("btc_mxn", "usd_mxn")


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)


def verdicts(lake: Path) -> dict[int, Verdict]:
    """Give how each process on a lake is."""
    return {one.beat.pid: one.verdict for one in examine(lake).collectors if one.beat}


def ticks_of(lake: Path, process: subprocess.Popen[str]) -> int:
    beats = [one.beat for one in examine(lake).collectors if one.beat]
    return next((beat.ticks for beat in beats if beat.pid == process.pid), 0)


def journalled(lake: Path, book: str) -> list[int]:
    with LakeState(state_file(lake, TABLE)) as state:
        batches = [batch for batch in state.batches() if batch.book == book]
        return [row.tick for batch in batches for row in state.rows(batch)]


def recorded(lake: Path, book: str) -> list[int]:
    rows = Lake(lake).read(book=[book])
    return rows["orderbook_timestamp"].dt.epoch("s").to_list()


def end(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return err


def pair(
    start: Start, exchange: SimulatedExchange, lake: Path, *options: str
) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
    """Start a collector, and another one that stands by for it and has sampled for a while."""
    first = start("collect", *here(exchange), "--lake", str(lake), *options)
    eventually(lambda: verdicts(lake).get(first.pid) is Verdict.RECORDING)
    second = start("collect", *here(exchange), "--lake", str(lake), "--wait", *options)
    eventually(lambda: verdicts(lake).get(second.pid) is Verdict.STANDBY)
    before = ticks_of(lake, first)
    eventually(lambda: ticks_of(lake, first) >= before + 4)
    return first, second


def check_seam(lake: Path) -> None:
    """Check that each second of each book is there once, but for at most two at the seam."""
    for book in BOOKS:
        times = recorded(lake, book)
        holes = [after - before - 1 for before, after in pairwise(times)]
        assert min(holes) == 0
        assert sum(holes) <= 2
        assert journalled(lake, book) == []


def test_it_takes_over_where_a_killed_one_left_off(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    first, second = pair(start, exchange, tmp_path)
    first.kill()
    first.wait()
    left = {book: journalled(tmp_path, book) for book in BOOKS}
    # The rows that the other one left become files while it records its own.
    eventually(lambda: all(recorded(tmp_path, book) for book in BOOKS))
    eventually(lambda: ticks_of(tmp_path, second) >= 3)
    assert verdicts(tmp_path) == {second.pid: Verdict.RECORDING}
    for book in BOOKS:
        assert recorded(tmp_path, book)[: len(left[book])] == left[book]
    err = end(second)
    assert err.count("standing by for") == 1
    assert f"standing by for the collector {first.pid} on " in err
    assert "taking over" in err
    assert "2 batches that were left become files" in err
    assert f"the collector {second.pid} on " not in err
    check_seam(tmp_path)


def test_it_takes_over_where_one_that_ended_in_order_left_off(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    first, second = pair(start, exchange, tmp_path, "--batch-size", "3", "--format", "parquet")
    end(first)
    eventually(lambda: ticks_of(tmp_path, second) >= 3)
    end(second)
    check_seam(tmp_path)


def test_it_waits_for_all_of_its_books(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    other = start("collect", *here(exchange), "--lake", str(tmp_path), "-b", "usd_mxn")
    eventually(lambda: ticks_of(tmp_path, other) >= 1)
    both = start("collect", *here(exchange), "--lake", str(tmp_path), "--wait")
    eventually(lambda: verdicts(tmp_path).get(both.pid) is Verdict.STANDBY)
    before = ticks_of(tmp_path, other)
    eventually(lambda: ticks_of(tmp_path, other) >= before + 2)
    assert journalled(tmp_path, "btc_mxn") == []
    # Meanwhile nobody is kept from a book that is free.
    third = start(
        "collect", *here(exchange), "--lake", str(tmp_path), "-b", "btc_mxn", "--duration", "2s"
    )
    assert third.wait(timeout=60) == 0
    assert verdicts(tmp_path)[both.pid] is Verdict.STANDBY
    other.kill()
    eventually(lambda: ticks_of(tmp_path, both) >= 2)
    end(both)
    check_seam(tmp_path)


def test_where_nobody_has_the_books_it_records_at_once(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    alone = start("collect", *here(exchange), "--lake", str(tmp_path), "--wait", "--duration", "2s")
    _, err = alone.communicate(timeout=60)
    assert alone.returncode == 0, err
    assert "standing by" not in err
    assert len(recorded(tmp_path, "btc_mxn")) == 2


def test_a_table_that_holds_something_else_is_not_waited_for(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    first = start("collect", *here(exchange), "--lake", str(tmp_path))
    eventually(lambda: ticks_of(tmp_path, first) >= 1)
    other = start(
        "collect", *here(exchange), "--lake", str(tmp_path), "--wait", "--format", "parquet"
    )
    _, err = other.communicate(timeout=60)
    assert other.returncode == 1
    assert "this table holds format csv" in err.splitlines()[-1]
    assert first.poll() is None


def test_it_can_be_stopped_while_it_stands_by(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    first, second = pair(start, exchange, tmp_path)
    assert "nothing was recorded" in end(second)
    assert verdicts(tmp_path) == {first.pid: Verdict.RECORDING}


def test_the_longest_wait_for_data_does_not_count_while_it_stands_by(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    lake = ["--lake", str(tmp_path)]
    first = start("collect", *here(exchange), *lake, "--max-stale", "60")
    eventually(lambda: ticks_of(tmp_path, first) >= 1)
    exchange.faults.rest_down = True
    exchange.faults.refuse_connections = True
    second = start("collect", *here(exchange), *lake, "--wait", "--max-wait", "1")
    eventually(lambda: verdicts(tmp_path).get(second.pid) is Verdict.STANDBY)
    before = ticks_of(tmp_path, first)
    eventually(lambda: ticks_of(tmp_path, first) >= before + 4)
    assert second.poll() is None
    exchange.faults.rest_down = False
    exchange.faults.refuse_connections = False
    first.kill()
    eventually(lambda: ticks_of(tmp_path, second) >= 1)
    end(second)


def test_who_does_not_wait_is_told_that_it_can(run: Run, tmp_path: Path) -> None:
    with BookLocks(locks_folder(tmp_path, TABLE)) as other:
        other.acquire(["usd_mxn"])
        status, _, err = run("collect", "-e", "sim", "--lake", str(tmp_path))
    assert status == 1
    said = err.splitlines()[-1]
    assert "another collector records usd_mxn in this lake: stop it, choose other books, or" in said
    assert "give --lake another folder (with --wait it stands by, and takes over once" in said
