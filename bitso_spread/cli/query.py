"""``bitso-spread query``: what was recorded, as it lies in the lake."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.app import ASK, app
from bitso_spread.cli.bars import OnProgress, bars, is_watched
from bitso_spread.cli.logs import is_quiet, say
from bitso_spread.cli.marks import Marks, Skipped, holdings, without_journal
from bitso_spread.cli.options import (
    ColumnsOption,
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
from bitso_spread.cli.render import Format, choose_format, counted, write
from bitso_spread.counting import many
from bitso_spread.errors import UsageError
from bitso_spread.lake import layout

if TYPE_CHECKING:
    import polars as pl

    from bitso_spread.lake.filters import Question
    from bitso_spread.lake.reader import Lake

_WRITING = "writing rows"
_DAY_MINUTES = 1440
# A lazy frame can be cut after so many rows: a sum has far fewer.
_MOST_CUT = 2**32 - 1
# What a WHERE says.
_IN_SQL = ("date", "book", "minutes", "start", "end")


@app.command("query", rich_help_panel=ASK)
def query(
    context: typer.Context,
    lake: HeldLakeOption = ".",
    table: TableOption = layout.TABLE,
    state: StateOption = None,
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
    columns: ColumnsOption = "five",
    every: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            show_default="every row",
            help="Sum up by spans of 30s, 1m, 10m, 1h or 1d, cut by the clocks of --tz.",
        ),
    ] = None,
    stats: Annotated[
        bool,
        typer.Option("--stats", help="Sum up each book over all rows, with quantiles."),
    ] = False,
    threshold: Annotated[
        list[float] | None,
        typer.Option(
            metavar="PERCENT",
            show_default="0.1, 0.5, 1.0",
            help="With --stats: tell the share of time above; repeat it for several.",
        ),
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(
            metavar="SELECT",
            show_default="no SQL",
            help="A query over all columns, with date, order_book and minutes, FROM the table.",
        ),
    ] = None,
    skip_bad: SkipBadOption = False,
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
    of others'. --every and --stats sum the same rows up; --sql asks in SQL.

    Example: bitso-spread query --date today --book btc_mxn --every 10m
    """
    from bitso_spread.lake.filters import Question
    from bitso_spread.lake.origin import to_metadata
    from bitso_spread.lake.reader import Lake, Told
    from bitso_spread.lake.summary import THRESHOLDS

    chosen = choose_format(file_format, output)
    limit = None if limit is None else min(limit, sys.maxsize)
    question = Question(date=date, book=book, minutes=minutes, start=start, end=end, tz=tz)
    _check_one(context, every=every is not None, stats=stats, sql=sql is not None)
    place = Lake(lake, table, state=state)
    marks, skipped = Marks(), Skipped()
    told = Told(on_environment=marks.add, on_bad=skipped.add if skip_bad else None)
    # Rows that leave by stdout are to be seen there themselves.
    with bars(wanted=output is not None) as show:
        show(_WRITING, 0, 0)
        if sql is not None:
            frames = _limited(place.sql(sql, **told), limit, place.place.give_up)
        elif every is not None:
            frames = _limited(place.every(every, **told, **question).lazy(), limit)
        elif stats:
            thresholds = threshold or THRESHOLDS
            frames = _limited(place.stats(thresholds, **told, **question).lazy(), limit)
        else:
            frames = place.stream(columns=columns, limit=limit, **told, **question)
            if output is not None and is_watched():
                frames = _followed(frames, sorted(place.books_by_day(**question)), show)
        rows = write(
            frames,
            file_format=chosen,
            output=output,
            tz=tz,
            title=marks.title,
            metadata=lambda: to_metadata(marks.environments),
        )
    skipped.report()
    if output is not None:
        say(f"{counted(rows)} in {output.absolute()}")
    if stats and rows:
        without_journal(place, "which of the unknown seconds were missed")
    if rows == 0 and limit != 0:
        say(f"no rows match: {holdings(place, book)}")
    if limit is None or rows < limit:
        _say_unfiled(place, None if sql is not None else question)


def _say_unfiled(place: Lake, question: Question | None) -> None:
    """Say how many of the rows that are asked for, or of all, are not in the lake yet, if any."""
    from bitso_spread.lake.filters import Filters
    from bitso_spread.lake.unfiled import MOST, count_unfiled

    if is_quiet():
        return
    filters = Filters() if question is None else Filters.of(**question)
    if not (count := count_unfiled(place.journal, filters)):
        return
    more = "more than " if count > MOST else ""
    rows = many(min(count, MOST), "row")
    are, they = ("is", "it comes") if count == 1 else ("are", "they come")
    say(
        f"{more}{rows} of {'the table' if question is None else 'what is asked for'} {are} in no "
        f"file yet: {they} with the batch, or with the next collect"
    )


def _check_one(context: typer.Context, *, every: bool, stats: bool, sql: bool) -> None:
    """Refuse what does not go together; of what nobody has typed, say that it does not count."""
    from bitso_spread.cli.origins import is_typed, set_elsewhere

    if sum((every, stats, sql)) > 1:
        raise UsageError("--every, --stats and --sql are three questions: ask one of them")
    if not stats and is_typed(context, "threshold"):
        raise UsageError("--threshold goes with --stats")
    if not sql:
        return
    if any(is_typed(context, name) for name in _IN_SQL):
        raise UsageError("--sql says in its WHERE which rows it wants: leave out the other options")
    for words in set_elsewhere(context, _IN_SQL):
        say(f"{words}, which does not bear on --sql")


def _followed(
    frames: Iterator[pl.DataFrame], days: list[int], show: OnProgress
) -> Iterator[pl.DataFrame]:
    """Show how far frames of rows, which are ordered by time, have come through the days."""
    from bitso_spread.lake.columns import TIME

    for frame in frames:
        yield frame
        if frame.height:
            last = frame[TIME][-1]
            before = bisect_left(days, int(f"{last:%Y%m%d}"))
            minutes = before * _DAY_MINUTES + last.hour * 60 + last.minute
            show(_WRITING, minutes, len(days) * _DAY_MINUTES)


def _limited(
    rows: pl.LazyFrame, limit: int | None, give_up: Callable[[], None] = lambda: None
) -> Iterator[pl.DataFrame]:
    from bitso_spread.lake.sql import rows_of

    cut = rows if limit is None or limit > _MOST_CUT else rows.head(limit)
    return rows_of(cut, give_up)
