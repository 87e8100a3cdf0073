"""``bitso-spread report``: what was recorded, to be looked at: one HTML file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bitso_spread.cli.app import ASK, app
from bitso_spread.cli.bars import bars
from bitso_spread.cli.marks import Marks, Skipped, holdings, without_journal
from bitso_spread.cli.options import (
    DateOption,
    HeldBookOption,
    HeldLakeOption,
    MinutesOption,
    SkipBadOption,
    StateOption,
    TableOption,
    from_option,
    to_option,
)
from bitso_spread.cli.stdout import is_terminal, stdout
from bitso_spread.errors import LakeError, UsageError
from bitso_spread.lake import layout


@app.command("report", rich_help_panel=ASK)
def report(
    lake: HeldLakeOption = ".",
    table: TableOption = layout.TABLE,
    state: StateOption = None,
    date: DateOption = None,
    book: HeldBookOption = None,
    minutes: MinutesOption = None,
    start: Annotated[str | None, from_option("REPORT")] = None,
    end: Annotated[str | None, to_option("REPORT")] = None,
    tz: Annotated[
        str,
        typer.Option(
            envvar="BITSO_SPREAD_TZ",
            metavar="ZONE",
            help="Reads --from and --to, and tells times and hours of the day, such as "
            "America/Mexico_City.",
        ),
    ] = "UTC",
    threshold: Annotated[
        list[float] | None,
        typer.Option(
            metavar="PERCENT",
            show_default="0.1, 0.5, 1.0",
            help="Tell the share of time above; repeat it for several.",
        ),
    ] = None,
    skip_bad: SkipBadOption = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default="stdout",
            help="The file to replace, whole or not at all, such as report.html.",
        ),
    ] = None,
) -> None:
    """Make a page of what was recorded: one HTML file that needs no network.

    Spread, bid and ask over time with gaps shown as gaps, distribution,
    time above thresholds, hours of the day, statistics, coverage, alerts.

    Example: bitso-spread report --date yesterday --output report.html
    """
    from bitso_spread.alerts.table import in_question, table_of, ticks_of
    from bitso_spread.cli.render import replacing
    from bitso_spread.lake.alert_log import alert_file, read_alerts
    from bitso_spread.lake.filters import Question
    from bitso_spread.lake.reader import Lake
    from bitso_spread.lake.summary import THRESHOLDS
    from bitso_spread.report import NothingToReportError, gather, page
    from bitso_spread.report.page import check_installed

    if output is None and is_terminal(sys.stdout):
        raise UsageError("a page is not for a terminal: name a file with --output report.html")
    check_installed()
    place = Lake(lake, table, state=state)
    skipped = Skipped()
    question = Question(date=date, book=book, minutes=minutes, start=start, end=end, tz=tz)
    kept = read_alerts(place.state, place.table, ticks_of(question), with_earlier=True)
    # Where none fired, it is told whether anybody watched.
    watched = place.state is not None and alert_file(place.state, place.table).is_file()
    asked = in_question(kept, question, with_earlier=True)
    alerts = table_of([each.alert for each in asked]) if watched else None
    with stdout() if output is None else replacing(output) as out:
        with bars() as on_progress:
            try:
                told = gather(
                    place,
                    threshold or THRESHOLDS,
                    alerts=alerts,
                    on_bad=skipped.add if skip_bad else None,
                    on_progress=on_progress,
                    **question,
                )
            except NothingToReportError:
                raise LakeError(f"there is nothing to report: {holdings(place, book)}") from None
        out.write(page(told).encode())
    marks = Marks()
    for environment in told.environments:
        marks.add(environment)
    skipped.report()
    without_journal(place, "alerts, and why seconds are missing,")
