"""The Typer application: what commands there are, in which groups, and what all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated

import typer

from bitso_spread import __version__
from bitso_spread.cli.logs import show_warnings

RECORD, LOOK, ASK, KEEP, SET_UP = "Record", "Look", "Ask", "Keep", "Set up"


@dataclass(slots=True)
class Settings:
    """What the options before the subcommand set."""

    debug: bool = False


settings = Settings()

app = typer.Typer(
    name="bitso-spread",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "BITSO_SPREAD",
    },
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"bitso-spread {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[  # noqa: ARG001  (its callback does the work)
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            show_envvar=False,
            help="Show the version and exit.",
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error instead of one line."),
    ] = False,
) -> None:
    """Record the bid-ask spread of Bitso's order books, one sample a second.

    A look without a network:  bitso-spread collect -e sim --duration 30s
    The books now:             bitso-spread snapshot
    What was recorded:         bitso-spread query --lake sim-lake --date today
    """
    settings.debug = debug
    show_warnings()


_MODULES = {
    "collect": "collect",
    "status": "status",
    "snapshot": "snapshot",
    "watch": "watch",
    "books": "books",
    "query": "query",
    "report": "report",
    "alerts": "alerts",
    "verify": "verify",
    "compact": "compact",
    "import": "import_",
    "doctor": "doctor",
    "sim": "sim",
    "service": "service",
}
"""The module of each subcommand, in the order in which --help shows them."""


def load_commands(arguments: Sequence[str] = ()) -> None:
    """Add the subcommands; where the arguments name one, it alone, for all of them take 40 ms."""
    named = next((word for word in arguments if not word.startswith("-")), None)
    for module in [_MODULES[named]] if named in _MODULES else _MODULES.values():
        import_module(f"bitso_spread.cli.{module}")
