"""The command ``import``: what it prints, where to, and how it ends."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from bitso_spread.lake import layout
from bitso_spread.lake.table import Table
from tests.cli.support import Run
from tests.lake.audit_support import record
from tests.lake.import_support import A_LINE, a_source, a_text, blank, in_lake, priced, rows_from
from tests.lake.support import DAY

HISTORY = DAY - 500 * 86_400
"""Long over, whenever the tests run."""


def unlabelled(rows: str) -> str:
    """What is said of rows that were taken of files that do not tell where they come from."""
    return (
        f"bitso-spread: {rows} of files that do not say what they were recorded from, and count as "
        "production; --environment sim says otherwise\n"
    )


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "lake"
    monkeypatch.setenv("BITSO_SPREAD_LAKE", str(folder))
    return folder


def test_it_says_what_was_taken_and_the_second_time_that_nothing_was(
    run: Run, lake: Path, tmp_path: Path
) -> None:
    source = str(a_source(tmp_path, rows_from(HISTORY, 1200)))
    status, out, err = run("import", source)
    assert (status, err) == (0, unlabelled("1,200 rows are"))
    assert out == (
        f"1,200 rows read from 1 file, for {lake}\n"
        "  1,200 taken\n"
        "btc_mxn: 1,200 rows, 2025-05-09T00:00:00Z to 2025-05-09T00:19:59Z\n"
    )
    assert len(in_lake(lake)) == 1200
    assert run("import", source) == (
        0,
        f"1,200 rows read from 1 file, for {lake}\n  1,200 there already\nnothing was taken\n",
        "",
    )


def test_refused_rows_are_status_1_with_each_reason_and_an_example(
    run: Run, lake: Path, tmp_path: Path
) -> None:
    off = A_LINE.replace("2026-09-21T12:00:00", "2025-05-09T00:00:00.5")
    good = off.replace("00.5", "01")
    source = a_text(tmp_path, off + good + "x,y\n")
    status, out, err = run("import", str(source))
    assert status == 1
    assert err == unlabelled("2 rows are") + (
        "bitso-spread: not all of it was taken: 2 of 3 rows were refused\n"
    )
    assert out == (
        f"3 rows read from 1 file, for {lake}\n"
        "  1 taken\n"
        "  2 refused\n"
        "btc_mxn: 1 row, 2025-05-09T00:00:01Z to 2025-05-09T00:00:01Z\n"
        "refused: 1 with more or fewer fields than there are columns, such as\n"
        f"  {source}, line 3: x,y\n"
        "refused: 1 between the seconds, or off the grid of the interval, such as\n"
        f"  {source}, line 1: 2025-05-09 00:00:00.500000+00:00,btc_mxn,100.0,200.0,50.0\n"
    )
    assert list(in_lake(lake)) == [HISTORY + 1]


def test_one_row_was_refused_and_several_were(run: Run, tmp_path: Path) -> None:
    said = []
    for text in ("x,y\n", "x,y\n" + A_LINE, "x,y\nx,y\n"):
        source = a_text(tmp_path, text)
        said.append(run("import", str(source), "--lake", str(tmp_path / "new"))[2].strip())
    assert [line.partition("taken: ")[2] for line in said] == [
        "1 of 1 row was refused",
        "1 of 2 rows was refused",
        "2 of 2 rows were refused",
    ]


def test_of_refused_rows_the_first_of_each_file_are_shown_and_the_others_counted(
    run: Run, lake: Path, tmp_path: Path
) -> None:
    for number in range(12):
        a_text(tmp_path / "source", "x\n" * (5 if number == 1 else 1), f"{number:02}.csv")
    status, out, _ = run("import", str(tmp_path / "source"))
    one, two, three, *_ = (tmp_path / "source" / f"{number:02}.csv" for number in range(12))
    assert status == 1
    lines = out.splitlines()
    assert lines[:9] == [
        f"16 rows read from 12 files, for {lake}",
        "  16 refused",
        "nothing was taken",
        "refused: 16 with more or fewer fields than there are columns, such as",
        f"  {one}, line 1: x",
        *(f"  {two}, line {number}: x" for number in (1, 2, 3)),
        f"  {two}: 2 more",
    ]
    assert lines[9] == f"  {three}, line 1: x"
    assert lines[-1] == "  and of 2 other files"
    assert len(lines) == 18


def test_overlapping_seconds_are_refused_and_merge_takes_the_better_and_lists_what_differs(
    run: Run, lake: Path, tmp_path: Path
) -> None:
    record(lake, [blank(HISTORY), *(priced(HISTORY + i) for i in range(1, 13))])
    source = a_source(tmp_path, [priced(HISTORY + i, 101) for i in range(14)])
    status, out, _ = run("import", str(source), "-h")
    assert "--merge" in out
    status, out, err = run("import", str(source))
    assert status == 1
    assert "refused: 13 of seconds that the lake tells otherwise (--merge takes the better" in out
    status, out, err = run("import", str(source), "--merge")
    assert (status, err) == (0, unlabelled("14 rows are"))
    lines = out.splitlines()
    assert lines[:4] == [
        f"14 rows read from 1 file, for {lake}",
        "   1 in the place of worse ones",
        "   1 there already",
        "  12 no better than another row of their second",
    ]
    kept, other = "100.0 / 200.0", "101.0 / 200.0"
    assert lines[-11:-9] == [
        "12 seconds of which two rows have other prices, of which the first 10 are shown:",
        f"  2025-05-09T00:00:01Z btc_mxn: {kept} stands, not {other} (as {source} was read)",
    ]
    assert in_lake(lake)[HISTORY] == 101.0


def test_simulated_rows_are_said_to_be(run: Run, lake: Path, tmp_path: Path) -> None:
    name = layout.file_name("sim", "btc_mxn", HISTORY, "csv")
    status, out, err = run("import", str(a_source(tmp_path, rows_from(HISTORY, 3), name)))
    assert (status, len(in_lake(lake))) == (0, 3)
    assert out.startswith(f"3 SIMULATED rows read from 1 file, for {lake}\n")
    assert err == "bitso-spread: SIMULATED: rows are of the simulated exchange\n"


def test_a_bad_file_ends_it_and_skip_bad_passes_over_it(
    run: Run, lake: Path, tmp_path: Path
) -> None:
    good = str(a_source(tmp_path, rows_from(HISTORY, 3)))
    bad = str(a_text(tmp_path, "PAR1 not", "bad.parquet"))
    status, out, err = run("import", good, bad)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert f"{bad} cannot be read" in err
    status, out, err = run("import", good, bad, "--skip-bad")
    assert status == 1
    assert f"passed over: {bad} cannot be read" in err
    assert err.endswith("not all of it was taken: 1 file could not be read\n")
    assert len(in_lake(lake)) == 3


def test_a_folder_that_cannot_be_read_ends_it_and_skip_bad_passes_over_it(
    run: Run, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    a_source(source, rows_from(HISTORY, 3))
    a_text(source / "closed", "PAR1 not", "bad.parquet")
    a_text(source, "PAR1 not", "bad.parquet")
    scandir = os.scandir

    def refuse(path: Path | str | int) -> object:
        if str(path) == f"{source}/closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert run("import", str(source)) == (
        1,
        "",
        f"bitso-spread: {source}/closed cannot be read: Permission denied\n",
    )
    status, out, err = run("import", str(source), "--skip-bad")
    assert (status, out.splitlines()[1]) == (1, "  3 taken")
    first, second, note, last = err.splitlines()
    assert f"{note}\n" == unlabelled("3 rows are")
    assert first == f"bitso-spread: passed over: {source}/closed cannot be read: Permission denied"
    assert second.startswith(f"bitso-spread: passed over: {source}/bad.parquet cannot be read: ")
    assert last == "bitso-spread: not all of it was taken: 1 file and 1 folder could not be read"
    assert len(in_lake(lake)) == 3


@pytest.mark.usefixtures("lake")
def test_what_cannot_be_is_one_line(run: Run, lake: Path, tmp_path: Path) -> None:
    status, out, err = run("import", str(tmp_path / "nowhere"))
    assert (status, out, err.count("\n")) == (1, "", 1)
    source = str(a_source(tmp_path, rows_from(HISTORY, 3)))
    assert run("import", source, "--interval", "7")[0] == 2
    assert run("import", source, "--format", "xml")[0] == 2
    assert run("import")[0] == 2
    with Table(lake) as collector:
        collector.lock(["btc_mxn"])
        status, _, err = run("import", source)
    assert status == 1
    assert err.startswith("bitso-spread: another collector records btc_mxn in this lake: stop it")


def test_a_person_sees_bars_while_it_works(lake: Path, tmp_path: Path) -> None:
    source = a_source(tmp_path, rows_from(HISTORY, 3))
    outer, inner = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "bitso_spread", "import", str(source)],
        stdout=subprocess.PIPE,
        stderr=inner,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        check=True,
    )
    os.close(inner)
    shown = os.read(outer, 100_000).decode()
    os.close(outer)
    assert done.stdout.startswith(b"3 rows read from 1 file, for ")
    assert "reading the sources" in shown
    assert "writing, days of books" in shown
    assert len(in_lake(lake)) == 3
