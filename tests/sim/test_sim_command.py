from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from bitso_spread.cli.sim import sim
from bitso_spread.errors import LakeError, UsageError
from bitso_spread.sim.server import SimulatedExchange

COMMAND = [sys.executable, "-m", "bitso_spread", "sim"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_says_how_to_record_it_and_runs_until_told_to_end(
    http: httpx.Client, end: signal.Signals
) -> None:
    with subprocess.Popen([*COMMAND, "--books", "3"], stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        said = [run.stderr.readline() for _ in range(5)]
        rest_url, ws_url = said[1].split()[1], said[2].split()[1]
        assert "SIMULATED" in said[0]
        assert said[4].strip() == (
            f"bitso-spread collect -e sim --rest-url {rest_url} --ws-url {ws_url}"
        )
        rows = http.get(f"{rest_url}/available_books").json()["payload"]
        assert [row["book"] for row in rows] == ["btc_mxn", "usd_mxn", "eth_mxn"]
        run.send_signal(end)
        assert run.wait(30) == 0
        assert run.stderr.read() == ""


def test_a_port_in_use_ends_it_with_one_line(still: SimulatedExchange) -> None:
    port = still.ws_url.rpartition(":")[2]
    run = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == (
        f"bitso-spread: 127.0.0.1:{port} is in use: choose another port, or 0 for a free one\n"
    )


def test_a_replay_has_its_own_books(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave out --books and --seed"):
        sim(replay=tmp_path, books=3)


def test_a_lake_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=str(tmp_path)):
        sim(replay=tmp_path)


def test_more_books_than_there_is_memory_for_are_refused() -> None:
    with pytest.raises(UsageError, match="books are too many: take 10,000 at most"):
        sim(books=10**20)
