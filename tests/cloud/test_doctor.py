"""What the doctor sees of a lake in object storage, and that it leaves nothing behind."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

import bitso_spread.doctor
import bitso_spread.errors
from bitso_spread.clock import SYSTEM_CLOCK
from bitso_spread.cloud.objects import ObjectStore
from bitso_spread.cloud.version import Version
from bitso_spread.doctor import Finding, Outcome, examine
from bitso_spread.doctor.store import check_store, check_store_clock
from bitso_spread.exchange.environment import environment
from bitso_spread.lake.layout import TABLE
from bitso_spread.sim.server import SimulatedExchange
from tests.cli.support import Run, here
from tests.cloud.conftest import S3
from tests.cloud.gateway import Request
from tests.cloud.lease_support import host
from tests.doctor.support import BOOKS, FAST, failed, lively, of

STORE = ["object storage", "an object in it", "conditional puts", "clock of the store"]
LOCAL = ["state writable", "room on the disk"]


def findings_of(s3: S3, state: Path) -> dict[str, Finding]:
    findings = check_store(s3.url, TABLE, BOOKS, state, SYSTEM_CLOCK)
    return {finding.check: finding for finding in findings}


def test_all_is_well_and_nothing_is_left_behind(s3: S3, tmp_path: Path) -> None:
    findings = findings_of(s3, tmp_path / "state")
    assert list(findings) == [*STORE, "other collectors", *LOCAL]
    assert of(findings, Outcome.WARNING, Outcome.FAILED, Outcome.SKIPPED) == set()
    assert s3.gateway.counts()["put"] > 0
    assert s3.store().objects() == []
    assert list(tmp_path.iterdir()) == []


def test_a_store_out_of_reach_is_told_and_the_disk_is_looked_at_all_the_same(
    s3: S3, tmp_path: Path
) -> None:
    s3.gateway.go_down()
    findings = findings_of(s3, tmp_path)
    assert failed(findings) == {"object storage"}
    assert "does not answer" in findings["object storage"].detail
    assert of(findings, Outcome.SKIPPED) == {*STORE[1:], "other collectors"}
    assert of(findings, Outcome.OK) == {*LOCAL}


def test_missing_credentials_are_told(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    findings = findings_of(s3, tmp_path)
    assert failed(findings) == {"object storage"}
    assert "AWS_PROFILE" in (findings["object storage"].advice or "")


@pytest.mark.parametrize("step", ["put", "get", "delete"])
def test_what_may_not_be_done_is_told(s3: S3, tmp_path: Path, step: str) -> None:
    def is_of_the_probe(request: Request) -> bool:
        return request.kind == step and "/doctor/" in request.key

    s3.gateway.harm("deny", is_of_the_probe)
    findings = findings_of(s3, tmp_path)
    assert failed(findings) == {"an object in it"}
    done = {"put": "put", "get": "read", "delete": "deleted"}[step]
    detail = findings["an object in it"].detail
    assert f"none can be {done}: {s3.url} may not be used so (403)" in detail
    assert of(findings, Outcome.SKIPPED) == {"conditional puts", "clock of the store"}
    s3.gateway.heal()
    left = s3.store().objects()
    assert [found.key in detail for found in left] == ([True] if step == "delete" else [])


def test_a_store_without_conditions_is_told(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = ObjectStore._put

    def whatever_is_there(self: ObjectStore, key: str, data: bytes, _: object) -> Version:
        return put(self, key, data, "overwrite")

    monkeypatch.setattr(ObjectStore, "_put", whatever_is_there)
    findings = findings_of(s3, tmp_path)
    assert failed(findings) == {"conditional puts"}
    assert s3.store().objects() == []


def test_a_recorder_of_another_host_is_told(s3: S3, tmp_path: Path) -> None:
    other = host(s3, "a")
    other.wall = time.time()
    other.recorded(btc_mxn=int(other.wall))
    assert other.takes("btc_mxn") == [True]
    findings = findings_of(s3, tmp_path)
    assert failed(findings) == {"other collectors"}
    assert "another collector records btc_mxn" in findings["other collectors"].detail
    assert "another prefix" in (findings["other collectors"].advice or "")


@pytest.mark.parametrize(
    ("modified", "outcome", "says"),
    [
        (1000.0, Outcome.OK, "as this host's, within a second"),
        (1001.0, Outcome.OK, "as this host's, within a second"),
        (989.0, Outcome.OK, "10 s behind this host's"),
        (1201.5, Outcome.WARNING, "200 s ahead of this host's"),
        (700.0, Outcome.WARNING, "300 s behind this host's"),
        (None, Outcome.SKIPPED, "the store tells no times"),
    ],
)
def test_the_stores_clock_is_compared_with_when_it_was_asked(
    modified: float | None, outcome: Outcome, says: str
) -> None:
    finding = check_store_clock(modified, 1000.5, 1001.5)
    assert finding.outcome == outcome
    assert says in finding.detail


def test_the_command_says_it_in_its_lines(
    s3: S3, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bitso_spread.doctor, "examine", partial(examine, timings=FAST))
    with lively() as exchange:
        where = ["--lake", f"{s3.url}/{TABLE}", "--state", str(tmp_path / "state")]
        status, out, err = run("doctor", *here(exchange), *where)
        s3.gateway.harm("deny", "put")
        refused, told, _ = run("doctor", *here(exchange), *where)
    assert status == 0, out + err
    assert f"ok   object storage           {s3.url} is listed in " in out
    assert str(tmp_path / "state") in out
    assert refused == 1
    assert "FAIL an object in it" in told
    assert "what to do: ask for the permission" in told


def test_what_makes_no_sense_is_said_before_anything_is_asked(
    run: Run, exchange: SimulatedExchange, tmp_path: Path
) -> None:
    status, _, err = run("doctor", *here(exchange), "--lake", ".", "--state", str(tmp_path))
    assert status == 2
    assert "--state goes with a lake in object storage" in err
    assert exchange.counts.requests == {}


def test_the_extra_is_asked_for_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitso_spread.cloud.connect.find_spec", lambda _: None)
    with pytest.raises(bitso_spread.errors.MissingExtraError, match=r"bitso-spread\[cloud\]"):
        examine(environment("stage"), BOOKS, lake="s3://bucket/prefix")
