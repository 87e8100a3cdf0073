"""The command line: thin wrappers over the library, one module per subcommand."""

from __future__ import annotations

import gc
import sys

from bitso_spread.errors import BitsoSpreadError, UsageError


def main() -> None:
    """Run the command line; every error leaves as one line and an exit status.

    0: done. 1: it could not be done. 2: the command line was wrong.
    """
    # What is imported stays. Looking through it for garbage, on the way and once more at the
    # end, is a tenth of what --help takes.
    gc.disable()
    import typer

    from bitso_spread.cli.app import app, load_commands, settings

    load_commands()
    gc.freeze()
    gc.enable()
    try:
        app(prog_name="bitso-spread")
    except Exception as error:
        if settings.debug:
            raise
        if isinstance(error, BitsoSpreadError):
            message = str(error)
        else:
            name = type(error).__name__
            message = f"unexpected {name}: {error} (bitso-spread --debug … shows where)"
        typer.echo(f"bitso-spread: {' '.join(message.split())}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
