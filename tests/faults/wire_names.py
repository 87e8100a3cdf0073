"""Faults of name resolution, and of a process that is stopped while frames go on coming."""

from __future__ import annotations

import signal
import sys
from urllib.parse import urlsplit

from bitso_spread.sim.server import SimulatedExchange
from tests.faults.matrix import row
from tests.faults.stage import Process, Stage, eventually

# A resolver of its own: it knows one more name, unless a file says that it is out of order.
_COMMAND = """
import os, socket, sys
resolve, broken = socket.getaddrinfo, sys.argv.pop(1)
def getaddrinfo(host, *rest, **options):
    if host in ("exchange.test", b"exchange.test"):
        if os.path.exists(broken):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        host = "127.0.0.1"
    return resolve(host, *rest, **options)
socket.getaddrinfo = getaddrinfo
from bitso_spread.cli import main
main()
"""


def _by_name(stage: Stage, exchange: SimulatedExchange, *options: str) -> Process:
    port = urlsplit(exchange.ws_url).port
    broken = str(stage.folder / "broken")
    urls = [
        "--rest-url",
        f"http://exchange.test:{port}/v3",
        "--ws-url",
        f"ws://exchange.test:{port}",
    ]
    command = [sys.executable, "-c", _COMMAND, broken, "collect", "-e", "sim", *urls]
    return stage.run([*command, "--lake", str(stage.lake), "--batch-size", "1000", *options])


@row(
    injected="DNS failure at the start",
    lost="everything: after `--max-wait` it says so in a line, with status 1",
    takes=6,
)
def no_names_at_the_start(stage: Stage) -> None:
    (stage.folder / "broken").touch()
    process = _by_name(stage, stage.exchange(), "--max-wait", "2")
    assert process.wait() == 1
    assert "name resolution" in process.err.splitlines()[-1]
    assert "Traceback" not in process.err


@row(
    injected="DNS failure in mid-run",
    lost="nothing while the link lives; if it is cut as well, from 3 s after that until names "
    "are resolved",
    takes=25,
)
def no_names(stage: Stage) -> None:
    exchange = stage.exchange()
    process = _by_name(stage, exchange)

    def ticks(more: int) -> None:
        wanted = len(stage.journalled("btc_mxn")) + more
        eventually(lambda: len(stage.journalled("btc_mxn")) >= wanted)

    ticks(2)
    broken = stage.folder / "broken"
    broken.touch()
    ticks(4)
    with stage.fault(loses=True, room_s=10):
        exchange.faults.drop_connections()
        ticks(6)
        assert exchange.counts.connections == 1
        broken.unlink()
        eventually(lambda: exchange.counts.connections == 2)
    ticks(6)
    assert process.end() == 0
    assert "Traceback" not in process.err
    stage.check()
    assert "name resolution" in stage.causes("btc_mxn")[0]


@row(
    injected="a burst of stale frames after SIGSTOP for six seconds",
    lost="the six seconds, as `missed`; no stale quote is taken for a new one",
    takes=18,
)
def burst_after_a_stop(stage: Stage) -> None:
    exchange = stage.exchange(period_ms=20)
    process = stage.process(exchange, "--batch-size", "1000")
    eventually(lambda: len(stage.journalled("btc_mxn")) >= 3)
    with stage.fault(loses=True, room_s=2):
        process.popen.send_signal(signal.SIGSTOP)
        stopped = len(stage.journalled("btc_mxn"))
        # Fifty a second go on to be sent.
        waiting = exchange.counts.frames["btc_mxn"] + 300
        eventually(lambda: exchange.counts.frames["btc_mxn"] >= waiting)
        process.popen.send_signal(signal.SIGCONT)
    eventually(lambda: len(stage.journalled("btc_mxn")) >= stopped + 10)
    assert process.end() == 0
    stage.check()
    assert len(stage.unknown("btc_mxn")) >= 4
