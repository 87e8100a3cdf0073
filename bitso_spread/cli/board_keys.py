"""Keys of a terminal, one at a time and not echoed, and waiting for them.

By termios and select; on Windows there are none. What a key does is bitso_spread.board's job.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from contextlib import suppress
from typing import TextIO

_NAMES = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"\x1b[B": "down", b"\x1bOB": "down",
    b"\x1b[5~": "page up", b"\x1b[6~": "page down",
    b"\x1b[H": "home", b"\x1bOH": "home", b"\x1b[1~": "home", b"\x1b[7~": "home",
    b"\x1b[F": "end", b"\x1bOF": "end", b"\x1b[4~": "end", b"\x1b[8~": "end",
}  # fmt: skip
_KEY = re.compile(rb"\x1b\[[0-?]*[@-~]|\x1bO.|[^\x1b]", re.DOTALL)
# A sequence that has only come in part: the rest follows.
_PART = re.compile(rb"\x1b(\[[0-?]*|O)?\Z")
_AT_ONCE = 1024


def decode(data: bytes) -> tuple[list[str], bytes]:
    """Give the keys that a terminal has sent, and the beginning of one that has not all come.

    Letters are themselves, and others are called ``up``, ``page down``, ``home`` and so on; what
    has no name here is left out.
    """
    part = _PART.search(data)
    whole, rest = (data[: part.start()], part[0]) if part else (data, b"")
    keys = []
    for found in _KEY.findall(whole):
        name = _NAMES.get(found) or (found.decode("ascii", "ignore") if len(found) == 1 else "")
        if name:
            keys.append(name)
    return keys, rest


if sys.platform == "win32":

    class Keys:
        """No keys."""

        def __init__(self, stream: TextIO | None) -> None:  # noqa: ARG002  (as elsewhere)
            self._woken = threading.Event()
            self.there = False

        def listen(self) -> None:
            """Do nothing."""

        def restore(self) -> None:
            """Do nothing."""

        def wait(self, seconds: float) -> list[str]:
            """Wait, at most so long."""
            self._woken.wait(seconds)
            self._woken.clear()
            return []

        def wake(self) -> None:
            """End the wait."""
            self._woken.set()

        def close(self) -> None:
            """Do nothing."""

else:
    import select
    import termios
    import tty

    class Keys:
        """The keys of a terminal; of a stream that is none, there are none."""

        def __init__(self, stream: TextIO | None) -> None:
            self.there = stream is not None and stream.isatty()
            """Whether there are any."""
            self._terminal = stream.fileno() if stream is not None and self.there else -1
            self._before: list[object] | None = None
            self._rest = b""
            self._woken, self._waker = os.pipe()
            os.set_blocking(self._woken, False)
            os.set_blocking(self._waker, False)

        def listen(self) -> None:
            """Have each key at once and without an echo; signals stay what they are."""
            if not self.there:
                return
            with suppress(termios.error):
                if self._before is None:
                    self._before = termios.tcgetattr(self._terminal)
                tty.setcbreak(self._terminal, termios.TCSANOW)

        def restore(self) -> None:
            """Give the terminal back as it was."""
            before, self._before = self._before, None
            if before is not None:
                with suppress(termios.error):
                    termios.tcsetattr(self._terminal, termios.TCSANOW, before)  # type: ignore[arg-type]

        def wait(self, seconds: float) -> list[str]:
            """Wait, at most so long, and give the keys that were pressed."""
            # Whoever reads from a terminal that another program has is stopped.
            listening = [self._terminal] if self._before is not None else []
            ready, _, _ = select.select([self._woken, *listening], [], [], max(0.0, seconds))
            if self._woken in ready:
                with suppress(OSError):
                    os.read(self._woken, _AT_ONCE)
            if self._terminal not in ready:
                return []
            try:
                data = os.read(self._terminal, _AT_ONCE)
            except OSError:
                data = b""
            if not data:
                # Nobody is there any more.
                self.there, self._before = False, None
                return []
            keys, self._rest = decode(self._rest + data)
            return keys

        def wake(self) -> None:
            """End the wait; callable from any thread and from a signal handler."""
            with suppress(OSError):
                os.write(self._waker, b"!")

        def close(self) -> None:
            """Give back what is held, after the last wait."""
            woken, waker = self._woken, self._waker
            # A signal may still come, and the numbers be another file's.
            self._woken = self._waker = -1
            os.close(woken)
            os.close(waker)
