"""``bitso-spread books``: what can be recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.app import LOOK, app
from bitso_spread.cli.logs import warn
from bitso_spread.cli.options import EnvironmentOption, RestUrlOption, WsUrlOption
from bitso_spread.cli.tables import (
    Format,
    FormatOption,
    Row,
    Value,
    chosen_format,
    new_table,
    plain,
    print_tables,
    say_unknown,
    write_csv,
    write_json,
)
from bitso_spread.errors import ExchangeError
from bitso_spread.model import ALL, WantedBooks

if TYPE_CHECKING:
    from bitso_spread.exchange.environment import Environment
    from bitso_spread.exchange.rest import RestClient
    from bitso_spread.exchange.rest_models import BookInfo
    from bitso_spread.model import Quote

COLUMNS = ("book", "tick_size", "minimum_amount", "minimum_value", "bid", "ask", "spread")


@app.command("books", rich_help_panel=LOOK)
def books(
    book: Annotated[
        list[str] | None,
        typer.Option(
            "--book",
            "-b",
            envvar="BITSO_SPREAD_BOOK",
            metavar="BOOK",
            show_default=ALL,
            help="Only these books; repeat it, or join several with commas.",
        ),
    ] = None,
    environment: EnvironmentOption = "production",
    rest_url: RestUrlOption = None,
    ws_url: WsUrlOption = None,
    format: FormatOption = None,  # noqa: A002  (its environment variable is named after it)
) -> None:
    """List what can be recorded: tick size, minimum, and bid, ask and spread now.

    An order's minimum amount is in the first currency of the book's name.
    Its minimum value, the tick size and the prices are in the second.

    Example: bitso-spread books --format csv
    """
    from bitso_spread.cli.exchange import open_environment
    from bitso_spread.exchange.rest import RestClient

    wanted = WantedBooks(book or [ALL])
    with open_environment(environment, rest_url, ws_url) as source, RestClient(source) as client:
        available = {info.book: info for info in client.available_books()}
        names, unknown = wanted.among(available)
        quotes, failure = _quotes(client)
    rows = [_row(available[name], quotes.get(name)) for name in names]
    _show(rows, source, chosen_format(format))
    for error in unknown:
        say_unknown(error)
    if failure:
        warn(f"without prices: {failure}")
    if unknown or failure:
        raise typer.Exit(1)


def _quotes(client: RestClient) -> tuple[Mapping[str, Quote], ExchangeError | None]:
    try:
        tickers = client.tickers()
    except ExchangeError as error:
        return {}, error
    quotes = {}
    for ticker in tickers:
        # A book whose bid and ask make no quote is still one that can be recorded.
        try:
            quotes[ticker.book] = ticker.quote()
        except ExchangeError:
            continue
    return quotes, None


def _row(info: BookInfo, quote: Quote | None) -> Row:
    return {
        "book": info.book,
        "tick_size": info.tick_size,
        "minimum_amount": info.minimum_amount,
        "minimum_value": info.minimum_value,
        "bid": quote.bid if quote else None,
        "ask": quote.ask if quote else None,
        "spread": quote.spread if quote else None,
    }


def _show(rows: Sequence[Row], source: Environment, form: Format) -> None:
    if form is Format.CSV:
        write_csv(COLUMNS, rows)
    elif form is Format.JSON:
        write_json(rows)
    else:
        table = new_table(source)
        for heading in COLUMNS:
            name = heading.replace("_", " ").replace("spread", "spread %")
            table.add_column(name, justify="left" if heading == "book" else "right")
        for row in rows:
            table.add_row(*(_cell(row[column]) for column in COLUMNS))
        print_tables([table])


def _cell(value: Value) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else str(value)
