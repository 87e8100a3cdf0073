"""The commands that read a lake, with its URL in the place of a folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bitso_spread.lake.findings import Kind
from bitso_spread.lake.journal import Outage
from bitso_spread.model import State
from tests.cli.support import Run
from tests.cloud.conftest import S3
from tests.lake.audit_support import TICKS, record, rows_at
from tests.lake.compact_support import compacted, daily_files, sources
from tests.lake.support import NOON

NOTE = "the journal is not in {url}; name the collector's folder with --state"
FILE = (
    "BitsoSpreadMonitor/date=20260921/order_book=btc_mxn/minutes=720/btc_mxn-20260921T120000Z.csv"
)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake of two batches of a book, with a stop of ten seconds in the second."""
    folder = tmp_path / "lake"
    record(folder, rows_at(TICKS))
    later = range(NOON + 600, NOON + 1200)
    rows = [*rows_at(later[:100]), *rows_at(later[100:110], state=State.MISSED)]
    stop = Outage("btc_mxn", "missed: the process was stopped", later[100], later[109])
    record(folder, [*rows, *rows_at(later[110:])], outages=[stop])
    return folder


@pytest.mark.parametrize(
    "asking",
    [
        ("query", "--date", "20260921", "--limit", "700"),
        ("query", "--every", "5m", "--tz", "America/Mexico_City", "--format", "json"),
        (
            "query",
            "--sql",
            "SELECT minutes, count(*) AS n FROM BitsoSpreadMonitor GROUP BY minutes",
        ),
        ("alerts", "--alert", "0.0001", "--book", "MXN-BTC"),
    ],
)
def test_a_command_says_of_a_store_what_it_says_of_a_disk(
    s3: S3,
    lake: Path,
    run: Run,
    asking: tuple[str, ...],
) -> None:
    s3.copy(lake)
    command, *options = asking
    near = run(command, "--lake", str(lake), *options)
    far = run(command, "--lake", s3.url, *options)
    assert sorted(far[1].splitlines()) == sorted(near[1].splitlines())
    assert (far[0], far[2]) == (near[0], near[2])
    assert far[0] == 0
    assert len(far[1].splitlines()) > 1


