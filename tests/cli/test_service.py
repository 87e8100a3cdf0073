"""`bitso-spread service`: what it prints is read by what it is for, where that is here."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from bitso_spread.lake.journal import Identity
from bitso_spread.lake.layout import TABLE, state_file
from bitso_spread.lake.state import LakeState
from tests.cli.support import Run, commands
from tests.service.support import AWKWARD, argv_of_systemd

KINDS = ["systemd", "docker", "compose", "airflow"]
GIVEN = ["-b", "btc_mxn,usd_mxn", "--alert", "0.5", "--alert", "btc_mxn=0.3"]
PASSED_ON = ["--book", "btc_mxn,usd_mxn", "--alert", "0.5", "--alert", "btc_mxn=0.3"]
ADVISED = ["--format", "parquet", "--columns", "full"]
PROGRAM = "/opt/my programs/bitso-spread"


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAKE", "BOOK", "ENVIRONMENT", "REST_URL", "WS_URL"):
        monkeypatch.delenv(f"BITSO_SPREAD_{name}", raising=False)


def read_unit(text: str) -> configparser.ConfigParser:
    # Values may be given twice; what a line continues on the next one is one value.
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    # It would take the names of settings in lower case.
    setattr(parser, "optionxform", str)  # noqa: B010  (mypy refuses to assign a method)
    parser.read_string(text.replace(" \\\n   ", ""))
    return parser


def read_dags(text: str) -> dict[str, object]:
    """Give the values that the DAG's text names."""
    values = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                values[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return values


def bash_command(text: str, task: str) -> str:
    """Give what a task hands to bash, with stand-ins for what the DAG's text imports of Airflow."""
    given: dict[str, str] = {}

    class Operator:
        def __init__(self, *, task_id: str, bash_command: str, **_: object) -> None:
            given[task_id] = bash_command

        def __rshift__(self, _: object) -> None:
            pass

    lines = [line for line in text.splitlines() if not line.startswith("from airflow")]
    names = {
        "BashOperator": Operator,
        "DAG": lambda **_: nullcontext(),
        "CronDataIntervalTimetable": lambda *_, **__: None,
        "CronTriggerTimetable": lambda *_, **__: None,
        "literal": str,
    }
    exec("\n".join(lines), names)  # noqa: S102  (what was printed is what is tested)
    return given[task]


def said_by(command: str) -> list[str]:
    """Run it in bash, as the BashOperator does, and give the lines that it prints."""
    done = subprocess.run(
        ["bash", "-c", command],
        env={"PATH": os.environ["PATH"], "DAY": "20240726"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def command_of(kind: str, out: str) -> list[str]:
    """Read the arguments of `collect` out of what was printed, without the target's own tools."""
    if kind == "systemd":
        # No word of these tests has anything that systemd reads otherwise than a shell.
        return shlex.split(read_unit(out)["Service"]["ExecStart"])[2:]
    if kind == "docker":
        line = next(line for line in out.splitlines() if line.startswith("CMD "))
        return list(json.loads(line.removeprefix("CMD ")))[1:]
    if kind == "compose":
        block = out.partition("    command:\n")[2].partition("    restart:")[0]
        return [json.loads(line.strip().removeprefix("- ")) for line in block.splitlines()][1:]
    words = read_dags(out)["COLLECT"]
    assert isinstance(words, list)
    return words


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_passes_collect_s_options_on(kind: str, run: Run) -> None:
    status, out, _ = run("service", kind, *GIVEN)
    assert status == 0
    words = command_of(kind, out)
    assert words[0] == "--lake"
    assert words[2 : 2 + len(ADVISED) + len(PASSED_ON)] == [*ADVISED, *PASSED_ON]


EACH = {
    "book": "eth_mxn",
    "environment": "production",
    "lake": "s3://bucket/lake",
    "state": "/srv/half",
    "format": "csv",
    "columns": "five",
    "interval": "2",
    "batch-size": "300",
    "align": None,
    "wait": None,
    "alert": "0.5",
    "alert-hold": "4s",
    "alert-cooldown": "6m",
    "alert-command": "mail -s 'too wide' me",
    "publish": "kafka://broker:9092/spread",
    "log-format": "json",
    "rest-url": "https://api.example.com/v3",
    "ws-url": "wss://ws.example.com",
    "table": "Other",
    "refresh-after": "61",
    "max-wait": "62",
    "max-stale": "4",
    "metrics-port": "9464",
    "metrics-host": "127.0.0.2",
}
"""Every option of `collect` that a service can have, with another value than its default."""


def test_no_option_of_collect_is_forgotten_here() -> None:
    options: list[Any] = commands()["collect"].params
    names = {max(option.opts, key=len)[2:] for option in options if not option.hidden}
    assert names == {*EACH, "batches", "duration"}


def toml_line(pair: tuple[str, str | None]) -> str:
    name, value = pair
    if value is None:
        return f"{name} = true\n"
    return f"{name} = {value if value.isdigit() else json.dumps(value)}\n"


@pytest.mark.parametrize("way", ["typed", "in a file"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_option_of_collect_is_lost(kind: str, way: str, run: Run, tmp_path: Path) -> None:
    # The volume of an image is the local half, whatever files say; runs that overlap have no port.
    place = {
        "docker": {"state"} if way == "typed" else set(),
        "airflow": {"metrics-port", "metrics-host"},
    }.get(kind, set())
    given = {name: value for name, value in EACH.items() if name not in place}
    if way == "typed":
        arguments = [
            f"--{name}" if value is None else f"--{name}={value}" for name, value in given.items()
        ]
    else:
        file = tmp_path / "settings.toml"
        file.write_text("[collect]\n" + "".join(map(toml_line, given.items())))
        arguments = ["--config", str(file)]
    status, out, err = run("service", kind, *arguments)
    assert status == 0, err
    words = command_of(kind, out)
    expected = given | ({"state": "/lake"} if kind in {"docker", "compose"} else {})
    pairs = [
        [f"--{name}"] if value is None else [f"--{name}", value] for name, value in expected.items()
    ]
    for pair in pairs:
        assert [pair] == [
            words[at : at + len(pair)] for at, word in enumerate(words) if word == pair[0]
        ]
    assert len(words) == sum(map(len, pairs))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_advised_is_said_and_gives_way(kind: str, run: Run) -> None:
    _, _, err = run("service", kind)
    assert "--format parquet is advised" in err
    assert "--columns full is advised" in err
    _, out, err = run("service", kind, "--format", "csv", "--columns=five")
    assert command_of(kind, out)[2:6] == ["--format", "csv", "--columns", "five"]
    assert err == ""


@pytest.mark.parametrize("kind", ["systemd", "compose", "airflow"])
def test_nothing_is_advised_that_contradicts_a_table_which_is_there(
    kind: str, run: Run, tmp_path: Path
) -> None:
    with LakeState(state_file(tmp_path, TABLE)) as state:
        held = Identity("production", None, "csv", "five", 2)
        state.claim(held, settle=True)
    before = sorted(tmp_path.rglob("*"))
    options = ["--lake", str(tmp_path), "--batch-size", "300"]
    status, out, err = run("service", kind, *options)
    assert status == 0
    assert "--format" not in out
    assert "--columns" not in out
    assert err == (
        "bitso-spread: --format and --columns: not given, and left to the table, which is there "
        "already\n"
    )
    # The interval, too, is the table's.
    assert kind != "airflow" or "*/10 * * * *" in out
    assert sorted(tmp_path.rglob("*")) == before
    _, out, err = run("service", kind, *options, "--format", "csv")
    assert "--columns" not in out
    assert err.startswith("bitso-spread: --columns: not given")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--batchsize", "9"], "No such option: --batchsize"),
        (["--format", "xml"], "--format 'xml': choose csv or parquet"),
        (["--interval", "7"], "divide a day"),
        (["--interval", "x"], "valid integer"),
        (["--max-stale", "0"], "--max-stale must be above 0"),
        (["--columns", "six"], "six"),
        (["--book", "btc"], "'btc' is not a book"),
        (["--environment", "moon"], "there is no environment 'moon'"),
        (["-e", "stage"], "--ws-url"),
        (["--rest-url", "https://me:secret@x.com"], "must not hold a user or a password"),
        (["--table", "../x"], "--table"),
        (["--alert", "much"], "much"),
        (["--publish", "kafka://me:secret@b/t"], "--publish holds a user or a password"),
        (["stray"], "stray"),
        (["--duration", "1h"], "leave --duration out"),
        (["--batches", "6"], "leave --batches out"),
    ],
)
def test_what_collect_would_refuse_is_refused_here(wrong: list[str], said: str, run: Run) -> None:
    status, out, err = run("service", "systemd", *wrong)
    assert (status, out) == (2, "")
    assert said in err
    assert "secret" not in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["systemd", "--lake", "data"], "make --lake absolute"),
        (["systemd", "--program", "bitso-spread"], "make --program absolute"),
        (["systemd", "--program", "/opt/$x"], "dollar sign"),
        (["systemd", "--user", "root"], "not root"),
        (["systemd", "--user", "a b"], "name an account"),
        (["docker", "--batchsize", "9"], "No such option: --batchsize"),
        (["compose", "--batchsize", "9"], "No such option: --batchsize"),
        (["airflow", "--batchsize", "9"], "No such option: --batchsize"),
        (["docker", "--lake", "data"], "leave --lake out"),
        (["docker", "--metrics-port", "0"], "name one"),
        (["compose", "--metrics-port", "0"], "name one"),
        (["compose", "--lake", "a\nb"], "control character"),
        (["airflow", "--lake", "data"], "make --lake absolute"),
        (["airflow", "--reports", "r"], "make --reports absolute"),
        (["airflow", "--metrics-port", "9464"], "leave --metrics-port out"),
        (["airflow", "--batch-size", "90"], "whole minutes"),
        (["airflow", "--batch-size", "420"], "divide an hour"),
    ],
)
def test_what_a_target_cannot_do_is_refused(arguments: list[str], said: str, run: Run) -> None:
    status, out, err = run("service", *arguments)
    assert (status, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("kind", KINDS)
def test_secrets_of_this_shell_go_nowhere(
    kind: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BITSO_API_KEY", "BITSO_API_SECRET", "BITSO_SPREAD_ALERT_WEBHOOK"):
        monkeypatch.setenv(name, "https://example.com/geheim")
    status, out, err = run("service", kind)
    assert status == 0
    assert "geheim" not in out + err


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", ["in the environment", "in a file"])
def test_a_webhook_that_alerts_need_is_not_left_out_in_silence(
    kind: str, kept: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, file = "https://example.com/geheim", tmp_path / "settings.toml"
    file.touch(mode=0o600)
    if kept == "in a file":
        file.write_text(f'[alerts]\nwebhook = "{url}"\n')
    else:
        monkeypatch.setenv("BITSO_SPREAD_ALERT_WEBHOOK", url)
    status, out, err = run("service", kind, "--config", str(file), "--alert", "0.5", "--quiet")
    assert status == 0
    assert "geheim" not in out + err
    assert "is not written into it" in err
    assert "set BITSO_SPREAD_ALERT_WEBHOOK where its first lines say" in err
    assert (str(file) in err) is (kept == "in a file")
    assert "BITSO_SPREAD_ALERT_WEBHOOK" in out


def test_where_kafka_s_secrets_are_is_not_left_out_in_silence(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BITSO_SPREAD_PUBLISH_PROPERTIES", "/home/me/kafka.properties")
    status, out, err = run("service", "compose", "--publish", "kafka://broker:9092/spread")
    assert status == 0
    assert "set BITSO_SPREAD_PUBLISH_PROPERTIES where its first lines say" in err
    assert "kafka.properties" not in out
    _, _, err = run("service", "compose")
    assert "PROPERTIES" not in err


def test_variables_of_this_shell_are_not_taken_along_and_that_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BITSO_SPREAD_LAKE", "elsewhere")
    monkeypatch.setenv("BITSO_SPREAD_ENVIRONMENT", "sim")
    monkeypatch.setenv("BITSO_SPREAD_COLLECT_BATCH_SIZE", "60")
    _, out, err = run("service", "airflow")
    assert "elsewhere" not in out
    assert "SIMULATED" not in out
    assert '"*/10 * * * *"' in out
    for name in ("--lake", "--environment", "--batch-size"):
        assert f"{name} is set by a variable here, which the service will not see" in err
    _, out, err = run("service", "airflow", "--lake", "/srv/lake", "-e", "sim", "--batch-size=300")
    assert "SIMULATED" in out
    assert '"*/5 * * * *"' in out
    assert "variable" not in err


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asked", ["-h", "--help"])
def test_each_kind_has_help_with_an_example(kind: str, asked: str, run: Run) -> None:
    status, out, _ = run("service", kind, asked)
    assert status == 0
    assert f"Example: bitso-spread service {kind} " in out


def test_a_book_that_is_joined_to_its_option_is_not_taken_for_a_wish_for_help(run: Run) -> None:
    _, out, _ = run("service", "systemd", "-beth_mxn")
    assert command_of("systemd", out)[-2:] == ["--book", "eth_mxn"]


def test_options_may_also_stand_after_two_dashes(run: Run) -> None:
    _, out, _ = run(
        "service", "systemd", "--user", "me", "--", "--align", "--alert-command=--user x"
    )
    unit = read_unit(out)["Service"]
    assert unit["User"] == "me"
    assert command_of("systemd", out)[-3:] == ["--align", "--alert-command", "--user x"]


# systemd


def test_the_unit_stops_in_order_and_starts_again(run: Run) -> None:
    _, out, _ = run("service", "systemd", "--program", PROGRAM)
    unit = read_unit(out)["Service"]
    assert shlex.split(unit["ExecStart"])[:2] == [PROGRAM, "collect"]
    assert (unit["Restart"], unit["RestartPreventExitStatus"]) == ("always", "2")
    assert (unit["KillSignal"], unit["TimeoutStopSec"]) == ("SIGTERM", "60")
    assert unit["MemoryMax"] == "512M"
    assert unit["EnvironmentFile"] == "-/etc/bitso-spread.env"
    assert unit["ProtectSystem"] == "strict"


def test_only_a_lake_of_its_own_choice_is_opened_for_writing(run: Run) -> None:
    _, out, _ = run("service", "systemd")
    assert "ReadWritePaths" not in read_unit(out)["Service"]
    assert command_of("systemd", out)[:2] == ["--lake", "/var/lib/bitso-spread/lake"]
    _, out, _ = run("service", "systemd", "--lake", "/srv/100%/BitsoSpreadMonitor")
    assert read_unit(out)["Service"]["ReadWritePaths"] == '"/srv/100%%"'
    assert command_of("systemd", out).count("--lake") == 1


@pytest.mark.parametrize(
    ("lake", "seen"), [("/srv/lake", "yes"), ("/home/me/lake", "read-only"), ("/homes", "yes")]
)
def test_a_lake_at_home_is_not_hidden(lake: str, seen: str, run: Run) -> None:
    _, out, _ = run("service", "systemd", "--lake", lake, "--program", "/opt/bitso-spread")
    assert read_unit(out)["Service"]["ProtectHome"] == seen


def test_the_health_of_a_table_is_asked_by_status(run: Run) -> None:
    arguments = ["--lake", "/srv/lake", "--table", "Other", "--program", PROGRAM]
    _, out, _ = run("service", "systemd", "--unit", "health", *arguments)
    expected = [PROGRAM, "status", "--lake", "/srv/lake", "--table", "Other"]
    assert shlex.split(read_unit(out)["Service"]["ExecStart"]) == expected
    _, out, err = run("service", "systemd", "--unit", "timer")
    assert err == ""
    assert read_unit(out)["Timer"]["OnUnitActiveSec"] == "30"


def test_why_it_is_not_well_is_in_systemd_s_journal(run: Run) -> None:
    _, out, _ = run("service", "systemd", "--unit", "health")
    unit = read_unit(out)["Service"]
    # Without the second, it would be null as well: systemd's default is to inherit the first.
    assert (unit["StandardOutput"], unit["StandardError"]) == ("null", "journal")


def test_systemd_hands_collect_awkward_words_as_they_were(run: Run) -> None:
    _, out, _ = run("service", "systemd", f"--alert-command={shlex.join(AWKWARD)}")
    assert argv_of_systemd(out)[-2:] == ["--alert-command", shlex.join(AWKWARD)]


def test_systemd_finds_nothing_wrong_with_the_units(run: Run, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    files = []
    names = {"recorder": "bitso-spread.service", "health": "bitso-spread-health.service"}
    for which, name in {**names, "timer": "bitso-spread-health.timer"}.items():
        # The program must be there.
        arguments = ["--unit", which, "--program", sys.executable, "--lake", "/srv/my lake"]
        _, out, _ = run("service", "systemd", *arguments, *GIVEN)
        files.append(tmp_path / name)
        files[-1].write_text(out)
    command = ["systemd-analyze", "verify", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("which", ["recorder", "health"])
def test_systemd_finds_the_units_confined(which: str, run: Run, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / f"{which}.service"
    _, out, _ = run("service", "systemd", "--unit", which, "--program", sys.executable)
    unit.write_text(out)
    # From 0 (safe) to 100; they have 14 and 12.
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=15", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


# Docker and Compose


def test_metrics_are_reached_from_outside_of_a_container_and_from_this_host_alone(run: Run) -> None:
    _, out, _ = run("service", "docker", "--metrics-port", "9464")
    assert command_of("docker", out)[-2:] == ["--metrics-host", "0.0.0.0"]  # noqa: S104  (expected)
    assert "\nEXPOSE 9464\n" in out
    assert '"/src[metrics]"' in out
    _, out, _ = run("service", "compose", "--metrics-port", "9464")
    assert '      - "127.0.0.1:9464:9464"\n' in out
    _, out, _ = run("service", "compose", "--metrics-port", "9464", "--metrics-host", "::")
    assert command_of("compose", out)[-2:] == ["--metrics-host", "::"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_publishes_gets_its_extra_and_is_told_where_secrets_go(kind: str, run: Run) -> None:
    _, out, _ = run("service", kind, "--publish", "kafka://broker:9092/spread")
    assert "--publish kafka://broker:9092/spread" in " ".join(command_of(kind, out))
    if kind == "docker":
        assert '"/src[kafka]"' in out
    # A worker of Airflow has an environment of its own.
    assert ("BITSO_SPREAD_PUBLISH_PROPERTIES" in out) is (kind != "airflow")
    _, out, _ = run("service", kind, "--publish", "none")
    assert "BITSO_SPREAD_PUBLISH_PROPERTIES" not in out
    assert "[kafka]" not in out


def test_the_image_is_not_root_s_and_looks_after_itself(run: Run) -> None:
    _, out, _ = run("service", "docker", "--table", "Other")
    lines = out.replace("\\\n", "").splitlines()
    assert "USER 10001:10001" in lines
    assert 'VOLUME ["/lake"]' in lines
    assert "STOPSIGNAL SIGTERM" in lines
    health = next(line for line in lines if line.startswith("HEALTHCHECK"))
    command = ["bitso-spread", "status", "--lake", "/lake", "--table", "Other"]
    assert json.loads(health.partition(" CMD ")[2]) == command
    # Beside the table: the root is read-only, and the volume is the lake.
    assert any("XDG_STATE_HOME=/lake/.bitso-spread" in line for line in lines)


@pytest.mark.parametrize(
    ("lake", "source"),
    [
        ("data", "./data"),
        ("../data", "../data"),
        ("/srv/$x/BitsoSpreadMonitor", "/srv/$$x"),
    ],
)
def test_a_folder_of_the_host_becomes_the_volume(lake: str, source: str, run: Run) -> None:
    _, out, _ = run("service", "compose", "--lake", lake)
    assert f'source: "{source}"\n        target: /lake\n' in out
    assert "\nvolumes:\n" not in out
    assert command_of("compose", out)[:2] == ["--lake", "/lake"]


def test_the_linter_finds_nothing_wrong_with_the_dockerfile(run: Run, tmp_path: Path) -> None:
    if not shutil.which("hadolint"):
        pytest.skip("hadolint is not installed")
    file = tmp_path / "Dockerfile"
    _, out, _ = run("service", "docker", "--alert-command", "sh -c 'echo \"100%\" $X'", *GIVEN)
    file.write_text(out)
    command = ["hadolint", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("more", [[], ["--lake", "./my data", "--metrics-port", "9464"]])
def test_the_compose_file_keeps_to_its_schema(more: list[str], run: Run, tmp_path: Path) -> None:
    if not shutil.which("check-jsonschema"):
        pytest.skip("check-jsonschema is not installed")
    file = tmp_path / "compose.yaml"
    _, out, _ = run("service", "compose", "--alert-command", "sh -c 'x: $Y \"%\"'", *more)
    file.write_text(out)
    command = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# Airflow


def test_the_dags_are_python_and_hand_over_awkward_words(run: Run) -> None:
    _, out, _ = run("service", "airflow", f"--alert-command={shlex.join(AWKWARD)}")
    given = ["--alert-command", shlex.join(AWKWARD)]
    assert command_of("airflow", out)[-4:] == [*given, "--align", "--wait"]
    assert "literal(BATCH)" in out


def test_runs_follow_on_each_other(run: Run) -> None:
    _, out, _ = run("service", "airflow", "--lake", "/srv/lake", "--align", "--wait")
    assert command_of("airflow", out).count("--wait") == 1
    assert 'schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC")' in out
    assert '"--batches", "1"' in out
    assert '"--duration", "660s"' in out
    _, out, _ = run("service", "airflow", "--batch-size", "60", "--interval", "60")
    assert 'CronTriggerTimetable("0 * * * *"' in out


def test_each_day_is_kept(run: Run) -> None:
    arguments = ["--lake", "/srv/lake", "--table", "Other", "--max-missing", "60"]
    _, out, _ = run("service", "airflow", *arguments, "--reports", "/srv/my reports")
    values = read_dags(out)
    assert values["LAKE"] == ["--lake", "/srv/lake", "--table", "Other"]
    assert values["REPORTS"] == "/srv/my reports"
    assert values["YESTERDAY"] == {"DAY": "{{ data_interval_start | ds_nodash }}"}
    assert "--max-missing 60 " in out
    assert "compact >> [verify, report]" in out


def dag_ids(run: Run, *arguments: str) -> list[str]:
    """Give what the two DAGs are called, without what all of them have in common."""
    _, out, _ = run("service", "airflow", *arguments)
    batches, daily = re.findall(r'dag_id="(.*)",', out)
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,250}", batches)
    assert batches.removeprefix("bitso_spread_batches") == daily.removeprefix("bitso_spread_daily")
    return [batches, daily]


def test_dags_of_several_lakes_and_tables_are_told_apart(run: Run) -> None:
    assert dag_ids(run) == ["bitso_spread_batches", "bitso_spread_daily"]
    assert dag_ids(run, "--lake", "/var/lib/bitso-spread/lake", "-b", "all") == dag_ids(run)
    assert dag_ids(run, "--lake", "/srv/lake")[1] == "bitso_spread_daily--srv.lake"
    assert dag_ids(run, "--table", "Mine")[1] == "bitso_spread_daily--Mine"
    assert dag_ids(run, *STORE, "--table", "Mine")[1] == "bitso_spread_daily--s3--bucket.lake--Mine"
    others = [
        "/srv/lake",
        "/srv.lake",
        "/srv/la ke",
        "/srv/la_ke",
        "/srv/la'ke",
        "/" + "a" * 240,
        "/" + "a" * 241,
        "s3://bucket/lake",
        "gs://bucket/lake",
    ]
    found = [dag_ids(run, "--lake", lake)[0] for lake in others]
    assert len({*found}) == len(others)
    # The same lake is the same, however it is written.
    same = ("/srv/lake/", "/srv/lake/BitsoSpreadMonitor", "/srv//lake")
    assert {dag_ids(run, "--lake", lake)[0] for lake in same} == {found[0]}
    of_store = {dag_ids(run, "--lake", f"s3://bucket/lake{end}")[0] for end in ("", "/")}
    assert of_store == {found[-2]}


def test_airflow_itself_takes_the_dags(run: Run, tmp_path: Path) -> None:
    airflow = shutil.which("airflow")
    if airflow is None:
        pytest.skip("Airflow is not installed")
    file = tmp_path / "bitso_spread_dags.py"
    _, out, _ = run("service", "airflow", f"--alert-command={shlex.join(AWKWARD)}", *GIVEN)
    file.write_text(out)
    look = (
        "import runpy, sys; named = runpy.run_path(sys.argv[1]); "
        "print(sorted(named['compact'].downstream_task_ids))"
    )
    done = subprocess.run(
        [Path(airflow).with_name("python"), "-c", look, file],
        env={"AIRFLOW_HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "['report', 'verify']\n"), done.stderr[-500:]


STORE = ["--lake", "s3://bucket/lake", "-b", "btc_mxn"]


def test_a_lake_in_object_storage_has_its_local_half_written_and_asked(run: Run) -> None:
    _, out, _ = run("service", "systemd", *STORE, "--program", PROGRAM)
    expected = ["--lake", "s3://bucket/lake", "--state", "/var/lib/bitso-spread/state"]
    assert command_of("systemd", out)[:4] == expected
    assert "ReadWritePaths" not in out
    assert "the store's credentials, such as AWS_ACCESS_KEY_ID" in out
    _, out, _ = run("service", "systemd", *STORE, "--state", "/srv/half", "--program", PROGRAM)
    assert command_of("systemd", out)[:4] == [*expected[:3], "/srv/half"]
    assert command_of("systemd", out).count("--state") == 1
    assert "ReadWritePaths=/srv/half\n" in out
    _, out, _ = run("service", "systemd", *STORE, "--unit", "health", "--program", PROGRAM)
    assert "status \\\n    --lake /var/lib/bitso-spread/state\n" in out


@pytest.mark.parametrize("kind", ["systemd", "docker", "compose"])
def test_the_store_s_credentials_are_not_said_to_be_in_kafka_s_file(kind: str, run: Run) -> None:
    _, out, _ = run("service", kind, *STORE, "--publish", "kafka://broker:9092/spread")
    webhook, store, kafka = map(out.index, ["ALERT_WEBHOOK", "the store's credentials", "Kafka's"])
    assert webhook < store < kafka


def test_a_container_has_the_local_half_in_its_volume(run: Run) -> None:
    for target in ("docker", "compose"):
        _, out, _ = run("service", target, *STORE)
        expected = ["--lake", "s3://bucket/lake", "--state", "/lake"]
        assert command_of(target, out)[:4] == expected
    _, out, _ = run("service", "docker", *STORE)
    assert "/src[cloud]" in out
    assert "BITSO_SPREAD_LAKE=s3://bucket/lake" in out
    assert "the store's credentials, such as AWS_ACCESS_KEY_ID" in out
    assert "BITSO_SPREAD_STATE=/lake" in out
    _, out, _ = run("service", "compose", *STORE, "--state", "./half")
    assert "the store's credentials, such as AWS_ACCESS_KEY_ID" in out
    assert 'source: "./half"\n        target: /lake\n' in out


def test_a_dag_keeps_the_days_of_the_store(run: Run) -> None:
    _, out, _ = run("service", "airflow", *STORE, "--state", "/srv/half", "--program", PROGRAM)
    assert "LAKE = [\n    '--lake', 's3://bucket/lake',\n]" in out
    assert "    '--state', '/srv/half',\n" in out


@pytest.mark.parametrize("task", ["verify", "report"])
def test_a_day_of_the_store_is_looked_at_with_the_journal_where_it_is_on_the_worker(
    task: str, run: Run, tmp_path: Path
) -> None:
    half, program = tmp_path / "ha'lf $x {{ ds }}", tmp_path / "told"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    reports = str(tmp_path / "reports")
    arguments = [*STORE, "--state", str(half), "--program", str(program), "--reports", reports]
    _, out, _ = run("service", "airflow", *arguments)
    command = bash_command(out, task)
    asked = [task, "--lake", "s3://bucket/lake"]
    words = said_by(command)
    assert words[:3] == asked
    assert "--state" not in words
    half.mkdir()
    assert said_by(command) == [*words, "--state", str(half)]


def test_a_day_of_a_folder_needs_no_other_journal(run: Run) -> None:
    _, out, _ = run("service", "airflow", "--lake", "/srv/lake")
    assert "--state" not in out
    assert "$@" not in out


def test_a_dag_says_what_its_worker_must_have(run: Run) -> None:
    _, out, _ = run("service", "airflow", *STORE, "--publish", "kafka://broker:9092/spread")
    said = " ".join((ast.get_docstring(ast.parse(out)) or "").split())
    assert "has bitso-spread[cloud,kafka,report], and the folder of --state on a disk" in said
    assert "the store's credentials, such as AWS_ACCESS_KEY_ID" in said
    assert "Kafka's user, password and TLS" in said
    _, out, _ = run("service", "airflow")
    said = " ".join((ast.get_docstring(ast.parse(out)) or "").split())
    assert "has bitso-spread[report], and the lake on a disk" in said
    assert "AWS" not in said
    assert "Kafka" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["docker", *STORE, "--state", "/x"], "leave it out"),
        (["systemd", *STORE, "--state", "x"], "make --state absolute"),
        (["systemd", "--state", "/x"], "--state goes with a lake in object storage"),
        (["systemd", "--lake", "ftp://x/y"], "ftp:// is no lake"),
    ],
)
def test_a_local_half_that_makes_no_sense_is_refused(
    arguments: list[str], said: str, run: Run
) -> None:
    status, out, err = run("service", *arguments)
    assert (status, out) == (2, "")
    assert said in err
