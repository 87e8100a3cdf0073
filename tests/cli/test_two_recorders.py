"""Two recorders of the same books, and ``import --merge``: the way to lose nothing at all."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from bitso_spread.health import examine
from bitso_spread.lake.reader import Lake
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Run, Start, here

BOOKS = ("btc_mxn", "usd_mxn")


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)


def has_recorded(lake: Path, process: subprocess.Popen[str], ticks: int) -> bool:
    beats = [one.beat for one in examine(lake).collectors if one.beat is not None]
    return any(beat.pid == process.pid and beat.ticks >= ticks for beat in beats)


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def times_of(lake: Path, book: str) -> list[int]:
    rows = Lake(lake).read(book=[book])
    assert rows["bid"].null_count() == 0
    return rows["orderbook_timestamp"].dt.epoch("s").to_list()


def holes_in(times: list[int]) -> list[tuple[int, int]]:
    return [(before, after) for before, after in pairwise(times) if after != before + 1]


def test_two_recorders_one_of_them_killed_for_a_while_miss_no_second(
    start: Start, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    one, two, both = (tmp_path / name for name in ("one", "two", "both"))

    def collect(lake: Path) -> subprocess.Popen[str]:
        return start("collect", *here(exchange), "--lake", str(lake), "--batch-size", "4")

    first, second = collect(one), collect(two)
    eventually(lambda: has_recorded(one, first, 3) and has_recorded(two, second, 3))
    first.kill()
    first.wait()
    time.sleep(3)
    first = again = collect(one)
    eventually(lambda: has_recorded(one, again, 3))
    # Then it is the other one's turn.
    second.kill()
    second.wait()
    time.sleep(3)
    second = other = collect(two)
    eventually(lambda: has_recorded(two, other, 3))
    end(first)
    end(second)

    status, _, err = run("import", "--merge", str(one), str(two), "--lake", str(both))
    assert status == 0, err
    for book in BOOKS:
        each = [times_of(lake, book) for lake in (one, two)]
        # Each of them has missed seconds of its own.
        assert [len(holes_in(times)) for times in each] == [1, 1]
        merged = times_of(both, book)
        assert merged == sorted({*each[0], *each[1]})
        assert holes_in(merged) == []
