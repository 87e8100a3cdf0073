"""``bitso-spread watch``: a live board of books, from the exchange or a running collector."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from bitso_spread.cli.app import LOOK, app
from bitso_spread.cli.logs import warn
from bitso_spread.cli.marks import Marks, label
from bitso_spread.cli.options import (
    DEFAULT_BOOKS,
    EnvironmentOption,
    RestUrlOption,
    TableOption,
    WsUrlOption,
)
from bitso_spread.cli.signals import ended_by_signals
from bitso_spread.cli.stdout import stdout
from bitso_spread.cloud.address import is_url
from bitso_spread.errors import LakeError, UnknownBookError, UsageError
from bitso_spread.lake import layout
from bitso_spread.model import ALL, Sample, WantedBooks

if TYPE_CHECKING:
    from bitso_spread.board import Board, Line
    from bitso_spread.cli.board_look import Scene
    from bitso_spread.health import Health

# A collector's row is durable by then as a rule, and soon enough for the next drawing.
_AFTER_TICK_S = 0.4
_SOON_S = 0.3


@app.command("watch", rich_help_panel=LOOK)
def watch(
    ctx: typer.Context,
    book: Annotated[
        list[str] | None,
        typer.Option(
            "--book",
            "-b",
            envvar="BITSO_SPREAD_BOOK",
            metavar="BOOK",
            show_default="btc_mxn, usd_mxn; with --lake: all that are recorded",
            help="A book, such as btc_mxn or BTC-MXN; repeat it, or join several with commas; "
            "'all' for every book.",
        ),
    ] = None,
    environment: EnvironmentOption = "production",
    rest_url: RestUrlOption = None,
    ws_url: WsUrlOption = None,
    lake: Annotated[
        Path | None,
        typer.Option(
            "--lake",
            metavar="DIR",
            show_default="none",
            help="Show what a collector records into this lake now, and ask no exchange.",
        ),
    ] = None,
    table: TableOption = layout.TABLE,
) -> None:
    """Show a live board of books: prices, spread, its last ten minutes.

    Records nothing. Keys: s sorts by spread, and back; arrows, page up and
    down (or j and k) scroll; q quits. Off a terminal it prints one line a
    second instead. Where colours are not wanted, set NO_COLOR.

    Example: bitso-spread watch -b btc_mxn,usd_mxn,eth_mxn
    """
    stop = threading.Event()
    with ended_by_signals(stop.set):
        if lake is None:
            _watch_feed(book, environment, rest_url, ws_url, stop)
        else:
            _check_no_exchange(ctx)
            _watch_lake(lake, table, book, stop)


def _check_no_exchange(ctx: typer.Context) -> None:
    # What stands in the environment is meant for other commands.
    for name in ("environment", "rest_url", "ws_url"):
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"--lake shows what is recorded there: leave out {option}")


class _Shown(Protocol):
    """What shows the rows."""

    def put(self, samples: Iterable[Sample]) -> None:
        """Take the rows of a tick."""


class _Lines:
    """A line a second on stdout, for a program or a file."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def put(self, samples: Iterable[Sample]) -> None:
        """Write how the books stand now."""
        self._board.add(samples)
        now = time.time()
        said = "  ".join(_said(line) for line in self._board.lines(now))
        moment = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}"
        with stdout() as out:
            out.write(f"{moment}  {said}\n".encode())


def _said(line: Line) -> str:
    if line.spread is None:
        return f"{line.book} {line.state}"
    prices = f"{line.bid:.{line.places}f} {line.ask:.{line.places}f}"
    return f"{line.book} {prices} {line.spread:.4f} % {line.state}"


@contextmanager
def _shown(
    board: Board, dress: Callable[[Scene], Scene], stop: threading.Event
) -> Iterator[_Shown]:
    """Show a board on stdout: live on a terminal, else in lines."""
    from bitso_spread.cli.board_terminal import has_screen

    if not has_screen(sys.stdout):
        yield _Lines(board)
        return
    from bitso_spread.cli.board_screen import Screen

    with Screen(board, dress, stream=sys.stdout, stop=stop, quits=True) as screen:
        yield screen
    if screen.failure is not None:
        raise screen.failure


def _watch_feed(
    book: Sequence[str] | None,
    environment: str,
    rest_url: str | None,
    ws_url: str | None,
    stop: threading.Event,
) -> None:
    from bitso_spread.board import Board
    from bitso_spread.cli.exchange import open_environment
    from bitso_spread.exchange.book_list import BookList
    from bitso_spread.exchange.client import OrderBookClient, feed_url
    from bitso_spread.sampling import Sampler, Tick

    with open_environment(environment, rest_url, ws_url) as exchange:
        feed_url(exchange)
        books = BookList(exchange, book or DEFAULT_BOOKS).look_up()
        mark = label(exchange.name)
        client = OrderBookClient(books, exchange)

        def dress(scene: Scene) -> Scene:
            waiting = f"waiting for the first data: {client.trouble(books[0])}"
            return replace(scene, mark=mark, waiting=waiting)

        with client, _shown(Board(books=books), dress, stop) as shown:
            for event in Sampler(client, books, stop=stop).ticks():
                if isinstance(event, Tick):
                    shown.put(event.samples)


def _watch_lake(lake: Path, table: str, book: Sequence[str] | None, stop: threading.Event) -> None:
    from bitso_spread.board import SPAN_S, Board
    from bitso_spread.cli.board_alerts import KeptAlerts, told
    from bitso_spread.complaint import Complaint
    from bitso_spread.health import examine

    if is_url(str(lake)):
        raise UsageError(
            "watch shows what a collector of this host records: give the folder that its first "
            "line names, or its --state"
        )
    from bitso_spread.lake.latest import Latest

    latest = Latest(lake, table, after=int(time.time()) - SPAN_S)
    health = examine(lake, table)
    if not health.collectors:
        raise LakeError(health.complaints[0])
    books = _recorded(book, health)
    beats = [one.beat for one in health.collectors if one.beat is not None]
    marks = Marks()
    for beat in beats:
        marks.add(beat.environment)
    mark, wrong = marks.title() or "", health.complaints
    alerts = KeptAlerts(layout.locate(lake, table), table)
    in_force = alerts.look()

    def dress(scene: Scene) -> Scene:
        return replace(
            scene,
            mark=mark,
            alerts=told(one for one in in_force if books is None or one.book in books),
            notes=(*scene.notes, *wrong),
            waiting="waiting for the first row …",
        )

    complaint = Complaint()
    board = Board(min((beat.interval for beat in beats), default=1), books or ())
    rows = latest.look(books)
    with _shown(board, dress, stop) as shown:
        while not stop.is_set():
            shown.put(rows)
            wait_s = (_AFTER_TICK_S - time.time()) % 1.0
            stop.wait(wait_s if wait_s > _SOON_S else wait_s + 1.0)
            wrong, in_force = examine(lake, table).complaints, alerts.look()
            try:
                rows = latest.look(books)
            except LakeError as error:
                rows = []
                if complaint.due(str(error)):
                    warn(error)


def _recorded(book: Sequence[str] | None, health: Health) -> list[str] | None:
    """Give the books that are asked for, as they are recorded; None is all of them."""
    wanted = WantedBooks(book or [ALL])
    if wanted.every:
        return None
    names = {name for one in health.collectors if one.beat for name in one.beat.names}
    if not names:
        # A collector that has just begun does not know its books yet.
        return wanted.names
    books, unknown = wanted.among(names)
    if unknown:
        raise UnknownBookError(f"{unknown[0]} (no collector of {health.lake} records it)")
    return books
