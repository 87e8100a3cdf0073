"""Options that several commands share, each defined once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from bitso_spread.cloud.address import Address, is_url, parse
from bitso_spread.errors import UsageError
from bitso_spread.lake import layout

ADVANCED = "Advanced"
"""The panel, in the help of a command, of hosts and of what is tuned."""

SIMULATED_LAKE = Path("sim-lake")
DEFAULT_BOOKS = ("btc_mxn", "usd_mxn")

_LAKE_HELP = (
    "The folder that holds the table, or s3://bucket/prefix, gs:// or az://; naming the "
    "table's own folder works too."
)


def _named(lake: str | None) -> str | None:
    # As of a variable that is not set: the working directory is hardly meant.
    if lake == "":
        raise UsageError("--lake is empty: name a folder, such as . for this one")
    return lake


BookOption = Annotated[
    list[str] | None,
    typer.Option(
        "--book",
        "-b",
        envvar="BITSO_SPREAD_BOOK",
        metavar="BOOK",
        show_default="btc_mxn, usd_mxn",
        help="A book, such as btc_mxn or BTC-MXN; repeat it, or join several with commas; "
        "'all' for every book.",
    ),
]

EnvironmentOption = Annotated[
    str,
    typer.Option(
        "--environment",
        "-e",
        envvar="BITSO_SPREAD_ENVIRONMENT",
        metavar="NAME",
        help="production, stage, or sim: a simulated exchange started in this process.",
    ),
]

RestUrlOption = Annotated[
    str | None,
    typer.Option(
        "--rest-url",
        envvar="BITSO_SPREAD_REST_URL",
        metavar="URL",
        rich_help_panel=ADVANCED,
        show_default="from the environment",
        help="Another REST host: the part before /order_book, such as https://api.bitso.com/v3.",
    ),
]

WsUrlOption = Annotated[
    str | None,
    typer.Option(
        "--ws-url",
        envvar="BITSO_SPREAD_WS_URL",
        metavar="URL",
        rich_help_panel=ADVANCED,
        show_default="from the environment",
        help="Another WebSocket host, such as wss://ws.bitso.com.",
    ),
]

# A text: a Path would make s3:/ of s3://.
LakeOption = Annotated[
    str | None,
    typer.Option(
        "--lake",
        envvar="BITSO_SPREAD_LAKE",
        metavar="DIR|URL",
        callback=_named,
        show_default="., or sim-lake with -e sim",
        help=_LAKE_HELP,
    ),
]

TableOption = Annotated[
    str,
    typer.Option(
        "--table",
        envvar="BITSO_SPREAD_TABLE",
        metavar="NAME",
        rich_help_panel=ADVANCED,
        help="The table in the lake.",
    ),
]

_COLUMNS_HELP = (
    "five: time, book, bid, ask, spread; full: amounts at the top, the exchange's time, "
    "age, state and source besides."
)

ColumnsOption = Annotated[str, typer.Option(metavar="WHICH", help=_COLUMNS_HELP)]

RecordedColumnsOption = Annotated[
    str | None,
    typer.Option(
        "--columns", metavar="WHICH", show_default="the table's own; five", help=_COLUMNS_HELP
    ),
]

# What `query` and the commands that take its filters share.

HeldLakeOption = Annotated[
    str,
    typer.Option(
        "--lake",
        envvar="BITSO_SPREAD_LAKE",
        metavar="DIR|URL",
        callback=_named,
        help=_LAKE_HELP,
    ),
]

StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        envvar="BITSO_SPREAD_STATE",
        metavar="DIR",
        show_default="none",
        help="Of a lake in object storage: the local folder of its collector, with the journal and "
        "what is not uploaded yet.",
    ),
]

LocalHalfOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        envvar="BITSO_SPREAD_STATE",
        metavar="DIR",
        show_default="one of your own",
        help="With a lake in object storage: the folder for the journal, and for files until "
        "they are in the store.",
    ),
]

DateOption = Annotated[
    str | None,
    typer.Option(
        "--date",
        metavar="D",
        show_default="every day",
        help="UTC days: 20240726, 2024-07-26, today, yesterday, A..B, A.. or ..B.",
    ),
]

HeldBookOption = Annotated[
    list[str] | None,
    typer.Option(
        "--book",
        "-b",
        envvar="BITSO_SPREAD_BOOK",
        metavar="BOOK",
        show_default="every book",
        help="A book, such as btc_mxn or BTC-MXN; repeat it, or join several with commas.",
    ),
]

MinutesOption = Annotated[
    str | None,
    typer.Option(
        "--minutes",
        metavar="A..B",
        show_default="the whole day",
        help="Batches by their start, in minutes from UTC midnight; ends included.",
    ),
]

SkipBadOption = Annotated[
    bool,
    typer.Option("--skip-bad", help="Pass over files that cannot be read, and count them."),
]


def from_option(command: str) -> Any:
    """Make the option ``--from`` of a command; `from` itself cannot be a parameter."""
    return typer.Option(
        "--from",
        envvar=f"BITSO_SPREAD_{command}_FROM",
        metavar="T",
        show_default="the beginning",
        help="The first instant, in ISO 8601; without an offset it is in --tz.",
    )


def to_option(command: str) -> Any:
    """Make the option ``--to`` of a command."""
    return typer.Option(
        "--to",
        envvar=f"BITSO_SPREAD_{command}_TO",
        metavar="T",
        show_default="the end",
        help="The instant to stop before.",
    )


def lake_place(lake: str | None, environment: str) -> str:
    """Give the folder, or URL, that is meant where `LakeOption` is, or is not, given."""
    if lake is not None:
        return lake
    return str(SIMULATED_LAKE) if environment == layout.SIMULATED else "."


def lake_address(url: str, table: str) -> Address:
    """Give where a lake in object storage is; naming the table's own folder works too.

    Raises:
        UsageError: it is no such URL.
    """
    address = parse(url)
    parent, _, name = address.prefix.rpartition("/")
    return replace(address, prefix=parent) if name == table else address


def lake_name(lake: str, table: str) -> Path | str:
    """Give the absolute folder, or the URL, of a lake that is written; naming its table works too.

    Raises:
        UsageError: it is no such URL, or the folder lies in another lake's table.
    """
    if is_url(lake):
        return str(lake_address(lake, table))
    from bitso_spread.lake.misnamed import check_not_inside

    folder = layout.locate(Path(lake), table)
    check_not_inside(folder)
    return folder
