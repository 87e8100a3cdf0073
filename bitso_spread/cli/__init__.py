"""The command line: thin wrappers over the library, one module per subcommand."""

from __future__ import annotations

import gc
import sys

from bitso_spread.errors import BitsoSpreadError, UsageError

ENDED_BY_CTRL_C = 130


def main() -> None:
    """Run the command line; every error leaves as one line and an exit status.

    0: done. 1: it could not be done. 2: the command line was wrong. 130: ended by Ctrl-C.
    """
    # What is imported stays. Looking through it for garbage, on the way and once more at the
    # end, is a tenth of what --help takes.
    gc.disable()
    try:
        status = _run()
    except KeyboardInterrupt:
        # Before there was a command, or as one was on its way out.
        status = ENDED_BY_CTRL_C
    sys.exit(status)


def _run() -> int:
    import logging

    import typer
    from typer.exceptions import TyperException

    from bitso_spread.cli.app import app, load_commands, settings
    from bitso_spread.cli.logs import is_json, say

    load_commands(sys.argv[1:])
    gc.freeze()
    gc.enable()
    try:
        # Not standalone: Typer would show what is wrong with an option in a box of five lines.
        return app(prog_name="bitso-spread", standalone_mode=False) or 0
    except typer.Abort:
        return 1
    except TyperException as error:
        # The bare program has shown its help, and has nothing more to say.
        if type(error).__name__ != "NoArgsIsHelpError":
            from bitso_spread.cli.mistakes import in_words

            say(in_words(error), logging.ERROR)
        return error.exit_code
    except Exception as error:
        if settings.debug and not is_json():
            raise
        notes = "; ".join(getattr(error, "__notes__", ()))
        said = f"{error} ({notes})" if notes else str(error)
        if not isinstance(error, BitsoSpreadError):
            name = type(error).__name__
            said = f"unexpected {name}: {error} (bitso-spread --debug … shows where)"
        say(said, logging.ERROR, error if settings.debug else None)
        return 2 if isinstance(error, UsageError) else 1
