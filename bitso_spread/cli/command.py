"""What every command does beside its own work.

It takes ``--config``, ``--quiet``, ``--verbose`` and ``--debug`` also after its name, reads the
settings files, and says of a value that is refused where it came from.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from bitso_spread.cli.app import ALWAYS, settings
from bitso_spread.cli.logs import LogFormat, be_quiet, show_log
from bitso_spread.errors import BitsoSpreadError

_TELLS = "Every command also takes --config FILE, --quiet, --verbose and --debug."


class Command(TyperCommand):
    """A command of the program; `typer.Typer.command` is told to make it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        passes_on = self.context_settings.get("ignore_unknown_options", False)
        # -v would be found in -bvet_mxn.
        self.params += _always(with_letters=not passes_on)
        self.epilog = self.epilog or _TELLS

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Tell the defaults of the program, not those of a file that is here by chance."""
        ctx.default_map = None
        super().format_help(ctx, formatter)

    def make_parser(self, ctx: Any) -> Any:
        """Let ``--no-align`` take back what a file has said with ``align = true``."""
        parser = super().make_parser(ctx)
        for param in self.params:
            if isinstance(param, TyperOption) and param.is_flag:
                name = max(param.opts, key=len).removeprefix("--")
                parser.add_option(
                    obj=param,
                    opts=[f"--no-{name}"],
                    dest=param.name,
                    action="store_const",
                    const=False,
                )
        return parser

    def invoke(self, ctx: Any) -> Any:
        """Run it, having settled what it says and to whom."""
        from bitso_spread.cli import origins, precedence, variables

        quiet, verbose, debug = (ctx.params.pop(name) for name in ("quiet", "verbose", "debug"))
        ctx.params.pop("config")
        settings.debug = settings.debug or debug
        be_quiet(settings.quiet or quiet)
        settings.verbose = settings.verbose or verbose
        if ctx.params.get("log_format") is LogFormat.JSON:
            show_log(debug=settings.debug, log_format=LogFormat.JSON)
        if settings.verbose:
            origins.show(ctx)
        variables.tell_unknown(ctx)
        precedence.settle(ctx)
        try:
            return super().invoke(ctx)
        except BitsoSpreadError as error:
            origins.add_notes(error, ctx)
            raise


def _read_files(ctx: typer.Context, value: str | None) -> str | None:
    """Read the settings files, before any option but ``--help`` is looked at."""
    if ctx.resilient_parsing:
        # What is typed is to be completed, whatever a file says.
        return value
    from bitso_spread.settings_files import read_settings

    settings.config = value or settings.config
    settings.files = files = read_settings(settings.config)
    if files:
        from bitso_spread.cli.config import file_values

        ctx.default_map = file_values(ctx, files)
    return value


@cache
def _always(*, with_letters: bool) -> list[Any]:
    """Make the options that every command has, which its help does not repeat."""

    def flag(name: str) -> Any:
        letter = [f"-{name[0]}"] if with_letters and name != "debug" else []
        variable = f"BITSO_SPREAD_{name.upper()}"
        return typer.Option(
            False, f"--{name}", *letter, envvar=variable, hidden=True, help=ALWAYS[name]
        )

    # Before the command, its variable is read as well.
    file = typer.Option(
        None,
        "--config",
        metavar="FILE",
        is_eager=True,
        callback=_read_files,
        allow_from_autoenv=False,
        hidden=True,
        show_default="./bitso-spread.toml",
        help=ALWAYS["config"],
    )

    def always(
        config: str | None = file,
        quiet: bool = flag("quiet"),
        verbose: bool = flag("verbose"),
        debug: bool = flag("debug"),
    ) -> None: ...

    template = typer.Typer(add_completion=False)
    template.command()(always)
    return typer.main.get_command(template).params
