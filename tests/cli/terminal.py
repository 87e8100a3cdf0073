"""A real terminal for tests: a program that has one for itself, and what it shows and is sent."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

# As a login shell does: the terminal decides which signals it gets.
_OWN_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[@-~]")
PROGRAM = [sys.executable, "-m", "bitso_spread"]
ENTER, LEAVE, CLEAR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[2J"


class TerminalProgram:
    """A program on a terminal of its own; killed at the end if it still runs."""

    def __init__(
        self, command: Sequence[str], *, width: int = 80, height: int = 24, **environ: str
    ) -> None:
        self._ours, self._theirs = pty.openpty()
        self.resize(width, height)
        self.modes_before = self.modes
        self.output = ""
        """All that it has written."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OWN_TERMINAL, *command],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env={**os.environ, "TERM": "xterm-256color", "NO_COLOR": "", **environ},
        )

    @property
    def modes(self) -> list[object]:
        """The terminal's modes: echo, lines, signals."""
        return termios.tcgetattr(self._theirs)

    def resize(self, width: int, height: int) -> None:
        """Make the terminal as wide and as high."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self._ours, keys.encode())

    def read(self, seconds: float = 0.0) -> str:
        """Take in what has been written, and give all there has been."""
        while select.select([self._ours], [], [], seconds)[0]:
            seconds = 0.0
            self.output += os.read(self._ours, 1 << 16).decode("utf-8", "replace")
        return self.output

    def wait_for(self, text: str, *, after: int = 0, within_s: float = 60.0) -> int:
        """Wait until it has written a text; give where that ends in the output."""
        deadline = time.monotonic() + within_s
        while text not in plain(self.read(0.05)[after:]):
            assert time.monotonic() < deadline, f"no {text!r} in {self.output[after:]!r}"
        return len(self.output)

    def end(self, within_s: float = 60.0) -> int:
        """Wait for its end, and give its status."""
        deadline = time.monotonic() + within_s
        while self.process.poll() is None:
            self.read(0.05)
            assert time.monotonic() < deadline, f"it does not end: {self.output[-2000:]!r}"
        self.read(0.05)
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


def plain(output: str) -> str:
    """Give the text that was written, in the order in which it came, without colours and moves."""
    return _SEQUENCE.sub("", output)
