"""Faults of the process: told to end, and made to stand still."""

from __future__ import annotations

import re
import signal
import time
from itertools import pairwise

from bitso_spread.lake.outages import MISSED
from tests.faults.matrix import row
from tests.faults.stage import Stage, eventually

_ASLEEP_S = 10.0
_SUMMARY = re.compile(r"btc_mxn: (\d+) SIMULATED rows, (\d+) known, (\d+) unknown, (\d+) missed")


@row(injected="SIGTERM, SIGINT, SIGHUP", lost="nothing: all rows are loaded, status 0", takes=12)
def told_to_end(stage: Stage) -> None:
    exchange = stage.exchange()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process = stage.process(exchange, "-b", "all", "--batch-size", "1000")
        eventually(lambda: len(stage.journalled("btc_mxn")) >= 2, what="rows")
        told_at = time.time()
        assert process.end(number) == 0, process.err
        assert stage.journalled("btc_mxn") == []
        rows = stage.rows()["btc_mxn"]
        assert rows[-1].tick >= told_at - 6
        stage.excuse(rows[-1].tick + 1, time.time() + 30, absent=True)
        found = _SUMMARY.search(process.err)
        assert found is not None
        assert found[1] == found[2]
    # What is between two of them is absent, and each of them is whole.
    ticks = [row.tick for row in stage.rows()["btc_mxn"]]
    assert sum(b - a > 1 for a, b in pairwise(ticks)) <= 2
    stage.check()


@row(
    injected=f"SIGSTOP for {_ASLEEP_S:.0f} s",
    lost="its ticks, which are marked as missed",
    takes=22,
)
def stopped_for_a_while(stage: Stage) -> None:
    exchange = stage.exchange()
    process = stage.process(exchange, "-b", "all", "--batch-size", "4")
    eventually(lambda: "btc_mxn" in process.out, what="a file")
    process.popen.send_signal(signal.SIGSTOP)
    stopped_at = time.time()
    time.sleep(_ASLEEP_S)
    goes_on_at = time.time()
    process.popen.send_signal(signal.SIGCONT)
    # Ten seconds of frames lie in the socket: none of them is taken for what is true now.
    stage.excuse(stopped_at, goes_on_at, loses=True, stale_s=0)
    eventually(lambda: (stage.journalled("btc_mxn") or [0])[-1] > goes_on_at + 4, what="rows")
    assert process.end() == 0, process.err
    assert "ticks were missed: the recorder was stopped, or the machine asleep" in process.err
    found = _SUMMARY.search(process.err)
    assert found is not None
    missed = int(found[4])
    assert missed >= _ASLEEP_S - 2
    assert MISSED in stage.causes("btc_mxn")
    report = stage.check()
    assert report.totals.missed == 2 * missed
    assert report.totals.unknown == 0
