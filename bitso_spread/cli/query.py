"""``bitso-spread query``: what was recorded, as it lies in the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bitso_spread.cli.app import ASK, app
from bitso_spread.cli.logs import say
from bitso_spread.cli.marks import Marks, holdings
from bitso_spread.cli.options import (
    DateOption,
    HeldBookOption,
    HeldLakeOption,
    MinutesOption,
    TableOption,
    from_option,
    to_option,
)
from bitso_spread.cli.render import Format, choose_format, write
from bitso_spread.lake import layout


@app.command("query", rich_help_panel=ASK)
def query(
    lake: HeldLakeOption = Path(),
    table: TableOption = layout.TABLE,
    date: DateOption = None,
    book: HeldBookOption = None,
    minutes: MinutesOption = None,
    start: Annotated[str | None, from_option("QUERY")] = None,
    end: Annotated[str | None, to_option("QUERY")] = None,
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
    marks = Marks()
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
        say(f"no rows match: {holdings(place)}")
