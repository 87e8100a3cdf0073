"""Which batch a tick belongs to, and when a batch ends. Pure: no rows, no disk.

A batch is a run of ticks of one book that becomes one file. UTC midnight splits it in two, so
that the date of a partition is true of every row in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bitso_spread.clock import DAY_S


@dataclass(slots=True)
class _Open:
    first_tick: int
    last_tick: int
    ticks: int
    """Ticks since the batch began, over a midnight too."""


class Batcher:
    """Cuts the ticks of each book into batches of `size` ticks.

    With `align`, batches end on multiples of their length from UTC midnight; the first one is
    then short, and counts.
    """

    def __init__(self, size: int, interval: int, *, align: bool = False) -> None:
        self._size = size
        self._interval = interval
        self._align = align
        self._open: dict[str, _Open] = {}

    def place(self, book: str, tick: int) -> tuple[int, bool]:
        """Give the first tick of this tick's batch, and whether the batch ends with it.

        Ticks of a book must come in order, and `end` must be called where some are left out.
        """
        batch = self._open.get(book)
        if batch is None:
            batch = self._open[book] = _Open(tick, tick, 0)
        batch.last_tick = tick
        batch.ticks += 1
        first_tick = batch.first_tick
        if self._is_full(batch):
            del self._open[book]
            return first_tick, True
        if (tick + self._interval) % DAY_S == 0:
            # The other half of the batch follows under the next date.
            self._open[book] = _Open(tick + self._interval, tick, batch.ticks)
            return first_tick, True
        return first_tick, False

    def end(self, book: str) -> int | None:
        """End the open batch of a book and give its first tick; None if it has no rows."""
        batch = self._open.pop(book, None)
        if batch is None or batch.last_tick < batch.first_tick:
            return None
        return batch.first_tick

    def progress(self, book: str) -> int:
        """Give how many ticks the open batch of a book has; 0 if none is open."""
        batch = self._open.get(book)
        return batch.ticks if batch else 0

    def _is_full(self, batch: _Open) -> bool:
        if self._align:
            second_of_day = (batch.last_tick + self._interval) % DAY_S
            return second_of_day % (self._size * self._interval) == 0
        return batch.ticks >= self._size
