"""The alerts in force as the live board tells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitso_spread.alerts.events import Alert, Change, Kind
from bitso_spread.cli.board_alerts import KeptAlerts, told
from bitso_spread.lake.alert_log import AlertLog, alert_file
from bitso_spread.lake.layout import TABLE

T = 1_789_948_800


def alert(threshold: float | None = 0.5, book: str = "btc_mxn", **other: object) -> Alert:
    kind = Kind.NO_DATA if threshold is None else Kind.SPREAD
    given = {"since": T, "fired": T + 3, "seen": T + 12, "widest": None} | other
    return Alert(book, kind, threshold, **given)  # type: ignore[arg-type]


def test_an_alert_is_told_in_a_few_words() -> None:
    assert told([alert(widest=0.61234), alert(None, "usd_mxn", seen=T + 75, cause="no link")]) == {
        "btc_mxn": "above 0.5 % for 12 s, up to 0.6123 %",
        "usd_mxn": "no data for 75 s: no link",
    }
    assert told([]) == {}


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_alerts_of_a_book_the_gravest_is_told(turned: bool) -> None:
    alerts = [alert(0.1), alert(1.0), alert(0.5)]
    assert told(alerts[::-1] if turned else alerts) == {"btc_mxn": "above 1 % for 12 s"}
    alerts.append(alert(None))
    assert told(alerts[::-1] if turned else alerts) == {"btc_mxn": "no data for 12 s"}


def keep(lake: Path, *alerts: Alert) -> None:
    with AlertLog(alert_file(lake, TABLE)) as log:
        log.write([(one, "production") for one in alerts], [])


def test_those_of_a_lake_are_seen_as_they_come_and_go(tmp_path: Path) -> None:
    kept = KeptAlerts(tmp_path, TABLE)
    assert kept.look() == ()
    keep(tmp_path, alert(0.5), alert(0.1, until=T + 4, ended=T + 7, ending=Change.CLEARED))
    assert kept.look() == (alert(0.5),)
    keep(tmp_path, alert(0.5, until=T + 20, ended=T + 23, ending=Change.CLEARED))
    assert kept.look() == ()


def test_what_cannot_be_read_leaves_the_board_as_it_was_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = KeptAlerts(tmp_path, TABLE)
    keep(tmp_path, alert())
    kept.look()
    alert_file(tmp_path, TABLE).write_bytes(b"nonsense" * 1000)
    assert kept.look() == kept.look() == (alert(),)
    assert len(caplog.messages) == 1
