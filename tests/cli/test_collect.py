"""The recorder as a user has it: a process that is started, stopped and killed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.cli.progress import Lines
from bitso_spread.collector import Collector
from bitso_spread.lake.reader import Lake
from bitso_spread.lake.state import LakeState
from bitso_spread.sampling import Tick
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Run, Start, here, rows


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)


def journalled(lake: Path, book: str) -> list[int]:
    """Give the ticks of a book that are in the journal and in no file yet."""
    path = lake / ".bitso-spread" / "BitsoSpreadMonitor.sqlite3"
    if not path.exists():
        return []
    with LakeState(path) as state:
        batches = [batch for batch in state.batches() if batch.book == book]
        return [row.tick for batch in batches for row in state.rows(batch)]


def recorded(lake: Path, book: str) -> list[int]:
    """Give the ticks of a book that are in files."""
    rows = Lake(lake).read(book=[book])
    return rows["orderbook_timestamp"].dt.epoch("s").to_list()


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_it_says_where_the_lake_is_what_it_holds_and_what_to_type_next(
    start: Start, tmp_path: Path
) -> None:
    process = start(
        "collect", "-e", "sim", "--lake", str(tmp_path), "--batch-size", "2", "--duration", "3s"
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    lines = err.splitlines()
    assert lines[0] == str(tmp_path)
    assert "SIMULATED" in lines[1]
    assert "btc_mxn: 3 SIMULATED rows, 3 known, 0 unknown, 0 missed" in lines
    assert lines[-1].startswith(f"next: python -m bitso_spread query --lake {tmp_path}")
    paths = [Path(line) for line in out.splitlines()]
    assert len(paths) == 4
    assert all(path.is_absolute() and pl.read_csv(path).height in {1, 2} for path in paths)
    assert "\x1b" not in out + err


def test_of_one_row_it_says_one(start: Start, tmp_path: Path) -> None:
    process = start("collect", "-e", "sim", "--lake", str(tmp_path), "--batch-size", "1",
                    "--batches", "1")  # fmt: skip
    _, err = process.communicate(timeout=30)
    assert "INFO 1 row of btc_mxn in " in err
    assert re.search(r"^btc_mxn: 1 SIMULATED row, ", err, re.MULTILINE)


def test_ticks_that_were_missed_without_rows_are_told_to_the_end(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A stop of more than 600 ticks, in little: of more than one.
    monkeypatch.setattr("bitso_spread.sampling.MISSED_LIMIT", 1)
    look, stops = Lines.on_tick, [6.0]

    def stand_still_once(view: Lines, tick: Tick, collector: Collector) -> None:
        look(view, tick, collector)
        time.sleep(stops.pop() if stops else 0)

    monkeypatch.setattr(Lines, "on_tick", stand_still_once)
    status, _, err = run(
        "collect", "-e", "sim", "-b", "btc_mxn", "--lake", str(tmp_path), "--batches", "1",
        "--batch-size", "3",
    )  # fmt: skip
    assert status == 0, err
    gaps = re.findall(r"(\d+) ticks were missed, too many for rows of them", err)
    told = re.search(r"btc_mxn: 3 SIM.* unknown, (\d+) missed, (\d+) of them without a row", err)
    assert told is not None
    assert int(told[1]) >= int(told[2]) == sum(map(int, gaps)) >= 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_in_order(
    number: int, start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    process = start("collect", *here(exchange), "--lake", str(tmp_path))
    eventually(lambda: len(journalled(tmp_path, "usd_mxn")) >= 2)
    status, _, err = end(process, number)
    assert status == 0, err
    assert journalled(tmp_path, "usd_mxn") == []
    times = recorded(tmp_path, "usd_mxn")
    assert times == list(range(times[0], times[0] + len(times)))
    assert f"usd_mxn: {len(times)} SIMULATED rows" in err


def test_what_a_kill_leaves_behind_is_loaded_once_by_the_next_start(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    lake = ["--lake", str(tmp_path), "-b", "btc_mxn"]
    process = start("collect", *here(exchange), *lake)
    eventually(lambda: len(journalled(tmp_path, "btc_mxn")) >= 3)
    killed_at = time.time()
    process.kill()
    process.wait()
    left = journalled(tmp_path, "btc_mxn")
    # Rows are durable within their second; on a busy machine, a little later.
    assert left[-1] >= killed_at - 6

    other = start("collect", *here(exchange), *lake, "--format", "parquet")
    _, err = other.communicate(timeout=60)
    assert other.returncode == 1
    assert err.splitlines()[-1] == (
        "bitso-spread: this table holds format csv, and format parquet was asked for: "
        "they never mix; give --lake another folder, or --table another name"
    )
    assert recorded(tmp_path, "btc_mxn") == left

    again = start("collect", *here(exchange), *lake, "--duration", "2s")
    _, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    times = recorded(tmp_path, "btc_mxn")
    assert times[: len(left)] == left
    assert len(times) == len(set(times)) == len(left) + 2


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_full_columns_tell_how_each_row_came_to_be_known(
    form: str, start: Start, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    lake = ["--lake", str(tmp_path), "-b", "btc_mxn"]
    full = [*lake, "--format", form, "--columns", "full"]
    process = start("collect", *here(exchange), *full, "--duration", "3s")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    status, out, _ = run("query", "--lake", str(tmp_path), "--columns", "full")
    assert status == 0
    told = rows(out)
    assert len(told) == 3
    for row in told:
        assert float(row["bid_amount"]) > 0
        assert float(row["ask_amount"]) > 0
        said, taken = (
            datetime.fromisoformat(row[name]) for name in ("exchange_time", "orderbook_timestamp")
        )
        assert said <= taken
        assert 0 <= int(row["age_ms"]) < 10_000
        assert row["state"] in {"fresh", "quiet", "held"}
        assert row["source"] in {"feed", "rest"}
    _, five, _ = run("query", "--lake", str(tmp_path))
    assert [[*row.values()] for row in rows(five)] == [[*row.values()][:5] for row in told]
    status, _, err = run("collect", *here(exchange), *lake, "--format", form, "--columns", "five")
    assert status == 1
    assert "this table holds columns full, and columns five was asked for" in err


def test_a_start_leaves_the_rows_of_a_live_neighbour_alone(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    lake = ["--lake", str(tmp_path)]
    neighbour = start("collect", *here(exchange), *lake, "-b", "usd_mxn")
    dead = start("collect", *here(exchange), *lake, "-b", "btc_mxn")
    for book in ("usd_mxn", "btc_mxn"):
        eventually(lambda book=book: len(journalled(tmp_path, book)) >= 2)  # type: ignore[misc]
    dead.kill()
    dead.wait()
    left = journalled(tmp_path, "btc_mxn")
    third = start("collect", *here(exchange), *lake, "-b", "eth_mxn", "--duration", "1s")
    _, err = third.communicate(timeout=60)
    assert third.returncode == 0, err
    assert recorded(tmp_path, "btc_mxn") == left
    assert not Lake(tmp_path).books(book=["usd_mxn"])
    status, _, err = end(neighbour)
    assert status == 0, err
    times = recorded(tmp_path, "usd_mxn")
    assert times == list(range(times[0], times[0] + len(times)))


def test_two_collectors_of_one_book_are_one_too_many(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    first = start("collect", *here(exchange), "--lake", str(tmp_path), "-b", "btc_mxn")
    eventually(lambda: bool(journalled(tmp_path, "btc_mxn")))
    second = start("collect", *here(exchange), "--lake", str(tmp_path), "-b", "btc_mxn")
    _, err = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "another collector records btc_mxn" in err.splitlines()[-1]
    assert end(first)[0] == 0


def test_where_nothing_can_be_had_one_line_says_why_and_what_to_try(
    run: Run, tmp_path: Path
) -> None:
    status, out, err = run(
        "collect", "--rest-url", "http://127.0.0.1:9/v3", "--ws-url", "ws://127.0.0.1:9",
        "--lake", str(tmp_path), "--max-wait", "1", "-b", "btc_mxn",
    )  # fmt: skip
    assert (status, out) == (1, "")
    last = err.splitlines()[-1]
    assert last.startswith("bitso-spread: no book could be had in 1 s; btc_mxn: no link")
    assert last.endswith("--environment sim --lake sim-lake")
    assert "Traceback" not in err


def test_an_outage_of_stdout_does_not_end_the_recording(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    process = start(
        "collect", *here(exchange), "--lake", str(tmp_path), "--batch-size", "1",
        "--duration", "3s", "-b", "btc_mxn",
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert len(recorded(tmp_path, "btc_mxn")) == 3


def test_options_can_come_from_the_environment(
    start: Start, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    process = start(
        "collect",
        "--duration=1s",
        BITSO_SPREAD_ENVIRONMENT="sim",
        BITSO_SPREAD_REST_URL=exchange.rest_url,
        BITSO_SPREAD_WS_URL=exchange.ws_url,
        BITSO_SPREAD_BOOK="eth_mxn,BTC-MXN",
        BITSO_SPREAD_LAKE=str(tmp_path),
        BITSO_SPREAD_COLLECT_FORMAT="parquet",
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert Lake(tmp_path).books() == ["btc_mxn", "eth_mxn"]
    assert all(line.endswith(".parquet") for line in out.splitlines())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--duration", "soon"], "write it as 90s, 10m or 1h"),
        (["--interval", "7"], "does not divide a day"),
        (["--batches", "0"], "--batches must be above 0"),
        (["-b", "../../etc"], "is not a book"),
        (["--format", "xml"], "choose csv or parquet"),
        (["-e", "stage"], "give one with --ws-url"),
        (["--table", ".hidden"], "cannot be a table"),
    ],
)
def test_a_wrong_command_line_is_status_2_and_one_line(
    arguments: list[str], told: str, run: Run, tmp_path: Path
) -> None:
    status, _, err = run("collect", "-e", "sim", "--lake", str(tmp_path), *arguments)
    assert status == 2
    assert told in err.splitlines()[-1]
    assert not list(tmp_path.glob("Bitso*"))


def test_the_parts_of_the_program_that_help_does_not_need_are_not_loaded() -> None:
    code = (
        "import sys; from bitso_spread.cli.app import load_commands; load_commands();"
        "print(sorted({'polars', 'httpx', 'websocket', 'websockets', 'msgspec', 'sqlite3'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_not_typed_is_as_the_table_has_it(
    start: Start, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    lake = ["--lake", str(tmp_path), "-b", "btc_mxn"]
    typed = ["--format", "parquet", "--columns", "full", "--interval", "2"]
    first = start("collect", *here(exchange), *lake, *typed, "--duration", "2s")
    _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    later = start("collect", *here(exchange), *lake, "--duration", "4s", "--verbose")
    _, err = later.communicate(timeout=60)
    assert later.returncode == 0, err
    assert "recording as the table is: format parquet, columns full, interval 2" in err
    assert "--format the table's own; csv (default)" in err
    assert "btc_mxn: 2 SIMULATED rows" in err
    files = [path for path in (tmp_path / "BitsoSpreadMonitor").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".parquet"}
    for name, value, holds in (
        ("format", "csv", "parquet"), ("columns", "five", "full"), ("interval", "1", "2"),
    ):  # fmt: skip
        status, _, err = run("collect", *here(exchange), *lake, f"--{name}", value)
        assert status == 1
        assert f"this table holds {name} {holds}, and {name} {value} was asked for" in err


def test_a_variable_asks_as_well_as_an_option(
    run: Run, exchange: SimulatedExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = ["--lake", str(tmp_path), "-b", "btc_mxn"]
    assert run("collect", *here(exchange), *lake, "--duration", "1s")[0] == 0
    monkeypatch.setenv("BITSO_SPREAD_COLLECT_FORMAT", "parquet")
    status, _, err = run("collect", *here(exchange), *lake, "--duration", "1s")
    assert status == 1
    assert "holds format csv, and format parquet was asked for" in err
