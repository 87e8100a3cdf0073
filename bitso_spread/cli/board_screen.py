"""The live board on a terminal, on a thread of its own, so that no tick waits for it.

Rows are handed over as immutable values; the thread makes the board of them, shows it away from
the ticks, and minds the keys. The terminal is given back whatever happens: at the end, by a
signal, when the board fails, and while another program has it (Ctrl-Z).
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from types import FrameType
from typing import Any, TextIO, cast

from bitso_spread.board import SPAN_S, Board, View
from bitso_spread.cli.board_keys import Keys
from bitso_spread.cli.board_look import Scene, draw, page_of
from bitso_spread.cli.board_messages import Messages
from bitso_spread.cli.board_terminal import Terminal
from bitso_spread.lifetime import Running
from bitso_spread.model import Sample

log = logging.getLogger("bitso_spread")

# Two times a second; ticks are at its whole beginning, and drawing takes some milliseconds.
_PHASES_S = (0.1, 0.6)
_TOO_SOON_S = 0.05
# A terminal that takes nothing (Ctrl-S) must not keep the program from ending.
_END_S = 2.0
_SIGNALS = ("SIGTSTP", "SIGCONT", "SIGWINCH")


class Screen(Running):
    """Shows a board until it is stopped, or `stop` is set.

    `dress` adds to what is to be seen whatever the board does not know; it is called on the
    screen's thread. With `quits` a key sets `stop`, and a failure of the board does; without,
    neither ends more than the board. After a failure, `failure` says why.
    """

    def __init__(
        self,
        board: Board,
        dress: Callable[[Scene], Scene],
        *,
        stream: TextIO,
        stop: threading.Event,
        quits: bool,
    ) -> None:
        self.failure: Exception | None = None
        """Why the board is not shown any more."""
        self._board = board
        self._dress = dress
        self._quits = quits
        self._terminal = Terminal(stream)
        self._keys = Keys(sys.stdin)
        self._messages: Messages | None = None
        self._view = View()
        self._come: deque[tuple[Sample, ...]] = deque(maxlen=SPAN_S)
        self._stop = stop
        self._paused = False
        # Held while the terminal is written to; a handler may come into the middle of its own.
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)
        self._handlers: dict[int, Any] = {}

    def put(self, samples: Iterable[Sample]) -> None:
        """Hand over the rows of a tick; returns at once."""
        self._come.append(tuple(samples))

    def start(self) -> None:
        """Take the screen."""
        if sys.stderr is not None and sys.stderr.isatty():
            self._messages = Messages(sys.stderr)
            sys.stderr = cast("TextIO", self._messages)
        self._handle_signals()
        self._thread.start()

    def end(self) -> None:
        """Have the terminal given back soon; callable from a signal handler."""
        self._stop.set()
        self._keys.wake()

    def stop(self) -> None:
        """Give the terminal back."""
        self.end()
        self._thread.join(_END_S)
        self._leave()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._messages is not None and sys.stderr is cast("TextIO", self._messages):
            sys.stderr = self._messages.stream
        if not self._thread.is_alive():
            self._keys.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._show()
                for key in self._keys.wait(until_next(time.time())):
                    self._press(key)
        except Exception as error:  # noqa: BLE001  (whatever it is, the recording goes on)
            self.failure = error
            self._leave()
            if self._quits:
                self._stop.set()
            else:
                log.error("the board cannot be shown any more: %s", error)  # noqa: TRY400  (one line)
        finally:
            self._leave()

    def _show(self) -> None:
        while self._come:
            self._board.add(self._come.popleft())
        with self._lock:
            terminal = self._terminal
            if self._stop.is_set() or self._paused or not terminal.is_ours:
                # What it looks like, and how its keys are, is another program's business.
                return
            if not terminal.is_shown:
                self._keys.listen()
                terminal.enter()
                if self._messages is not None:
                    self._messages.hold()
            scene = self._scene()
            self._view = scene.view
            terminal.paint(draw(scene, *terminal.size, ascii_only=terminal.ascii_only))

    def _scene(self) -> Scene:
        board, now = self._board, time.time()
        # Until the first tick there is nothing that could be said of a book.
        lines = [] if board.tick is None else self._view.arranged(board.lines(now))
        scene = self._dress(
            Scene(
                at=now,
                mark="",
                lines=lines,
                tick=board.tick or 0,
                interval=board.interval,
                notes=tuple(self._messages.last) if self._messages else (),
                keys=self._help(),
            )
        )
        page = page_of(scene, *self._terminal.size)
        return replace(scene, view=self._view.within(len(lines), page))

    def _help(self) -> str:
        if not self._keys.there:
            return "Ctrl-C ends"
        arrows = "up/down" if self._terminal.ascii_only else "↑↓"
        return f"s sort  {arrows} PgUp PgDn scroll  {'q quits' if self._quits else 'Ctrl-C ends'}"

    def _press(self, key: str) -> None:
        if key == "q" and self._quits:
            self._stop.set()
            return
        scene = self._scene()
        page = page_of(scene, *self._terminal.size)
        self._view = self._view.after(key, len(scene.lines), page)

    def _leave(self) -> None:
        free = self._lock.acquire(timeout=_END_S)
        if self._terminal.is_ours:
            self._keys.restore()
        if not free:
            # The thread hangs in a terminal that takes nothing: this one must not.
            return
        try:
            if self._terminal.is_ours:
                self._terminal.leave()
            if self._messages is not None:
                self._messages.release()
        finally:
            self._lock.release()

    def _handle_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for name in _SIGNALS:
            if (number := getattr(signal, name, None)) is not None:
                self._handlers[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if number == getattr(signal, "SIGTSTP", None):
            self._paused = True
            self._leave()
            signal.signal(number, signal.SIG_DFL)
            with suppress(OSError):
                signal.raise_signal(number)
            # Some time has passed: this goes on when the program does.
            signal.signal(number, self._on_signal)
            self._paused = False
        elif number == getattr(signal, "SIGCONT", None):
            self._terminal.forget()
        self._keys.wake()


def until_next(now: float) -> float:
    """Say how long to wait until the board is shown again, away from any tick."""
    waits = ((phase - now) % 1.0 for phase in _PHASES_S)
    return min(wait if wait > _TOO_SOON_S else wait + 1.0 for wait in waits)
