"""What a person sees of a collection while it runs: the live board on a terminal, else lines.

Both are fed by the collector's callbacks, which only take note; what is shown is made on
other threads, so that no tick waits for a terminal.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bitso_spread.cli.marks import label
from bitso_spread.clock import DAY_S
from bitso_spread.collector import Collector
from bitso_spread.counting import word
from bitso_spread.lake.heartbeat import Phase
from bitso_spread.lake.journal import Batch, WrittenFile
from bitso_spread.plan import SettledPlan
from bitso_spread.sampling import Tick

if TYPE_CHECKING:
    from bitso_spread.board import Board
    from bitso_spread.cli.board_look import Progress, Scene
    from bitso_spread.cli.board_screen import Screen

# Off a terminal, one line a minute says that all is well.
LINE_EVERY_S = 60
_FILED = "%d %s of %s in %s"


class Lines:
    """Plain lines on stderr, and on stdout the path of each finished file, or its URL."""

    def __init__(self, *, paths: bool, stored: bool = False) -> None:
        self._paths = paths
        self._stored = stored
        self._ticks = 0

    def on_tick(self, tick: Tick, collector: Collector) -> None:
        """Say once a minute how the books stand."""
        self._ticks += 1
        if self._ticks % max(1, LINE_EVERY_S // collector.plan.interval) == 0:
            logging.getLogger("bitso_spread").info("%s", _line(tick, collector))

    def on_file(self, path: Path, batch: Batch, rows: int) -> None:
        """Say that a file is there, unless it is on its way to a store: then that is not it."""
        level = logging.DEBUG if self._stored else logging.INFO
        logging.getLogger("bitso_spread").log(level, _FILED, *_said(rows, batch.book), path)
        if self._paths and not self._stored:
            _print_path(path)

    def on_object(self, url: str, file: WrittenFile) -> None:
        """Say that a file is in the store."""
        logging.getLogger("bitso_spread").info(_FILED, *_said(file.rows, file.book), url)
        if self._paths:
            _print_path(url)

    def end(self) -> None:
        """Go on: there is nothing to give back."""

    def shown(self, collector: Collector) -> AbstractContextManager[object]:
        """Show nothing between the lines."""
        return _nothing(collector)


class Live:
    """The live board on a terminal, with the progress of the batch at its foot."""

    def __init__(self, *, paths: bool, stored: bool = False) -> None:
        self._paths = paths
        self._stored = stored
        self._last_file = ""
        self._stop = threading.Event()
        self._board: Board | None = None
        self._screen: Screen | None = None

    def on_tick(self, tick: Tick, collector: Collector) -> None:
        """Hand over the rows of a tick."""
        if self._screen is None or self._board is None:
            return
        if self._board.interval != collector.plan.interval:
            # The table's own, which was not known before it was open.
            self._board.tick_every(collector.plan.interval)
        self._screen.put(tick.samples)

    def on_file(self, path: Path, batch: Batch, rows: int) -> None:
        """Take note of a file."""
        self._last_file = _FILED % (*_said(rows, batch.book), path.name)
        if self._paths and not self._stored:
            _print_path(path)

    def on_object(self, url: str, file: WrittenFile) -> None:
        """Take note of a file that is in the store."""
        self._last_file = _FILED % (*_said(file.rows, file.book), url.rpartition("/")[2])
        if self._paths:
            _print_path(url)

    def end(self) -> None:
        """Give the terminal back, while the rows are being loaded; for a signal's handler."""
        if self._screen is not None:
            self._screen.end()

    @contextmanager
    def shown(self, collector: Collector) -> Iterator[object]:
        """Show the board while the block runs."""
        from bitso_spread.board import Board
        from bitso_spread.cli.board_screen import Screen

        board = self._board = Board(collector.plan.interval)
        self._screen = Screen(
            board,
            lambda scene: self._dress(scene, collector),
            stream=sys.stderr,
            stop=self._stop,
            quits=False,
        )
        with self._screen as screen:
            yield screen

    def _dress(self, scene: Scene, collector: Collector) -> Scene:
        from bitso_spread.cli.board_alerts import told

        done = max(map(collector.progress, collector.books), default=0)
        progress = None
        if scene.tick:
            taken = collector.summary.ticks
            progress = progress_of(scene.tick, done, taken, collector.plan, self._last_file)
        return replace(
            scene,
            mark=label(collector.environment.name),
            alerts=told(collector.alerts.in_force),
            waiting=_waiting(collector),
            progress=progress,
        )


def _waiting(collector: Collector) -> str:
    if collector.phase is Phase.STANDBY:
        return "standing by until the other collector ends …"
    client = collector.client
    why = f": {client.trouble(client.books[0])}" if client is not None else " …"
    return f"waiting for the first data{why}"


def progress_of(
    tick: int, done: int, taken: int, plan: SettledPlan, last_file: str
) -> Progress | None:
    """Give how far a batch is that has `done` ticks up to `tick`, the collection's `taken`-th.

    None where the collection is over, and no other batch follows.
    """
    from bitso_spread.cli.board_look import Progress

    last = last_tick_of_batch(tick, done, plan)
    if plan.ticks is not None:
        last = min(last, tick + max(0, plan.ticks - taken) * plan.interval)
    size = done + (last - tick) // plan.interval
    return Progress(done, size, last, last_file) if size else None


def last_tick_of_batch(tick: int, done: int, plan: SettledPlan) -> int:
    """Give the tick with which a batch ends that has `done` ticks up to `tick`: its file follows.

    The next batch's where none is open; ticks are seconds since the epoch.
    """
    following = tick + plan.interval
    midnight = (following // DAY_S + 1) * DAY_S - plan.interval
    if not plan.align:
        return min(midnight, tick + (plan.batch_size - done) * plan.interval)
    length = plan.batch_size * plan.interval
    into_day = following % DAY_S
    ends = following - into_day + (into_day // length + 1) * length
    return min(midnight, ends - plan.interval)


def _said(rows: int, book: str) -> tuple[int, str, str]:
    return rows, word(rows, "row"), book


def _print_path(path: Path | str) -> None:
    if sys.stdout is not None:
        # Whoever reads our output may go away; the recording goes on.
        with suppress(OSError, ValueError):
            sys.stdout.write(f"{path}\n")
            sys.stdout.flush()


@contextmanager
def _nothing(_: Collector) -> Iterator[None]:
    yield


def _line(tick: Tick, collector: Collector) -> str:
    states: dict[str, int] = {}
    for sample in tick.samples:
        states[sample.state.value] = states.get(sample.state.value, 0) + 1
    counted = ", ".join(f"{count} {state}" for state, count in states.items())
    widest = max((s for s in tick.samples if s.spread is not None), key=_spread, default=None)
    wide = f", widest {widest.book} {widest.spread:.4f} %" if widest else ""
    late = collector.summary.lateness
    ticks, books = collector.summary.ticks, len(tick.samples)
    return (
        f"{ticks} {word(ticks, 'tick')}; {books} {word(books, 'book')}: {counted}{wide}; "
        f"lateness p99 {late.percentile(99) * 1000:.1f} ms"
    )


def _spread(sample: object) -> float:
    spread: float = getattr(sample, "spread", None) or 0.0
    return spread
