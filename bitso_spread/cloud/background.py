"""One thread in which all requests to object storage wait for their answers.

obstore's calls that wait do not hear Ctrl-C, and threads that are in one would keep a process from
ending; requests that wait in this thread do neither, and many at once need no more than it.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

_END_S = 1.0
_SETTLE_S = 0.1
_given_up = threading.Event()


def submit(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Begin with something, without waiting for it."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    future.add_done_callback(_note)
    return future


def _note(future: Future[Any]) -> None:
    if future.cancelled():
        _given_up.set()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="object-store", daemon=True).start()
    atexit.register(_end, loop)
    return loop


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Give up what is under way: obstore's own threads must not find Python gone."""
    with suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(_give_up(), loop).result(_END_S)


async def _give_up() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    if others or _given_up.is_set():
        # obstore's threads learn of it a moment later.
        await asyncio.sleep(_SETTLE_S)
