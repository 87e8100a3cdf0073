"""What is mistyped is answered with the nearest right thing, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitso_spread.nearest import did_you_mean
from tests.cli.support import Run
from tests.lake.compact_support import batch


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["colect"], "No such command 'colect'. Did you mean 'collect'"),
        (["service", "sytemd"], "No such command 'sytemd'. Did you mean 'systemd'"),
        (["collect", "--bok", "x"], "No such option: --bok; did you mean --book?"),
        (["collect", "--env", "sim"], "No such option: --env; did you mean --environment?"),
        (["query", "--batch-size", "5"], "No such option: --batch-size"),
        (["--lake", "x", "query"], "No such option: --lake; it goes after the command, such as"),
        (["--quite", "query"], "No such option: --quite; did you mean --quiet?"),
        (["query", "--verbos"], "No such option: --verbos; did you mean --verbose?"),
        (["service", "systemd", "--batchsize", "9"], "did you mean --batch-size?"),
        (["query", "--format", "parqet"], "did you mean parquet?"),
        (["snapshot", "--format", "JSN"], "did you mean json?"),
        (["collect", "--log-format", "jsn"], "did you mean json?"),
        (["collect", "--format", "parqet"], "choose csv or parquet; did you mean parquet?"),
        (["collect", "--columns", "ful"], "choose five or full; did you mean full?"),
        (["collect", "-e", "prodution"], "did you mean production?"),
        (["snapshot", "-e", "stag"], "did you mean stage?"),
        (["import", ".", "--format", "CVS"], "choose csv or parquet; did you mean csv?"),
    ],
)
def test_a_word_that_is_misspelt(
    arguments: list[str], said: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch(tmp_path, 0)
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("bitso-spread: ")
    assert said in last
    assert "Possible options" not in err
    assert "env var" not in err


@pytest.mark.parametrize("command", ["snapshot", "watch", "collect", "books"])
def test_a_book_that_the_exchange_does_not_have(command: str, run: Run, tmp_path: Path) -> None:
    lake = ["--lake", str(tmp_path)] if command == "collect" else []
    status, _, err = run(command, "-e", "sim", "-b", "btc_mnx", *lake)
    assert status == 1
    assert "there is no book btc_mnx; did you mean btc_mxn" in err


@pytest.mark.parametrize(
    ("command", "status"),
    [("query", 0), ("compact", 0), ("verify", 1), ("report", 1), ("alerts --alert 1", 0)],
)
def test_a_book_that_the_lake_does_not_have(
    command: str, status: int, run: Run, tmp_path: Path
) -> None:
    batch(tmp_path, 0)
    more = ["--output", str(tmp_path / "r.html")] if command == "report" else []
    found, _, err = run(*command.split(), "--lake", str(tmp_path), "-b", "btc_mnx", *more)
    assert found == status
    assert "did you mean btc_mxn?" in err
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("book", ["all", "eth_mxn", "mxn_btc", "btc_mxn,all"])
def test_a_book_that_is_not_misspelt_is_not_corrected(book: str, run: Run, tmp_path: Path) -> None:
    batch(tmp_path, 0)
    status, _, err = run("query", "--lake", str(tmp_path), "-b", book, "--date", "2020-01-01")
    assert status == 0
    assert "no rows match" in err
    assert "did you mean" not in err


def test_one_unknown_book_of_two_is_told_with_the_nearest(run: Run, tmp_path: Path) -> None:
    batch(tmp_path, 0)
    _, out, err = run("query", "--lake", str(tmp_path), "-b", "btc_mxn,btc_mnx")
    assert "has no book btc_mnx; did you mean btc_mxn?" in err
    assert len(out.splitlines()) > 1


@pytest.mark.parametrize("command", ["query", "verify", "compact", "alerts", "watch", "status"])
def test_a_lake_that_is_named_too_deep(command: str, run: Run, tmp_path: Path) -> None:
    deep = batch(tmp_path, 0).parent
    status, _, err = run(command, "--lake", str(deep))
    assert status == 1
    assert f"it lies inside of the lake {tmp_path}: name it with --lake {tmp_path}" in err


@pytest.mark.parametrize("command", ["collect -e sim", "import ."])
def test_nothing_is_written_into_a_partition(command: str, run: Run, tmp_path: Path) -> None:
    deep = batch(tmp_path, 0).parent
    before = sorted(tmp_path.rglob("*"))
    status, out, err = run(*command.split(), "--lake", str(deep))
    assert (status, out) == (2, "")
    assert f"lies inside of the lake {tmp_path}: name it with --lake {tmp_path}" in err
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_far_from_everything_gets_no_advice() -> None:
    assert did_you_mean("zzz", ["btc_mxn", "usd_mxn"]) == ""
    assert did_you_mean("PARQUET", ["csv", "parquet"]) == "; did you mean parquet?"
    assert did_you_mean("btc_mnx", ["btc_mxn", "ltc_mxn"], most=2).count("_mxn") == 2
