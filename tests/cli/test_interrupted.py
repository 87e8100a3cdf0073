"""Ctrl-C in the middle of the work: status 130, nothing said, and nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bitso_spread.lake.reader import Lake
from tests.cli.support import Run
from tests.cli.terminal import PROGRAM, TerminalProgram, plain
from tests.lake.compact_support import batch

INTERRUPTED = 130


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    for minutes in (0, 10):
        for day in (0, 1):
            batch(tmp_path / "lake", minutes, day=day)
    return tmp_path / "lake"


def pressed(*_: object, **__: object) -> None:
    """Stand for what is at work when Ctrl-C is pressed."""
    raise KeyboardInterrupt


def half_written(path: Path, data: bytes) -> None:
    """Write half of a file, as Ctrl-C may find it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data[: len(data) // 2])
    raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
@pytest.mark.parametrize("before", [None, "what was there"])
def test_a_query_s_file_is_as_it_was(
    suffix: str, before: str | None, run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = lake.parent / "out" / f"rows.{suffix}"
    output.parent.mkdir()
    if before is not None:
        output.write_text(before)
    stream = Lake.stream

    def cut(self: Lake, **asking: Any) -> Iterator[pl.DataFrame]:
        yield from stream(self, **asking)
        raise KeyboardInterrupt

    monkeypatch.setattr(Lake, "stream", cut)
    assert run("query", "--lake", str(lake), "--output", str(output)) == (INTERRUPTED, "", "")
    left = {path.name: path.read_text() for path in output.parent.iterdir()}
    assert left == ({} if before is None else {output.name: before})


def test_a_report_s_file_is_as_it_was(
    run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = lake.parent / "out" / "report.html"
    output.parent.mkdir()
    output.write_text("what was there")
    monkeypatch.setattr("bitso_spread.report.page", pressed)
    assert run("report", "--lake", str(lake), "--output", str(output)) == (INTERRUPTED, "", "")
    assert [path.name for path in output.parent.iterdir()] == ["report.html"]
    assert output.read_text() == "what was there"


def test_a_compaction_leaves_the_lake_as_it_was_and_can_go_on(
    run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Lake(lake).read()
    with monkeypatch.context() as patched:
        patched.setattr("bitso_spread.lake.compaction.write_synced", half_written)
        assert run("compact", "--lake", str(lake), "--prune") == (INTERRUPTED, "", "")
    assert not [*(lake / "BitsoSpreadDaily").rglob("*.parquet")]
    assert Lake(lake).read().equals(rows)
    status, _, err = run("compact", "--lake", str(lake))
    assert status == 0
    assert "2 days of books compacted" in err
    assert Lake(lake).read().equals(rows)
    assert not [*(lake / ".bitso-spread").rglob("*.parquet")]


def test_an_import_leaves_whole_files_and_is_completed_by_the_same_command(
    run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = lake.parent / "new"
    command = ("import", str(lake), "--lake", str(new))
    with monkeypatch.context() as patched:
        patched.setattr(
            "bitso_spread.lake.arrivals._sync", lambda path: half_written(path, path.read_bytes())
        )
        assert run(*command) == (INTERRUPTED, "", "")
    assert not [*(new / "BitsoSpreadMonitor").rglob("*.csv")]
    assert not [*(new / ".bitso-spread" / "importing").rglob("*.parquet")]
    status, out, _ = run(*command)
    assert status == 0
    assert "taken" in out
    assert Lake(new).read().equals(Lake(lake).read())
    assert run("verify", "--lake", str(new), "--max-missing", "99999999")[0] == 0


@pytest.mark.parametrize(
    ("command", "at"),
    [
        ("verify", "bitso_spread.lake.audit.audit"),
        ("alerts --alert 0.1", "bitso_spread.alerts.replay.Replay.run"),
        ("query --stats", "bitso_spread.lake.reader.Lake.stats"),
        ("status", "bitso_spread.health.examine"),
    ],
)
def test_what_writes_nothing_ends_in_silence(
    command: str, at: str, run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at, pressed)
    assert run(*command.split(), "--lake", str(lake)) == (INTERRUPTED, "", "")


def test_it_may_come_before_there_is_a_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitso_spread.cli.app.load_commands", pressed)
    assert run("query") == (INTERRUPTED, "", "")


def test_a_terminal_is_given_back_without_the_bar(lake: Path, tmp_path: Path) -> None:
    # Enough of them that it is still at work some seconds later.
    for day, book in product((0, 1, 2), ("eth_mxn", "usd_mxn")):
        for minutes in range(20, 1440, 5):
            batch(lake, minutes, day=day, book=book)
    with TerminalProgram([*PROGRAM, "import", str(lake), "--lake", str(tmp_path / "new")]) as shown:
        shown.wait_for("reading the sources")
        shown.press("\x03")
        assert shown.end() == INTERRUPTED
        assert shown.modes == shown.modes_before
    assert shown.output.rfind("\x1b[?25h") > shown.output.rfind("\x1b[?25l"), "no cursor"
    assert "Traceback" not in plain(shown.output)


def test_nearly_nothing_is_loaded_before_it_is_looked_after() -> None:
    # Until then it shows Python's traceback: the entry point imports this, and calls main().
    script = (
        "import sys; before = set(sys.modules); from bitso_spread.cli import main; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    ours = ("bitso_spread", "bitso_spread.cli", "bitso_spread.errors")
    assert set(done.stdout.split()) <= {"__future__", "gc", *ours}
