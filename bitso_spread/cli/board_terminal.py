"""The terminal under the live board: its lines, and putting back what was there.

The board has the alternate screen, which is cleared once. From then on only lines that differ
from those before are written, over the old ones and in one piece, so that nothing flickers and
little goes over a slow line. What is shown is bitso_spread.cli.board_screen's job.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

# The alternate screen, without a cursor, and with long lines cut instead of continued.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_CLEAR = "\x1b[2J"
# Terminals that know it show all of a frame at once; the others pass over it.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_TO_END_OF_LINE = "\x1b[K"


def has_screen(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal on which the cursor can be moved."""
    return (
        stream is not None
        and stream.isatty()
        and os.environ.get("TERM", "") not in {"dumb", "unknown"}
    )


class Terminal:
    """A terminal that has a screen; for one thread at a time."""

    def __init__(self, stream: TextIO) -> None:
        self.is_shown = False
        """Whether the board has the screen."""
        self._stream = stream
        # Rich knows which colours the terminal has, and whether NO_COLOR is set.
        self._console = Console(
            file=stream, force_terminal=True, legacy_windows=False, markup=False, emoji=False,
            highlight=False,
        )  # fmt: skip
        self.ascii_only = not self._console.encoding.lower().startswith("utf")
        """Whether it can show nothing but ASCII."""
        self._before: list[str] = []
        self._size_before = (0, 0)

    @property
    def is_ours(self) -> bool:
        """Whether this program is in the terminal's foreground: others must not write to it."""
        if sys.platform == "win32":
            return True
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except OSError:
            # It is not the terminal that controls this program's jobs.
            return True

    @property
    def size(self) -> tuple[int, int]:
        """How many cells wide it is, and how many lines high."""
        try:
            width, height = os.get_terminal_size(self._stream.fileno())
        except OSError:
            width = height = 0
        # A serial line says that it has none.
        return width or 80, height or 24

    def enter(self) -> None:
        """Take the screen."""
        self.is_shown = True
        # The first frame clears it.
        self._size_before = (0, 0)
        self._write(_ENTER)

    def leave(self) -> None:
        """Give back the screen that was there before."""
        if self.is_shown:
            self.is_shown = False
            self._write(_LEAVE)

    def forget(self) -> None:
        """Take note that another program may have had the screen."""
        self.is_shown = False

    def paint(self, lines: Sequence[Text]) -> None:
        """Show lines from the top of the screen."""
        size = self.size
        texts = self._texts(lines)
        parts = []
        if size != self._size_before:
            # What it makes of lines when it becomes narrower cannot be known.
            parts.append(_CLEAR)
            self._before = []
            self._size_before = size
        before = self._before + [""] * (len(texts) - len(self._before))
        for number, (new, old) in enumerate(zip(texts, before, strict=False), start=1):
            if new != old:
                parts.append(f"\x1b[{number};1H{new}")
                if lines[number - 1].cell_len < size[0]:
                    parts.append(_TO_END_OF_LINE)
        parts += [
            f"\x1b[{number};1H{_TO_END_OF_LINE}"
            for number in range(len(texts) + 1, len(self._before) + 1)
        ]
        self._before = texts
        if parts:
            self._write("".join((_BEGIN, *parts, _END)))

    def _texts(self, lines: Sequence[Text]) -> list[str]:
        with self._console.capture() as capture:
            self._console.print(Text("\n").join(lines), soft_wrap=True, end="")
        return capture.get().split("\n")

    def _write(self, text: str) -> None:
        data = text.encode(self._console.encoding, "replace")
        try:
            self._stream.flush()
            while data:
                data = data[os.write(self._stream.fileno(), data) :]
        except OSError:
            # Half of it may be there: the next time all is written.
            self._before, self._size_before = [], (0, 0)
