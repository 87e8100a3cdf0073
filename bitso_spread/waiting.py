"""Waiting for another thread, such that Ctrl-C is heard."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

# polars has the waits of a process begin again after a signal: Python would not look at it before
# the wait is over.
_HEARS_AFTER_S = 0.1


def result_of(future: Future[T]) -> T:
    """Give what comes of some work, or raise what it raised."""
    while True:
        try:
            return future.result(_HEARS_AFTER_S)
        except TimeoutError:
            if future.done():
                return future.result()
