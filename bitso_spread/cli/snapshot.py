"""``bitso-spread snapshot``: the books now, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.app import LOOK, app
from bitso_spread.cli.logs import warn
from bitso_spread.cli.options import (
    DEFAULT_BOOKS,
    BookOption,
    EnvironmentOption,
    RestUrlOption,
    WsUrlOption,
)
from bitso_spread.cli.tables import (
    Format,
    FormatOption,
    Row,
    aligned,
    chosen_format,
    new_table,
    print_tables,
    say_unknown,
    write_csv,
    write_json,
)
from bitso_spread.model import State, WantedBooks

if TYPE_CHECKING:
    from rich.table import Table

    from bitso_spread.exchange.environment import Environment
    from bitso_spread.exchange.look import Look
    from bitso_spread.exchange.rest_models import DepthLevel

QUOTE_COLUMNS = ("orderbook_timestamp", "book", "bid", "ask", "spread", "age_ms", "state")
DEPTH_COLUMNS = ("book", "side", "level", "price", "amount", "cumulative")


@app.command("snapshot", rich_help_panel=LOOK)
def snapshot(
    book: BookOption = None,
    environment: EnvironmentOption = "production",
    rest_url: RestUrlOption = None,
    ws_url: WsUrlOption = None,
    depth: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", show_default="the best alone", help="The top N price levels."
        ),
    ] = None,
    format: FormatOption = None,  # noqa: A002  (its environment variable is named after it)
) -> None:
    """Show the books now, side by side: bid, ask, spread, age.

    The time is when the reply came, in UTC, cut to the second; the age is
    since then. The status is 1 if a book could not be had; the others are
    shown all the same.

    Example: bitso-spread snapshot --book btc_mxn --depth 5
    """
    from bitso_spread.cli.exchange import open_environment
    from bitso_spread.clock import monotonic
    from bitso_spread.exchange.look import look
    from bitso_spread.exchange.rest import RestClient

    wanted = WantedBooks(book or DEFAULT_BOOKS)
    with open_environment(environment, rest_url, ws_url) as source, RestClient(source) as client:
        books, unknown = wanted.among({info.book for info in client.available_books()})
        looks = look(client, books, levels=depth is not None)
    failed = [seen for seen in looks if seen.error]
    # Where nothing could be had, a header alone would pass for an answer.
    if depth is None and (looks or not unknown):
        _show_quotes(looks, monotonic(), source, chosen_format(format))
    elif depth is not None and (len(failed) < len(looks) or not (failed or unknown)):
        _show_depth(looks, depth, source, chosen_format(format))
    for error in unknown:
        say_unknown(error)
    for seen in failed:
        warn(f"{seen.book}: {seen.error}")
    if unknown or failed:
        raise typer.Exit(1)


def _show_quotes(looks: Sequence[Look], now: float, source: Environment, form: Format) -> None:
    if form is Format.TABLE:
        table = new_table(source)
        for heading in ("book", "bid", "ask", "spread %", "age"):
            table.add_column(heading, justify="left" if heading == "book" else "right")
        for seen in looks:
            table.add_row(seen.book, *_cells(seen, now))
        print_tables([table])
        return
    rows = [_quote_row(seen, now) for seen in looks]
    if form is Format.CSV:
        write_csv(QUOTE_COLUMNS, rows)
    else:
        write_json(rows)


def _cells(seen: Look, now: float) -> list[str]:
    if seen.quote is None:
        return ["unknown", "", "", ""]
    age_s = now - seen.received_monotonic
    prices = aligned([seen.quote.bid, seen.quote.ask])
    return [*prices, f"{seen.quote.spread:.4f}", f"{age_s:.1f} s"]


def _quote_row(seen: Look, now: float) -> Row:
    from datetime import UTC, datetime

    quote = seen.quote
    return {
        "orderbook_timestamp": datetime.fromtimestamp(int(seen.received), UTC).isoformat(),
        "book": seen.book,
        "bid": quote.bid if quote else None,
        "ask": quote.ask if quote else None,
        "spread": quote.spread if quote else None,
        "age_ms": round((now - seen.received_monotonic) * 1000) if quote else None,
        "state": State.FRESH if quote else State.UNKNOWN,
    }


def _show_depth(looks: Sequence[Look], depth: int, source: Environment, form: Format) -> None:
    sides = [
        (seen.book, seen.order_book.bid_depth(depth), seen.order_book.ask_depth(depth))
        for seen in looks
        if seen.order_book and seen.quote
    ]
    if form is Format.TABLE:
        print_tables(_depth_table(source, *side) for side in sides)
        return
    rows = [
        row
        for book, bids, asks in sides
        for row in (*_depth_rows(book, "bid", bids), *_depth_rows(book, "ask", asks))
    ]
    if form is Format.CSV:
        write_csv(DEPTH_COLUMNS, rows)
    else:
        write_json(rows)


def _depth_rows(book: str, side: str, levels: Sequence[DepthLevel]) -> list[Row]:
    return [
        {
            "book": book,
            "side": side,
            "level": number,
            "price": level.price,
            "amount": level.amount,
            "cumulative": level.cumulative,
        }
        for number, level in enumerate(levels, start=1)
    ]


def _depth_table(
    source: Environment,
    book: str,
    bids: Sequence[DepthLevel],
    asks: Sequence[DepthLevel],
) -> Table:
    # The best bid and the best ask stand side by side in the middle of the first row.
    columns = {
        "cumulative": aligned([level.cumulative for level in bids]),
        "amount": aligned([level.amount for level in bids]),
        "bid": aligned([level.price for level in bids]),
        "ask": aligned([level.price for level in asks]),
        "amount ": aligned([level.amount for level in asks]),
        "cumulative ": aligned([level.cumulative for level in asks]),
    }
    table = new_table(source, book)
    for heading in columns:
        table.add_column(heading.strip(), justify="right", overflow="fold")
    for cells in zip_longest(*columns.values(), fillvalue=""):
        table.add_row(*cells)
    return table
