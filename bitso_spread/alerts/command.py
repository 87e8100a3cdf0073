"""Runs the user's command for each message, which it reads as JSON from its standard input."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from bitso_spread.alerts.channel import Attempt
from bitso_spread.alerts.config import VARIABLE
from bitso_spread.errors import UsageError

TIME_LIMIT_S = 30.0

# What the command has no business with.
_SECRETS = (VARIABLE, "BITSO_API_KEY", "BITSO_API_SECRET")
_SAID_LIMIT = 200


def parse_command(text: str) -> tuple[str, ...]:
    """Split a command line as a shell does, and find its program; no shell ever runs it.

    Raises:
        UsageError: a quote is left open, or there is no such program.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        # What it holds may be a token.
        raise UsageError(f"--alert-command cannot be read: {error}") from None
    if not words:
        raise UsageError("--alert-command is empty: name a program")
    if (program := shutil.which(words[0])) is None:
        raise UsageError(
            f"--alert-command: there is no program {words[0]}; for a line with pipes or variables "
            "write sh -c '…'"
        )
    # What it is called now it is called later too, wherever the process goes.
    return (str(Path(program).absolute()), *words[1:])


class CommandChannel:
    """One command; for one thread at a time, but for `close`."""

    name = "command"
    # Whatever it does, it may have done half of it.
    attempts = 1

    def __init__(self, command: Sequence[str], time_limit_s: float = TIME_LIMIT_S) -> None:
        self._command = tuple(command)
        self._time_limit_s = time_limit_s
        self._running: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def close(self) -> None:
        """Kill the command and all that it has started."""
        self._is_closed = True
        if (process := self._running) is not None:
            _kill(process)

    def send(self, message: Mapping[str, Any]) -> Attempt:
        """Run it once."""
        name = Path(self._command[0]).name
        environ = {key: value for key, value in os.environ.items() if key not in _SECRETS}
        # A file, for a pipe would be waited for as long as a grandchild holds it.
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(  # noqa: S603  (the user's own command, and no shell)
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    env=environ,
                    start_new_session=True,
                )
            except OSError as error:
                return Attempt(f"{name} cannot be started: {error.strerror}")
            self._running = process
            try:
                process.communicate(json.dumps(message).encode() + b"\n", self._time_limit_s)
            except subprocess.TimeoutExpired:
                _kill(process)
                process.wait()
                return Attempt(f"{name} was killed: it took over {self._time_limit_s:g} s")
            finally:
                self._running = None
            if process.returncode == 0:
                return Attempt(f"{name} ended with 0", is_sent=True)
            # One that was cut short has told nobody yet.
            return Attempt(
                f"{name} ended with {process.returncode}{_last_line(errors)}",
                may_pass=self._is_closed and process.returncode == -signal.SIGKILL,
            )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _last_line(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 4096))
    lines = errors.read().decode("utf-8", "replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    said = "".join(c for c in last if c.isprintable())[:_SAID_LIMIT]
    return f": {said}" if said else ""
