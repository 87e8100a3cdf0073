"""Variables of the environment that are misspelt are told of, and those that are known are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bitso_spread.alerts import config as alerts
from bitso_spread.publish import properties
from bitso_spread.settings_files import VARIABLE as CONFIG
from tests.cli.support import Run, commands
from tests.lake.compact_support import batch

KNOWN_EVERYWHERE = ["LAKE", "STATE", "TABLE", "BOOK", "ENVIRONMENT", "REST_URL", "WS_URL", "TZ"]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    batch(tmp_path / "lake", 0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "lake"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("LAEK", "; did you mean BITSO_SPREAD_LAKE?"),
        ("BOOKS", "; did you mean BITSO_SPREAD_BOOK?"),
        ("QUERY_LIMT", "; did you mean BITSO_SPREAD_QUERY_LIMIT?"),
        ("COLECT_BATCH_SIZE", "; did you mean BITSO_SPREAD_COLLECT_BATCH_SIZE?"),
        ("HOME_DIR", ""),
    ],
)
def test_one_that_is_misspelt_is_told_of_once(
    name: str, said: str, run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = run("query", "--lake", str(lake))
    monkeypatch.setenv(f"BITSO_SPREAD_{name}", "7")
    told = f"bitso-spread: the variable BITSO_SPREAD_{name} means nothing, and is left out{said}\n"
    assert run("query", "--lake", str(lake)) == (status, out, told + err)
    assert run("query", "--quiet", "--lake", str(lake)) == (status, out, "")


def test_one_whose_command_takes_its_options_elsewhere_is_told_of(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BITSO_SPREAD_COLLECT_BATCHSIZE", "5")
    status, _, err = run("collect", "--duration", "nonsense")
    assert status == 2
    assert "BATCHSIZE means nothing, and is left out; did you mean BITSO_SPREAD_COLLECT_BATC" in err


@pytest.mark.parametrize("name", ["COLLECT_BATCHSIZE", "SERVICE_SYSTEMD_NAME", "VERIFY_X"])
def test_what_begins_as_another_command_s_do_is_that_one_s_business(
    name: str, run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run("query", "--lake", str(lake))
    monkeypatch.setenv(f"BITSO_SPREAD_{name}", "x")
    assert run("query", "--lake", str(lake)) == before


def test_what_the_program_reads_is_known(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").touch()
    monkeypatch.chdir(tmp_path)
    for name in (alerts.VARIABLE, properties.VARIABLE, *KNOWN_EVERYWHERE):
        monkeypatch.setenv(name if name.startswith("BITSO") else f"BITSO_SPREAD_{name}", "lake")
    monkeypatch.setenv(CONFIG, str(tmp_path / "settings.toml"))
    monkeypatch.setenv("BITSO_SPREAD_STATUS_FORMAT", "json")
    monkeypatch.setenv("BITSO_SPREAD_DEBUG", "0")
    status, out, err = run("status")
    assert (status, json.loads(out)["healthy"]) == (1, False)
    assert "means nothing" not in err


def test_each_option_s_variable_that_help_names_is_known(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = commands()["doctor"].params
    names = [f"BITSO_SPREAD_DOCTOR_{param.name}".upper() for param in params if param.name]
    assert "BITSO_SPREAD_DOCTOR_FORMAT" in names
    for name in names:
        monkeypatch.setenv(name, "nonsense")
    status, _, err = run("doctor")
    assert status == 2
    assert "means nothing" not in err
