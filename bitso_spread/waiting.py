"""Waiting for another thread, such that Ctrl-C is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar, cast

T = TypeVar("T")

# polars has the waits of a process begin again after a signal: Python would not look at it before
# the wait is over.
_HEARS_AFTER_S = 0.1
# What was given up ends at once, and must not find Python gone.
_END_S = 10.0


def result_of(future: Future[T]) -> T:
    """Give what comes of some work, or raise what it raised."""
    while True:
        try:
            return future.result(_HEARS_AFTER_S)
        except TimeoutError:
            if future.done():
                return future.result()


def hearing(items: Iterator[T], give_up: Callable[[], None]) -> Iterator[T]:
    """Give what polars gives: it waits for what is next where Python hears nothing.

    Args:
        items: what is waited for in another thread, one after the other.
        give_up: called where nobody waits any more, so that what is awaited ends.
    """
    end = object()
    while True:
        future: Future[T | object] = Future()
        Thread(target=_into, args=(future, items, end), name="waiting", daemon=True).start()
        try:
            item = result_of(future)
        except BaseException:
            if not future.done():
                give_up()
                wait([future], _END_S)
            raise
        if item is end:
            return
        yield cast("T", item)


def _into(future: Future[T | object], items: Iterator[T], end: object) -> None:
    try:
        future.set_result(next(items, end))
    except BaseException as error:  # noqa: BLE001  (raised where it is waited for)
        future.set_exception(error)
