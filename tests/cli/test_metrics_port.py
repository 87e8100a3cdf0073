"""``collect --metrics-port``: Prometheus metrics as a user has them."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Run, Start, here


def ticks(port: int) -> float:
    address = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(address, timeout=60) as reply:
        found = re.search(r"^bitso_spread_ticks_total (.*)$", reply.read().decode(), re.MULTILINE)
    assert found
    return float(found[1])


def test_a_port_that_is_taken_is_one_line_and_status_1(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = run(
            "collect", "-e", "sim", "--lake", str(tmp_path), "--metrics-port", str(port)
        )
    assert (status, out) == (1, "")
    last = err.splitlines()[-1]
    assert last.startswith(f"bitso-spread: metrics cannot be served on 127.0.0.1:{port}: ")
    assert "--metrics-port" in last
    assert not (tmp_path / "BitsoSpreadMonitor").exists()


def test_the_command_serves_them_where_it_says(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    process = start("collect", *here(exchange), "--lake", str(tmp_path), "--metrics-port", "0")
    assert process.stderr is not None
    line = next(line for line in process.stderr if line.startswith("metrics on "))
    port = int(line.strip().removesuffix("/metrics").rpartition(":")[2])
    deadline = time.monotonic() + 60
    while ticks(port) < 2:
        assert time.monotonic() < deadline, "no ticks in time"
        time.sleep(0.1)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "sys.argv = ['bitso-spread', 'collect', '-e', 'sim', '--lake', sys.argv[1],"
        " '--metrics-port', '0']\n"
        "from bitso_spread.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "bitso-spread: --metrics-port needs the extra 'metrics': "
        "pip install 'bitso-spread[metrics]'"
    )
