"""The command ``verify``: what it prints, where to, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from bitso_spread.lake.journal import Outage
from bitso_spread.lake.outages import MISSED
from bitso_spread.model import State
from tests.cli.support import Run, Start
from tests.lake.audit_support import TICKS, foreign, record, rows_at
from tests.lake.support import NOON

SOUND = 0
WRONG = 1
ONE_DAY = 86_400


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of one book, in whose second minute one second is not there."""
    folder = tmp_path / "lake"
    rows = rows_at(TICKS)
    foreign(folder, rows[:70] + rows[71:])
    monkeypatch.setenv("BITSO_SPREAD_LAKE", str(folder))
    return folder


def test_a_sound_lake_is_status_0_and_says_nothing_on_stderr(run: Run, tmp_path: Path) -> None:
    record(tmp_path, rows_at(TICKS))
    status, out, err = run("verify", "--lake", str(tmp_path), "--format", "table")
    assert (status, err) == (SOUND, "")
    assert "Nothing contradicts itself." in out
    assert "1 file, 1 checksum compared\n" in out


def test_a_table_has_a_line_of_24_hours_for_each_day_in_80_columns(run: Run, lake: Path) -> None:
    foreign(lake, rows_at(range(NOON + ONE_DAY, NOON + ONE_DAY + 7201)))
    _, out, _ = run("verify", "--format", "table")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("UTC day    0     6     12    18     pected known known missed")
    assert lines[2] == "btc_mxn"
    assert lines[3].split() == [
        "2026-09-21",
        "············░xxxxxxxxxxx",
        *("43200", "599", "0", "0", "42601", "0", "0"),
    ]
    assert lines[4].split()[1] == "xxxxxxxxxxxx███·········"
    assert "btc_mxn: 93,601 seconds expected, 7,800 known (8.333 %), 85,801 not\n" in out
    assert "  the first not known: 2026-09-21T12:01:10Z\n" in out


def test_hours_tell_how_much_of_them_is_not_known(run: Run, tmp_path: Path) -> None:
    for hour, missing in enumerate((0, 1, 36, 37, 1800, 1801, 3599)):
        start = NOON + hour * 3600
        foreign(tmp_path, rows_at(range(start + missing, start + 3600)), at=start + missing)
    foreign(tmp_path, rows_at([NOON + 8 * 3600]))
    _, out, _ = run("verify", "--lake", str(tmp_path), "--format", "table")
    assert out.splitlines()[3].split()[1] == "············█▓▓▒▒░░x█···"


def test_an_encoding_without_blocks_gets_letters(start: Start, lake: Path) -> None:
    arguments = ("verify", "--lake", str(lake), "--format", "table")
    out, _ = start(*arguments, PYTHONIOENCODING="ascii").communicate()
    assert out.isascii()
    assert "............+..........." in out
    assert "# all known, not known: + up to 1 %, - up to half, : more, x all;" in out


def test_a_long_run_of_days_without_a_row_is_folded(run: Run, lake: Path) -> None:
    foreign(lake, rows_at([NOON + 6 * ONE_DAY]))
    _, out, _ = run("verify", "--format", "table")
    days = [line[:10].rstrip() for line in out.splitlines()[3:8]]
    assert days == ["2026-09-21", "2026-09-22", "… 3 more", "2026-09-26", "2026-09-27"]


@pytest.mark.usefixtures("lake")
def test_missing_seconds_are_status_1_with_one_line_that_says_why(run: Run, lake: Path) -> None:
    status, _, err = run("verify")
    assert status == WRONG
    assert err == (
        f"bitso-spread: {lake} is not as it should be: 1 second is not known (--max-missing 0)\n"
    )


@pytest.mark.usefixtures("lake")
def test_as_many_seconds_may_be_missing_as_are_allowed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("verify", "--max-missing", "1")[::2] == (SOUND, "")
    monkeypatch.setenv("BITSO_SPREAD_VERIFY_MAX_MISSING", "1")
    assert run("verify")[0] == SOUND
    assert run("verify", "--max-missing", "-1")[0] == 2


def test_a_contradiction_is_status_1_however_many_seconds_may_be_missing(
    run: Run, lake: Path
) -> None:
    foreign(lake, rows_at(TICKS[5:8]), "b.csv", at=NOON)
    status, out, err = run("verify", "--max-missing", "10", "--format", "table")
    assert status == WRONG
    assert err.endswith("is not as it should be: 1 thing contradicts itself\n")
    assert "1 finding:\ntwice date=20260921/order_book=btc_mxn/minutes=720/part-0.csv\n" in out


def test_a_folder_of_no_book_is_a_finding_and_no_wrong_usage(run: Run, lake: Path) -> None:
    (day,) = (lake / "BitsoSpreadMonitor").iterdir()
    (day / "order_book=\x1b[2JBTC MXN" / "minutes=720").mkdir(parents=True)
    status, out, err = run("verify", "--max-missing", "1", "--format", "table")
    assert status == WRONG
    assert err.endswith("is not as it should be: 1 thing contradicts itself\n")
    # Whoever made it chose its name, which is to move no cursor.
    assert "wrong_partition date=20260921/order_book=\\x1b[2JBTC MXN\n  is of no book" in out
    assert json.loads(run("verify")[1])["findings"][0]["kind"] == "wrong_partition"


def test_the_first_20_findings_are_shown_and_all_are_counted(run: Run, lake: Path) -> None:
    for number in range(25):
        foreign(lake, [], f"empty-{number}.csv", at=NOON)
    _, out, err = run("verify", "--format", "table")
    assert "25 findings, of which the first 20 are shown:" in out
    assert out.count("\nempty ") == 20
    assert "1 second is not known (--max-missing 0) and 25 things contradict themselves" in err
    assert len(json.loads(run("verify")[1])["findings"]) == 25


