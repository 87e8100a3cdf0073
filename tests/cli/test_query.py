"""The command ``query``: what it prints, where to, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from bitso_spread.cli import render
from bitso_spread.cli.render import Format, choose_format
from bitso_spread.errors import BitsoSpreadError, UsageError
from bitso_spread.lake import layout
from bitso_spread.lake.state import LakeState
from tests.cli.support import Run, Start
from tests.cli.terminal import PROGRAM, TerminalProgram
from tests.lake.support import NOON, a_batch, put_batch, rows_of

HEADER = "orderbook_timestamp,book,bid,ask,spread\n"
FIRST = "2024-07-26T03:15:00+00:00,btc_mxn,1233830.0,1236250.0,0.19575328614762386\n"
SECOND = "2024-07-26T03:15:01+00:00,btc_mxn,,,\n"
DAY = "date=20240726"


def put(lake: Path, name: str, content: str, batch: str = "order_book=btc_mxn/minutes=195") -> Path:
    path = lake / layout.TABLE / DAY / batch / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def many(rows: int) -> str:
    start = datetime(2024, 7, 26, 3, 15, tzinfo=UTC)
    times = (start + timedelta(seconds=n) for n in range(rows))
    lines = (
        f"{time:%Y-%m-%dT%H:%M:%S}+00:00,btc_mxn,{n},{n + 1},1\n" for n, time in enumerate(times)
    )
    return HEADER + "".join(lines)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of one batch of two rows; the second is of a tick at which nothing was known."""
    folder = tmp_path / "lake"
    put(folder, "btc_mxn-20240726T031500Z.csv", HEADER + FIRST + SECOND)
    monkeypatch.setenv("BITSO_SPREAD_LAKE", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_pipe_gets_csv_as_it_lies_in_the_lake(run: Run, lake: Path) -> None:
    assert run("query", "--lake", str(lake)) == (0, HEADER + FIRST + SECOND, "")
    assert run("query", "--lake", str(lake / layout.TABLE)) == (0, HEADER + FIRST + SECOND, "")


@pytest.mark.usefixtures("lake")
def test_conditions_are_options(run: Run) -> None:
    day = ("--date", "2024-07-26", "-b", "MXN/BTC", "--minutes", "..195")
    assert run("query", *day)[1] == HEADER + FIRST + SECOND
    assert run("query", *day, "--limit", "1")[1] == HEADER + FIRST
    assert run("query", *day, "--to", "2024-07-26T03:15:01")[1] == HEADER + FIRST
    assert run("query", *day, "--from", "2024-07-26T03:15:01Z")[1] == HEADER + SECOND


@pytest.mark.usefixtures("lake")
def test_options_have_environment_variables(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITSO_SPREAD_BOOK", "all")
    monkeypatch.setenv("BITSO_SPREAD_TZ", "America/Mexico_City")
    monkeypatch.setenv("BITSO_SPREAD_QUERY_FROM", "2024-07-25T21:15:01")
    monkeypatch.setenv("BITSO_SPREAD_QUERY_TO", "2024-07-25T21:15:02")
    monkeypatch.setenv("BITSO_SPREAD_QUERY_FORMAT", "ndjson")
    assert json.loads(run("query")[1])["orderbook_timestamp"] == "2024-07-25T21:15:01-06:00"


@pytest.mark.usefixtures("lake")
def test_a_zone_reads_instants_and_shows_times_with_their_offset(run: Run) -> None:
    zone = ("--tz", "America/Mexico_City")
    _, out, _ = run("query", *zone, "--from", "2024-07-25T21:15", "--to", "2024-07-25T21:15:01")
    assert out == HEADER + FIRST.replace("2024-07-26T03:15:00+00:00", "2024-07-25T21:15:00-06:00")


@pytest.mark.usefixtures("lake")
def test_json_is_one_array_in_which_the_unknown_is_null(run: Run) -> None:
    first = {
        "orderbook_timestamp": "2024-07-26T03:15:00+00:00",
        "book": "btc_mxn",
        "bid": 1233830.0,
        "ask": 1236250.0,
        "spread": 0.19575328614762386,
    }
    second = {**dict.fromkeys(first), "book": "btc_mxn"}
    second["orderbook_timestamp"] = "2024-07-26T03:15:01+00:00"
    assert json.loads(run("query", "--format", "json")[1]) == [first, second]
    lines = run("query", "--format", "ndjson")[1].splitlines()
    assert [json.loads(line) for line in lines] == [first, second]


@pytest.mark.usefixtures("lake")
def test_nothing_is_an_empty_array_or_a_header(run: Run) -> None:
    nothing = ("query", "--limit", "0", "--format")
    assert run(*nothing, "json") == (0, "[]\n", "")
    assert run(*nothing, "ndjson") == (0, "", "")
    assert run(*nothing, "csv") == (0, HEADER, "")


@pytest.mark.usefixtures("lake")
def test_a_table_shows_prices_whole_spreads_rounded_and_how_many_rows_there_are(run: Run) -> None:
    status, out, err = run("query", "--format", "table")
    lines = [line.rstrip() for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert lines[1].split() == HEADER.strip().split(",")
    *prices, spread = FIRST.strip().split(",")
    assert lines[3].split() == [*prices, f"{float(spread):.6f}".rstrip("0")]
    assert all(len(line) <= 80 for line in lines)
    assert lines[4].split() == ["2024-07-26T03:15:01+00:00", "btc_mxn", "-", "-", "-"]
    assert lines[-1] == "2 rows"


@pytest.mark.parametrize("rows", [40, 41, 1000])
def test_a_long_table_shows_both_its_ends(run: Run, tmp_path: Path, rows: int) -> None:
    put(tmp_path, "part-0.csv", many(rows))
    _, out, _ = run("query", "--lake", str(tmp_path), "--format", "table")
    bids = [line.split()[2] for line in out.splitlines() if line.strip().startswith("2024")]
    if rows == 40:
        assert [float(bid) for bid in bids] == list(range(40))
        assert out.endswith("\n40 rows\n")
    else:
        ends = [*range(20), *range(rows - 20, rows)]
        assert [float(bid) for bid in bids] == ends
        assert "…" in out
        assert out.endswith(f"\n{rows:,} rows, of which the first and last 20 are shown\n")


@pytest.mark.usefixtures("lake")
def test_a_terminal_gets_a_table() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "bitso_spread", "query"], stdout=theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        printed = terminal.read1(65536)
    assert process.wait() == 0
    assert b"2 rows" in printed
    assert b"2024-07-26T03:15:00+00:00   btc_mxn" in printed


def test_parquet_has_typed_times(run: Run, lake: Path) -> None:
    output = lake.parent / "rows.parquet"
    done = run("query", "--output", str(output), "--tz", "America/Mexico_City")
    assert done == (0, "", f"bitso-spread: 2 rows in {output}\n")
    frame = pl.read_parquet(output)
    assert frame.schema["orderbook_timestamp"] == pl.Datetime("us", "UTC")
    assert frame["orderbook_timestamp"][0] == datetime(2024, 7, 26, 3, 15, tzinfo=UTC)
    assert frame["bid"].to_list() == [1233830.0, None]


def test_parquet_in_a_pipe_is_whole(lake: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "bitso_spread", "query", "--format", "parquet"],
        capture_output=True,
        check=True,
    )
    output = lake.parent / "piped.parquet"
    output.write_bytes(process.stdout)
    assert pl.read_parquet(output).height == 2


def test_parquet_takes_frames_one_by_one(tmp_path: Path) -> None:
    alive: list[int] = []

    def frames() -> Iterator[pl.DataFrame]:
        for number in range(30):
            alive.append(number)
            yield pl.DataFrame({"n": [number] * 20_000})

    output = tmp_path / "many.parquet"
    assert render.write(frames(), file_format=Format.PARQUET, output=output) == 600_000
    assert pl.read_parquet(output)["n"].to_list() == sorted([*range(30)] * 20_000)
    assert alive == list(range(30))


@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
def test_a_file_is_left_alone_when_a_query_fails(run: Run, lake: Path, suffix: str) -> None:
    put(lake, "broken.csv", "nothing\n", "order_book=btc_mxn/minutes=300")
    output = lake.parent / f"rows.{suffix}"
    output.write_text("before")
    status, out, err = run("query", "--output", str(output))
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "broken.csv cannot be read" in err
    assert output.read_text() == "before"
    assert sorted(path.name for path in lake.parent.iterdir()) == ["lake", output.name]


def test_a_file_is_replaced_whole_and_keeps_its_mode(run: Run, lake: Path) -> None:
    output = lake.parent / "rows.csv"
    output.write_text("before" * 1000)
    output.chmod(0o640)
    link = lake.parent / "link.csv"
    link.symlink_to(output)
    assert run("query", "--output", str(link))[0] == 0
    assert output.read_text() == HEADER + FIRST + SECOND
    assert output.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()


@pytest.mark.usefixtures("lake")
def test_a_file_that_cannot_be_written_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "a.csv").symlink_to(tmp_path / "b.csv")
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    for name in ("nowhere/rows.csv", "folder.csv", "a.csv"):
        status, out, err = run("query", "--output", str(tmp_path / name))
        assert (status, out) == (1, "")
        assert err.startswith(f"bitso-spread: cannot write {tmp_path / name}: ")
        assert err.count("\n") == 1


