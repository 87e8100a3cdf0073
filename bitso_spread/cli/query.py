"""``bitso-spread query``: what was recorded, as it lies in the lake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.app import ASK, app
from bitso_spread.cli.options import TableOption
from bitso_spread.cli.render import Format, choose_format, write
from bitso_spread.lake import layout

if TYPE_CHECKING:
    from bitso_spread.lake.reader import Lake

# Names of books, or environments, that one line can hold.
_LISTED = 10


@app.command("query", rich_help_panel=ASK)
def query(
    lake: Annotated[
        Path,
        typer.Option(
            "--lake",
            envvar="BITSO_SPREAD_LAKE",
            metavar="DIR",
            help="The folder that holds the table; naming the table's own folder works too.",
        ),
    ] = Path(),
    table: TableOption = layout.TABLE,
    date: Annotated[
        str | None,
        typer.Option(
            metavar="D",
            show_default="every day",
            help="UTC days: 20240726, 2024-07-26, today, yesterday, A..B, A.. or ..B.",
        ),
    ] = None,
    book: Annotated[
        list[str] | None,
        typer.Option(
            "--book",
            "-b",
            envvar="BITSO_SPREAD_BOOK",
            metavar="BOOK",
            show_default="every book",
            help="A book, such as btc_mxn or BTC-MXN; repeat it, or join several with commas.",
        ),
    ] = None,
    minutes: Annotated[
        str | None,
        typer.Option(
            metavar="A..B",
            show_default="the whole day",
            help="Batches by their start, in minutes from UTC midnight; ends included.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            envvar="BITSO_SPREAD_QUERY_FROM",
            metavar="T",
            show_default="the beginning",
            help="The first instant, in ISO 8601; without an offset it is in --tz.",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--to",
            envvar="BITSO_SPREAD_QUERY_TO",
            metavar="T",
            show_default="the end",
            help="The instant to stop before.",
        ),
    ] = None,
    tz: Annotated[
        str,
        typer.Option(
            envvar="BITSO_SPREAD_TZ",
            metavar="ZONE",
            help="Reads --from and --to, and shows times with their offset, such as "
            "America/Mexico_City. What is stored never changes.",
        ),
    ] = "UTC",
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="N", show_default="every row", help="Rows to give.")
    ] = None,
    file_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            envvar="BITSO_SPREAD_QUERY_FORMAT",
            show_default="table on a terminal, csv in a pipe",
            help="How to give the rows.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default="stdout",
            help="A file to replace, whole or not at all; its suffix tells the format.",
        ),
    ] = None,
) -> None:
    """Give what was recorded: time, book, bid, ask, spread; by time, then book.

    Only the partitions that are asked for are opened, of our own lakes and
    of others'.

    Example: bitso-spread query --date today --book btc_mxn --output today.parquet
    """
    from bitso_spread.lake.reader import Lake

    chosen = choose_format(file_format, output)
    place = Lake(lake, table)
    marks = _Marks()
    frames = place.stream(
        date=date,
        book=book,
        minutes=minutes,
        start=start,
        end=end,
        tz=tz,
        limit=limit,
        on_environment=marks.add,
    )
    rows = write(frames, file_format=chosen, output=output, tz=tz, title=marks.title)
    if rows == 0 and limit != 0:
        _say(f"no rows match: {_holdings(place)}")


class _Marks:
    """Says once, of each environment but production, that rows come from it."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}

    def add(self, environment: str) -> None:
        if environment == layout.PRODUCTION or environment in self._labels:
            return
        simulated = environment == layout.SIMULATED
        self._labels[environment] = "SIMULATED" if simulated else environment
        if simulated:
            _say("SIMULATED: rows are of the simulated exchange")
        else:
            _say(f"{environment}: rows were recorded from there, not from production")

    def title(self) -> str | None:
        return ", ".join(self._labels.values()) or None


def _holdings(lake: Lake) -> str:
    place = f"the table {lake.table} in {lake.root}"
    dates = lake.dates()
    if not dates:
        return f"{place} holds nothing yet"
    days = str(dates[0])
    if len(dates) > 1:
        days = f"{dates[0]}..{dates[-1]} ({len(dates)} days)"
    return f"{place} holds {days}, of {_listed(lake.books())}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    shown = ", ".join(names[:_LISTED])
    return f"{shown} and {more} more" if more > 0 else shown or "no book"


def _say(message: str) -> None:
    typer.echo(f"bitso-spread: {message}", err=True)
