"""The live board on a real terminal, in this process."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from bitso_spread.board import Board
from bitso_spread.cli.board_look import Scene
from bitso_spread.cli.board_screen import Screen, until_next
from bitso_spread.cli.board_terminal import Terminal, has_screen
from bitso_spread.model import Sample, State
from tests.cli.terminal import CLEAR, ENTER, LEAVE, plain


class Pty:
    """A terminal whose other end is read here."""

    def __init__(self) -> None:
        self.ours, theirs = pty.openpty()
        self.stream = io.TextIOWrapper(io.FileIO(theirs, "r+"), encoding="utf-8")
        self.resize(80, 24)
        self.output = ""

    @property
    def modes(self) -> list[object]:
        return termios.tcgetattr(self.stream.fileno())

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def wait_for(self, text: str, within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while text not in plain(self.output):
            assert time.monotonic() < deadline, f"no {text!r} in {self.output!r}"
            if select.select([self.ours], [], [], 0.05)[0]:
                self.output += os.read(self.ours, 1 << 16).decode()

    def drain(self) -> str:
        """Give what has been written since the last look."""
        before = len(self.output)
        while select.select([self.ours], [], [], 0)[0]:
            self.output += os.read(self.ours, 1 << 16).decode()
        return self.output[before:]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pty]:
    made = Pty()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdin", made.stream)
    yield made
    made.stream.close()
    os.close(made.ours)


def row(tick: int, state: State = State.FRESH, book: str = "btc_mxn") -> Sample:
    return Sample(tick, book, 99.5, 100.0, 0.5, state, age_ms=200)


def as_it_is(scene: Scene) -> Scene:
    return replace(scene, waiting="waiting")


def test_it_shows_rows_as_they_come_and_gives_the_terminal_back(terminal: Pty) -> None:
    before = terminal.modes
    numbers = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
    handlers = [signal.getsignal(number) for number in numbers]
    stop = threading.Event()
    with Screen(Board(), as_it_is, stream=terminal.stream, stop=stop, quits=True) as screen:
        terminal.wait_for("waiting")
        assert terminal.modes != before
        screen.put([row(int(time.time()))])
        terminal.wait_for("fresh")
        assert not stop.is_set()
        os.write(terminal.ours, b"q")
        assert stop.wait(60)
    terminal.drain()
    assert terminal.modes == before
    assert terminal.output.count(ENTER) == terminal.output.count(LEAVE) == 1
    assert [signal.getsignal(number) for number in numbers] == handlers


def test_where_nobody_may_quit_by_a_key_q_is_none(terminal: Pty) -> None:
    stop = threading.Event()
    with Screen(Board(), as_it_is, stream=terminal.stream, stop=stop, quits=False) as screen:
        screen.put([row(int(time.time()), book=book) for book in ("btc_mxn", "usd_mxn")])
        terminal.wait_for("Ctrl-C ends")
        os.write(terminal.ours, b"qs")
        terminal.wait_for("widest spread first")
        assert not stop.is_set()


def test_a_board_that_fails_gives_the_terminal_back_and_ends_nothing_else(
    terminal: Pty, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(scene: Scene) -> Scene:
        if scene.tick:
            raise ZeroDivisionError("the sky fell")
        return scene

    before = terminal.modes
    stop = threading.Event()
    with Screen(Board(), fail, stream=terminal.stream, stop=stop, quits=False) as screen:
        terminal.wait_for("Ctrl-C ends")
        screen.put([row(int(time.time()))])
        deadline = time.monotonic() + 60
        while screen.failure is None or LEAVE not in terminal.output:
            assert time.monotonic() < deadline
            terminal.drain()
            time.sleep(0.01)
        assert terminal.modes == before
        assert not stop.is_set()
    assert caplog.messages == ["the board cannot be shown any more: the sky fell"]


def test_a_terminal_that_takes_nothing_holds_up_nobody(
    terminal: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bitso_spread.cli.board_screen._END_S", 0.2)
    terminal.resize(300, 200)
    stop = threading.Event()
    numbers = count()

    def long(scene: Scene) -> Scene:
        # Lines that differ each time, until nothing more goes into the terminal.
        line = f"{next(numbers)}" * 60
        return replace(scene, notes=(line,) * 3, alerts={line: line})

    screen = Screen(Board(), long, stream=terminal.stream, stop=stop, quits=False)
    with screen:
        now = int(time.time())
        deadline = time.monotonic() + 60
        while screen._lock.acquire(timeout=0.5):
            screen._lock.release()
            screen._keys.wake()
            assert time.monotonic() < deadline
        began = time.monotonic()
        for tick in range(now, now + 5000):
            screen.put([row(tick)])
        assert time.monotonic() - began < 10
    assert time.monotonic() - began < 30
    terminal.drain()
    screen._thread.join(10)


def test_what_is_said_meanwhile_is_at_the_foot_and_afterwards_on_the_terminal(
    terminal: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not in the fixture: pytest puts its own stderr in place after that.
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    stop = threading.Event()
    with Screen(Board(), as_it_is, stream=terminal.stream, stop=stop, quits=True):
        terminal.wait_for("waiting")
        print("the disk is full", file=sys.stderr)
        terminal.wait_for("the disk is full")
    terminal.drain()
    assert terminal.output.partition(LEAVE)[2].strip() == "the disk is full"
    assert sys.stderr is terminal.stream


def test_only_lines_that_differ_are_written(terminal: Pty) -> None:
    from rich.text import Text

    screen = Terminal(terminal.stream)
    screen.enter()
    screen.paint([Text("one"), Text("two"), Text("three")])
    assert terminal.drain().count(CLEAR) == 1
    screen.paint([Text("one"), Text("2"), Text("three")])
    assert terminal.drain() == "\x1b[?2026h\x1b[2;1H2\x1b[K\x1b[?2026l"
    screen.paint([Text("one"), Text("2"), Text("three")])
    assert terminal.drain() == ""
    screen.paint([Text("one")])
    assert terminal.drain() == "\x1b[?2026h\x1b[2;1H\x1b[K\x1b[3;1H\x1b[K\x1b[?2026l"
    # At the end of a full line, a terminal would take its last letter away.
    screen.paint([Text("x" * 80)])
    assert "\x1b[K" not in terminal.drain()


def test_a_terminal_of_another_size_is_written_anew(terminal: Pty) -> None:
    from rich.text import Text

    screen = Terminal(terminal.stream)
    screen.enter()
    screen.paint([Text("one")])
    terminal.drain()
    terminal.resize(100, 30)
    assert screen.size == (100, 30)
    screen.paint([Text("one")])
    assert terminal.drain() == f"\x1b[?2026h{CLEAR}\x1b[1;1Hone\x1b[K\x1b[?2026l"


@pytest.mark.parametrize(("no_color", "colours"), [("", True), ("1", False)])
def test_there_are_colours_unless_they_are_not_wanted(
    no_color: str, terminal: Pty, monkeypatch: pytest.MonkeyPatch, *, colours: bool
) -> None:
    from rich.text import Text

    monkeypatch.setenv("NO_COLOR", no_color)
    screen = Terminal(terminal.stream)
    screen.paint([Text("unknown", style="bold red")])
    written = terminal.drain()
    assert "unknown" in written
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-7]m", written)) == colours
    assert "\x1b[1" in written


@pytest.mark.parametrize(("term", "there"), [("xterm", True), ("dumb", False)])
def test_a_terminal_that_cannot_move_its_cursor_has_no_screen(
    term: str, terminal: Pty, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    assert has_screen(terminal.stream) == there
    assert not has_screen(io.StringIO())
    assert not has_screen(None)


@pytest.mark.parametrize(
    ("now", "wait"), [(5.0, 0.1), (5.1, 0.5), (5.08, 0.52), (5.3, 0.3), (5.6, 0.5), (5.9, 0.2)]
)
def test_it_is_drawn_twice_a_second_and_never_at_a_tick(now: float, wait: float) -> None:
    assert until_next(now) == pytest.approx(wait)