def test_a_dumb_terminal_loses_no_digit(lake: Path) -> None:
    command = [*PROGRAM, "query", "--lake", str(lake), "--stats"]
    with TerminalProgram(command, width=60, TERM="dumb") as program:
        assert program.end() == 0
        assert "above_0.1" in program.output
        assert "…" not in program.output


@pytest.mark.usefixtures("lake")
def test_a_device_is_not_replaced(run: Run) -> None:
    status, _, err = run("query", "--format", "csv", "--output", os.devnull)
    assert (status, "is not a plain file" in err) == (1, True)
    assert not Path(os.devnull).is_file()


def test_the_suffix_of_a_file_tells_its_format() -> None:
    assert choose_format(None, Path("rows.JSON")) is Format.JSON
    assert choose_format(Format.CSV, Path("rows.csv")) is Format.CSV
    assert choose_format(Format.TABLE, Path("rows.txt")) is Format.TABLE
    with pytest.raises(UsageError, match=r"end it in \.csv, \.json, \.ndjson, \.parquet, or give"):
        choose_format(None, Path("rows.txt"))
    with pytest.raises(UsageError, match="contradict each other"):
        choose_format(Format.JSON, Path("rows.csv"))


@pytest.mark.parametrize("question", [("--date", "2024-07-25"), ("-b", "eth_mxn"),
                                      ("--from", "2030-01-01")])  # fmt: skip
