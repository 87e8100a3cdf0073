"""``bitso-spread sim``: the simulated exchange on its own, until it is told to end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bitso_spread.cli.app import SET_UP, app
from bitso_spread.cli.logs import tell
from bitso_spread.cli.options import ADVANCED, DEFAULT_BOOKS
from bitso_spread.counting import many
from bitso_spread.errors import UsageError

if TYPE_CHECKING:
    from bitso_spread.sim.market import Market
    from bitso_spread.sim.server import SimulatedExchange


@app.command("sim", rich_help_panel=SET_UP)
def sim(
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one."),
    ] = 0,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            rich_help_panel=ADVANCED,
            help="The address to listen on; by default this machine only.",
        ),
    ] = "127.0.0.1",
    books: Annotated[
        int | None,
        typer.Option("--books", min=1, metavar="N", show_default="12", help="How many books."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", show_default="0", help="Another seed is another market."),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            "--replay",
            show_default="an invented market",
            metavar="LAKE",
            help="Play back a lake instead, its times shifted to begin with the first "
            "subscription.",
        ),
    ] = None,
) -> None:
    """Run a simulated Bitso on this machine, REST and WebSocket on one port.

    Its books are invented, or played back from a lake: the first row comes in
    force 3 s after the first subscription, and gaps hold the row before them.
    Ctrl-C ends it.

    Example: bitso-spread sim --port 8080 --books 54
    """
    if replay is not None and (books is not None or seed is not None):
        raise UsageError("--replay plays the books of the lake: leave out --books and --seed")
    import signal

    from bitso_spread.sim.server import SimulatedExchange

    exchange = SimulatedExchange(_market(books, seed, replay), host=host, port=port)
    # Blocked before the exchange's thread begins, so that it is this thread that is told.
    ends = {signal.SIGINT, signal.SIGTERM}
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    told = False
    try:
        with exchange:
            tell(_announcement(exchange, replay))
            told = bool(signal.sigwait(ends))
    finally:
        # The double of what ended it, such as ``timeout`` sends, says nothing new.
        if not told:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)


def _market(books: int | None, seed: int | None, replay: Path | None) -> Market:
    from bitso_spread.sim.replay import ReplayMarket
    from bitso_spread.sim.synthetic import DEFAULT_BOOKS as HOW_MANY
    from bitso_spread.sim.synthetic import SyntheticMarket

    if replay is not None:
        return ReplayMarket.from_lake(replay)
    return SyntheticMarket(books or HOW_MANY, seed=seed or 0)


def _announcement(exchange: SimulatedExchange, replay: Path | None) -> str:
    specs = exchange.market.specs
    what = f"playing back {replay.absolute()}" if replay else "an invented market"
    chosen = "" if all(book in specs for book in DEFAULT_BOOKS) else " --book all"
    return (
        f"SIMULATED exchange, {what}, {many(len(specs), 'book')}; Ctrl-C ends it\n"
        f"  REST       {exchange.rest_url}\n"
        f"  WebSocket  {exchange.ws_url}\n"
        f"Record it:\n"
        f"  bitso-spread collect -e sim --rest-url {exchange.rest_url}"
        f" --ws-url {exchange.ws_url}{chosen}"
    )
