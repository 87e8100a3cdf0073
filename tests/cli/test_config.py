"""Settings files: what they may say, what goes before what, and what is said of mistakes."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup, TyperOption

from bitso_spread.cli.app import app, load_commands
from bitso_spread.cli.config_names import ALWAYS, SHARED
from tests.alerts.support import SECRET
from tests.cli.support import Run, Start
from tests.lake.support import put_batch

load_commands()


WEBHOOK = f"https://hooks.example.com/services/{SECRET}"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of the test's own, which is given."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def put(text: str, path: Path = Path("bitso-spread.toml"), mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path.absolute()


def users_own(tmp_path: Path, text: str) -> Path:
    # The settings of a user lie there in every test.
    return put(text, tmp_path / "state" / "bitso-spread" / "config.toml")


def origins(err: str) -> dict[str, str]:
    """Read what --verbose said: what each option has, and from where."""
    lines = [line.removeprefix("bitso-spread: ") for line in err.splitlines()]
    return dict(line.split(" ", 1) for line in lines if line.startswith("--"))


def test_an_argument_goes_before_a_variable_that_before_a_file_and_that_before_the_default(
    run: Run, monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    put('lake = "of-file"\n[query]\nlimit = 3\n')
    limit = ("--columns", "full", "--verbose")
    _, _, err = run("query", *limit)
    said = origins(err)
    assert said["--lake"] == f"{here}/of-file (file {here}/bitso-spread.toml)"
    assert said["--limit"] == f"3 (file {here}/bitso-spread.toml)"
    assert said["--columns"] == "full (argument)"
    assert said["--tz"] == "UTC (default)"
    assert said["--output"] == "stdout (default)"
    monkeypatch.setenv("BITSO_SPREAD_LAKE", "of-variable")
    monkeypatch.setenv("BITSO_SPREAD_QUERY_LIMIT", "4")
    said = origins(run("query", *limit)[2])
    assert said["--lake"] == "of-variable (environment BITSO_SPREAD_LAKE)"
    assert said["--limit"] == "4 (environment BITSO_SPREAD_QUERY_LIMIT)"
    said = origins(run("query", *limit, "--lake", "of-argument", "--limit", "5")[2])
    assert (said["--lake"], said["--limit"]) == ("of-argument (argument)", "5 (argument)")


def test_the_nearest_file_goes_before_the_others_key_by_key(
    run: Run, tmp_path: Path, here: Path
) -> None:
    own = users_own(tmp_path, 'tz = "America/Mexico_City"\n[query]\nlimit = 1\nevery = "1h"\n')
    near = put("[query]\nlimit = 2\n")
    said = origins(run("query", "-v")[2])
    assert said["--limit"] == f"2 (file {near})"
    assert said["--every"] == f"1h (file {own})"
    assert said["--tz"] == f"America/Mexico_City (file {own})"
    named = put("[query]\ncolumns = 'full'\n", here / "sub" / "other.toml")
    for arguments in (("--config", str(named), "query"), ("query", "--config", "sub/other.toml")):
        said = origins(run(*arguments, "-v")[2])
        assert said["--columns"] == f"full (file {named})"
        # The one in the working directory is not looked at, and the user's own is.
        assert said["--limit"] == f"1 (file {own})"


def test_a_variable_may_name_the_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    named = put("[query]\nlimit = 9\n", Path("other.toml"))
    monkeypatch.setenv("BITSO_SPREAD_CONFIG", "other.toml")
    _, _, err = run("query", "-v")
    assert f"settings files: {named}\n" in err
    assert origins(err)["--limit"] == f"9 (file {named})"


def test_a_file_that_is_named_must_be_there(run: Run, here: Path) -> None:
    status, out, err = run("--config", "none.toml", "query")
    assert (status, out) == (2, "")
    assert err == (
        f"bitso-spread: {here}/none.toml is to hold the settings, and there is no such file\n"
    )


def test_paths_in_a_file_begin_at_the_file_and_others_at_the_working_directory(
    run: Run, here: Path, tmp_path: Path
) -> None:
    named = put("lake = 'data'\n[query]\noutput = 'o.csv'\n", tmp_path / "conf" / "x.toml")
    said = origins(run("--config", str(named), "query", "-v")[2])
    assert said["--lake"] == f"{tmp_path}/conf/data (file {named})"
    assert said["--output"] == f"{tmp_path}/conf/o.csv (file {named})"
    put("lake = 's3://bucket/lake'\nstate = 'half'\n", tmp_path / "conf" / "x.toml")
    said = origins(run("--config", str(named), "query", "-v")[2])
    assert said["--state"] == f"{tmp_path}/conf/half (file {named})"
    put("lake = '~/lake'\n")
    said = origins(run("query", "-v")[2])
    assert said["--lake"] == f"{tmp_path}/state/lake (file {here}/bitso-spread.toml)"
    # What is no path of this machine stays as it is written.
    put("lake = 's3://bucket/lake'\n")
    assert "s3://bucket/lake" in origins(run("query", "-v")[2])["--lake"].replace(":/b", "://b")


def test_lists_serve_options_that_may_be_repeated_and_an_argument_replaces_them(
    run: Run,
) -> None:
    put("book = ['btc_mxn', 'ETH-MXN']\n[collect]\nalert = [0.5, 'btc_mxn=0.3']\ninterval = 7\n")
    said = origins(run("collect", "-v")[2])
    assert said["--book"].startswith("btc_mxn, ETH-MXN (file ")
    assert said["--alert"].startswith("0.5, btc_mxn=0.3 (file ")
    said = origins(run("collect", "-v", "-b", "usd_mxn")[2])
    assert said["--book"] == "usd_mxn (argument)"
    put("book = 'btc_mxn'\n[query]\ndate = 2024-07-26\nfrom = 2024-07-26T08:00:00Z\n")
    said = origins(run("query", "-v")[2])
    assert said["--book"].startswith("btc_mxn (file ")
    assert said["--date"].startswith("2024-07-26 (file ")
    assert said["--from"].startswith("2024-07-26T08:00:00+00:00 (file ")


def test_a_flag_of_a_file_can_be_taken_back(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put("[query]\nstats = true\nskip-bad = true\n")
    said = origins(run("query", "-v", "--no-stats")[2])
    assert said["--stats"] == "off (argument)"
    assert said["--skip-bad"].startswith("on (file ")
    monkeypatch.setenv("BITSO_SPREAD_QUERY_STATS", "0")
    assert origins(run("query", "-v")[2])["--stats"] == (
        "off (environment BITSO_SPREAD_QUERY_STATS)"
    )


def test_the_keys_of_all_commands_serve_those_that_their_variables_serve(run: Run) -> None:
    put("lake = 'data'\ntable = 'Other'\nrest_url = 'https://x.example.com'\n")
    assert "data (file " in origins(run("status", "-v")[2])["--lake"]
    said = origins(run("watch", "-v", "-e", "nowhere")[2])
    # There it chooses what is watched.
    assert said["--lake"] == "none (default)"
    assert said["--table"].startswith("Other (file ")
    assert said["--rest-url"].startswith("https://x.example.com (file ")


def test_the_shared_keys_are_the_shared_variables() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    variables = {
        param.envvar
        for command in group.commands.values()
        for param in command.params
        if isinstance(param, TyperOption)
        and isinstance(param.envvar, str)
        # Each command's own have its name.
        and not any(f"_{name.upper()}_" in param.envvar for name in group.commands)
    }
    assert variables == {f"BITSO_SPREAD_{key.upper()}" for key in (*SHARED, *ALWAYS)}


@pytest.mark.parametrize(
    ("text", "command", "said"),
    [
        ("[colect]", "query", "there is no command [colect]; did you mean [collect]?"),
        ("bok = 'x'", "query", "there is no setting bok; did you mean book?"),
        ("batch_size = 5", "query", "no setting batch_size; it goes under [collect]"),
        ("[collect]\nbatchsize = 5", "collect", "did you mean batch_size?"),
        ("[query]\nalign = true", "query", "[query] has no setting align; it goes under [collect]"),
        ("[query]\nwebhook = ''", "query", "it goes under [alerts]"),
        ("[query]\nquiet = true", "query", "quiet stands in [query]: put it before all tables"),
        ("query = 5", "query", "query is a command: make it a table [query]"),
        ("[query]\nlimit = 'many'", "query", "limit in [query] of {file} must be a whole number"),
        ("[query]\nlimit = true", "query", "limit in [query] of {file} must be a whole number"),
        ("[query]\nlimit = 1.5", "query", "limit in [query] of {file} must be a whole number"),
        ("[query]\nlimit = [1]", "query", "limit in [query] of {file} must be a whole number"),
        ("[query]\nstats = 1", "query", "stats in [query] of {file} must be true or false"),
        ("[query]\ndate = true", "query", "date in [query] of {file} must be a text in quotes"),
        ("lake = {a = 1}", "query", "lake in {file} must be a text in quotes"),
        ("[query]\nlimit = 1\n[query]", "query", "{file} is not TOML"),
        ("[query]\nskip-bad = true\nskip_bad = true", "query", "twice, with - and with _"),
        ("[service]\nuser = 'x'", "service systemd", "[service.systemd], [service.docker]"),
        ("[service.sytemd]", "service systemd", "no command sytemd; did you mean systemd?"),
        ("[service.systemd]\nusr = 'x'", "service systemd", "did you mean user?"),
        ("[import]\nsource = ['a']", "import a", "[import] has no setting source"),
        ("[query]\nlimit = -1", "query", "--limit is set by limit in [query] of {file}"),
        ("[query]\nformat = 'parqet'", "query", "did you mean parquet? (--format is set by "),
        ("[query]\nevery = 'x'", "query --lake .", "--every is set by every in [query] of {file}"),
        ("[collect]\ninterval = 7", "collect", "--interval is set by interval in [collect]"),
        ("environment = 'moon'", "collect", "--environment is set by environment in {file}"),
        ("book = ['usd_mxn', 'btc']", "collect", "--book is set by book in {file}"),
        ("[service.systemd]\nuser = 'root'", "service systemd", "--user is set by user in"),
        ("[collect]\ninterval = 7", "service systemd", "--interval is set by interval in"),
    ],
)
def test_what_makes_no_sense_is_one_line_with_file_and_key(
    text: str, command: str, said: str, run: Run, here: Path
) -> None:
    (here / "BitsoSpreadMonitor").mkdir()
    file = put(text)
    status, _, err = run(*command.split())
    assert status == 2, err
    last = err.splitlines()[-1]
    assert said.format(file=file) in last
    assert str(file) in last
    assert "Traceback" not in err


def test_a_lake_of_a_file_that_is_not_there_is_said_to_be_of_that_file(run: Run) -> None:
    file = put("[query]\nlake = 'nowhere'\n")
    status, _, err = run("query")
    assert status == 1
    assert f"(--lake is set by lake in [query] of {file})" in err


@pytest.mark.parametrize("key", ["api_key", "BITSO_API_SECRET", "api-secret"])
@pytest.mark.parametrize("table", ["", "[collect]\n"])
def test_credentials_are_refused_in_a_file_and_not_repeated(key: str, table: str, run: Run) -> None:
    put(f"{table}{key} = '{SECRET}'\n")
    status, out, err = run("query")
    assert (status, out) == (2, "")
    assert f"{key} is a secret that no file may hold: set BITSO_API_" in err
    assert SECRET not in err


def test_a_webhook_wants_a_file_that_nobody_else_reads_and_is_masked(run: Run) -> None:
    file = put(f"[alerts]\nwebhook = '{WEBHOOK}'\n", mode=0o644)
    status, _, err = run("query")
    assert status == 2
    assert f"chmod 600 {file}" in err
    file.chmod(0o600)
    _, out, err = run("collect", "-v", "-e", "moon")
    assert f"webhook https://hooks.example.com/… (webhook in {file})" in err
    assert SECRET not in out + err


def test_secrets_are_masked_where_values_are_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BITSO_API_KEY", SECRET)
    monkeypatch.setenv("BITSO_API_SECRET", SECRET)
    monkeypatch.setenv("BITSO_SPREAD_ALERT_WEBHOOK", WEBHOOK)
    command = f"curl -H {SECRET}"
    url = f"https://me:{SECRET}@x.example.com/v3"
    _, out, err = run("collect", "-v", "--alert-command", command, "--rest-url", url)
    assert SECRET not in out + err
    assert "BITSO_API_KEY is set, and not shown (environment)" in err
    assert "webhook https://hooks.example.com/… (environment BITSO_SPREAD_ALERT_WEBHOOK)" in err
    assert origins(err)["--alert-command"] == "curl … (argument)"


@pytest.mark.parametrize(
    "arguments",
    [
        ("collect", "--publish", f"kafka://me:{SECRET}@broker/topic"),
        ("collect", "--lake", f"s3://me:{SECRET}@bucket/lake"),
        ("query", "--lake", f"s3://bucket/lake?key={SECRET}"),
        ("import", "--lake", "x", f"s3://me:{SECRET}@bucket/lake"),
    ],
)
def test_a_password_where_none_is_taken_is_masked_as_well(
    run: Run, arguments: tuple[str, ...]
) -> None:
    status, out, err = run(*arguments, "-v")
    assert status != 0
    assert SECRET not in out + err


def test_a_file_here_that_somebody_else_may_write_is_not_trusted(run: Run) -> None:
    file = put("[query]\nlimit = 1\n", mode=0o646)
    status, _, err = run("query")
    assert status == 2
    assert f"{file} belongs to another user, or others may write it" in err
    said = origins(run("query", "-v", "--config", str(file))[2])
    assert said["--limit"].startswith("1 (file ")


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can give a file away"
)
def test_a_file_here_of_somebody_else_is_not_trusted(run: Run) -> None:
    os.chown(put("[query]\nlimit = 1\n"), 12345, 12345)
    status, _, err = run("query")
    assert status == 2
    assert "belongs to another user" in err


def test_help_is_given_whatever_a_file_says_and_tells_the_defaults_of_the_program(
    run: Run,
) -> None:
    put("[collect]\nbatch_size = 77\n")
    _, as_ever, _ = run("collect", "--help")
    assert "77" not in as_ever
    assert "[default: 600]" in as_ever
    put("[colect")
    assert run("collect", "--help") == (0, as_ever, "")
    assert run("collect")[0] == 2


def test_completion_works_whatever_a_file_says(start: Start, here: Path) -> None:
    put("[colect")
    process = start(
        COMP_WORDS="bitso-spread collect --inter",
        COMP_CWORD="2",
        _BITSO_SPREAD_COMPLETE="complete_bash",
    )
    out, _ = process.communicate()
    assert out.split() == ["--interval"]
    assert here.exists()


def test_verbose_adds_lines_and_changes_nothing_else(run: Run) -> None:
    Path("BitsoSpreadMonitor").mkdir()
    status, out, err = run("query")
    more = run("query", "--verbose")
    assert more[:2] == (status, out)
    assert more[2].endswith(err)
    assert run("-v", "query") == more


def test_every_line_is_an_object_also_under_verbose(run: Run) -> None:
    import json

    status, _, err = run("collect", "-v", "--log-format", "json", "-e", "moon")
    assert status == 2
    assert [json.loads(line)["message"] for line in err.splitlines()][-1].startswith("there is no")


def test_a_service_gets_what_a_file_says_of_collect_in_so_many_words(run: Run, here: Path) -> None:
    file = put(
        "lake = 'data'\nbook = ['btc_mxn', 'usd_mxn']\nquiet = true\n"
        "[collect]\nbatch_size = 300\nalign = true\nduration = '1h'\nmax_stale = 2\n"
    )
    _, out, err = run("service", "systemd", "--no-align", "--max-stale", "4", "-v")
    words = out.partition("ExecStart=")[2].partition("\nRestart=")[0]
    for part in (f"--lake {here}/data", "--book btc_mxn", "--book usd_mxn", "--batch-size 300"):
        assert part in words
    for part in ("align", "quiet", "verbose", "duration"):
        assert part not in words
    assert words.count("--max-stale") == 1
    assert origins(err)["--batch-size"] == f"300 (file {file})"
    put(file.read_text().replace("quiet = true\n", ""))
    _, _, err = run("service", "docker")
    assert f"written into it, as {file} has them: --book, --batch-size, --align, --max-stale" in err
    assert f"lake in {file} is left out" in err
    assert f"duration in [collect] of {file} is left out" in err


def test_a_variable_does_not_hide_from_a_service_what_the_file_says(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("[collect]\nbatch_size = 300\n")
    monkeypatch.setenv("BITSO_SPREAD_COLLECT_BATCH_SIZE", "60")
    _, out, err = run("service", "airflow")
    assert '"*/5 * * * *"' in out
    assert "--batch-size is set by a variable here" in err


def test_the_file_in_the_readme_is_taken(run: Run) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    file = put(example)
    said = origins(run("query", "-v")[2])
    assert said["--tz"] == f"America/Mexico_City (file {file})"
    said = origins(run("collect", "-v", "-e", "moon")[2])
    assert said["--batch-size"] == f"600 (file {file})"
    assert said["--align"] == f"on (file {file})"
    status, out, _ = run("service", "systemd")
    assert status == 0
    assert "\nUser=recorder\n" in out
    assert "--alert btc_mxn=0.3" in out


def test_what_nobody_typed_does_not_stand_in_the_way_of_a_question(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_batch(here / "data", "btc_mxn", datetime(2026, 9, 21, tzinfo=UTC))
    put_batch(here / "data", "usd_mxn", datetime(2026, 9, 21, tzinfo=UTC))
    put('lake = "data"\nbook = ["btc_mxn"]\n[query]\nthreshold = [0.2]\n')
    count = ("query", "--sql", "SELECT count(*) AS n FROM BitsoSpreadMonitor")
    status, out, err = run(*count)
    assert (status, out) == (0, "n\n20\n")
    assert "--book is set by book in" in err
    assert "does not bear on --sql" in err
    monkeypatch.setenv("BITSO_SPREAD_BOOK", "usd_mxn")
    assert run(*count)[:2] == (0, "n\n20\n")
    assert "set by BITSO_SPREAD_BOOK" in run(*count)[2]
    assert run(*count, "-b", "btc_mxn")[0] == 2
    status, out, _ = run("query", "--limit", "1")
    assert status == 0
    assert "usd_mxn" in out
