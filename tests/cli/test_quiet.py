"""``--quiet``: what is not said any more, and what is said all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import CrossedMarket, Run, Start, here, rows
from tests.cli.terminal import ENTER, PROGRAM, TerminalProgram
from tests.lake.compact_support import batch

SIMULATED = "bitso-spread: SIMULATED: "


def test_a_collection_says_only_that_it_is_simulated_and_its_paths_stay(
    start: Start, tmp_path: Path
) -> None:
    options = ["-e", "sim", "--lake", str(tmp_path), "--duration", "2s", "--quiet"]
    process = start("collect", *options)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert [line[: len(SIMULATED)] for line in err.splitlines()] == [SIMULATED]
    paths = [Path(line) for line in out.splitlines()]
    assert len(paths) == 2
    assert all(path.is_file() for path in paths)


def test_what_a_collection_has_lost_is_said(start: Start, tmp_path: Path) -> None:
    with SimulatedExchange(CrossedMarket()) as exchange:
        process = start(
            "collect", *here(exchange), "-b", "btc_mxn,usd_mxn", "--lake", str(tmp_path),
            "--duration", "2s", "--max-wait", "2", "-q",
        )  # fmt: skip
        _, err = process.communicate(timeout=60)
    said = err.splitlines()
    assert said[-1] == "usd_mxn: 2 SIMULATED rows, 0 known, 2 unknown, 0 missed"
    assert any("recording starts without usd_mxn" in line for line in said)
    assert not any("btc_mxn: 2" in line or "lateness" in line or "next:" in line for line in said)


def test_every_line_stays_an_object(start: Start, tmp_path: Path) -> None:
    options = ["-e", "sim", "--lake", str(tmp_path), "--duration", "1s", "--log-format", "json"]
    _, err = start("--quiet", "collect", *options).communicate(timeout=60)
    (line,) = err.splitlines()
    assert json.loads(line)["message"].startswith("SIMULATED")


def test_no_board_comes_to_a_terminal(tmp_path: Path) -> None:
    options = ["-e", "sim", "--lake", str(tmp_path), "--duration", "1s"]
    with TerminalProgram([*PROGRAM, "collect", "-q", *options]) as program:
        assert program.end() == 0
        assert ENTER not in program.output
        assert program.output.startswith(SIMULATED)
        assert len(program.output.splitlines()) == 1


def test_no_bar_comes_to_a_terminal(tmp_path: Path) -> None:
    batch(tmp_path, 0)
    with TerminalProgram([*PROGRAM, "compact", "--lake", str(tmp_path), "-q"]) as program:
        assert (program.end(), program.output) == (0, "")


def test_a_query_s_file_has_a_bar_on_a_terminal_unless_it_is_to_be_quiet(tmp_path: Path) -> None:
    batch(tmp_path, 0)
    output = tmp_path / "rows.csv"
    command = [*PROGRAM, "query", "--lake", str(tmp_path), "--output", str(output)]
    with TerminalProgram(command) as program:
        program.wait_for("writing rows")
        assert program.end() == 0
    assert len(output.read_text().splitlines()) == 6
    with TerminalProgram([*command, "-q"]) as program:
        assert (program.end(), program.output) == (0, "")


def test_notes_are_silent_and_data_is_there(run: Run, tmp_path: Path) -> None:
    batch(tmp_path, 0)
    lake = ("--lake", str(tmp_path))
    status, out, err = run("query", *lake, "--date", "2020-01-01", "--quiet")
    assert (status, out, err) == (0, "orderbook_timestamp,book,bid,ask,spread\n", "")
    status, out, err = run("alerts", *lake, "--alert", "0.1", "-q")
    assert (status, err) == (0, "")
    assert out.startswith("fired,book,")
    assert run("compact", *lake, "-q") == (0, "", "")
    assert run("compact", *lake)[2] != ""


def test_what_is_wrong_is_said(run: Run, tmp_path: Path) -> None:
    broken = batch(tmp_path, 0)
    broken.write_bytes(broken.read_bytes()[:-3])
    lake = ("--lake", str(tmp_path))
    status, _, err = run("compact", *lake, "--quiet")
    assert status == 1
    assert "left as it is" in err
    assert "1 day could not be compacted" in err
    _, out, err = run("query", *lake, "--skip-bad", "--quiet")
    assert rows(out) == []
    assert "the answer lacks the rows of 1 file" in err
    status, _, err = run("verify", *lake, "--quiet")
    assert status == 1
    assert "is not as it should be" in err
    assert run("query", "--quiet", "--lake", str(tmp_path / "none"))[2] != ""
    assert "did you mean --book?" in run("query", "--quiet", "--bok", "x")[2]
    assert run("status", *lake, "-q")[2] != ""


def test_rows_that_are_not_the_market_s_are_marked(run: Run, tmp_path: Path) -> None:
    assert run("collect", "-e", "sim", "--lake", str(tmp_path), "--batches", "1",
               "--batch-size", "1", "-q")[0] == 0  # fmt: skip
    _, _, err = run("query", "--lake", str(tmp_path), "-q")
    assert err == "bitso-spread: SIMULATED: rows are of the simulated exchange\n"


@pytest.mark.parametrize("where", ["file", "variable"])
def test_it_can_be_taken_back(where: str, run: Run, monkeypatch: pytest.MonkeyPatch,
                              tmp_path: Path) -> None:  # fmt: skip
    (tmp_path / "BitsoSpreadMonitor").mkdir()
    monkeypatch.chdir(tmp_path)
    if where == "file":
        Path("bitso-spread.toml").write_text("quiet = true\n")
    else:
        monkeypatch.setenv("BITSO_SPREAD_QUIET", "1")
    assert run("query")[2] == ""
    assert "holds nothing yet" in run("query", "--no-quiet")[2]