@pytest.mark.usefixtures("lake")
def test_conditions_are_those_of_query(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    day = ("--date", "2026-09-21", "-b", "MXN/BTC", "--minutes", "720")
    assert json.loads(run("verify", *day)[1])["expected"] == 600
    assert run("verify", "--from", "2026-09-21T12:01:11", "--to", "2026-09-21T12:02")[0] == SOUND
    zone = ("--tz", "America/Mexico_City")
    assert run("verify", *zone, "--from", "2026-09-21T06:01:11")[0] == SOUND
    assert run("verify", *zone, "--from", "2026-09-21T06:01:10")[0] == WRONG
    monkeypatch.setenv("BITSO_SPREAD_VERIFY_FROM", "2026-09-21T12:01:11Z")
    assert run("verify")[0] == SOUND
    assert run("verify", "--date", "tomorrow")[0] == 2


def test_nothing_to_verify_is_status_1_and_says_what_there_is(run: Run, lake: Path) -> None:
    status, out, err = run("verify", "--date", "2020-01-01")
    assert (status, out) == (WRONG, "")
    assert err == (
        "bitso-spread: there is nothing to verify: the table BitsoSpreadMonitor in "
        f"{lake} holds 20260921, of btc_mxn\n"
    )
    status, _, err = run("verify", "-b", "doge_mxn")
    assert (status, err) == (WRONG, "bitso-spread: there is no book doge_mxn\n")
    assert run("verify", "--lake", str(lake / "nowhere"))[0] == WRONG


@pytest.mark.usefixtures("lake")
def test_a_pipe_gets_json_with_keys_that_stay(run: Run, lake: Path) -> None:
    foreign(lake, rows_at(TICKS[5:8]), "b.csv", at=NOON)
    report = json.loads(run("verify")[1])
    (day,), (finding,) = report.pop("days"), report.pop("findings")
    nothing = dict.fromkeys(("unknown", "missed", "journal", "float32"), 0)
    counts = nothing | {"expected": 600, "known": 599, "absent": 1, "twice": 3, "missing": 1}
    assert report == {
        "lake": str(lake),
        "table": "BitsoSpreadMonitor",
        "interval": 1,
        "environments": ["production"],
        "files": 2,
        "checksums": 0,
        "debris": 0,
        **counts,
    }
    assert day == {
        "book": "btc_mxn",
        "date": "2026-09-21",
        **counts,
        "causes": {},
        "hours": [0] * 12 + [1] + [0] * 11,
        "hours_expected": [0] * 12 + [600] + [0] * 11,
        "first_missing": "2026-09-21T12:01:10Z",
    }
    text = finding.pop("text")
    assert text.startswith("3 ticks of btc_mxn are there twice, first 2026-09-21T12:00:05Z")
    assert finding == {
        "kind": "twice",
        "path": "date=20260921/order_book=btc_mxn/minutes=720/part-0.csv",
        "book": "btc_mxn",
        "time": "2026-09-21T12:00:05Z",
        "count": 3,
    }


def test_causes_are_told_with_how_many_seconds_they_cost(run: Run, tmp_path: Path) -> None:
    rows = rows_at(TICKS[:100]) + rows_at(TICKS[100:], state=State.MISSED)
    outage = Outage("btc_mxn", MISSED, NOON + 100, NOON + 599)
    record(tmp_path, rows, outages=[outage], environment="sim")
    status, out, err = run("verify", "--lake", str(tmp_path), "--format", "table")
    assert status == WRONG
    assert f"  500 of them: {MISSED}\n" in out
    assert out.startswith("SIMULATED\n")
    assert err.startswith("bitso-spread: SIMULATED: rows are of the simulated exchange\n")


def test_ticks_are_not_called_seconds_where_they_are_further_apart(
    run: Run, tmp_path: Path
) -> None:
    rows = rows_at(range(NOON, NOON + 3600, 60))
    record(tmp_path, rows[:5] + rows[7:], interval=60)
    _, out, err = run("verify", "--lake", str(tmp_path), "--format", "table")
    assert "btc_mxn: 60 ticks of 60 s expected, 58 known" in out
    assert "2 ticks of 60 s are not known (--max-missing 0)" in err


def test_the_predecessor_s_lake_is_not_as_it_should_be(run: Run, shared: Path) -> None:
    lake = str(shared / "lake-2024-07-26")
    status, out, err = run("verify", "--lake", lake, "--format", "table")
    assert status == WRONG
    assert "btc_mxn: 601 seconds expected, 600 known (99.833 %), 1 not" in out
    assert "  the first not known: 2024-07-26T03:15:40Z\n" in out
    assert "lost_batch date=20240726/order_book=btc_mxn/minutes=235" in out
    assert "1,200 spreads follow from bid and ask in 32-bit arithmetic only" in out
    assert "2 seconds are not known (--max-missing 0) and 2 things contradict themselves" in err


def test_a_terminal_gets_a_table_and_a_bar_that_goes_away(lake: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bitso_spread", "verify", "--lake", str(lake)],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "80", "TERM": "xterm-256color", "PYTHONUTF8": "1"},
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65_536):
            shown += chunk
    except OSError:
        pass  # the other end was closed
    os.close(ours)
    assert process.wait() == WRONG
    text = shown.decode()
    assert "days of books" in text
    assert "UTC day" in text
    assert "\x1b[2K" in text[: text.index("UTC day")], "the bar is not wiped off"
