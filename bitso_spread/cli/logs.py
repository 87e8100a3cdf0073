"""What is said to a person on stderr: single lines, and what the library logs."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import suppress

import typer

_LOGGER = logging.getLogger("bitso_spread")


def say(message: object) -> None:
    """Tell the person one line."""
    typer.echo(f"bitso-spread: {' '.join(str(message).split())}", err=True)


class StderrHandler(logging.Handler):
    """Writes records to whatever stderr is at the time: a live board redirects it to above it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line."""
        if sys.stderr is not None:
            with suppress(OSError, ValueError):
                sys.stderr.write(" ".join(self.format(record).split("\n")) + "\n")
                sys.stderr.flush()


def show_warnings() -> None:
    """Show warnings, as a command that is soon over does."""
    _show(logging.WARNING, logging.Formatter("bitso-spread: %(message)s"))


def show_log(*, debug: bool) -> None:
    """Show all that happens, with the time in UTC, as a command that runs for months does."""
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    _show(logging.DEBUG if debug else logging.INFO, formatter)


def _show(level: int, formatter: logging.Formatter) -> None:
    handler = StderrHandler()
    handler.setFormatter(formatter)
    _LOGGER.setLevel(level)
    _LOGGER.handlers = [handler]
