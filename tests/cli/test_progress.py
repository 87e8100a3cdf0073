"""What a collector's own screen says of its batch."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bitso_spread.cli.progress import last_tick_of_batch, progress_of
from bitso_spread.lake.batching import Batcher
from bitso_spread.plan import SettledPlan
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import here
from tests.cli.terminal import CLEAR, LEAVE, PROGRAM, TerminalProgram, plain

DAY = 1_789_948_800
"""Midnight, UTC."""


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize(("size", "interval"), [(600, 1), (7, 1), (1, 1), (45, 60)])
@pytest.mark.parametrize("start", [DAY + 43_201, DAY + 86_400 - 1900])
def test_the_next_file_is_foretold_as_it_comes(
    start: int, size: int, interval: int, *, align: bool
) -> None:
    plan = SettledPlan(
        books=["btc_mxn"], lake=Path(), batch_size=size, interval=interval, align=align
    )
    batcher = Batcher(size, interval, align=align)
    start -= start % interval
    foretold = None
    ends = 0
    for tick in range(start, start + 4000 * interval, interval):
        _, ended = batcher.place("btc_mxn", tick)
        if foretold is not None:
            assert ended == (tick == foretold), tick
        ends += ended
        foretold = last_tick_of_batch(tick, batcher.progress("btc_mxn"), plan)
    assert ends > 3


@pytest.mark.parametrize(
    ("done", "taken", "told"),
    [(0, 600, (0, 600, 600)), (100, 700, (100, 600, 500)), (100, 1150, (100, 150, 50)),
     (150, 1200, (150, 150, 0)), (0, 1200, None)],
)  # fmt: skip
def test_the_end_of_a_collection_ends_its_last_batch(
    done: int, taken: int, told: tuple[int, int, int] | None
) -> None:
    plan = SettledPlan(books=["btc_mxn"], lake=Path(), ticks=1200)
    progress = progress_of(DAY + 600, done, taken, plan, "")
    assert told == (progress and (progress.done, progress.size, progress.next_file - DAY - 600))


def test_a_collector_s_own_screen_is_the_board_with_its_batch(
    exchange: SimulatedExchange, tmp_path: Path
) -> None:
    paths = tmp_path / "paths"
    lake = tmp_path / "lake"
    command = shlex.join(
        [*PROGRAM, "collect", *here(exchange), "--lake", str(lake), "--batch-size", "2",
         "--alert", "0.000001", "--alert-hold", "1"]
    )  # fmt: skip
    with TerminalProgram(["sh", "-c", f"exec {command} > {paths}"]) as terminal:
        terminal.wait_for("fresh")
        assert "bitso-spread  SIMULATED   2 books" in plain(terminal.output)
        terminal.wait_for("batch 1/2 ")
        terminal.wait_for("last file: 2 rows of")
        terminal.wait_for("above 1e-06 % for")
        # No key ends a recording.
        terminal.press("q")
        shown = terminal.wait_for(" UTC", after=len(terminal.output))
        terminal.press("s")
        terminal.wait_for("widest spread first", after=shown)
        terminal.press("\x03")
        assert terminal.end() == 0
        assert terminal.modes == terminal.modes_before
        board, _, afterwards = terminal.output.partition(LEAVE)
    assert board.count(CLEAR) == 1
    # What was said while the board was shown, and how it went, is there to be read.
    assert "feed connected" in afterwards
    assert re.search(r"btc_mxn: \d+ SIMULATED rows, \d+ known, 0 unknown, 0 missed", afterwards)
    assert "\x1b" not in afterwards
    files = sorted(map(Path, paths.read_text().splitlines()))
    assert files == sorted(lake.rglob("*.csv"))