def test_no_match_gives_the_header_and_tells_what_the_lake_holds(
    run: Run, lake: Path, question: tuple[str, str]
) -> None:
    put(lake, "part-0.csv", "", "order_book=usd_mxn/minutes=200")
    (lake / layout.TABLE / "date=20240729").mkdir()
    status, out, err = run("query", *question)
    assert (status, out) == (0, HEADER)
    assert err == (
        f"bitso-spread: no rows match: the table {layout.TABLE} in {lake} holds "
        "20240726..20240729 (2 days), of btc_mxn, usd_mxn\n"
    )


def test_many_books_are_told_by_the_first_ten(run: Run, lake: Path) -> None:
    for number in range(11):
        put(lake, "part-0.csv", HEADER, f"order_book=a{number:02}_mxn/minutes=0")
    err = run("query", "--date", "20200101")[2]
    assert err.endswith(
        " holds 20240726, of " + ", ".join(f"a{n:02}_mxn" for n in range(10)) + " and 2 more\n"
    )


def test_no_lake_is_status_1_with_the_absolute_path(run: Run, lake: Path) -> None:
    status, out, err = run("query", "--lake", "nowhere")
    assert (status, out) == (1, "")
    assert err.startswith(f"bitso-spread: there is no lake at {lake.parent}/nowhere: ")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--date", "someday"), "date 'someday' is not known: write 20240726"),
        (("--minutes", "9..1"), "minutes '9..1' runs backwards"),
        (("--minutes", "2000"), "write a number from 0 to 1439"),
        (("--book", "../.."), "is not a book: write it as btc_mxn"),
        (("--from", "noon"), "write it in ISO 8601"),
        (("--from", "2024-07-26", "--to", "2024-07-25"), "the first must be the earlier"),
        (("--tz", "Nowhere"), "is not a time zone: write a name such as UTC"),
        (("--tz", "America/New_York", "--from", "2024-11-03T01:30"), "write its offset"),
        (("--table", "../other"), "write a plain folder name"),
        (("--output", "rows.txt"), "does not tell its format"),
        (("--every", "week"), "write it as 30s, 1m, 10m, 1h or 1d"),
        (("--every", "1m", "--stats"), "three questions: ask one"),
        (("--threshold", "0.2"), "--threshold goes with --stats"),
        (("--stats", "--threshold", "nan"), "--threshold nan: give a spread in percent"),
        (("--columns", "six"), "choose five or full"),
        (("--sql", "SELECT 1 FROM BitsoSpreadMonitor", "-b", "btc_mxn"), "in its WHERE"),
        (("--sql", "SELECT nope FROM BitsoSpreadMonitor"), 'unable to find column "nope"'),
        (("--sql", "SELECT bid FROM BitsoSpreadMonitor WHERE bid > 'x'"), "cannot compare string"),
    ],
)
def test_a_wrong_value_is_status_2_and_one_line_that_says_what_is_right(
    run: Run, arguments: tuple[str, ...], says: str
) -> None:
    status, out, err = run("query", *arguments)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("lake")
