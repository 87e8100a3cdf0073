"""Faults of the process: killed at any instant, and one of two killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from bitso_spread.lake import layout
from bitso_spread.lake.audit import audit
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.table import Table
from tests.faults.lives import BOOKS, START, bid_of
from tests.faults.matrix import row
from tests.faults.stage import Process, Stage, eventually

_LIVES = 120
_LONGEST_S = 0.12
# Of what a life writes down of a row.
_LINE = len("1789948701 btc_mxn\n")
_TOLD = re.compile(r"\d{10} (btc|usd)_mxn")
# A row is durable within its second; beside ten others on two cores, a little later.
_DURABLE_S = 6.0


@row(
    injected=f"`kill -9` at {_LIVES} random instants, in fast time",
    lost="nothing that was committed; each row once",
    takes=40,
)
def killed_often(stage: Stage) -> None:
    told = stage.folder / "told"
    deaths = _live_and_die(stage.lake, told)
    assert deaths == Counter({str(int(signal.SIGKILL)): _LIVES})
    with Table(stage.lake) as table:
        table.recover(lambda *_: None)
        marks = table.marks()
    rows = stage.rows()
    for book, of_book in rows.items():
        assert [tick for tick, _, _ in of_book] == list(range(START + 1, marks[book] + 1))
        assert all(row.bid == bid_of(row.tick) for row in of_book)
    # A kill in the midst of writing it down may cut a line, which the next life goes on with.
    committed = Counter(line for line in told.read_text().splitlines() if _TOLD.fullmatch(line))
    assert set(committed.values()) == {1}
    assert set(committed) <= {f"{row.tick} {book}" for book in rows for row in rows[book]}
    assert set(rows) == set(BOOKS)
    # They lived long enough to write files.
    assert len(committed) > 10 * _LIVES
    report = audit(Lake(stage.lake))
    assert report.findings == ()
    assert report.files == report.checksums > _LIVES
    staging = layout.staging_folder(stage.lake, layout.TABLE)
    assert list(staging.iterdir()) == []


def _live_and_die(lake: Path, told: Path) -> Counter[str]:
    """Let recorders live one by one, each killed at a random instant; give how they ended."""
    draw = Random(2026)  # noqa: S311  (no secret)
    deaths: Counter[str] = Counter()
    module = Path(__file__).with_name("lives.py")
    with subprocess.Popen(
        [sys.executable, str(module), str(lake), str(told)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for number in range(_LIVES):
            size = told.stat().st_size if told.exists() else 0
            server.stdin.write("\n")
            server.stdin.flush()
            child = int(server.stdout.readline())
            # A third of them may die before they have recovered, or opened, the journal.
            if number % 3:
                # So many at least, however slow the disk is.
                least = size + draw.randint(1, 30) * _LINE
                eventually(lambda least=least: told.stat().st_size >= least, what="rows")  # type: ignore[misc]
            time.sleep(draw.uniform(0, _LONGEST_S))
            os.kill(child, signal.SIGKILL)
            deaths[server.stdout.readline().strip()] += 1
        server.stdin.close()
    return deaths


@row(
    injected="`kill -9` of `collect`, four times, each time started again",
    lost="the seconds between the kill and the next start",
    takes=25,
)
def killed_and_started_again(stage: Stage) -> None:
    draw = Random()  # noqa: S311  (no secret)
    exchange = stage.exchange()
    collect = ("-b", "all", "--batch-size", "3")
    for _ in range(4):
        killed = stage.process(exchange, *collect)
        _expect_a_hole(stage, time.time(), killed)
        time.sleep(draw.uniform(0, 3))
        killed_at = time.time()
        killed.end(signal.SIGKILL)
        assert _newest(stage) >= killed_at - _DURABLE_S
        left = {book: stage.journalled(book) for book in exchange.market.specs}
        again = stage.process(exchange, *collect, "--duration", "2s")
        _expect_a_hole(stage, killed_at, again)
        assert again.wait() == 0, again.err
        assert "recovered" in again.err or not any(left.values())
        rows = {book: {row.tick for row in of_book} for book, of_book in stage.rows().items()}
        assert all(set(ticks) <= rows[book] for book, ticks in left.items())
    stage.check()


@row(
    injected="two collectors on one lake, one of them killed",
    lost="nothing of the neighbour; of the other, the seconds until it is started again",
    takes=15,
)
def one_of_two_killed(stage: Stage) -> None:
    exchange = stage.exchange()
    neighbour = stage.process(exchange, "-b", "usd_mxn", "--batch-size", "1000")
    killed = stage.process(exchange, "-b", "btc_mxn", "--batch-size", "3")
    eventually(lambda: "btc_mxn" in killed.out, what="a file")
    eventually(lambda: len(stage.journalled("btc_mxn")) >= 1, what="a row")
    killed_at = time.time()
    killed.end(signal.SIGKILL)
    left = stage.journalled("btc_mxn")
    again = stage.process(exchange, "-b", "btc_mxn", "--batch-size", "3", "--duration", "4s")
    assert again.wait() == 0, again.err
    rows = stage.rows()
    assert set(left) <= {row.tick for row in rows["btc_mxn"]}
    # The neighbour's rows are still its own.
    assert "usd_mxn" not in rows
    assert len(stage.journalled("usd_mxn")) >= 6
    assert neighbour.end() == 0, neighbour.err
    stage.excuse(killed_at - _DURABLE_S, rows["btc_mxn"][-1].tick - 4, "btc_mxn", absent=True)
    stage.check()


def _expect_a_hole(stage: Stage, since: float, process: Process) -> None:
    """Wait for a newer row, by this process; between the one before and it there may be none."""
    before = _newest(stage)
    eventually(lambda: _newest(stage) > since or process.popen.poll(), what="a row")
    assert not process.popen.poll(), process.err
    stage.excuse(before + 1, time.time(), absent=True)


def _newest(stage: Stage) -> int:
    """Give the newest tick that is in the journal or in a file."""
    ticks = stage.journalled("btc_mxn")
    if not ticks and (stage.lake / layout.TABLE).is_dir():
        ticks = [row.tick for row in stage.rows().get("btc_mxn", [])]
    return max(ticks, default=0)
