"""``collect --log-format json``: each line of stderr is one object, whatever happens."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bitso_spread.cli.logs import JsonFormatter
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Start, here


def objects(err: str) -> list[dict[str, Any]]:
    """Read stderr, of which every line must be an object with the four fields."""
    found = [json.loads(line) for line in err.splitlines()]
    for one in found:
        assert list(one)[:4] == ["time", "level", "logger", "message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["time"])
        assert one["level"] in {"debug", "info", "warning", "error"}
        assert one["logger"]
    return found


def messages(err: str) -> list[str]:
    return [one["message"] for one in objects(err)]


def record(message: str, *values: object, name: str = "bitso_spread.feed") -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, __file__, 1, message, values, None)


def test_a_record_is_one_line_with_its_time_in_utc() -> None:
    made = record("a %s\nof two lines: “%s”", "message", "ñ")
    made.created = 1_785_024_000.0625
    line = JsonFormatter().format(made)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-07-26T00:00:00.062Z",
        "level": "warning",
        "logger": "bitso_spread.feed",
        "message": "a message\nof two lines: “ñ”",
    }


def test_a_whole_collection_is_told_in_objects(start: Start, tmp_path: Path) -> None:
    process = start(
        "collect", "-e", "sim", "--lake", str(tmp_path), "--batch-size", "2", "--duration", "3s",
        "--log-format", "json",
    )  # fmt: skip
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    said = messages(err)
    assert said[0] == str(tmp_path)
    assert said[1].startswith("SIMULATED")
    assert "btc_mxn: 3 SIMULATED rows, 3 known, 0 unknown, 0 missed" in said
    assert any(re.match(r"2 rows of btc_mxn in /", line) for line in said)
    assert said[-1].startswith("next: ")
    assert {one["level"] for one in objects(err)} == {"info"}
    # Data is no log.
    assert len(out.splitlines()) == 4


def test_an_error_is_an_object_too(start: Start, tmp_path: Path) -> None:
    process = start(
        "collect", "--rest-url", "http://127.0.0.1:9/v3", "--ws-url", "ws://127.0.0.1:9",
        "--lake", str(tmp_path), "--max-wait", "1", BITSO_SPREAD_COLLECT_LOG_FORMAT="json",
    )  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    last = objects(err)[-1]
    assert last["level"] == "error"
    assert last["message"].startswith("no book could be had in 1 s; btc_mxn, usd_mxn: no link")
    assert "traceback" not in last


@pytest.mark.parametrize("wrong", [["--interval", "7"], ["-b", "../x"], ["--columns", "three"]])
def test_a_value_that_makes_no_sense_is_an_object(
    wrong: list[str], start: Start, tmp_path: Path
) -> None:
    options = ["-e", "sim", "--lake", str(tmp_path), "--log-format", "json"]
    process = start("collect", *options, *wrong)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert objects(err)[-1]["level"] == "error"


def test_a_traceback_that_was_asked_for_is_a_field(start: Start, tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    process = start(
        "--debug", "collect", "-e", "sim", "--lake", str(tmp_path / "lake"), "--log-format", "json"
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    last = objects(err)[-1]
    assert last["message"] == f"{tmp_path / 'lake'} is a file: a lake is a folder"
    assert last["traceback"].startswith("Traceback (most recent call last):\n")
    assert last["traceback"].endswith("LakeError: " + last["message"])


def test_what_others_write_to_stderr_is_an_object_too() -> None:
    code = """
import logging, threading, warnings
from bitso_spread.cli.logs import LogFormat, show_log
show_log(debug=False, log_format=LogFormat.JSON)
logging.getLogger("websocket").error("of another library")
logging.getLogger("websocket").info("not asked for")
logging.getLogger("bitso_spread.feed").info("ours, once")
warnings.warn("of Python's own")
def fall(): raise ValueError("in a thread")
thread = threading.Thread(target=fall, name="faller"); thread.start(); thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    other, ours, warned, fell = objects(done.stderr)
    assert (other["logger"], other["message"]) == ("websocket", "of another library")
    assert ours["message"] == "ours, once"
    assert "of Python's own" in warned["message"]
    assert fell["message"] == "the thread faller ended: in a thread"
    assert fell["traceback"].endswith("ValueError: in a thread")


def on_a_terminal(*arguments: str) -> str:
    """Run a command whose stderr is a terminal, and give what that shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bitso_spread", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return shown.decode().replace("\r\n", "\n")


def test_on_a_terminal_there_is_no_board_among_the_objects(
    exchange: SimulatedExchange, tmp_path: Path
) -> None:
    command = ["collect", *here(exchange), "--lake", str(tmp_path), "--duration", "2s"]
    assert objects(on_a_terminal(*command, "--log-format", "json"))
    # As text there is one.
    assert "\x1b[" in on_a_terminal(*command)