def test_the_same_rows_are_summed_up_by_spans_over_all_and_in_sql(run: Run) -> None:
    spread = "0.19575328614762386"
    assert run("query", "--every", "10m", "-b", "btc_mxn")[1].splitlines() == [
        "orderbook_timestamp,book,count,known,mean,min,max,first,last,mid",
        f"2024-07-26T03:10:00+00:00,btc_mxn,2,1,{','.join([spread] * 5)},1235040.0",
    ]
    _, out, _ = run("query", "--every", "1d", "--tz", "America/Mexico_City")
    assert out.splitlines()[1].startswith("2024-07-25T00:00:00-06:00,btc_mxn,2,1,")
    status, out, _ = run("query", "--stats", "--threshold", "0.1", "--format", "ndjson")
    summed = json.loads(out)
    assert (status, summed["rows"], summed["known"], summed["unknown"]) == (0, 2, 1, 1)
    assert (summed["p99"], summed["above_0.1"]) == (float(spread), 100.0)
    asked = "WHERE date = 20240726 AND order_book = 'mxn_btc' AND minutes <= 300"
    _, out, _ = run("query", "--sql", f"SELECT * FROM BitsoSpreadMonitor {asked}")
    keys = ",20240726,btc_mxn,195\n"
    head = HEADER.strip() + ",date,order_book,minutes\n"
    assert out == head + FIRST.strip() + keys + SECOND.strip() + keys
    assert run("query", "--sql", "SELECT bid FROM BitsoSpreadMonitor", "--limit", "1")[1] == (
        "bid\n1233830.0\n"
    )
    _, out, err = run("query", "--sql", "SELECT bid FROM BitsoSpreadMonitor WHERE bid < 0")
    assert out == "bid\n"
    assert "no rows match" in err


def test_files_that_cannot_be_read_are_passed_over_where_that_is_asked_for(
    run: Run, lake: Path
) -> None:
    bad = put(lake, "btc_mxn-20240726T032000Z.csv", HEADER + FIRST + FIRST[:-4])
    count = "SELECT count(*) AS n FROM BitsoSpreadMonitor"
    for question in ((), ("--every", "1h"), ("--stats",), ("--sql", count)):
        status, _, err = run("query", *question)
        assert (status, err.count("\n")) == (1, 1)
        assert f"{bad} is cut short" in err
        status, out, err = run("query", "--skip-bad", *question)
        assert status == 0
        assert out
        assert err.splitlines() == [
            f"bitso-spread: passed over: {bad} is cut short: its last line has no end",
            "bitso-spread: the answer lacks the rows of 1 file",
        ]
    assert run("query", "--skip-bad")[1] == HEADER + FIRST + SECOND


def test_simulated_rows_are_marked_on_stderr_and_above_a_table(run: Run, lake: Path) -> None:
    name = "btc_mxn-20240726T050000Z.csv"
    put(lake, f"sim-{name}", FIRST.replace("03:15", "05:00"), "order_book=btc_mxn/minutes=300")
    put(lake, f"my.host-{name}", FIRST.replace("03:15", "05:00"), "order_book=btc_mxn/minutes=300")
    status, out, err = run("query", "--format", "table")
    assert status == 0
    assert sorted(err.splitlines()) == [
        "bitso-spread: SIMULATED: rows are of the simulated exchange",
        "bitso-spread: my.host: rows were recorded from there, not from production",
    ]
    assert {word.strip(",") for word in out.splitlines()[0].split()} == {"SIMULATED", "my.host"}
    assert run("query", "--minutes", "195")[2] == ""


def test_a_reader_that_leaves_ends_the_query_in_silence(start: Start, tmp_path: Path) -> None:
    put(tmp_path, "part-0.csv", many(20_000))
    for file_format in ("csv", "parquet"):
        process = start("query", "--lake", str(tmp_path), "--format", file_format)
        assert process.stdout is not None
        assert process.stderr is not None
        assert os.read(process.stdout.fileno(), 3)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.usefixtures("lake")
