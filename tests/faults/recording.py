"""A collector on a thread of its own, and what a scenario asks of it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from bitso_spread.collector import Collector, Summary
from bitso_spread.model import State
from bitso_spread.sampling import Tick

Make = Callable[[Callable[[Tick], None]], Collector]
"""Makes a collector that calls back at each tick."""


def eventually(condition: Callable[[], object], *, within: float = 45.0, what: str = "") -> None:
    """Wait until a condition holds; fail if it does not in time."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"it did not come true in {within:g} s: {what}"
        time.sleep(0.02)


class Recording:
    """A collection that runs until it is stopped."""

    def __init__(self, make: Make) -> None:
        self.ticks: list[Tick] = []
        """All that were taken so far, with what was known of each book, and why."""
        self.collector = make(self.ticks.append)
        self.error: Exception | None = None
        """What ended it; `stop` raises it unless it is taken from here before."""
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    @property
    def counts(self) -> Counter[str]:
        """What the order-book client counts."""
        assert self.collector.client is not None
        return self.collector.client.counts

    @property
    def summary(self) -> Summary:
        """What was recorded so far."""
        return self.collector.summary

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return not self._thread.is_alive()

    def states(self, book: str) -> list[State]:
        """Give the state of a book at each tick."""
        return [s.state for tick in self.ticks for s in tick.samples if s.book == book]

    def reasons(self, book: str) -> set[str]:
        """Give why nothing vouched for a book, of all ticks at which that was so."""
        found = (tick.standings[book].reason for tick in self.ticks if book in tick.standings)
        return {reason for reason in found if reason}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self, ticks: int) -> None:
        """Wait until so many more ticks were taken."""
        wanted = len(self.ticks) + ticks
        eventually(lambda: len(self.ticks) >= wanted or self.ended, within=ticks + 45, what="ticks")
        assert len(self.ticks) >= wanted, f"the collector has ended: {self.error!r}"

    def until(self, state: State, book: str, *, within: float = 45.0) -> None:
        """Wait for a tick at which a book is in a state; those that were taken do not count."""
        seen = len(self.ticks)
        eventually(
            lambda: (
                state
                in {s.state for tick in self.ticks[seen:] for s in tick.samples if s.book == book}
            ),
            within=within,
            what=f"{book} {state}",
        )

    def stop(self) -> Summary:
        """End it in order; all its rows are in files then."""
        self.collector.stop()
        self._thread.join(60)
        assert self.ended, "the collector does not end"
        error, self.error = self.error, None
        if error is not None:
            raise error
        return self.summary

    def _run(self) -> None:
        try:
            self.collector.run()
        except Exception as error:  # noqa: BLE001  (raised again by stop)
            self.error = error
