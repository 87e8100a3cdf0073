"""What is said on stderr while the board has the screen: kept for later, and shown at its foot."""

from __future__ import annotations

import io
import threading
from collections import deque
from contextlib import suppress
from typing import TextIO

# A collector may be looked at for months.
KEPT_LINES = 1_000
SHOWN_LINES = 3


class Messages(io.TextIOBase):
    """Stands in for stderr: holds lines while the board is shown, else passes them on."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.last: deque[str] = deque(maxlen=SHOWN_LINES)
        """The last lines that were said while the board was shown."""
        self.stream = stream
        """The real one."""
        self._holding = False
        self._held: deque[str] = deque(maxlen=KEPT_LINES)
        self._dropped = 0
        self._part = ""
        # A signal's handler may come into the middle of a line that this thread is saying.
        self._lock = threading.RLock()

    def writable(self) -> bool:
        """Give True."""
        return True

    def write(self, text: str) -> int:
        """Take a text, of any number of lines."""
        with self._lock:
            if not self._holding:
                self._pass_on(text)
                return len(text)
            *lines, self._part = (self._part + text).split("\n")
            for line in lines:
                self._dropped += len(self._held) == KEPT_LINES
                self._held.append(line)
                if line.strip():
                    self.last.append(line)
        return len(text)

    def hold(self) -> None:
        """Keep what is said from now on."""
        with self._lock:
            self._holding = True

    def release(self) -> None:
        """Say what was kept, and pass on what comes."""
        with self._lock:
            self._holding = False
            if self._dropped:
                self._pass_on(f"({self._dropped} earlier lines are left out)\n")
            self._pass_on("".join(f"{line}\n" for line in self._held) + self._part)
            self._held.clear()
            self._dropped, self._part = 0, ""

    def _pass_on(self, text: str) -> None:
        if text:
            with suppress(OSError, ValueError):
                self.stream.write(text)
                self.stream.flush()
