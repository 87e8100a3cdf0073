"""``bitso-spread alerts``: what fired, what would have, and a message to try."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from shutil import which

import pytest

from bitso_spread.alerts.channel import Outcome
from bitso_spread.alerts.events import Alert, Change, Kind
from bitso_spread.alerts.table import table_of
from bitso_spread.cli.alert_options import alert_plan, in_words
from bitso_spread.lake.alert_log import AlertLog, Delivery, alert_file
from bitso_spread.lake.layout import TABLE, Partition, file_name
from bitso_spread.lake.writer import encode
from bitso_spread.model import Sample, State
from tests.alerts.support import SECRET, webhook
from tests.cli.support import Run, rows

NOON = int(datetime(2026, 9, 21, 12, tzinfo=UTC).timestamp())
HOOK = "BITSO_SPREAD_ALERT_WEBHOOK"


def put_lake(
    lake: Path, book: str, *runs: tuple[int, float | None], env: str = "sim", interval: int = 1
) -> None:
    spreads = [spread for number, spread in runs for _ in range(number)]
    samples = [
        Sample.blank(tick, book, State.UNKNOWN)
        if spread is None
        else Sample(tick, book, 100 - spread, 100.0, spread, State.FRESH)
        for tick, spread in zip(count(NOON, interval), spreads, strict=False)
    ]
    folder = lake / TABLE / Partition.of(book, NOON).path
    folder.mkdir(parents=True)
    path = folder / file_name(env, book, NOON, "csv")
    path.write_bytes(encode(samples, "csv", "five"))


def put_history(lake: Path, of: int = 2) -> None:
    (lake / TABLE).mkdir(parents=True)
    over = Alert(
        "btc_mxn", Kind.SPREAD, 0.5, NOON, NOON + 3, NOON + 63, 0.61234567, None,
        NOON + 60, NOON + 63, Change.CLEARED,
    )  # fmt: skip
    open_ = Alert("usd_mxn", Kind.NO_DATA, None, NOON + 86400, NOON + 86460, NOON + 86500)
    with AlertLog(alert_file(lake, TABLE)) as log:
        log.write(
            [(over, "sim"), (open_, "sim")][:of],
            [
                Delivery(over.id, Change.FIRED, "webhook", Outcome.SENT),
                Delivery(over.id, Change.CLEARED, "webhook", Outcome.FAILED),
                Delivery(open_.id, Change.FIRED, "command", Outcome.SENT),
            ],
        )


def test_rows_ten_seconds_apart_fire_also_where_nobody_has_noted_their_interval(
    run: Run, tmp_path: Path
) -> None:
    put_lake(tmp_path, "btc_mxn", (600, 0.6), interval=10)
    status, out, err = run("alerts", "--lake", str(tmp_path), "--alert", "0.5")
    assert status == 0
    assert [(row["fired"], row["lasted_s"]) for row in rows(out)] == [
        ("2026-09-21T12:00:10+00:00", "5990")
    ]
    assert "600 of 600 known rows, 1 crossing, 1 alert" in err


def test_it_lists_what_fired_how_long_how_wide_and_who_was_told(run: Run, tmp_path: Path) -> None:
    put_history(tmp_path)
    status, out, err = run("alerts", "--lake", str(tmp_path))
    assert status == 0
    assert rows(out) == [
        {
            "fired": "2026-09-21T12:00:03+00:00", "book": "btc_mxn", "kind": "spread",
            "threshold": "0.5", "lasted_s": "60", "widest": "0.612346", "state": "cleared",
            "until": "2026-09-21T12:01:00+00:00", "webhook": "sent, its end failed",
            "command": "", "cause": "",
        },
        {
            "fired": "2026-09-22T12:01:00+00:00", "book": "usd_mxn", "kind": "no_data",
            "threshold": "", "lasted_s": "100", "widest": "",
            "state": "in force when last seen, 2026-09-22T12:01:40Z",
            "until": "", "webhook": "", "command": "sent", "cause": "",
        },
    ]  # fmt: skip
    assert "SIMULATED" in err


@pytest.mark.parametrize(
    ("question", "books"),
    [
        (["--date", "20260921"], ["btc_mxn"]),
        (["--date", "2026-09-22.."], ["usd_mxn"]),
        (["--book", "MXN/BTC"], ["btc_mxn"]),
        (["--book", "eth_mxn"], []),
        (["--from", "2026-09-21T12:00:04"], ["usd_mxn"]),
        (["--to", "2026-09-21T06:00:04", "--tz", "America/Mexico_City"], ["btc_mxn"]),
    ],
)
def test_it_lists_what_is_asked_for(
    question: list[str], books: list[str], run: Run, tmp_path: Path
) -> None:
    put_history(tmp_path)
    status, out, err = run("alerts", "--lake", str(tmp_path), *question)
    assert status == 0
    assert [row["book"] for row in rows(out)] == books
    assert ("none of the 2 alerts" in err) == (not books)


def test_of_one_alert_it_says_one(run: Run, tmp_path: Path) -> None:
    put_history(tmp_path, of=1)
    status, _, err = run("alerts", "--lake", str(tmp_path), "--book", "eth_mxn")
    assert (status, f"the only alert of {tmp_path} does not match" in err) == (0, True)


@pytest.mark.parametrize(
    ("ago_s", "state"),
    [(0, "in force"), (25, "in force"), (300, "in force when last seen, 2026-09-21T12:00:00Z")],
)
def test_an_alert_is_in_force_for_as_long_as_somebody_looks_at_it(ago_s: int, state: str) -> None:
    alert = Alert("btc_mxn", Kind.SPREAD, 0.5, NOON - 60, NOON - 57, NOON)
    (row,) = table_of([alert], now=NOON + ago_s).to_dicts()
    assert (row["state"], row["until"], row["lasted_s"]) == (state, None, 60)


def test_what_would_have_fired_is_in_force_to_the_end_of_the_rows(run: Run, tmp_path: Path) -> None:
    put_lake(tmp_path, "btc_mxn", (10, 0.6))
    _, out, _ = run("alerts", "--lake", str(tmp_path), "--alert", "0.5", "--alert-hold", "2s")
    (row,) = rows(out)
    assert row["state"] == "in force when last seen, 2026-09-21T12:00:09Z"


@pytest.mark.parametrize("form", ["table", "json", "ndjson"])
def test_it_gives_them_in_the_forms_of_query(form: str, run: Run, tmp_path: Path) -> None:
    put_history(tmp_path)
    _, out, _ = run("alerts", "--lake", str(tmp_path), "--format", form)
    if form == "table":
        assert out.startswith("SIMULATED")
        assert out.endswith("2 rows\n")
        return
    found = json.loads(out) if form == "json" else [json.loads(line) for line in out.splitlines()]
    assert [each["lasted_s"] for each in found] == [60, 100]


def test_a_lake_without_alerts_says_how_to_get_some(run: Run, tmp_path: Path) -> None:
    put_lake(tmp_path, "btc_mxn", (1, 0.1))
    status, out, err = run("alerts", "--lake", str(tmp_path))
    assert (status, out.count("\n")) == (0, 1)
    assert "collect --alert 0.5" in err
    status, _, err = run("alerts", "--lake", str(tmp_path / "none"))
    assert status == 1
    assert "there is no lake at" in err


def test_with_the_options_of_collect_it_shows_what_would_have_fired(
    run: Run, tmp_path: Path
) -> None:
    put_lake(tmp_path, "btc_mxn", (5, 0.1), (10, 0.3), (5, 0.1), (70, None), (5, 0.1))
    status, out, err = run("alerts", "--lake", str(tmp_path), "--alert", "0.2")
    assert status == 0
    found = rows(out)
    assert [(row["kind"], row["lasted_s"], row["widest"], row["state"]) for row in found] == [
        ("spread", "10", "0.3", "cleared"),
        ("no_data", "70", "", "cleared"),
    ]
    assert found[0]["fired"] == "2026-09-21T12:00:08+00:00"
    assert "bitso-spread: btc_mxn above 0.2 %: 10 of 25 known rows, 1 crossing, 1 alert\n" in err
    assert "SIMULATED" in err
    # Nothing is kept of it.
    assert not alert_file(tmp_path, TABLE).exists()
    _, out, _ = run(
        "alerts", "--lake", str(tmp_path), "--alert", "btc_mxn=0.2", "--alert-hold", "11s"
    )
    assert [row["kind"] for row in rows(out)] == ["no_data"]


def test_the_cooldown_and_the_question_are_heeded(run: Run, tmp_path: Path) -> None:
    put_lake(tmp_path, "btc_mxn", *[(5, 0.3), (5, 0.1)] * 4)
    asked = ["alerts", "--lake", str(tmp_path), "--alert", "0.2"]
    assert len(rows(run(*asked)[1])) == 1
    assert len(rows(run(*asked, "--alert-cooldown", "0")[1])) == 4
    assert len(rows(run(*asked, "--alert-cooldown", "20s")[1])) == 2
    late = run(*asked, "--alert-cooldown", "0", "--from", "2026-09-21T12:00:20")
    assert len(rows(late[1])) == 2


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--alert", "wide"], 2, "is not a threshold"),
        (["--alert", "0.5", "--alert-hold", "soon"], 2, "is not a duration"),
        (["--alert", "0.5", "--alert-cooldown", "-1"], 2, "--alert-cooldown must be 0 or more"),
        (["--alert", "btc_mnx=0.5"], 1, "did you mean btc_mxn"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    options: list[str], status: int, says: str, run: Run, tmp_path: Path
) -> None:
    put_lake(tmp_path, "btc_mxn", (5, 0.1), env="production")
    ended, out, err = run("alerts", "--lake", str(tmp_path), *options)
    assert (ended, out) == (status, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_test_goes_by_webhook_and_command_and_says_what_came(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    noted, script = tmp_path / "noted", tmp_path / "notify.sh"
    script.write_text(f"cat > {noted}\n")
    command = f"sh '{script}'"
    with webhook() as hook:
        monkeypatch.setenv(HOOK, hook.url)
        status, out, err = run("alerts", "--test", "--alert-command", command)
        assert (status, err) == (0, "")
        assert out.splitlines() == [
            "sent  webhook http://127.0.0.1/…: 127.0.0.1 took it",
            f"sent  command {which('sh')}: sh ended with 0",
        ]
        assert hook.texts[0].startswith("TEST of bitso-spread on ")
        assert json.loads(noted.read_text()) == hook.taken[0]
        hook.answers.append((404, {}, SECRET.encode()))
        status, out, err = run("alerts", "--test")
        assert status == 1
        assert out == "FAILED  webhook http://127.0.0.1/…: 127.0.0.1 answers HTTP 404\n"
        assert SECRET not in out + err


def test_a_test_without_anybody_to_send_to_is_refused(run: Run) -> None:
    status, out, err = run("alerts", "--test")
    assert (status, out) == (2, "")
    assert f"set {HOOK}, or give --alert-command" in err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--alert-hold", "5s"], "go with --alert"),
        (["--alert", "0.5%%"], "is not a threshold"),
        (["--alert-command", "no-such-program"], "there is no program no-such-program"),
    ],
)
def test_collect_refuses_alerts_that_make_no_sense_before_it_asks_anybody(
    options: list[str], says: str, run: Run, tmp_path: Path
) -> None:
    status, out, err = run("collect", "-e", "sim", "--lake", str(tmp_path / "lake"), *options)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_collect_refuses_a_webhook_that_others_could_read_and_does_not_repeat_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOOK, f"http://hooks.example.com/{SECRET}")
    status, _, err = run("collect", "-e", "sim")
    assert status == 2
    assert f"{HOOK} is not encrypted" in err
    assert SECRET not in err


def test_a_webhook_or_a_command_alone_turns_on_the_alert_about_missing_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert alert_plan(None, None, None, None) is None
    by_command = alert_plan(None, None, None, "sh")
    assert by_command is not None
    assert by_command.rules.thresholds == ()
    monkeypatch.setenv(HOOK, f"https://hooks.example.com/{SECRET}")
    by_webhook = alert_plan(None, None, None, None)
    assert by_webhook is not None
    assert by_webhook.rules.thresholds == ()
    assert in_words(by_webhook) == (
        "alerts: no data for a minute; to the log, https://hooks.example.com/…"
    )