def test_the_lake_may_be_named_by_the_environment(
    s3: S3,
    lake: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s3.copy(lake)
    monkeypatch.setenv("BITSO_SPREAD_LAKE", s3.url)
    assert run("query", "--limit", "1")[0] == 0


def test_stats_say_that_missed_seconds_cannot_be_told_without_the_journal(
    s3: S3,
    lake: Path,
    run: Run,
) -> None:
    s3.copy(lake)
    near = run("query", "--lake", str(lake), "--stats")
    with_state = run("query", "--lake", s3.url, "--stats", "--state", str(lake))
    assert with_state == near
    _, out, err = run("query", "--lake", s3.url, "--stats")
    row = dict(zip(*(line.split(",") for line in out.splitlines()), strict=True))
    assert (row["unknown"], row["missed"]) == ("10", "0")
    assert f"which of the unknown seconds were missed cannot be told: {NOTE}".format(
        url=s3.url
    ) in " ".join(err.split())


def test_verify_finds_a_sound_lake_sound_by_its_checksums(
    s3: S3,
    lake: Path,
    run: Run,
) -> None:
    s3.copy(lake)
    status, out, err = run("verify", "--lake", s3.url, "--format", "json", "--max-missing", "10")
    report = json.loads(out)
    assert (status, report["lake"], report["files"], report["checksums"]) == (0, s3.url, 2, 2)
    assert report["findings"] == []
    assert "which files are gone, and why seconds are missing, cannot be told" in " ".join(
        err.split()
    )


def test_verify_tells_with_the_journal_what_it_tells_of_a_disk(
    s3: S3,
    lake: Path,
    tmp_path: Path,
    run: Run,
) -> None:
    s3.copy(lake)
    near = run("verify", "--lake", str(lake), "--format", "json")
    state = tmp_path / "state"
    shutil.copytree(lake / ".bitso-spread", state / ".bitso-spread")
    status, out, err = run("verify", "--lake", s3.url, "--state", str(state), "--format", "json")
    assert status == near[0] == 1
    assert json.loads(out) == json.loads(near[1]) | {"lake": s3.url}
    assert err == near[2].replace(str(lake), s3.url)


def test_verify_knows_that_a_file_which_waits_to_be_put_is_not_gone(
    s3: S3,
    lake: Path,
    run: Run,
) -> None:
    s3.copy(lake)
    s3.delete_raw(f"lakes/one/{FILE}")
    asking = ("verify", "--lake", s3.url, "--state", str(lake), "--format", "json")
    assert json.loads(run(*asking)[1])["findings"] == []
    (lake / FILE).unlink()
    (found,) = json.loads(run(*asking)[1])["findings"]
    assert (found["kind"], found["path"]) == (Kind.GONE, FILE.partition("/")[2])


def test_verify_finds_an_object_that_has_changed_without_any_journal(
    s3: S3,
    lake: Path,
    run: Run,
) -> None:
    s3.copy(lake)
    s3.gateway.harm("damage", lambda request: request.key == f"lakes/one/{FILE}")
    status, out, _ = run("verify", "--lake", s3.url, "--format", "json")
    (found, *_) = json.loads(out)["findings"]
    assert (status, found["kind"], found["path"]) == (1, Kind.CHANGED, FILE.partition("/")[2])
    assert "has changed since it was written: restore it" in found["text"]


def test_verify_finds_debris_and_lost_batches_and_data_out_of_place(
    s3: S3,
    lake: Path,
    run: Run,
) -> None:
    for path, data in {
        "date=20260921/order_book=btc_mxn/minutes=30/_temporary/0/part-0.csv": b"half",
        "date=20260921/order_book=btc_mxn/minutes=720/_SUCCESS": b"",
        "date=20260921/stray.csv": b"1",
        "other/deep/part-0.csv": b"1",
        "notes.txt": b"1",
    }.items():
        file = lake / "BitsoSpreadMonitor" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    s3.copy(lake)
    near = run("verify", "--lake", str(lake), "--format", "json")
    far = run("verify", "--lake", s3.url, "--state", str(lake), "--format", "json")
    assert json.loads(far[1]) == json.loads(near[1]) | {"lake": s3.url}
    assert len(json.loads(far[1])["findings"]) == 3


@pytest.mark.parametrize("prune", [False, True])
def test_verify_reads_compacted_days(
    s3: S3,
    lake: Path,
    run: Run,
    *,
    prune: bool,
) -> None:
    compacted(lake, prune=prune)
    s3.copy(lake)
    near = run("verify", "--lake", str(lake), "--format", "json")
    far = run("verify", "--lake", s3.url, "--state", str(lake), "--format", "json")
    assert json.loads(far[1]) == json.loads(near[1]) | {"lake": s3.url}


def test_verify_reads_a_day_that_is_compacted_meanwhile(s3: S3, lake: Path, run: Run) -> None:
    s3.copy(lake)
    near = run("verify", "--lake", str(lake), "--format", "json")
    files = [path.relative_to(lake).as_posix() for path in sources(lake)]
    compacted(lake, prune=True)
    done: list[object] = []

    def meanwhile(request: object) -> bool:
        if getattr(request, "kind", "") == "get" and not done:
            done.append(request)
            for path in daily_files(lake):
                s3.put_raw(f"lakes/one/{path.relative_to(lake).as_posix()}", path.read_bytes())
            for key in files:
                s3.delete_raw(f"lakes/one/{key}")
        return False

    s3.gateway.harm("error", meanwhile)
    far = run("verify", "--lake", s3.url, "--format", "json")
    assert done
    assert json.loads(far[1])["findings"] == []
    assert json.loads(far[1])["days"][0]["known"] == json.loads(near[1])["days"][0]["known"] == 1190


def test_a_report_is_made_of_a_store(
    s3: S3,
    lake: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    s3.copy(lake)
    page = tmp_path / "report.html"
    status, _, err = run("report", "--lake", s3.url, "--output", str(page))
    assert status == 0
    assert "<title>" in page.read_text()
    assert "alerts, and why seconds are missing, cannot be told" in " ".join(err.split())


def test_alerts_that_fired_are_with_the_collector(
    s3: S3,
    lake: Path,
    run: Run,
) -> None:
    s3.copy(lake)
    status, _, err = run("alerts", "--lake", s3.url)
    assert status == 2
    assert "name its folder with --state" in " ".join(err.split())
    assert run("alerts", "--lake", s3.url, "--state", str(lake))[0] == 0


@pytest.mark.parametrize(
    ("asking", "unknown"),
    [
        (["verify"], "which files are gone, and why seconds are missing,"),
        (["query", "--stats"], "which of the unknown seconds were missed"),
        (["report"], "alerts, and why seconds are missing,"),
        (["alerts"], "which alerts fired"),
    ],
)
def test_a_folder_without_a_journal_is_said_to_tell_nothing(
    s3: S3, lake: Path, run: Run, tmp_path: Path, asking: list[str], unknown: str
) -> None:
    s3.copy(lake)
    empty = tmp_path / "empty"
    empty.mkdir()
    _, _, err = run(*asking, "--lake", s3.url, "--state", str(empty))
    assert (
        f"{unknown} cannot be told: {empty} has no journal of the table BitsoSpreadMonitor; name "
        "the collector's own folder with --state"
    ) in " ".join(err.split())
    assert "no alert has fired" not in err
    _, _, err = run(*asking, "--lake", s3.url, "--state", str(lake))
    assert "cannot be told" not in err


def test_a_lake_in_a_store_is_imported(
    s3: S3,
    lake: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    s3.copy(lake)
    s3.put_raw("lakes/one/BitsoSpreadMonitor/_temporary/x.csv", b"half")
    target = tmp_path / "target"
    status, out, err = run("import", s3.url, "--lake", str(target))
    assert (status, err) == (0, "")
    assert "1,200 rows read from 2 files" in out
    rows = run("query", "--lake", str(target))
    assert rows == run("query", "--lake", str(lake))


def test_a_file_in_a_store_that_cannot_be_imported_is_told_by_its_url(
    s3: S3,
    run: Run,
    tmp_path: Path,
) -> None:
    s3.put_raw("lakes/one/a/b.csv", b"orderbook_timestamp,price\n1,2\n")
    target = tmp_path / "target"
    status, _, err = run("import", f"{s3.url}/a", "--lake", str(target))
    assert status == 1
    assert err.startswith(f"bitso-spread: {s3.url}/a/b.csv cannot be imported: it has no column")
    assert not list(target.rglob("*.csv"))
    assert run("import", f"{s3.url}/none", "--lake", str(target))[0] == 1


@pytest.mark.parametrize(
    ("asking", "status", "said"),
    [
        (("query", "--lake", "http://bucket/a"), 2, "http:// is no lake: write a folder"),
        (("query", "--lake", "s3:/bucket/a"), 2, "'s3:/bucket/a' is no lake: write a folder"),
        (("watch", "--lake", "s3://bucket/a"), 2, "watch shows what a collector of this host"),
        (("query", "--lake", "s3://x"), 2, "'s3://x' names no bucket: write s3://bucket/prefix"),
        (("query", "--lake", "s3://no-such-bucket-here/a"), 1, "there is no bucket no-such-buck"),
        (("verify", "--lake", "{url}/none"), 1, "there is no lake at {url}/none: it has no folder"),
        (("doctor", "--lake", "s3://x"), 2, "'s3://x' names no bucket: write s3://bucket/prefix"),
        (("query", "--state", "."), 2, "--state goes with a lake in object storage"),
    ],
)
def test_what_cannot_be_is_one_line(
    s3: S3,
    run: Run,
    asking: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    ended, out, err = run(*(word.format(url=s3.url) for word in asking))
    assert (ended, out) == (status, "")
    assert err.startswith(f"bitso-spread: {said.format(url=s3.url)}")
    assert err.count("\n") == 1


def test_a_store_out_of_reach_is_one_line(s3: S3, run: Run) -> None:
    s3.gateway.go_down()
    status, out, err = run("query", "--lake", s3.url)
    assert (status, out) == (1, "")
    assert err.startswith(f"bitso-spread: {s3.url} does not answer")
    assert err.endswith("try again later\n")


def test_nothing_of_the_extra_is_imported_for_a_lake_on_a_disk(lake: Path) -> None:
    asked = (
        "import sys\n"
        "from bitso_spread import Lake\n"
        f"assert Lake({str(lake)!r}).read(limit=1).height == 1\n"
        "loaded = {'obstore', 'botocore', 'asyncio', 'bitso_spread.cloud.objects'}\n"
        "print(sorted(loaded & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