def test_a_disk_that_is_full_behind_stdout_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [sys.executable, "-m", "bitso_spread", "query"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr == "bitso-spread: cannot write to stdout: No space left on device\n"


def test_warnings_about_the_lake_reach_stderr(start: Start, lake: Path) -> None:
    empty = put(lake, "part-0.csv", "")
    out, err = start("query").communicate()
    assert out == HEADER + FIRST + SECOND
    assert err == f"bitso-spread: {empty} is empty: it has no rows\n"


def test_an_error_of_the_lake_comes_before_any_row(start: Start, lake: Path) -> None:
    broken = put(lake, "part-0.csv", FIRST[:-3])
    process = start("query")
    out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert err == f"bitso-spread: {broken} is cut short: its last line has no end\n"


@pytest.mark.usefixtures("lake")
def test_a_lake_is_asked_without_pythons_time_zones(start: Start) -> None:
    zone = ("--tz", "America/Mexico_City", "--from", "2024-07-25T21:15:01")
    out, err = start("query", *zone, PYTHONTZPATH="").communicate()
    assert (out, err) == (
        HEADER + SECOND.replace("2024-07-26T03", "2024-07-25T21").replace("+00", "-06"),
        "",
    )


def test_polars_is_loaded_only_when_a_query_runs() -> None:
    code = "import sys, bitso_spread.cli.query; print('polars' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"


def test_the_predecessors_lake_prints_its_600_rows(start: Start, shared: Path) -> None:
    lake = str(shared / "lake-2024-07-26")
    out, err = start("query", "--lake", lake, "--date", "2024-07-26", "-b", "btc_mxn").communicate()
    lines = out.splitlines()
    assert (lines[0] + "\n", err) == (HEADER, "")
    assert len(lines) == 601
    assert lines[1] == "2024-07-26T03:15:39+00:00,btc_mxn,1233830.0,1236250.0,0.19575329"
    assert lines[-1] == "2024-07-26T03:25:39+00:00,btc_mxn,1231920.0,1234730.0,0.22758012"


def test_a_stdout_that_is_a_terminal_takes_no_parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert choose_format(None, None) is Format.TABLE
    with pytest.raises(BitsoSpreadError, match="Parquet is not for a terminal"):
        choose_format(Format.PARQUET, None)


@pytest.mark.parametrize("how", [(), ("--stats",), ("--every", "1m")])
def test_a_limit_above_all_counting_gives_every_row(
    how: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    put_batch(tmp_path, "btc_mxn", datetime(2026, 9, 21, tzinfo=UTC))
    every = run("query", "--lake", str(tmp_path), *how)
    assert every[0] == 0
    assert run("query", "--lake", str(tmp_path), *how, "--limit", "9" * 23) == every


@pytest.mark.parametrize("empty", ["", " ", ","])
def test_a_book_without_a_name_is_not_every_book(empty: str, run: Run, tmp_path: Path) -> None:
    put_batch(tmp_path, "btc_mxn", datetime(2026, 9, 21, tzinfo=UTC))
    status, out, err = run("query", "--lake", str(tmp_path), "--book", empty)
    assert (status, out) == (2, "")
    assert "no book is named" in err


@pytest.mark.parametrize("command", ["query", "verify", "status", "collect -e sim"])
def test_a_lake_without_a_name_is_not_the_working_directory(
    command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*command.split(), "--lake", "")
    assert (status, out) == (2, "")
    assert "--lake is empty: name a folder" in err
    assert not [*tmp_path.iterdir()]


@pytest.fixture
def waiting(lake: Path) -> Path:
    """The same lake, with rows of two more batches in its journal."""
    with LakeState(layout.state_file(lake, layout.TABLE)) as state:
        state.record(rows_of(a_batch("btc_mxn", NOON), 3))
        state.record(rows_of(a_batch("usd_mxn", NOON), 1))
    return lake


COME = "are in no file yet: they come with the batch, or with the next collect\n"
COMES = "is in no file yet: it comes with the batch, or with the next collect\n"


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), f"4 rows of what is asked for {COME}"),
        (("--stats", "-b", "btc_mxn"), f"3 rows of what is asked for {COME}"),
        (
            ("--every", "1h", "--minutes", "195..720"),
            f"4 rows of what is asked for {COME}",
        ),
        (("--sql", "SELECT 1 AS n FROM BitsoSpreadMonitor"), f"4 rows of the table {COME}"),
        (
            ("-b", "btc_mxn", "--to", "2026-09-21T12:00:01Z"),
            f"1 row of what is asked for {COMES}",
        ),
    ],
)
def test_rows_that_are_in_no_file_yet_are_told_of(
    arguments: tuple[str, ...], said: str, run: Run
) -> None:
    status, out, err = run("query", *arguments)
    assert (status, err) == (0, f"bitso-spread: {said}")
    assert "12:00:" not in out
    assert run("query", "--quiet", *arguments) == (0, out, "")


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize(
    "arguments", [("--date", "20240725"), ("--minutes", "..700"), ("--limit", "1")]
)
def test_rows_that_are_not_asked_for_are_not_told_of(arguments: tuple[str, ...], run: Run) -> None:
    assert "no file yet" not in run("query", *arguments)[2]
