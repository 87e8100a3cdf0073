"""The command ``report``: the file that it makes, and how it ends."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.alerts.events import Alert, Kind
from bitso_spread.lake.alert_log import AlertLog, alert_file
from bitso_spread.lake.layout import TABLE
from tests.cli.support import Run
from tests.lake.audit_support import record
from tests.lake.import_support import rows_from
from tests.lake.support import NOON
from tests.report.support import START, put


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    put(folder, [0.2, 0.3, None])
    return folder


def test_it_makes_one_file(run: Run, lake: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    status, out, err = run("report", "--lake", str(lake), "--output", str(page))
    assert (status, out, err) == (0, "", "")
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert text.rstrip().endswith("</html>")
    assert "2024-07-26 03:15:00 UTC to 2024-07-26 03:15:03 UTC" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lake", "report.html"]


@pytest.mark.parametrize("asked", [[], ["--date", "2026-09-21"], ["--book", "btc_mxn"]])
def test_a_lake_whose_first_batch_is_not_finished_holds_nothing_yet(
    run: Run, tmp_path: Path, asked: list[str]
) -> None:
    lake, page = tmp_path / "fresh", tmp_path / "report.html"
    (lake / TABLE).mkdir(parents=True)
    record(lake, rows_from(NOON, 5), write=False)
    status, out, err = run("report", "--lake", str(lake), "--output", str(page), *asked)
    assert (status, out) == (1, "")
    assert err == (
        f"bitso-spread: there is nothing to report: the table {TABLE} in {lake} holds nothing yet: "
        "rows come with the first batch that is finished\n"
    )
    assert not page.exists()


def test_a_day_whose_rows_are_all_in_the_journal_is_told_without_them(
    run: Run, lake: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    record(lake, rows_from(NOON, 5), write=False)
    asked = "--date", "2026-09-21", "--output", str(page)
    assert run("report", "--lake", str(lake), *asked) == (0, "", "")
    assert "btc_mxn" in page.read_text()


def test_a_pipe_gets_the_same_page(run: Run, lake: Path) -> None:
    status, out, _ = run("report", "--lake", str(lake), "--threshold", "0.25")
    assert status == 0
    assert "above 0.25 %" in out
    assert "above 0.5 %" not in out
    assert ">50.00<" in out


def test_a_terminal_is_not_given_a_page(lake: Path) -> None:
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bitso_spread", "report", "--lake", str(lake)],
            stdout=follower,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 2
    assert "name a file with --output report.html" in done.stderr


def test_the_zone_tells_the_times(run: Run, lake: Path) -> None:
    zone = ("--tz", "America/Mexico_City", "--from", "2024-07-25T21:15:01")
    status, out, _ = run("report", "--lake", str(lake), *zone)
    assert status == 0
    assert "2024-07-25 21:15:01-06:00 to 2024-07-25 21:15:03-06:00 (America/Mexico_City)" in out


def test_simulated_rows_are_said(run: Run, tmp_path: Path) -> None:
    put(tmp_path, [0.2], environment="sim")
    status, out, err = run("report", "--lake", str(tmp_path))
    assert status == 0
    assert "SIMULATED: rows are of the simulated exchange</p>" in out
    assert "SIMULATED" in err


def test_alerts_that_were_kept_beside_the_table_are_listed(run: Run, lake: Path) -> None:
    assert "<h2>Alerts</h2>" not in run("report", "--lake", str(lake))[1]
    tick = START + 1
    fired = Alert("btc_mxn", Kind.SPREAD, 0.25, START, tick, tick + 1, 0.3)
    other = replace(fired, book="usd_mxn")
    with AlertLog(alert_file(lake, TABLE)) as log:
        log.write([(fired, "production"), (other, "production")], [])
    _, out, _ = run("report", "--lake", str(lake), "--book", "btc_mxn")
    assert out.count("spread above 0.25 %</td>") == 2
    assert "2024-07-26 03:15:01 UTC</td>" in out
    assert "in force when last seen, 2024-07-26T03:15:02Z</td>" in out
    assert "usd_mxn" not in out


def test_an_alert_that_was_in_force_when_the_period_began_is_listed_and_marked(
    run: Run, lake: Path
) -> None:
    earlier = Alert("btc_mxn", Kind.SPREAD, 0.25, START - 90, START - 60, START + 1, 0.3)
    over = replace(earlier, fired=START - 80, seen=START - 70)
    fired = replace(earlier, fired=START + 1, since=START)
    with AlertLog(alert_file(lake, TABLE)) as log:
        log.write([(alert, "production") for alert in (earlier, over, fired)], [])
    _, out, _ = run("report", "--lake", str(lake), "--from", "2024-07-26T03:15")
    assert "<td>2024-07-26 03:14:00 UTC, before the period</td>" in out
    assert "<td>2024-07-26 03:15:01 UTC</td>" in out
    assert "03:13:40" not in out
    assert "spread above 0.25 %</td><td>2</td>" in out
    # Where no beginning is asked for, nothing is before it.
    assert "before the period" not in run("report", "--lake", str(lake))[1]


def test_alerts_of_other_batches_than_those_asked_for_are_left_out(run: Run, lake: Path) -> None:
    put(lake, [0.3] * 60, first=START + 36_000)
    fired = Alert("btc_mxn", Kind.SPREAD, 0.25, START, START + 1, START + 1, 0.3)
    later = replace(fired, fired=START + 36_003)
    with AlertLog(alert_file(lake, TABLE)) as log:
        log.write([(fired, "production"), (later, "production")], [])
    minutes = str(START // 60 % 1440)
    _, out, _ = run("report", "--lake", str(lake), "--minutes", minutes)
    assert "2024-07-26 03:15:01 UTC</td>" in out
    assert "2024-07-26 13:15:03 UTC</td>" not in out
    assert "2024-07-26 13:15:03 UTC</td>" in run("report", "--lake", str(lake))[1]


def test_nothing_to_report_leaves_the_file_as_it_was(run: Run, lake: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("old")
    status, out, err = run(
        "report", "--lake", str(lake), "--date", "20200101", "--output", str(page)
    )
    assert (status, out) == (1, "")
    assert "nothing to report: the table BitsoSpreadMonitor in" in err
    assert "holds 20240726, of btc_mxn" in err
    assert len(err.splitlines()) == 1
    assert page.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lake", "report.html"]


def test_a_folder_of_no_book_ends_nothing(run: Run, lake: Path) -> None:
    before = run("report", "--lake", str(lake))[1]
    put(lake, [0.9] * 60, book="BTC MXN")
    status, out, err = run("report", "--lake", str(lake))
    assert (status, err) == (0, "")
    assert "1 thing" in out
    assert ">0.90<" not in out
    assert before.count("btc_mxn") == out.count("btc_mxn")


def test_a_bad_file_ends_it_or_is_passed_over_and_said(run: Run, lake: Path) -> None:
    put(lake, [0.5], first=START + 60)
    bad = next(lake.rglob("*0316*.parquet"))
    bad.write_bytes(b"PAR1 no more")
    status, out, err = run("report", "--lake", str(lake))
    assert (status, out) == (1, "")
    assert bad.name in err
    status, out, err = run("report", "--lake", str(lake), "--skip-bad")
    assert status == 0
    assert err.splitlines()[-1] == "bitso-spread: the answer lacks the rows of 1 file"
    assert len(err.splitlines()) == 2


def test_a_missing_extra_is_said_before_anything_is_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    status, _, err = run("report", "--lake", str(tmp_path / "nowhere"))
    assert status == 1
    assert "pip install 'bitso-spread[report]'" in err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--threshold", "150"), "--threshold 150: give a spread in percent"),
        (("--tz", "Nowhere"), "'Nowhere' is not a time zone"),
        (("--book", "btc"), "'btc' is not a book"),
    ],
)
def test_a_wrong_question_is_status_2(
    run: Run, lake: Path, wrong: tuple[str, str], said: str
) -> None:
    status, out, err = run("report", "--lake", str(lake), *wrong)
    assert (status, out) == (2, "")
    assert said in err
