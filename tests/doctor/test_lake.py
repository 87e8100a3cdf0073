"""What the doctor sees of a lake, and that it leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitso_spread.doctor import Finding, Outcome
from bitso_spread.doctor.lake import check_lake, check_room
from bitso_spread.lake.locks import BookLocks
from bitso_spread.lake.state import LakeState
from tests.doctor.support import (
    BOOKS,
    failed,
    of,
)

LAKE = {"lake writable", "room on the disk", "other collectors"}


def lake_findings(lake: Path, table: str = "BitsoSpreadMonitor") -> dict[str, Finding]:

    return {finding.check: finding for finding in check_lake(lake, table, BOOKS)}


def contents(folder: Path) -> list[tuple[str, bytes]]:
    return sorted(
        (str(path.relative_to(folder)), path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    )


def test_nothing_is_left_behind_where_there_was_no_lake(tmp_path: Path) -> None:
    findings = lake_findings(tmp_path / "a" / "lake")
    assert of(findings, Outcome.OK) == LAKE
    assert "is not there yet, and can be made" in findings["lake writable"].detail
    assert contents(tmp_path) == []


def test_nothing_is_changed_in_a_lake_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "BitsoSpreadMonitor").mkdir()
    locks = tmp_path / ".bitso-spread" / "locks" / "BitsoSpreadMonitor"
    with (
        LakeState(tmp_path / ".bitso-spread" / "BitsoSpreadMonitor.sqlite3"),
        BookLocks(locks) as b,
    ):
        b.acquire(["btc_mxn"])
    before = contents(tmp_path)
    findings = lake_findings(tmp_path)
    assert of(findings, Outcome.OK) == LAKE
    assert contents(tmp_path) == before


def test_a_file_where_the_lake_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    findings = lake_findings(tmp_path / "lake" / "below")
    assert failed(findings) == {"lake writable"}
    assert "is not a folder" in findings["lake writable"].detail


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place where nobody may write")
def test_a_place_where_nothing_can_be_written_is_told() -> None:
    findings = lake_findings(Path("/proc/self/lake"))
    assert "lake writable" in failed(findings)
    assert "--lake" in (findings["lake writable"].advice or "")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
@pytest.mark.parametrize("folder", [".", "BitsoSpreadMonitor", ".bitso-spread"])
def test_a_folder_that_is_read_only_is_told(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder
    path.mkdir(exist_ok=True)
    path.chmod(0o555)
    try:
        findings = lake_findings(tmp_path)
    finally:
        path.chmod(0o755)
    assert failed(findings) == {"lake writable"}


@pytest.mark.parametrize(
    ("held", "outcome"), [("usd_mxn", Outcome.FAILED), ("eth_mxn", Outcome.OK)]
)
def test_a_collector_that_runs_is_told_and_disturbs_only_if_it_has_our_books(
    tmp_path: Path, held: str, outcome: Outcome
) -> None:
    locks = tmp_path / ".bitso-spread" / "locks" / "BitsoSpreadMonitor"
    script = (
        "import sys; from pathlib import Path; from bitso_spread.lake.locks import BookLocks\n"
        "with BookLocks(Path(sys.argv[1])) as locks:\n"
        "    locks.acquire([sys.argv[2]]); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(locks), held],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        findings = lake_findings(tmp_path)
        process.communicate()
    assert findings["other collectors"].outcome is outcome
    assert f"another collector records {held}" in findings["other collectors"].detail
    assert lake_findings(tmp_path)["other collectors"].detail == "none records in this lake"


@pytest.mark.parametrize(
    ("free", "outcome"),
    [(5_000_000, Outcome.FAILED), (100_000_000, Outcome.WARNING), (10**12, Outcome.OK)],
)
def test_room_is_counted_in_days(free: int, outcome: Outcome) -> None:
    assert check_room(free, 2).outcome is outcome


def test_a_day_of_a_book_takes_six_megabytes_as_csv_and_a_seventh_as_parquet() -> None:
    detail = check_room(10 * 6_048_000, 1).detail
    assert detail == "0.1 GiB are free: 10 days as CSV or 70 days as Parquet of one book"
    assert "5 days as CSV or 35 days" in check_room(10 * 6_048_000, 2).detail
