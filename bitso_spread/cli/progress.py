"""What a person sees of a collection while it runs: a board on a terminal, lines elsewhere.

Both are fed by the collector's callbacks, which only take note; what is shown is made on
other threads, so that no tick waits for a terminal.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bitso_spread.collector import Collector
from bitso_spread.lake.heartbeat import Phase
from bitso_spread.lake.state import Batch
from bitso_spread.model import State
from bitso_spread.sampling import Tick

if TYPE_CHECKING:
    from rich.console import RenderableType

# Off a terminal, one line a minute says that all is well.
LINE_EVERY_S = 60
_REFRESHES_PER_S = 2
_COLOURS = {
    State.FRESH: "green",
    State.QUIET: "cyan",
    State.HELD: "yellow",
    State.UNKNOWN: "red",
    State.MISSED: "red",
}


class Lines:
    """Plain lines on stderr, and on stdout the path of each finished file."""

    def __init__(self, *, paths: bool) -> None:
        self._paths = paths
        self._ticks = 0

    def on_tick(self, tick: Tick, collector: Collector) -> None:
        """Say once a minute how the books stand."""
        self._ticks += 1
        if self._ticks % max(1, LINE_EVERY_S // collector.plan.interval) == 0:
            logging.getLogger("bitso_spread").info("%s", _line(tick, collector))

    def on_file(self, path: Path, batch: Batch, rows: int) -> None:
        """Say that a file is there."""
        logging.getLogger("bitso_spread").info("%d rows of %s in %s", rows, batch.book, path)
        if self._paths and sys.stdout is not None:
            # Whoever reads our output may go away; the recording goes on.
            with suppress(OSError, ValueError):
                sys.stdout.write(f"{path}\n")
                sys.stdout.flush()

    def shown(self, collector: Collector) -> AbstractContextManager[object]:
        """Show nothing between the lines."""
        return _nothing(collector)


class Board:
    """A table of the books on a terminal, with the progress of the batch below it."""

    def __init__(self) -> None:
        self._tick: Tick | None = None
        self._last_file = ""

    def on_tick(self, tick: Tick, collector: Collector) -> None:  # noqa: ARG002  (as Lines)
        """Take note of a tick."""
        self._tick = tick

    def on_file(self, path: Path, batch: Batch, rows: int) -> None:
        """Take note of a file."""
        self._last_file = f"{rows} rows of {batch.book} in {path.name}"

    @contextmanager
    def shown(self, collector: Collector) -> Iterator[object]:
        """Show the board while the block runs."""
        from rich.console import Console
        from rich.live import Live

        with Live(
            get_renderable=lambda: self.render(collector),
            console=Console(stderr=True),
            refresh_per_second=_REFRESHES_PER_S,
        ) as live:
            yield live

    def render(self, collector: Collector) -> RenderableType:
        """Make the board as it is to be shown now."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        tick = self._tick
        if tick is None:
            standing_by = collector.phase is Phase.STANDBY
            return Text(
                "standing by until the other collector ends …"
                if standing_by
                else "waiting for the first data …"
            )
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("book")
        for name in ("bid", "ask", "spread %", "age s"):
            table.add_column(name, justify="right")
        table.add_column("state")
        for sample in tick.samples:
            standing = tick.standings.get(sample.book)
            age = "" if standing is None or standing.age_s is None else f"{standing.age_s:.1f}"
            spread = "" if sample.spread is None else f"{sample.spread:.4f}"
            colour = _COLOURS[sample.state]
            state = Text(sample.state.value, style=colour)
            table.add_row(sample.book, _price(sample.bid), _price(sample.ask), spread, age, state)
        size = collector.plan.batch_size
        done = max((collector.progress(sample.book) for sample in tick.samples), default=0)
        progress = Table.grid(padding=(0, 2, 0, 0))
        bar = ProgressBar(total=size, completed=done, width=30)
        progress.add_row(f"batch {done}/{size}", bar, self._last_file)
        return Group(table, progress)


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
    return (
        f"{collector.summary.ticks} ticks; {len(tick.samples)} books: {counted}{wide}; "
        f"lateness p99 {late.percentile(99) * 1000:.1f} ms"
    )


def _spread(sample: object) -> float:
    spread: float = getattr(sample, "spread", None) or 0.0
    return spread


def _price(value: float | None) -> str:
    return "" if value is None else f"{value:,.10g}"
