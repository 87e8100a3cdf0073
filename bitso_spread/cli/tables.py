"""What `snapshot` and `books` share: showing few rows, in three formats.

Frames of a lake, which may be long, are bitso_spread.cli.render's job.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.logs import warn
from bitso_spread.cli.stdout import is_terminal, stdout
from bitso_spread.errors import UnknownBookError

if TYPE_CHECKING:
    from rich.table import Table

    from bitso_spread.exchange.environment import Environment

Value = str | Decimal | float | int | None
Row = Mapping[str, Value]


class Format(StrEnum):
    """How rows are shown."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        show_default="table on a terminal, csv in a pipe",
        help="How to show the rows.",
    ),
]


def chosen_format(given: Format | None) -> Format:
    """Give the format: as asked for, else a table for a person and CSV for a program."""
    return given or (Format.TABLE if is_terminal(sys.stdout) else Format.CSV)


def say_unknown(error: UnknownBookError) -> None:
    """Tell that a book does not exist, and how to find those that do."""
    warn(f"{error} (bitso-spread books lists them)")


def plain(value: Decimal) -> str:
    """Write a decimal without an exponent and without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def aligned(values: Sequence[Decimal]) -> list[str]:
    """Write decimals with as many places each as the longest needs, so that points line up."""
    places = max((len(plain(value).partition(".")[2]) for value in values), default=0)
    return [f"{value:.{places}f}" for value in values]


def write_csv(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows to stdout with a header; what is not known is empty."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(_csv_value(row[column]) for column in columns)
    _write(text.getvalue())


def write_json(rows: Iterable[Row]) -> None:
    """Write rows to stdout as one array of objects; what is not known is null."""
    import json

    _write(json.dumps([dict(row) for row in rows], default=float, indent=2) + "\n")


def new_table(environment: Environment, title: str = "") -> Table:
    """Begin a table whose title says where the rows come from, unless that is production."""
    from rich import box
    from rich.table import Table

    from bitso_spread.exchange.environment import PRODUCTION

    if environment.is_simulated:
        title = f"{title} SIMULATED".strip()
    elif environment.name != PRODUCTION.name:
        title = f"{title} ({environment.name})".strip()
    return Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def print_tables(tables: Iterable[Table]) -> None:
    """Write tables to stdout."""
    from rich.console import Console

    console = Console(file=sys.stdout, markup=False, highlight=False)
    # To text first, for rich ends the program with status 1 when a pipe is closed.
    with console.capture() as capture:
        for table in tables:
            console.print(table)
    _write(capture.get())


def _write(text: str) -> None:
    with stdout() as out:
        out.write(text.encode())


def _csv_value(value: Value) -> Value:
    return plain(value) if isinstance(value, Decimal) else value
