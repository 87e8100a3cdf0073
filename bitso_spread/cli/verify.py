"""``bitso-spread verify``: whether a lake holds all that it should, and nothing that cannot be."""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.app import KEEP, app
from bitso_spread.cli.bars import bars
from bitso_spread.cli.logs import warn
from bitso_spread.cli.marks import Marks, holdings, without_journal
from bitso_spread.cli.options import (
    DateOption,
    HeldBookOption,
    HeldLakeOption,
    MinutesOption,
    StateOption,
    TableOption,
    from_option,
    to_option,
)
from bitso_spread.cli.stdout import is_terminal, stdout
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout

if TYPE_CHECKING:
    from bitso_spread.lake.findings import Report


class Format(StrEnum):
    """The forms that a report can leave in."""

    TABLE = "table"
    JSON = "json"


@app.command("verify", rich_help_panel=KEEP)
def verify(
    lake: HeldLakeOption = ".",
    table: TableOption = layout.TABLE,
    state: StateOption = None,
    date: DateOption = None,
    book: HeldBookOption = None,
    minutes: MinutesOption = None,
    start: Annotated[str | None, from_option("VERIFY")] = None,
    end: Annotated[str | None, to_option("VERIFY")] = None,
    tz: Annotated[
        str,
        typer.Option(
            envvar="BITSO_SPREAD_TZ",
            metavar="ZONE",
            help="Reads --from and --to. Days and hours of the report are of UTC.",
        ),
    ] = "UTC",
    max_missing: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Seconds that may be unknown, missed or absent with status 0."
        ),
    ] = 0,
    file_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            envvar="BITSO_SPREAD_VERIFY_FORMAT",
            show_default="table on a terminal, json in a pipe",
            help="How to give the report.",
        ),
    ] = None,
) -> None:
    """Check a lake: what is not there, what has changed, what cannot be true.

    Counts the seconds of each book and day, from its first to its last,
    and looks through all rows and files. Changes nothing, also while a
    collector writes. Status 1 if anything contradicts itself, if more
    than --max-missing seconds are not known, or if there is nothing to check.

    Example: bitso-spread verify --date yesterday --max-missing 10
    """
    from bitso_spread.lake.audit import audit
    from bitso_spread.lake.reader import Lake

    place = Lake(lake, table, state=state)
    with bars() as show:
        report = audit(
            place,
            on_progress=partial(show, "checking, days of books"),
            date=date,
            book=book,
            minutes=minutes,
            start=start,
            end=end,
            tz=tz,
        )
    if not (report.days or report.files or report.findings):
        raise LakeError(f"there is nothing to verify: {holdings(place, book)}")
    marks = Marks()
    for environment in report.environments:
        marks.add(environment)
    _show(report, file_format, marks.title())
    without_journal(place, "which files are gone, and why seconds are missing,")
    if not report.is_sound(max_missing):
        warn(_complaint(report, max_missing))
        raise typer.Exit(1)


def _show(report: Report, file_format: Format | None, title: str | None) -> None:
    terminal = is_terminal(sys.stdout)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if (file_format or (Format.TABLE if terminal else Format.JSON)) is Format.JSON:
        import json

        from bitso_spread.lake.findings import as_json

        text = json.dumps(as_json(report)) + "\n"
    else:
        from bitso_spread.cli.verify_table import as_text

        text = as_text(report, title, encoding=encoding, colour=terminal)
    with stdout() as out:
        out.write(text.encode(encoding, "replace"))


def _complaint(report: Report, max_missing: int) -> str:
    parts = []
    if (missing := report.totals.missing) > max_missing:
        unit = "second" if report.interval == 1 else "tick"
        each = "" if report.interval == 1 else f" of {report.interval} s"
        are = f"{unit}{each} is" if missing == 1 else f"{unit}s{each} are"
        parts.append(f"{missing:,} {are} not known (--max-missing {max_missing})")
    if count := len(report.findings):
        what = "thing contradicts itself" if count == 1 else "things contradict themselves"
        parts.append(f"{count:,} {what}")
    return f"{report.lake} is not as it should be: {' and '.join(parts)}"
