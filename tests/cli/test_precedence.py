"""What is typed goes before what nobody typed, where both exclude each other."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Run, here
from tests.lake.support import put_batch

SQL = "SELECT count(*) AS n FROM BitsoSpreadMonitor"


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake with a batch of a book, and a working directory of the test's own."""
    put_batch(tmp_path / "data", "btc_mxn", datetime(2026, 9, 21, tzinfo=UTC))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def put(text: str) -> None:
    Path("bitso-spread.toml").write_text(text)
    Path("bitso-spread.toml").chmod(0o600)


def headings(out: str) -> list[str]:
    return next(csv.reader(io.StringIO(out)))


@pytest.mark.parametrize(
    ("said", "typed", "heading", "left_out"),
    [
        ("every = '10m'", ("--stats",), "p95", "--every"),
        ("stats = true", ("--every", "10m"), "first", "--stats"),
        (f"sql = '{SQL}'", ("--every", "10m"), "first", "--sql"),
        (f"sql = '{SQL}'", ("--stats",), "p95", "--sql"),
        (f"sql = '{SQL}'", ("--date", "20260921"), "bid", "--sql"),
        ("every = '10m'", ("--sql", SQL), "n", "--every"),
        ("stats = true", ("--sql", SQL), "n", "--stats"),
    ],
)
def test_a_question_that_is_typed_goes_before_that_of_a_file(
    said: str, typed: tuple[str, ...], heading: str, left_out: str, run: Run, lake: Path
) -> None:
    put(f"[query]\n{said}\n")
    status, out, err = run("query", "--lake", str(lake), *typed)
    assert (status, heading in headings(out)) == (0, True), err
    assert f"{left_out} is set by" in err
    assert f", which does not bear on {typed[0]}\n" in err
    # The note is one: under --quiet there is none.
    assert run("query", "--lake", str(lake), *typed, "--quiet") == (0, out, "")


