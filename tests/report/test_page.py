"""The page: whole in one file, small enough, and safe whatever the lake's names are."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import polars as pl
import pytest

from bitso_spread.alerts.events import Alert, Change, Kind
from bitso_spread.alerts.table import table_of
from bitso_spread.errors import MissingExtraError
from bitso_spread.report import alerts, page
from bitso_spread.report.grid import MOST_IN_ALL, MOST_SPANS, Grid
from tests.report.support import START, a_report

MINUTE = Grid(START, 1, 60, 1, START, START + 60)


def data_of(text: str) -> Any:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("books", [4, 54])
def test_the_longest_page_stays_under_five_megabytes(books: int) -> None:
    most = min(MOST_SPANS, MOST_IN_ALL // books)
    grid = Grid.over(START - START % 3600, START - START % 3600 + most * 3600, 1, books=books)
    assert (grid.step, grid.count) == (3600, most)
    text = page(a_report(grid, *(f"btc{number}_mxn" for number in range(books))))
    assert 3_000_000 < len(text.encode()) < 5_000_000
    assert [len(book["mean"]) for book in data_of(text)["books"]] == [most] * books


def test_a_page_names_nothing_to_be_fetched() -> None:
    text = page(a_report(MINUTE, "btc_mxn"))
    assert re.findall(r"\s(?:src|href|action|srcset|poster|data)=\S*", text) == [' href="data:,">']
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|WebSocket|importScripts|sendBeacon)\b", text)


def test_its_policy_lets_its_own_script_run_and_nothing_be_loaded() -> None:
    text = page(a_report(MINUTE, "btc_mxn"))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}'; " in text
    assert "unsafe-eval" not in text


def test_text_of_the_lake_is_text_in_the_page() -> None:
    evil = "</script><script>alert(1)</script>&\"'"
    told = replace(a_report(MINUTE, f"{evil}_mxn"), lake=evil, table=evil, causes={evil: 1})
    told = replace(told, environments=(evil,), tz="UTC")
    text = page(told)
    assert "alert(1)</script>" not in text
    assert text.count("<script") == 2
    assert data_of(text)["books"][0]["book"] == f"{evil}_mxn"


def test_it_says_where_rows_are_not_of_production() -> None:
    told = a_report(MINUTE, "btc_mxn")
    assert 'class="mark"' not in page(told)
    simulated = page(replace(told, environments=("production", "sim")))
    assert '<p class="mark">SIMULATED: rows are of the simulated exchange</p>' in simulated
    assert "<title>SIMULATED: bid-ask spread of btc_mxn, 2024-07-26</title>" in simulated
    stage = page(replace(told, environments=("stage",)))
    assert '<p class="mark">stage: rows were recorded from there, not from production</p>' in stage


def test_it_names_its_lake_and_not_where_that_lies() -> None:
    text = page(replace(a_report(MINUTE, "btc_mxn"), lake="/home/somebody/spreads"))
    assert "Table BitsoSpreadMonitor of the lake spreads." in text
    assert "somebody" not in text


def test_it_says_when_it_was_made_and_what_a_step_is() -> None:
    told = a_report(Grid(START, 10, 60, 1, START, START + 600), "btc_mxn")
    text = page(told, now=lambda: datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    assert "Made 2026-01-02 03:04 UTC" in text
    assert "Each step is 10 s" in text
    assert "Every observation." in page(a_report(MINUTE, "btc_mxn"))
    minutes = page(a_report(Grid(START, 60, 60, 60, START, START + 3600), "btc_mxn"))
    assert "ticks of 60 s in the period" in minutes


def an_alert(number: int, lasted: int, threshold: float | None = 0.5) -> Alert:
    since = START + number * 1000
    kind = Kind.NO_DATA if threshold is None else Kind.SPREAD
    until = since + lasted
    return Alert(
        "btc_mxn",
        kind,
        threshold,
        since,
        since + 3,
        until,
        0.75,
        None,
        until,
        until,
        Change.CLEARED,
    )


def test_coverage_is_told_in_the_words_of_verify() -> None:
    text = page(a_report(MINUTE, "btc_mxn"))
    coverage = text[text.index("<h2>Coverage</h2>") :].partition("</section>")[0]
    assert re.findall(r'col">([a-z]*)</th>', coverage)[-3:] == ["unknown", "missed", "absent"]
    for word in ("unknown: looked", "missed: the recorder", "absent: no row"):
        assert word in coverage
    assert "missing" not in coverage


def test_alerts_are_listed_where_somebody_watched() -> None:
    told = a_report(MINUTE, "btc_mxn")
    assert "<h2>Alerts</h2>" not in page(told)
    assert "None fired in this period." in page(replace(told, alerts=table_of([])))
    frame = table_of([an_alert(0, 90), an_alert(1, 30), an_alert(2, 7200, None)])
    text = page(replace(told, alerts=frame))
    assert re.search(r"spread above 0.5 %</td><td>2</td>.*>2 min</td><td>0.7500<", text)
    assert re.search(r"2024-07-26 03:48:23 UTC</td>.*no data</td>.*2 h</td>.*cleared<", text)


def test_of_many_alerts_those_that_lasted_longest_are_listed() -> None:
    frame = table_of([an_alert(number, 10 + number) for number in range(600)])
    listed = alerts.alert_list(frame, "UTC")
    assert (listed.total, len(listed.listed)) == (600, alerts.MOST_LISTED)
    assert listed.listed[0]["lasted_s"] == 110
    text = page(replace(a_report(MINUTE, "btc_mxn"), alerts=frame))
    assert "the 500 that lasted longest of 600" in text


def test_what_is_not_known_is_null_and_no_number_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    told = a_report(MINUTE, "btc_mxn")
    spans = told.books[0].spans.with_columns(
        pl.when(pl.col("time") != START + 1).then(pl.col("mean", "bid", "ask"))
    )
    (book,) = data_of(page(replace(told, books=(replace(told.books[0], spans=spans),))))["books"]
    assert book["mean"][:3] == [0.14286, None, 0.14286]
    assert book["bid"][:3] == [1234567.89, None, 1234568.56]
    assert "min" not in book
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'bitso-spread\[report\]'"):
        page(told)


def test_the_chart_library_is_as_its_author_published_it() -> None:
    vendor = resources.files("bitso_spread.report").joinpath("vendor")
    digests = {
        "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
        "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
        "uPlot.LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    }
    for name, digest in digests.items():
        assert hashlib.sha256(vendor.joinpath(name).read_bytes()).hexdigest() == digest
