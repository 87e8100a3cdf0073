"""The Typer application: what commands there are, in which groups, and what all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup, TyperOption

from bitso_spread import __version__
from bitso_spread.cli.logs import be_quiet, show_warnings
from bitso_spread.settings_files import SettingsFile

ALWAYS = {
    "config": "A file of settings; it goes before the user's own.",
    "quiet": "No progress, no board and no notes: only errors, and what is lost.",
    "verbose": "Tell where the value of each option came from.",
    "debug": "Show the traceback of an error instead of one line.",
}
"""What may stand before a command or after it, and its help."""

RECORD, LOOK, ASK, KEEP, SET_UP = "Record", "Look", "Ask", "Keep", "Set up"


@dataclass(slots=True)
class Settings:
    """What the options before the subcommand set, or those that may as well follow it."""

    debug: bool = False
    quiet: bool = False
    verbose: bool = False
    config: str | None = None
    """The settings file that is named."""
    files: tuple[SettingsFile, ...] = ()
    """Those that were read, the nearest first."""


settings = Settings()


class _Text(TyperOption):
    """An option whose text is taken as it is: to check it would load pydantic, in 35 ms."""

    def process_value(self, ctx: Any, value: Any) -> Any:  # noqa: ARG002  (as its base)
        return value


class _Program(TyperGroup):
    """The program itself, whose options are read before any command shows its help."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for param in self.params:
            if param.name == "config":
                param.__class__ = _Text


app = typer.Typer(
    cls=_Program,
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
    context: typer.Context,
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
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            show_default="./bitso-spread.toml",
            help=ALWAYS["config"],
        ),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help=ALWAYS["quiet"]),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help=ALWAYS["verbose"]),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help=ALWAYS["debug"]),
    ] = False,
) -> None:
    """Record the bid-ask spread of Bitso's order books, one sample a second.

    A look without a network:  bitso-spread collect -e sim --duration 30s
    The books now:             bitso-spread snapshot
    What was recorded:         bitso-spread query --lake sim-lake --date today

    --config, --quiet, --verbose and --debug may as well follow the command.
    """
    # Their variables are read by the command, where --no-quiet can take them back.
    settings.quiet, settings.verbose = (
        given and _is_typed(context, name)
        for name, given in (("quiet", quiet), ("verbose", verbose))
    )
    settings.debug, settings.config, settings.files = debug, config, ()
    be_quiet(settings.quiet)
    show_warnings()


def _is_typed(context: typer.Context, name: str) -> bool:
    source: Any = context.get_parameter_source(name)
    return bool(source.name == "COMMANDLINE")


MODULES = {
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
    from bitso_spread.cli.command import Command

    named = _first_word(arguments)
    for module in [MODULES[named]] if named in MODULES else MODULES.values():
        import_module(f"bitso_spread.cli.{module}")
    for command in app.registered_commands:
        command.cls = Command


def _first_word(arguments: Sequence[str]) -> str | None:
    words = iter(arguments)
    for word in words:
        if word == "--config":
            next(words, None)
        elif not word.startswith("-"):
            return word
    return None
