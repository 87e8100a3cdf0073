"""``bitso-spread compact``: finished days become one file each, so that answers come at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.app import KEEP, app
from bitso_spread.cli.bars import bars
from bitso_spread.cli.logs import say, tell, warn
from bitso_spread.cli.marks import holdings
from bitso_spread.cli.options import (
    DateOption,
    HeldBookOption,
    HeldLakeOption,
    TableOption,
)
from bitso_spread.cli.stdout import is_terminal
from bitso_spread.cloud.address import is_url
from bitso_spread.counting import many
from bitso_spread.errors import LakeError
from bitso_spread.lake import layout

if TYPE_CHECKING:
    from bitso_spread.lake.compaction import CompactedDay


@app.command("compact", rich_help_panel=KEEP)
def compact(
    lake: HeldLakeOption = ".",
    table: TableOption = layout.TABLE,
    date: DateOption = None,
    book: HeldBookOption = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Delete the files whose rows a compacted day has, once it has been read back "
            "and compared with them.",
        ),
    ] = False,
) -> None:
    """Put each finished day of a book into one file, which query and verify then read.

    Days end at midnight, UTC. Answers stay the same, and come sooner. May
    run while a collector writes, be stopped at any time, and run again:
    only days to which files have come since are done anew. Status 1 if a
    day cannot be compacted, because a file of it cannot be read.

    Example: bitso-spread compact --lake data --date ..yesterday
    """
    from bitso_spread.lake.compaction import Outcome
    from bitso_spread.lake.compaction import compact as compact_days
    from bitso_spread.lake.reader import Lake

    failed = 0
    watched = is_terminal(sys.stderr)

    def note(done: int, of: int, found: CompactedDay | LakeError) -> None:
        nonlocal failed
        show("compacting, days of books", done, of)
        if isinstance(found, LakeError):
            failed += 1
            warn(f"left as it is: {found}")
        elif not watched and (found.outcome is not Outcome.KEPT or found.deleted):
            tell(_line(found))

    with bars() as show:
        place = Lake(lake, table)
        if is_url(lake):
            from bitso_spread.cloud.compaction import compact as compact_days
        days = compact_days(place, prune=prune, on_day=note, date=date, book=book)
    say(_summary(days, prune=prune))
    if not days and not failed:
        say(f"no finished day was asked for: {holdings(place, book)}")
    if failed:
        warn(f"{many(failed, 'day')} could not be compacted: see above")
        raise typer.Exit(1)


def _line(day: CompactedDay) -> str:
    date = f"{day.date // 10_000}-{day.date // 100 % 100:02}-{day.date % 100:02}"
    deleted = f", {many(day.deleted, 'file')} deleted" if day.deleted else ""
    return (
        f"{date} {day.book}: {day.outcome.value}, {many(day.rows, 'row')} of "
        f"{many(day.files, 'file')} in {day.bytes:,} bytes{deleted}"
    )


def _summary(days: list[CompactedDay], *, prune: bool) -> str:
    from bitso_spread.lake.compaction import Outcome

    counts = {outcome: sum(day.outcome is outcome for day in days) for outcome in Outcome}
    parts = [
        f"{many(counts[Outcome.MADE], 'day')} of books compacted",
        f"{counts[Outcome.REDONE]:,} done anew",
        f"{counts[Outcome.KEPT]:,} as they were",
    ]
    if prune:
        parts.append(f"{many(sum(day.deleted for day in days), 'file')} deleted")
    return ", ".join(parts)
