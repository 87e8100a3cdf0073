"""``bitso-spread status``: the health check as Docker and a person have it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.lake import layout
from bitso_spread.lake.heartbeat import BookBeat, Heartbeat, HeartbeatFile, Phase
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Run, Start, here


def beat(**changes: object) -> Heartbeat:
    now = time.time()
    usual = Heartbeat(
        at=now,
        host="box",
        pid=42,
        version="0.1.0",
        environment="sim",
        interval=1,
        since=now - 5000,
        phase=Phase.RECORDING,
        last_tick=int(now),
        ticks=1000,
        books=(
            BookBeat("btc_mxn", int(now), "held", 1.5),
            BookBeat("usd_mxn", int(now), "unknown", None),
        ),
        names=("btc_mxn", "usd_mxn", "eth_mxn"),
        reconnects=2,
        rejected={"crossed": 3, "not_json": 1},
        rows_in_memory=4,
        rows_in_journal=612,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def put(lake: Path, one: Heartbeat) -> Path:
    file = HeartbeatFile(layout.heartbeats_folder(lake, layout.TABLE), one.host, one.pid)
    file.write(one)
    return file.path


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)


def test_it_shows_all_that_there_is_of_a_collector(run: Run, tmp_path: Path) -> None:
    path = put(tmp_path, beat())
    status, out, err = run("status", "--lake", str(tmp_path))
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert told["healthy"] is True
    (one,) = told["collectors"]
    assert {key: one[key] for key in ("verdict", "host", "pid", "version", "environment")} == {
        "verdict": "recording", "host": "box", "pid": 42, "version": "0.1.0", "environment": "sim",
    }  # fmt: skip
    assert one["file"] == str(path)
    assert -1 < one["last_tick_age"] < 10
    assert one["reconnects"] == 2
    assert one["rejected"] == {"crossed": 3, "not_json": 1}
    assert one["unwritten"] == {"memory": 4, "journal": 612}
    assert one["no_tick_yet"] == ["eth_mxn"]
    books = [(book["book"], book["state"], book["age"]) for book in one["books"]]
    assert books == [("btc_mxn", "held", 1.5), ("usd_mxn", "unknown", None)]
    assert one["books"][0]["last_tick"].endswith("Z")


def test_of_one_it_says_one(run: Run, tmp_path: Path) -> None:
    put(tmp_path, beat(ticks=1, reconnects=1, rejected={"crossed": 1}))
    _, out, _ = run("status", "--lake", str(tmp_path), "--format", "table")
    assert out.splitlines()[2] == "  1 tick, 1 reconnect, 1 rejected frame"


def test_what_was_missed_is_told(run: Run, tmp_path: Path) -> None:
    put(tmp_path, beat(missed=635))
    _, out, _ = run("status", "--lake", str(tmp_path), "--format", "table")
    assert out.splitlines()[2] == "  1000 ticks, 635 missed, 2 reconnects, 4 rejected frames"
    (one,) = json.loads(run("status", "--lake", str(tmp_path), "--format", "json")[1])["collectors"]
    assert one["missed"] == 635


def test_a_person_gets_a_table(run: Run, tmp_path: Path) -> None:
    put(tmp_path, beat())
    status, out, _ = run("status", "--lake", str(tmp_path), "--format", "table")
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "recording: process 42 on box, SIMULATED"
    assert lines[2] == "  1000 ticks, 2 reconnects, 4 rejected frames"
    assert lines[3] == "  rows in no file yet: 4 in memory, 612 in the journal"
    assert lines[5].split()[0] == "btc_mxn"
    assert lines[5].split()[3:] == ["held", "1.5"]
    assert lines[6].split()[3:] == ["unknown"]
    assert lines[7] == "  no tick yet: eth_mxn"


@pytest.mark.parametrize("form", ["table", "json"])
def test_where_nobody_records_the_status_is_1_and_one_line_says_so(
    form: str, run: Run, tmp_path: Path
) -> None:
    status, out, err = run("status", "--lake", str(tmp_path), "--format", form)
    assert status == 1
    assert err == (
        f"bitso-spread: no collector records into {tmp_path}: "
        f"start one with bitso-spread collect --lake {tmp_path}\n"
    )
    assert out == "" if form == "table" else json.loads(out)["collectors"] == []


def test_one_that_was_killed_is_status_1_and_what_to_do(run: Run, tmp_path: Path) -> None:
    path = put(tmp_path, beat(at=time.time() - 60, last_tick=int(time.time()) - 60))
    status, out, err = run("status", "--lake", str(tmp_path))
    assert status == 1
    assert json.loads(out)["collectors"][0]["verdict"] == "dead"
    assert f"start it again, or remove {path}" in err
    assert len(err.splitlines()) == 1


def test_a_live_collector_is_well_a_stopped_one_is_not_and_one_that_ended_is_gone(
    start: Start, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    lake = ["--lake", str(tmp_path)]
    process = start("collect", *here(exchange), *lake, "-b", "btc_mxn")
    eventually(lambda: run("status", *lake)[0] == 0)
    _, out, _ = run("status", *lake)
    (one,) = json.loads(out)["collectors"]
    assert one["pid"] == process.pid
    assert [book["book"] for book in one["books"]] == ["btc_mxn"]
    eventually(lambda: json.loads(run("status", *lake)[1])["collectors"][0]["ticks"] > one["ticks"])

    process.send_signal(signal.SIGSTOP)
    eventually(lambda: run("status", *lake)[0] == 1)
    assert json.loads(run("status", *lake)[1])["collectors"][0]["verdict"] == "dead"
    process.send_signal(signal.SIGCONT)
    eventually(lambda: run("status", *lake)[0] == 0)

    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert run("status", *lake)[2] == (
        f"bitso-spread: no collector records into {tmp_path}: "
        f"start one with bitso-spread collect --lake {tmp_path}\n"
    )
    assert list(layout.heartbeats_folder(tmp_path, layout.TABLE).iterdir()) == []


def test_what_a_killed_collector_left_goes_when_another_takes_its_books(
    start: Start, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    lake = ["--lake", str(tmp_path)]
    killed = start("collect", *here(exchange), *lake, "-b", "btc_mxn")
    eventually(lambda: run("status", *lake)[0] == 0)
    killed.kill()
    killed.wait()
    # It is not the business of one with other books.
    neighbour = start("collect", *here(exchange), *lake, "-b", "usd_mxn")
    follower = start("collect", *here(exchange), *lake, "-b", "eth_mxn,btc_mxn")

    def pids() -> set[int]:
        return {one["pid"] for one in json.loads(run("status", *lake)[1])["collectors"]}

    eventually(lambda: pids() == {neighbour.pid, follower.pid})
    eventually(lambda: run("status", *lake)[0] == 0)


def test_a_health_check_loads_nothing_heavy(tmp_path: Path) -> None:
    put(tmp_path, beat())
    code = (
        "import sys; sys.argv = ['bitso-spread', 'status', '--lake', sys.argv[1]];\n"
        "from bitso_spread.cli import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code\n"
        "print(sorted({'polars', 'httpx', 'websocket', 'msgspec', 'sqlite3', 'rich.table'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
