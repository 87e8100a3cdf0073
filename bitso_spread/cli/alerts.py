"""``bitso-spread alerts``: what fired, what would have fired, and whether it reaches anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.alert_options import (
    AlertCommandOption,
    AlertCooldownOption,
    AlertHoldOption,
    AlertOption,
    alert_plan,
    rules_of,
)
from bitso_spread.cli.app import ASK, app
from bitso_spread.cli.logs import say
from bitso_spread.cli.marks import Marks, holdings, without_journal
from bitso_spread.cli.options import (
    DateOption,
    HeldBookOption,
    HeldLakeOption,
    StateOption,
    TableOption,
    from_option,
    to_option,
)
from bitso_spread.cli.render import Format, choose_format, write
from bitso_spread.cli.stdout import stdout
from bitso_spread.counting import many
from bitso_spread.errors import UsageError
from bitso_spread.lake import layout

if TYPE_CHECKING:
    import polars as pl

    from bitso_spread.alerts.replay import Replay
    from bitso_spread.alerts.rules import AlertRules
    from bitso_spread.lake.filters import Question
    from bitso_spread.lake.reader import Lake


@app.command("alerts", rich_help_panel=ASK)
def alerts(
    lake: HeldLakeOption = ".",
    table: TableOption = layout.TABLE,
    state: StateOption = None,
    date: DateOption = None,
    book: HeldBookOption = None,
    start: Annotated[str | None, from_option("ALERTS")] = None,
    end: Annotated[str | None, to_option("ALERTS")] = None,
    tz: Annotated[
        str,
        typer.Option(
            envvar="BITSO_SPREAD_TZ",
            metavar="ZONE",
            help="Reads --from and --to, and shows times with their offset.",
        ),
    ] = "UTC",
    alert: AlertOption = None,
    alert_hold: AlertHoldOption = None,
    alert_cooldown: AlertCooldownOption = None,
    alert_command: AlertCommandOption = None,
    test: Annotated[
        bool,
        typer.Option("--test", help="Send one message by webhook and command, and say what came."),
    ] = False,
    file_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            envvar="BITSO_SPREAD_ALERTS_FORMAT",
            show_default="table on a terminal, csv in a pipe",
            help="How to give the alerts.",
        ),
    ] = None,
) -> None:
    """List the alerts that fired; with --alert, those that would have.

    With collect's --alert, --alert-hold or --alert-cooldown, its rules are run
    over the rows of the lake, and stderr says how often each threshold was
    exceeded and crossed. A second without a row fires nothing, for nobody
    recorded then. Nothing is sent but by --test: to --alert-command, and to
    the webhook that BITSO_SPREAD_ALERT_WEBHOOK has, or a settings file.

    Example: bitso-spread alerts --date yesterday --alert 0.5 --alert btc_mxn=0.3
    """
    if test:
        _test(alert_command)
        return
    from bitso_spread.lake.filters import Question
    from bitso_spread.lake.reader import Lake

    chosen = choose_format(file_format, None)
    question = Question(date=date, book=book, start=start, end=end, tz=tz)
    place, marks = Lake(lake, table, state=state), Marks()
    given = (alert, alert_hold, alert_cooldown)
    if any(given):
        frame = _replayed(place, rules_of(*given), question, marks)
    else:
        frame = _listed(place, question, marks)
    write([frame], file_format=chosen, tz=tz, title=marks.title)


def _listed(place: Lake, question: Question, marks: Marks) -> pl.DataFrame:
    from bitso_spread.alerts.table import in_question, table_of, ticks_of
    from bitso_spread.lake.alert_log import read_alerts

    if place.state is None:
        raise UsageError(
            f"the alerts of {place.name} are beside its collector's journal: name its folder with "
            "--state; with --alert it is told which would have fired"
        )
    asked = in_question(read_alerts(place.state, place.table, ticks_of(question)), question)
    for each in asked:
        marks.add(each.environment)
    if not asked and not without_journal(place, "which alerts fired"):
        _say_nothing(place, len(read_alerts(place.state, place.table)))
    return table_of([each.alert for each in asked], [each.told for each in asked])


def _say_nothing(place: Lake, others: int) -> None:
    if others:
        none = "the only alert" if others == 1 else f"none of the {others} alerts"
        does = "does not match" if others == 1 else "match"
        say(f"{none} of {place.name} {does}")
    else:
        say(
            f"no alert has fired yet for the table {place.table} in {place.name}: collect --alert "
            "0.5 watches, and alerts --alert 0.5 shows what would have fired"
        )


def _replayed(place: Lake, rules: AlertRules, question: Question, marks: Marks) -> pl.DataFrame:
    from dataclasses import replace
    from itertools import chain

    from bitso_spread.alerts.replay import Replay, interval_of
    from bitso_spread.alerts.table import table_of
    from bitso_spread.lake.records import read_records

    records = read_records(place.journal)
    rules = rules.resolved(place.books())
    frames = place.stream(on_environment=marks.add, **question)
    first = next((frame for frame in frames if frame.height), None)
    begun = () if first is None else (first,)
    if records is not None:
        rules = replace(rules, interval=records.interval)
    elif first is not None:
        rules = replace(rules, interval=interval_of(first))
    replay = Replay(rules)
    replay.run(chain(begun, frames))
    for line in _tallied(replay):
        say(line)
    if not replay.tallies:
        say(f"no known spread to look at: {holdings(place, question.get('book'))}")
    return table_of(replay.fired)


def _tallied(replay: Replay) -> list[str]:
    return [
        f"{book} above {threshold:g} %: {tally.above} of {tally.known} known rows, "
        f"{many(tally.crossings, 'crossing')}, {many(tally.alerts, 'alert')}"
        for (book, threshold), tally in sorted(replay.tallies.items())
    ]


def _test(command: str | None) -> None:
    import socket

    from bitso_spread.alerts.channels import channels_of
    from bitso_spread.alerts.config import VARIABLE

    plan = alert_plan(None, None, None, command)
    if plan is None:
        raise UsageError(f"there is nobody to send to: set {VARIABLE}, or give --alert-command")
    text = f"TEST of bitso-spread on {socket.gethostname()}: nothing has happened"
    message = {"text": text, "content": text, "bitso_spread": {"test": True, "events": []}}
    places = {"webhook": plan.webhook, "command": (plan.command or ("",))[0]}
    failed = False
    with stdout() as out:
        for channel in channels_of(plan.webhook, plan.command):
            attempt = channel.send(message)
            channel.close()
            failed = failed or not attempt.is_sent
            verdict = "sent" if attempt.is_sent else "FAILED"
            line = f"{verdict}  {channel.name} {places[channel.name]}: {attempt.said}\n"
            out.write(line.encode())
            out.flush()
    if failed:
        raise typer.Exit(1)