def test_a_question_that_is_typed_goes_before_that_of_a_variable(
    run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BITSO_SPREAD_QUERY_EVERY", "10m")
    status, out, err = run("query", "--lake", str(lake), "--stats")
    assert (status, "p95" in headings(out)) == (0, True)
    assert "--every is set by BITSO_SPREAD_QUERY_EVERY, which does not bear on --stats" in err
    # What takes a flag back asks for nothing that could exclude anything.
    status, out, err = run("query", "--lake", str(lake), "--no-stats")
    assert (status, "first" in headings(out), err) == (0, True, "")


@pytest.mark.parametrize(
    ("file", "typed"),
    [
        ("", ("--every", "10m", "--stats")),
        ("", ("--every", "10m", "--sql", SQL)),
        ("every = '10m'\nstats = true", ()),
    ],
)
def test_two_that_are_typed_or_two_of_a_file_are_refused(
    file: str, typed: tuple[str, ...], run: Run, lake: Path
) -> None:
    put(f"[query]\n{file}\n")
    status, out, err = run("query", "--lake", str(lake), *typed)
    assert (status, out) == (2, "")
    assert "--every, --stats and --sql are three questions: ask one of them" in err


def test_a_file_to_write_and_its_format(run: Run, lake: Path) -> None:
    put("[query]\nformat = 'json'\n")
    status, out, err = run("query", "--lake", str(lake), "--output", "rows.csv")
    assert (status, out) == (0, "")
    assert "which does not bear on --output" in err
    assert Path("rows.csv").read_text().startswith("orderbook_timestamp,")
    # Where they agree, or no suffix says otherwise, there is nothing to leave out.
    _, _, err = run("query", "--lake", str(lake), "--output", "rows.json")
    assert "does not bear" not in err
    put("[query]\noutput = 'other.csv'\n")
    status, out, err = run("query", "--lake", str(lake), "--format", "json")
    assert (status, out[:1]) == (0, "[")
    assert "--output is set by" in err
    assert not Path("other.csv").exists()
    assert run("query", "--lake", str(lake), "--format", "json", "--output", "x.csv")[0] == 2


@pytest.mark.parametrize("command", ["query", "verify", "alerts", "report", "import data"])
def test_a_folder_that_is_typed_needs_no_local_half(command: str, run: Run, lake: Path) -> None:
    put("state = 'half'\n")
    name, *source = command.split()
    place = "other" if name == "import" else str(lake)
    status, _, err = run(name, *source, "--lake", place)
    assert status in {0, 1}, err
    assert "--state is set by state in" in err
    assert "which does not bear on --lake" in err
    status, _, err = run(name, *source, "--lake", place, "--state", "half")
    assert status == 2
    assert "--state goes with a lake in object storage" in err


def test_a_collection_into_a_folder_that_is_typed(run: Run) -> None:
    put("lake = 's3://bucket/lake'\nstate = 'half'\n")
    typed = ("-e", "sim", "--lake", "mine", "--batch-size", "1", "--batches", "1")
    status, _, err = run("collect", *typed)
    assert status == 0, err
    assert "which does not bear on --lake" in err
    assert Path("mine/BitsoSpreadMonitor").is_dir()
    assert run("collect", *typed, "--state", "half")[0] == 2


def test_each_line_is_an_object_where_the_log_is(run: Run) -> None:
    import json

    put("state = 'half'\n")
    typed = ("-e", "moon", "--lake", "mine", "--log-format", "json")
    _, _, err = run("collect", *typed)
    assert "does not bear" in json.loads(err.splitlines()[0])["message"]


@pytest.mark.parametrize("url", ["rest_url = 'https://api.bitso.com/v3'", "ws_url = 'ws://x:1'"])
def test_the_simulated_exchange_that_is_typed_goes_before_urls(url: str, run: Run) -> None:
    put(f"{url}\n")
    status, out, err = run("snapshot", "-e", "sim")
    assert (status, out.count("btc_mxn")) == (0, 1), err
    assert "_url in " in err
    assert "which does not bear on --environment" in err


def test_urls_of_a_simulated_exchange_serve_the_environment_that_is_typed(
    run: Run, exchange: SimulatedExchange
) -> None:
    put(f"rest_url = '{exchange.rest_url}'\nws_url = '{exchange.ws_url}'\n")
    status, _, err = run("snapshot", "-e", "sim")
    assert status == 0
    assert "does not bear" not in err


def test_a_url_of_bitso_that_is_typed_goes_before_the_simulated_exchange(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("environment = 'sim'\n")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    status, _, err = run("snapshot", "--rest-url", "https://api.bitso.com/v3")
    assert status == 1
    assert "which does not bear on --rest-url" in err
    assert "SIMULATED" not in err
    status, _, err = run("snapshot", "--rest-url", "https://api.bitso.com/v3", "-e", "sim")
    assert status == 2
    assert "the environment sim needs both" in err


def test_what_is_watched(run: Run, exchange: SimulatedExchange) -> None:
    put("[watch]\nlake = 'data'\n")
    # The book is not there, so that it ends: asked of the exchange, not of the lake.
    status, _, err = run("watch", *here(exchange), "-b", "xyz_mxn")
    assert (status, "there is no book xyz_mxn" in err) == (1, True)
    assert "--lake is set by lake in [watch]" in err
    status, _, err = run("watch", *here(exchange), "--lake", "data")
    assert (status, "leave out --environment" in err) == (2, True)


def test_what_the_simulated_exchange_plays(run: Run) -> None:
    put("[sim]\nbooks = 3\nseed = 5\n")
    # Neither lake is there, so that it ends.
    status, _, err = run("sim", "--replay", "nowhere")
    assert (status, "nowhere" in err.splitlines()[-1]) == (1, True)
    assert "--books is set by books in [sim]" in err
    assert "--seed is set by seed in [sim]" in err
    put("[sim]\nreplay = 'nowhere'\n")
    status, _, err = run("sim", "--books", "3", "--port", "1", "--host", "192.0.2.1")
    assert (status, "--replay is set by replay in [sim]" in err) == (1, True)
    assert "192.0.2.1" in err.splitlines()[-1]
    assert run("sim", "--books", "3", "--replay", "nowhere")[0] == 2


def test_a_service_leaves_out_what_it_could_not_do(run: Run) -> None:
    put("state = 'half'\n[collect]\nmetrics_port = 9100\nmetrics_host = '0.0.0.0'\n")
    status, out, err = run("service", "systemd", "--lake", "/srv/lake")
    assert (status, "--state" in out) == (0, False)
    assert "which does not bear on --lake" in err
    status, out, err = run("service", "airflow", "--lake", "/srv/lake")
    assert (status, "--metrics" in out) == (0, False)
    assert "metrics_port in [collect]" in err
    assert run("service", "airflow", "--metrics-port", "9100", "--lake", "/srv/lake")[0] == 2


def test_an_image_has_the_store_of_a_file_and_a_volume_of_its_own(run: Run) -> None:
    put("lake = 's3://bucket/lake'\nstate = 'half'\n")
    status, out, err = run("service", "docker")
    assert status == 0, err
    assert '"--lake", "s3://bucket/lake", "--state", "/lake"' in out
    assert "state in" in err
    assert "is left out" in err
