"""Faults of the clock: it steps, either way, by little and by much; and UTC midnight."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl

from bitso_spread.clock import DAY_S
from bitso_spread.lake import layout
from bitso_spread.lake.audit import audit
from bitso_spread.lake.outages import ABSENT, MISSED
from bitso_spread.lake.reader import Lake
from tests.faults.ailing import Ailing
from tests.faults.matrix import row
from tests.faults.stage import Row, Stage, eventually

_BOOK = "btc_mxn"
_YEAR_S = 365 * DAY_S


class _Stepping:
    """A collector of one book, whose clock is off, and by how much when."""

    def __init__(self, stage: Stage, offset: float = 0.0, *arguments: str) -> None:
        self.stage = stage
        self.offset = offset
        self._ailing = Ailing(stage, stage.exchange(_BOOK), "-b", _BOOK, *arguments, clock=offset)
        eventually(lambda: len(stage.journalled(_BOOK)) >= 3, what="rows")

    @property
    def now(self) -> float:
        """What its clock shows."""
        return time.time() + self.offset

    def step(self, offset: float) -> float:
        """Let it be off by so much, and give what it showed before."""
        before, self.offset = self.now, offset
        self._ailing.tell(clock=offset)
        return before

    def until(self, tick: float, within: float = 60.0) -> None:
        """Wait until a tick after this one is in the journal."""
        eventually(
            lambda: (self.stage.journalled(_BOOK) or [0])[-1] > tick, within=within, what="a row"
        )

    def says(self, text: str) -> None:
        """Wait until it says something."""
        self._ailing.says(text)

    def end(self) -> list[Row]:
        """End it in order, and give all rows."""
        self._ailing.end()
        assert audit(Lake(self.stage.lake)).findings == ()
        return self.stage.rows()[_BOOK]


def _check(stage: Stage, rows: list[Row], offset: float) -> None:
    """Check rows that were taken while the clock was off by so much."""
    stage.check_grid(_BOOK, rows)
    stage.check_prices(_BOOK, [row._replace(tick=row.tick - round(offset)) for row in rows])


@row(injected="clock steps forwards by a second", lost="at most two ticks, which it skips")
def forwards_by_a_second(stage: Stage) -> None:
    stepping = _Stepping(stage)
    stepped = stepping.step(1.0)
    stepping.until(stepping.now + 3)
    rows = stepping.end()
    stage.check_grid(_BOOK, rows)
    _check(stage, [row for row in rows if row.tick <= stepped], 0)
    _check(stage, [row for row in rows if row.tick > stepped + 2], 1)


@row(injected="clock steps forwards by a year", lost="nothing: the year is absent, and says why")
def forwards_by_a_year(stage: Stage) -> None:
    stepping = _Stepping(stage)
    stepped = stepping.step(_YEAR_S)
    stepping.says("ticks were missed")
    stepping.until(stepping.now + 3)
    rows = stepping.end()
    before = [row for row in rows if row.tick <= stepped + 1]
    after = rows[len(before) :]
    assert len(before) >= 3
    assert len(after) >= 3
    assert 0 <= after[0].tick - _YEAR_S - before[-1].tick <= 3
    _check(stage, before, 0)
    _check(stage, after, _YEAR_S)
    assert stage.causes(_BOOK).count(ABSENT) == 1


@row(injected="clock steps back by a second", lost="nothing: it waits for its last tick to pass")
def back_by_a_second(stage: Stage) -> None:
    stepping = _Stepping(stage)
    stepped = stepping.step(-1.0)
    stepping.until(stepping.now + 4)
    rows = stepping.end()
    stage.check_grid(_BOOK, rows)
    # Of the first one it may be that it was taken before the step was seen.
    stage.excuse(stepped, stepped + 3, stale_s=1)
    _check(stage, [row for row in rows if row.tick <= stepped], 0)
    _check(stage, [row for row in rows if row.tick > stepped], -1)


@row(
    injected="clock steps back by a year, and is set right after some seconds",
    lost="those seconds, which are marked as missed; nothing is written under the wrong year",
    takes=14,
)
def back_by_a_year(stage: Stage) -> None:
    stepping = _Stepping(stage)
    stepped = stepping.step(-_YEAR_S)
    stepping.says("behind what is already recorded: waiting for it")
    time.sleep(5)
    right = time.time()
    stepping.step(0.0)
    stepping.until(right + 4)
    stage.excuse(stepped, right + 1.5, loses=True)
    rows = stepping.end()
    _check(stage, rows, 0)
    missed = {row.tick for row in rows if row.bid is None}
    assert missed >= set(range(int(stepped) + 1, int(right)))
    assert set(stage.causes(_BOOK)) == {MISSED}


@row(
    injected="UTC midnight",
    lost="nothing: the batch becomes two files, each of its own date",
    takes=35,
)
def midnight(stage: Stage) -> None:
    now = int(time.time())
    midnight = (now // DAY_S + 1) * DAY_S
    stepping = _Stepping(stage, midnight - 30 - now, "--batch-size", "1000")
    stepping.until(midnight + 3)
    rows = stepping.end()
    _check(stage, rows, stepping.offset)
    assert rows[0].tick < midnight < rows[-1].tick
    files = sorted((stage.lake / layout.TABLE).rglob("*.csv"))
    dates = [_dates(path) for path in files]
    assert [path.parts[-4] for path in files] == [f"date={date}" for (date,) in dates]
    assert len(set(map(tuple, dates))) == len(files) == 2


def _dates(path: Path) -> list[str]:
    """Give the dates of the rows in a file."""
    times = pl.read_csv(path)["orderbook_timestamp"]
    return sorted({text[:10].replace("-", "") for text in times})
