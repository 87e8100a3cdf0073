"""A thread that does what it is handed, in order, and again until the disk takes it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from bitso_spread.clock import monotonic
from bitso_spread.complaint import Complaint

log = logging.getLogger("bitso_spread.lake")

RETRY_S = 1.0
# A disk that is slow takes seconds; one that has not answered for so long may hang.
SLOW_S = 10.0
# How often the end of the thread is looked for while its disk may hang.
_LOOK_S = 0.5

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """Hands `work` the items that are waiting, until it has taken them off the list.

    `work` removes from its list what it has done. If it raises, the rest stays in memory and
    is tried again each second.
    """

    def __init__(self, name: str, work: Callable[[list[Item]], None], failing: str) -> None:
        self._work = work
        self._failing = failing
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._left: list[Item] = []
        self._deadline: float | None = None
        self._complaint = Complaint(monotonic)
        self._trying_since: float | None = None
        self._hanging = Complaint(monotonic)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item; returns at once."""
        self._queue.put(item)

    @property
    def left(self) -> list[Item]:
        """The items that were tried and are not done."""
        return list(self._left)

    def look(self) -> None:
        """Say, once a minute, if the disk takes long; to be called now and then.

        A thread that waits for its disk cannot say so itself.
        """
        since = self._trying_since
        if since is not None and monotonic() - since > SLOW_S and self._hanging.due(self._failing):
            log.error("%s: the disk has not done it in %.0f s", self._failing, monotonic() - since)

    def finish(self, give_up_s: float) -> list[Item]:
        """Do what was handed over, end the thread, and give what could not be done in time.

        For a disk that refuses there is a time to give up. One that does not answer is waited
        for, and said to be: whatever is in its hands is lost where the process ends before.
        """
        self._deadline = monotonic() + give_up_s
        self._queue.put(None)
        while self._thread.is_alive():
            self._thread.join(_LOOK_S)
            self.look()
        return self.left

    def _run(self) -> None:
        more = True
        while more or self._left:
            more = more and self._collect()
            if self._left and not self._try():
                # Only once all has been collected: what is still queued would not be counted.
                if not more and self._deadline is not None and monotonic() > self._deadline:
                    return
                time.sleep(RETRY_S)

    def _collect(self) -> bool:
        """Take what is waiting, and wait if there is nothing to do; False at the end."""
        try:
            while (item := self._queue.get(block=not self._left)) is not None:
                self._left.append(item)
                if self._queue.empty():
                    return True
        except queue.Empty:
            return True
        return False

    def _try(self) -> bool:
        self._trying_since = monotonic()
        try:
            self._work(self._left)
        except Exception as error:  # noqa: BLE001  (a thread that dies would lose rows)
            # Whatever the error says: it may count what waits.
            if self._complaint.due(self._failing):
                log.error("%s: %s (%d waiting)", self._failing, error, len(self._left))  # noqa: TRY400  (one line, no traceback)
            return False
        finally:
            self._trying_since = None
        # Both, whichever was the trouble.
        if self._complaint.over() | self._hanging.over():
            log.warning("the disk takes data again: what was waiting is written")
        return True
