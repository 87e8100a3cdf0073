"""Faults of the disk: a sync that takes seconds, and one that never ends."""

from __future__ import annotations

import re
import signal
import time

from tests.faults.ailing import Ailing
from tests.faults.matrix import row
from tests.faults.stage import Stage, eventually

_SYNC_S = 5
_HANGS = 3600
_LATENESS = re.compile(r"lateness of ticks: p50 ([\d.]+) ms")


@row(
    injected=f"a disk whose every sync takes {_SYNC_S} s",
    lost="nothing, and no tick is late",
    takes=75,
)
def slow_sync(stage: Stage) -> None:
    exchange = stage.exchange("btc_mxn")
    ailing = Ailing(stage, exchange, "-b", "btc_mxn", "--duration", "12s", sync=_SYNC_S)
    assert ailing.process.wait(150) == 0, ailing.process.err
    p50 = _LATENESS.search(ailing.process.err)
    assert p50 is not None
    # Half a second, beside ten others on two cores.
    assert float(p50[1]) < 500
    # One that comes a second late is missed, and a sync takes five.
    assert len(stage.rows()["btc_mxn"]) == 12
    stage.check()


@row(
    injected="a disk that hangs, and a second signal",
    lost="what it had not taken; all that was in the journal is loaded by the next start",
    takes=30,
)
def hangs(stage: Stage) -> None:
    exchange = stage.exchange("btc_mxn")
    ailing = Ailing(stage, exchange, "-b", "btc_mxn", "--batch-size", "1000")
    eventually(lambda: len(stage.journalled("btc_mxn")) >= 3, what="rows")
    hung_at = time.time()
    ailing.tell(sync=_HANGS)
    ailing.says(
        "the journal cannot be written, rows stay in memory: the disk has not done it in", 60
    )
    ailing.process.popen.send_signal(signal.SIGTERM)
    # Within a second of the first it would be taken for its double.
    time.sleep(3)
    assert ailing.process.popen.poll() is None
    assert ailing.process.end(signal.SIGTERM) == -signal.SIGTERM
    left = stage.journalled("btc_mxn")
    said = f"ended at once: {len(left)} rows wait in the journal; the next collect loads them; "
    assert said in ailing.process.err
    assert ailing.process.err.rstrip().endswith("lost, which the disk had not taken")
    assert left[-1] >= hung_at - 6
    again = stage.process(exchange, "-b", "btc_mxn", "--duration", "2s")
    assert again.wait() == 0, again.err
    rows = stage.rows()["btc_mxn"]
    assert [row.tick for row in rows[: len(left)]] == left
    stage.excuse(hung_at - 6, rows[-1].tick - 2, absent=True)
    stage.check()
