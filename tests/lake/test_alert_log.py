"""Alerts as they are kept beside a table."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bitso_spread.alerts.channel import Outcome
from bitso_spread.alerts.events import Change, Kind
from bitso_spread.errors import LakeError
from bitso_spread.lake.alert_log import (
    AlertLog,
    Delivery,
    alert_file,
    read_alerts,
    read_in_force,
)
from bitso_spread.lake.layout import TABLE
from tests.alerts.support import an_alert, cleared
from tests.lake.support import python

FIRED, CLEARED = Change.FIRED, Change.CLEARED


def test_an_alert_is_kept_from_its_fire_to_its_end_with_who_was_told(tmp_path: Path) -> None:
    no_data = an_alert("usd_mxn", kind=Kind.NO_DATA, threshold=None, widest=None, cause="no link")
    over = cleared().alert
    with AlertLog(alert_file(tmp_path, TABLE)) as log:
        log.write(
            [(an_alert(), "sim"), (no_data, "sim")],
            [Delivery(over.id, FIRED, "webhook", Outcome.PENDING)],
        )
        log.write(
            [(over, "sim")],
            [
                Delivery(over.id, FIRED, "webhook", Outcome.SENT, "took it"),
                Delivery(over.id, CLEARED, "webhook", Outcome.PENDING),
            ],
        )
        first, second = log.all()
        assert (first.alert, second.alert) == (over, no_data)
        assert first.told == {
            (FIRED, "webhook"): Outcome.SENT,
            (CLEARED, "webhook"): Outcome.PENDING,
        }
        assert (second.told, second.environment) == ({}, "sim")
        # In force, or not told yet.
        assert log.open_of("btc_mxn") == [first]
        assert log.open_of("usd_mxn") == [second]
        log.write([], [Delivery(over.id, CLEARED, "webhook", Outcome.SENT)])
        assert log.open_of("btc_mxn") == []
        assert log.last_fires("btc_mxn") == {(Kind.SPREAD, 0.5): 1003}
        assert log.last_fires("usd_mxn") == {(Kind.NO_DATA, None): 1003}


def test_of_many_alerts_those_in_force_and_those_of_some_days_are_read_alone(
    tmp_path: Path,
) -> None:
    over = [cleared(fired=tick).alert for tick in (1003, 2003, 3003)]
    in_force = [an_alert("usd_mxn", fired=2500), an_alert(fired=2000)]
    with AlertLog(alert_file(tmp_path, TABLE)) as log:
        log.write([(alert, "sim") for alert in [*over, *in_force]], [])
        log.write([], [Delivery(over[1].id, FIRED, "webhook", Outcome.SENT)])
    assert read_in_force(tmp_path, TABLE) == [in_force[1], in_force[0]]
    some = read_alerts(tmp_path, TABLE, (2000, 2500))
    assert [each.alert for each in some] == [in_force[1], over[1], in_force[0]]
    assert [
        each for each in read_alerts(tmp_path, TABLE) if 2000 <= each.alert.fired <= 2500
    ] == some


def test_those_in_force_at_the_first_tick_are_read_as_well_where_that_is_asked_for(
    tmp_path: Path,
) -> None:
    ended = cleared(fired=1003).alert
    assert ended.ended is not None
    unseen = an_alert("usd_mxn", fired=1003)
    seen = replace(an_alert("eth_mxn", fired=1003), seen=ended.ended - 1)
    with AlertLog(alert_file(tmp_path, TABLE)) as log:
        log.write([(alert, "sim") for alert in (ended, unseen, seen)], [])
        log.write([], [Delivery(ended.id, FIRED, "webhook", Outcome.SENT)])
    for first in range(1002, ended.ended + 2):
        kept = read_alerts(tmp_path, TABLE, (first, 10**9), with_earlier=True)
        assert {each.alert for each in kept} == {
            alert
            for alert in (ended, unseen, seen)
            if alert.fired >= first or alert.was_in_force_at(first)
        }
        told = [each.told for each in kept if each.alert == ended]
        assert told in ([{(FIRED, "webhook"): Outcome.SENT}], [])
    assert read_alerts(tmp_path, TABLE, (1004, 10**9)) == []


def test_it_is_read_without_anything_being_made_or_changed(tmp_path: Path) -> None:
    assert read_alerts(tmp_path, TABLE) == []
    assert list(tmp_path.iterdir()) == []
    path = alert_file(tmp_path, TABLE)
    with AlertLog(path) as log:
        log.write([(an_alert(), "sim")], [])
        # Also while a collector has it open.
        assert [each.alert for each in read_alerts(tmp_path, TABLE)] == [an_alert()]
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    path.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert [each.alert for each in read_alerts(tmp_path, TABLE)] == [an_alert()]
    finally:
        path.parent.chmod(stat.S_IRWXU)
    assert {each: each.read_bytes() for each in path.parent.iterdir()} == before


def test_one_that_cannot_be_read_is_one_line_with_its_path(tmp_path: Path) -> None:
    path = alert_file(tmp_path, TABLE)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 100)
    with pytest.raises(LakeError, match="alerts"):
        read_alerts(tmp_path, TABLE)
    path.unlink()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(LakeError, match="newer bitso-spread") as refused:
        read_alerts(tmp_path, TABLE)
    assert str(path) in str(refused.value)


WRITE = """
import itertools, os, sys
from pathlib import Path
from bitso_spread.alerts.channel import Outcome
from bitso_spread.alerts.events import Alert, Change, Kind
from bitso_spread.lake.alert_log import AlertLog, Delivery

with AlertLog(Path(sys.argv[1])) as log:
    for tick in itertools.count(1000):
        alert = Alert("btc_mxn", Kind.SPREAD, 0.5, tick - 3, tick, tick, 0.6)
        log.write(
            [(alert, "sim")], [Delivery(alert.id, Change.FIRED, "webhook", Outcome.PENDING)]
        )
        os.write(1, f"{tick}\\n".encode())
"""


def test_what_was_committed_before_a_kill_is_there_whole(tmp_path: Path) -> None:
    path = alert_file(tmp_path, TABLE)
    with python(WRITE, path) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(20)]
        child.kill()
        told += child.stdout.read().splitlines()
    kept = read_alerts(tmp_path, TABLE)
    ticks = [each.alert.fired for each in kept]
    assert ticks == list(range(1000, 1000 + len(ticks)))
    assert len(told) <= len(ticks) <= len(told) + 1
    assert all(each.told == {(FIRED, "webhook"): Outcome.PENDING} for each in kept)
