"""What is said to a person, or to a log collector, on stderr.

Single lines of the commands, and what the library logs. As JSON, every line of stderr is one
object, whatever happens.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum

import typer

_LOGGER = logging.getLogger("bitso_spread")
_silenced = {"notes": False}


class LogFormat(StrEnum):
    """The forms of the log."""

    TEXT = "text"
    JSON = "json"


def say(
    message: object,
    level: int = logging.INFO,
    error: BaseException | None = None,
    *,
    always: bool = False,
) -> None:
    """Tell the person one line; in JSON with its level, and the traceback of an error.

    A line of a level below WARNING is a note, which `be_quiet` silences unless it is for `always`.
    """
    line = " ".join(str(message).split())
    if is_quiet() and level < logging.WARNING:
        if not always:
            return
        level = logging.WARNING
    if is_json():
        _LOGGER.log(level, "%s", line, exc_info=error)
    else:
        typer.echo(f"bitso-spread: {line}", err=True)


def warn(message: object) -> None:
    """Tell the person one line of what is wrong, or lost, also where notes are silenced."""
    say(message, logging.WARNING)


def tell(line: object, *, always: bool = False) -> None:
    """Tell the person one line that does not need to say who says it; a note, unless `always`."""
    if is_quiet() and not always:
        return
    if is_json():
        _LOGGER.log(logging.WARNING if is_quiet() else logging.INFO, "%s", line)
    else:
        typer.echo(line, err=True)


def be_quiet(quiet: bool) -> None:
    """Say from now on only what is wrong, and what is lost; or all again."""
    _silenced["notes"] = quiet


def is_quiet() -> bool:
    """Tell whether notes, progress and the live board are unwanted."""
    return _silenced["notes"]


class StderrHandler(logging.Handler):
    """Writes records to whatever stderr is at the time: a live board redirects it to above it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line."""
        if sys.stderr is not None:
            with suppress(OSError, ValueError):
                sys.stderr.write(" ".join(self.format(record).split("\n")) + "\n")
                sys.stderr.flush()


class JsonFormatter(logging.Formatter):
    """Makes a record one JSON object: time (UTC), level, logger, message, traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one line."""
        import json

        moment = datetime.fromtimestamp(record.created, UTC)
        entry = {
            "time": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def show_warnings() -> None:
    """Show warnings, as a command that is soon over does."""
    _show(logging.WARNING, logging.Formatter("bitso-spread: %(message)s"))


def show_log(*, debug: bool, log_format: LogFormat = LogFormat.TEXT) -> None:
    """Show all that happens, with the time in UTC, as a command that runs for months does."""
    level = logging.DEBUG if debug else logging.WARNING if is_quiet() else logging.INFO
    if log_format is LogFormat.JSON:
        _show(level, JsonFormatter())
        _catch_the_rest(_LOGGER.handlers[0])
        return
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    _show(level, formatter)


def is_json() -> bool:
    """Tell whether each line of stderr is to be a JSON object."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in _LOGGER.handlers)


def _show(level: int, formatter: logging.Formatter) -> None:
    handler = StderrHandler()
    handler.setFormatter(formatter)
    _LOGGER.setLevel(level)
    _LOGGER.handlers = [handler]
    _LOGGER.propagate = True


def _catch_the_rest(handler: logging.Handler) -> None:
    """Make objects also of what Python and other libraries would write to stderr."""
    logging.getLogger().handlers = [handler]
    # The root's handler is the same one: once is enough.
    _LOGGER.propagate = False
    logging.captureWarnings(capture=True)

    def fell(arguments: threading.ExceptHookArgs) -> None:
        name = arguments.thread.name if arguments.thread else "?"
        _LOGGER.error(
            "the thread %s ended: %s", name, arguments.exc_value, exc_info=arguments.exc_value
        )

    threading.excepthook = fell
