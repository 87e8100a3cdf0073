"""``bitso-spread import``: what others recorded, brought into a lake."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.app import KEEP, app
from bitso_spread.cli.bars import bars
from bitso_spread.cli.logs import say, warn
from bitso_spread.cli.marks import Marks
from bitso_spread.cli.options import (
    HeldLakeOption,
    StateOption,
    TableOption,
    lake_name,
)
from bitso_spread.cli.stdout import stdout
from bitso_spread.cloud.address import is_url
from bitso_spread.counting import many
from bitso_spread.errors import UsageError
from bitso_spread.lake import layout

if TYPE_CHECKING:
    from bitso_spread.lake.importing import Imported
    from bitso_spread.lake.importing.outcome import Disagreement, Refused

# As many as fit on a screen.
_SHOWN = 10
_STEPS = {"read": "reading the sources", "write": "writing, days of books"}


@app.command("import", rich_help_panel=KEEP)
def import_(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            show_default=False,
            help="A lake, ours or another writer's; a .csv or .parquet file of the five columns, "
            "with or without a header; a folder of such files, of any shape; or the URL of such.",
        ),
    ],
    lake: HeldLakeOption = ".",
    state: StateOption = None,
    table: TableOption = layout.TABLE,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge",
            help="Where a second has more than one row, take the better: the known one, fresh "
            "before quiet before held, else the first. Without it such rows are refused.",
        ),
    ] = False,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            envvar="BITSO_SPREAD_IMPORT_FORMAT",
            metavar="FORMAT",
            show_default="the lake's own; csv",
            help="Of a new lake's files: csv or parquet.",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="WHICH",
            show_default="the lake's own; full if all sources have them",
            help="Of a new lake: five or full.",
        ),
    ] = None,
    interval: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS",
            show_default="the lake's own; the sources', or 1",
            help="Of a new lake, between ticks; rows between them are refused.",
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            "-e",
            envvar="BITSO_SPREAD_ENVIRONMENT",
            metavar="NAME",
            show_default="production",
            help="What files were recorded from that do not tell it themselves: production, stage, "
            "sim or another host. Ours tell it by their names, and Parquet of query does.",
        ),
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Pass over files and folders that cannot be read, and count them."
        ),
    ] = False,
) -> None:
    """Bring what others recorded into a lake, each second once.

    Takes rows as they are, and says how many were refused and why. What is
    there already is not taken again, so that an import that was cut short
    is completed by the same command. Collectors of these books must be
    stopped. Status 1 if a row was refused, or something passed over.

    Example: bitso-spread import other-lake old.csv --lake data --merge
    """
    from bitso_spread.lake.importing import import_rows

    place = lake_name(lake, table)
    bring_in: Callable[..., Imported] = import_rows
    if is_url(lake):
        from bitso_spread.cloud.importing import import_rows as import_into_store

        bring_in = partial(import_into_store, state=state)
    elif state is not None:
        raise UsageError("--state goes with a lake in object storage")
    with bars() as show:
        done = bring_in(
            source,
            place,
            table=table,
            file_format=file_format,
            columns=columns,
            interval=interval,
            environment=environment,
            merge=merge,
            on_bad=(lambda error: warn(f"passed over: {error}")) if skip_bad else None,
            on_progress=lambda step, done, of: show(_STEPS[step], done, of),
        )
    marks = Marks()
    if done.read:
        marks.add(done.environment)
    if done.unlabelled and done.books:
        are = many(done.unlabelled, "row", ("is", "are"))
        say(
            f"{are} of files that do not say what they were recorded from, and count as "
            "production; --environment sim says otherwise"
        )
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    with stdout() as out:
        for line in _report(done, place, marks.title()):
            out.write(f"{line}\n".encode(encoding, "replace"))
    if complaint := _complaint(done):
        warn(complaint)
        raise typer.Exit(1)


def _report(done: Imported, lake: Path | str, mark: str | None) -> Iterator[str]:
    from bitso_spread.lake.findings import time_text

    rows = many(done.read, f"{mark} row" if mark else "row")
    yield f"{rows} read from {_files(done.files)}, for {lake}"
    if done.journaled:
        yield f"  {done.journaled:,} from journals, which are in no file of the sources yet"
    counts = {
        "taken": done.taken,
        "in the place of worse ones": done.replaced,
        "there already": done.there,
        "more than once in the sources": done.repeated,
        "no better than another row of their second": done.outranked,
        "refused": done.refusals,
    }
    width = max(len(f"{count:,}") for count in counts.values())
    for what, count in counts.items():
        if count:
            yield f"  {count:>{width},} {what}"
    if not done.books:
        yield "nothing was taken"
    for book, span in sorted(done.books.items()):
        first, last = time_text(span.first), time_text(span.last)
        yield f"{book}: {many(span.rows, 'row')}, {first} to {last}"
    for reason, refused in done.refused.items():
        yield f"refused: {refused.rows:,} {reason}, such as"
        yield from _refused(refused)
    if done.disagreements:
        more = "" if done.disagreements <= _SHOWN else f", of which the first {_SHOWN} are shown"
        seconds = many(done.disagreements, "second")
        yield f"{seconds} of which two rows have other prices{more}:"
        yield from map(_told, done.examples[:_SHOWN])


def _refused(refused: Refused) -> Iterator[str]:
    from bitso_spread.lake.importing.outcome import told

    for path, of_file in [*refused.files.items()][:_SHOWN]:
        yield from (f"  {told(path, example)}" for example in of_file.examples)
        if more := of_file.rows - len(of_file.examples):
            yield f"  {path}: {more:,} more"
    if (others := len(refused.files) - _SHOWN) > 0:
        yield f"  and of {many(others, 'other file')}"


def _told(one: Disagreement) -> str:
    from bitso_spread.lake.findings import time_text

    kept, other = (f"{bid} / {ask}" for bid, ask in (one.kept, one.other))
    return (
        f"  {time_text(one.tick)} {one.book}: {kept} stands, not {other} (as {one.source} was read)"
    )


def _complaint(done: Imported) -> str:
    parts = []
    if done.refusals:
        was = "was" if done.refusals == 1 else "were"
        parts.append(f"{done.refusals:,} of {many(done.read, 'row')} {was} refused")
    if done.unreadable or done.unlisted:
        passed_over = [
            many(len(errors), what)
            for errors, what in ((done.unreadable, "file"), (done.unlisted, "folder"))
            if errors
        ]
        parts.append(f"{' and '.join(passed_over)} could not be read")
    return f"not all of it was taken: {' and '.join(parts)}" if parts else ""


def _files(count: int) -> str:
    return many(count, "file")
