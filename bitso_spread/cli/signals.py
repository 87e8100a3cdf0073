"""Signals that end a command which would otherwise run for ever."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from bitso_spread.clock import monotonic

SECOND_THOUGHT_S = 1.0
"""How long after the first signal another one is meant: ``timeout`` tells the child and then its
group, and wrappers pass on a Ctrl-C that the terminal had sent already."""


@contextmanager
def ended_by_signals(
    stop: Callable[[], None],
    at_once: Callable[[], None] = lambda: None,
    *,
    clock: Callable[[], float] = monotonic,
) -> Iterator[None]:
    """End in order on the first signal; another one ends at once, and loses no row either.

    Of whatever kinds they are, one that comes within a second of the first is the same wish.
    `at_once` may say what becomes of the rest.

    Once a signal has come, they stay handled so when the block is over: its double may be late.
    """
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [signal.Signals[name] for name in names]
    first: list[float] = []

    def handle(number: int, _: FrameType | None) -> None:
        if not first:
            first.append(clock())
            stop()
        elif clock() - first[0] >= SECOND_THOUGHT_S:
            # Whatever is wrong with stderr, it ends.
            signal.signal(number, signal.SIG_DFL)
            with suppress(Exception):
                at_once()
            signal.raise_signal(number)

    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        if not first:
            for number, handler in before.items():
                signal.signal(number, handler)
