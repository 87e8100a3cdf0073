"""The command ``compact``: what it says, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bitso_spread.lake import layout
from tests.cli.support import Run
from tests.lake.compact_support import batch, daily_files, sources


def test_off_a_terminal_each_day_is_a_line_and_nothing_is_data(run: Run, tmp_path: Path) -> None:
    for minutes, day, book in ((0, 0, "btc_mxn"), (10, 0, "btc_mxn"), (0, 1, "usd_mxn")):
        batch(tmp_path, minutes, day=day, book=book)
    status, out, err = run("compact", "--lake", str(tmp_path))
    sizes = [file.stat().st_size for file in daily_files(tmp_path)]
    assert (status, out) == (0, "")
    assert err.splitlines() == [
        f"2026-09-21 btc_mxn: made, 10 rows of 2 files in {sizes[0]:,} bytes",
        f"2026-09-22 usd_mxn: made, 5 rows of 1 file in {sizes[1]:,} bytes",
        "bitso-spread: 2 days of books compacted, 0 done anew, 0 as they were",
    ]
    status, _, err = run("compact", "--lake", str(tmp_path))
    assert (status, err) == (
        0,
        "bitso-spread: 0 days of books compacted, 0 done anew, 2 as they were\n",
    )


def test_only_what_is_named_is_compacted_and_pruned(run: Run, tmp_path: Path) -> None:
    for book in ("btc_mxn", "usd_mxn"):
        for day in (0, 1):
            batch(tmp_path, 0, day=day, book=book)
    where = ("--lake", str(tmp_path), "--date", "20260922", "--book", "MXN-BTC")
    status, _, err = run("compact", *where, "--prune")
    assert status == 0
    assert "1 day of books compacted, 0 done anew, 0 as they were, 1 file deleted\n" in err
    assert [file.name for file in daily_files(tmp_path)] == ["btc_mxn-20260922.parquet"]
    assert len(sources(tmp_path)) == 3


def test_a_day_with_a_broken_file_is_left_and_the_others_are_done(run: Run, tmp_path: Path) -> None:
    broken = batch(tmp_path, 0)
    broken.write_bytes(broken.read_bytes()[:-3])
    batch(tmp_path, 0, day=1)
    status, _, err = run("compact", "--lake", str(tmp_path), "--prune")
    assert status == 1
    lines = err.splitlines()
    assert lines[0] == (
        f"bitso-spread: left as it is: {broken} is cut short: its last line has no end"
    )
    assert lines[-1] == "bitso-spread: 1 day could not be compacted: see above"
    assert broken.exists()
    assert [file.name for file in daily_files(tmp_path)] == ["btc_mxn-20260922.parquet"]


def test_a_query_and_an_audit_say_the_same_of_a_compacted_lake(run: Run, tmp_path: Path) -> None:
    for minutes in (0, 10, 1439):
        batch(tmp_path, minutes, environment="sim", rows=6)
    asked = [
        ("query", "--lake", str(tmp_path), "--columns", "full"),
        ("query", "--lake", str(tmp_path), "--stats"),
        ("verify", "--lake", str(tmp_path), "--max-missing", "90000"),
    ]
    before = [run(*each) for each in asked]
    assert "SIMULATED" in before[0][2]
    assert run("compact", "--lake", str(tmp_path), "--prune")[0] == 0
    assert sources(tmp_path) == []
    after = [run(*each) for each in asked]
    assert after[:2] == before[:2]
    assert after[2][0] == before[2][0]


def test_the_help_needs_neither_polars_nor_rich_tables() -> None:
    code = (
        "import sys; from bitso_spread.cli import app; app.load_commands()\n"
        "assert 'polars' not in sys.modules and 'rich.progress' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_table_has_days_of_its_own(run: Run, tmp_path: Path) -> None:
    batch(tmp_path, 0)
    (tmp_path / layout.TABLE).rename(tmp_path / "Mine")
    assert run("compact", "--lake", str(tmp_path), "--table", "Mine")[0] == 0
    assert list((tmp_path / "MineDaily").rglob("*.parquet"))
    _, out, _ = run("query", "--lake", str(tmp_path), "--table", "Mine")
    assert len(out.splitlines()) == 6


def test_where_no_finished_day_is_named_it_says_what_there_is(run: Run, tmp_path: Path) -> None:
    batch(tmp_path, 0)
    status, _, err = run(
        "compact", "--lake", str(tmp_path), "--book", "btc_mxn", "--date", "20200101"
    )
    assert status == 0
    assert "no finished day was asked for: the table BitsoSpreadMonitor in" in err
    assert "holds 20260921, of btc_mxn" in err
