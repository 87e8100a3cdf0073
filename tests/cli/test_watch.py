"""``bitso-spread watch`` as a person has it on a terminal, and a program in a pipe."""

from __future__ import annotations

import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.state import LakeState
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Run, Start, here
from tests.cli.terminal import CLEAR, ENTER, LEAVE, PROGRAM, TerminalProgram, plain


def test_on_a_terminal_it_shows_a_board_that_keys_sort_and_end() -> None:
    with TerminalProgram([*PROGRAM, "watch", "-e", "sim"]) as terminal:
        shown = terminal.wait_for("fresh")
        assert terminal.modes != terminal.modes_before
        assert "bitso-spread  SIMULATED   2 books" in plain(terminal.output)
        assert "btc_mxn" in terminal.output
        assert "usd_mxn" in terminal.output
        terminal.press("s")
        shown = terminal.wait_for("widest spread first", after=shown)
        # Some more frames, which write over what is there.
        shown = terminal.wait_for(" UTC", after=shown)
        terminal.wait_for(" UTC", after=shown)
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.modes == terminal.modes_before
        output = terminal.output
    assert output.count(CLEAR) == 1
    assert output.count(ENTER) == output.count(LEAVE) == 1
    # The cursor and the cutting of lines are as they were, too.
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    assert output.rindex("\x1b[?7h") > output.rindex("\x1b[?7l")
    # Nothing is written twice that stands still.
    assert output.count("spread") < 10


def test_a_signal_ends_it_with_the_terminal_as_it_was() -> None:
    nowhere = ["--rest-url", "http://127.0.0.1:9/v3", "--ws-url", "ws://127.0.0.1:9"]
    with TerminalProgram([*PROGRAM, "watch", *nowhere]) as terminal:
        terminal.wait_for("waiting for the first data: no link")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
        assert terminal.modes == terminal.modes_before
        assert terminal.output.count(LEAVE) == 1


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash, which stops and goes on")
def test_a_shell_can_put_it_behind_bring_it_back_and_stop_it(exchange: SimulatedExchange) -> None:
    with TerminalProgram(["bash", "--norc", "--noprofile", "-i"], PS1="ready> ") as terminal:
        terminal.wait_for("ready>")
        shown = len(terminal.output)
        terminal.press(" ".join([*PROGRAM, "watch", *here(exchange)]) + " &\r")
        shown = terminal.wait_for("ready>", after=shown)
        deadline = time.monotonic() + 60
        while exchange.counts.frames.total() < 20:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # It leaves alone what is the shell's, and has the screen when it is its own.
        assert ENTER not in terminal.read()
        terminal.press("fg\r")
        shown = terminal.wait_for("fresh", after=shown)
        assert terminal.output.count(ENTER) == 1

        terminal.press("\x1a")
        shown = terminal.wait_for("ready>", after=shown)
        assert terminal.output.count(LEAVE) == 1
        terminal.press("stty -a\r")
        shown = terminal.wait_for("ready>", after=shown)
        assert re.search(r"(?<!-)icanon.*(?<!-)echo", terminal.output, re.DOTALL)

        terminal.press("fg\r")
        shown = terminal.wait_for("quits", after=shown)
        assert terminal.output.count(ENTER) == terminal.output.count(CLEAR) == 2
        terminal.press("s")
        terminal.wait_for("widest spread first", after=shown)
        terminal.press("q")
        terminal.wait_for("ready>", after=shown)
        assert terminal.output.count(LEAVE) == 2
        terminal.press("exit\r")
        assert terminal.end() == 0


def test_off_a_terminal_it_prints_a_line_a_second_until_nobody_reads_on(
    start: Start, exchange: SimulatedExchange
) -> None:
    process = start("watch", *here(exchange), "-b", "btc_mxn,MXN/USD")
    assert process.stdout is not None
    assert process.stderr is not None
    lines = [process.stdout.readline() for _ in range(3)]
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    form = r"(\S+)Z  btc_mxn [\d.]+ [\d.]+ [\d.]+ % fresh  usd_mxn [\d.]+ [\d.]+ [\d.]+ % \w+\n"
    times = [match[1] for line in lines if (match := re.fullmatch(form, line))]
    assert len(set(times)) == 3
    (said,) = process.stderr.read().splitlines()
    assert "SIMULATED" in said
    assert "\x1b" not in "".join(lines) + said


def test_a_book_that_there_is_not_is_one_line(run: Run, exchange: SimulatedExchange) -> None:
    status, out, err = run("watch", *here(exchange), "-b", "btc_mnx")
    assert (status, out) == (1, "")
    assert "did you mean btc_mxn" in err.splitlines()[-1]


def recorded(lake: Path) -> int:
    """How many books have been recorded."""
    path = state_file(lake, TABLE)
    if not path.exists():
        return 0
    with LakeState(path) as state:
        return len(state.marks())


def test_with_a_lake_it_shows_what_a_collector_records_there(
    start: Start, run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    options = ["--lake", str(tmp_path), "--alert", "0.000001", "--alert-hold", "1"]
    collector = start("collect", *here(exchange), *options)
    deadline = time.monotonic() + 60
    while recorded(tmp_path) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    lines = start("watch", "--lake", str(tmp_path / TABLE), "-b", "MXN-BTC")
    with TerminalProgram([*PROGRAM, "watch", "--lake", str(tmp_path)]) as terminal:
        terminal.wait_for("fresh")
        assert "SIMULATED   2 books" in plain(terminal.output)
        shown = terminal.wait_for("above 1e-06 %")
        assert lines.stdout is not None
        assert re.search(r"Z  btc_mxn [\d.]+ [\d.]+ [\d.]+ % \w+$", lines.stdout.readline())
        lines.terminate()
        status, _, err = run("watch", "--lake", str(tmp_path), "-b", "btc_mnx")
        assert status == 1
        assert "did you mean btc_mxn" in err.splitlines()[-1]
        collector.terminate()
        terminal.wait_for("no collector records into", after=shown)
        terminal.press("\x03")
        assert terminal.end() == 0
        assert terminal.modes == terminal.modes_before
    assert exchange.counts.connections == 1


def test_with_a_lake_that_nobody_records_into_it_says_so(run: Run, tmp_path: Path) -> None:
    status, _, err = run("watch", "--lake", str(tmp_path))
    assert status == 1
    assert f"there is no lake at {tmp_path}" in err
    (tmp_path / TABLE).mkdir()
    status, _, err = run("watch", "--lake", str(tmp_path))
    assert status == 1
    assert f"no collector records into {tmp_path}: start one with" in err
    assert len(err.splitlines()) == 1


def test_an_exchange_without_a_feed_cannot_be_watched(run: Run) -> None:
    status, _, err = run("watch", "-e", "stage")
    assert status == 2
    assert "give one with --ws-url, or use bitso-spread snapshot" in err


@pytest.mark.parametrize(
    "option", [["--rest-url", "http://127.0.0.1:9/v3"], ["--ws-url", "ws://h"], ["-e", "sim"]]
)
def test_an_exchange_and_a_lake_are_not_both_watched(
    option: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = run("watch", "--lake", str(tmp_path), *option)
    assert status == 2
    assert "shows what is recorded there: leave out --" in err
    # What is set for all commands is not in the way.
    monkeypatch.setenv("BITSO_SPREAD_ENVIRONMENT", "sim")
    monkeypatch.setenv("BITSO_SPREAD_REST_URL", "http://127.0.0.1:9/v3")
    status, _, err = run("watch", "--lake", str(tmp_path))
    assert (status, "there is no lake" in err) == (1, True)
