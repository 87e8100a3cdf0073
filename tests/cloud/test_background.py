"""Requests under way do not keep a process from ending, nor make a noise of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from tests.cloud.conftest import S3
from tests.lake.compact_support import batch

ASK = """
import sys
from bitso_spread.cloud.objects import open_store
store = open_store(sys.argv[1])
print("asking", flush=True)
try:
    {ask}
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.mark.parametrize("ask", ["store.folders()", "[*store.get_many('abcdef')]"])
def test_ctrl_c_ends_a_request_that_has_no_answer(s3: S3, ask: str) -> None:
    s3.gateway.harm("delay", seconds=60)
    with subprocess.Popen(
        [sys.executable, "-c", ASK.format(ask=ask), s3.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job, as a test may be one of, does not hear it by itself.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asking\n"
        deadline = time.monotonic() + 60
        while not s3.gateway.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (out, err, process.returncode) == ("stopped\n", "", 0)
        assert time.monotonic() - begun < 30


SQL = "SELECT max(spread) FROM BitsoSpreadMonitor"


@pytest.mark.parametrize(
    ("command", "answered"),
    [
        (["query"], 0),
        (["verify"], 0),
        # The latest file is fetched where a person waits for it, the others where polars does.
        (["query", "--stats"], 1),
        (["query", "--every", "10m"], 1),
        (["query", "--sql", SQL], 1),
    ],
    ids=["query", "verify", "stats", "every", "sql"],
)
def test_ctrl_c_ends_a_command_whose_lake_does_not_answer(
    s3: S3, tmp_path: Path, command: list[str], answered: int
) -> None:
    for minutes in (0, 10, 20):
        batch(tmp_path, minutes)
        batch(tmp_path, minutes, day=1)
    s3.copy(tmp_path)
    gets = count(1)
    s3.gateway.harm(
        "delay", lambda request: request.kind == "get" and next(gets) > answered, seconds=60
    )
    with subprocess.Popen(
        [sys.executable, "-m", "bitso_spread", *command, "--lake", s3.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        deadline = time.monotonic() + 60
        while s3.gateway.counts()["get"] <= answered and time.monotonic() < deadline:
            time.sleep(0.01)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert time.monotonic() - begun < 30
