"""A thread that goes on until the disk takes what it was handed."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from bitso_spread.lake import worker
from bitso_spread.lake.worker import Worker
from tests.lake.support import eventually

FAILING = "the lake cannot be written"


class Disk:
    """Takes numbers, or refuses them with an error."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.tries = 0
        self.error: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()
        self.busy = threading.Event()

    def take(self, items: list[int]) -> None:
        self.tries += 1
        self.busy.set()
        assert self.hold.wait(60)
        if self.error is not None:
            raise self.error
        now = list(items)
        self.taken += now
        del items[: len(now)]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def started(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Worker[int]:
    monkeypatch.setattr(worker, "RETRY_S", 0.005)
    started = Worker("test", disk.take, FAILING)
    started.start()
    return started


def tried(disk: Disk, times: int) -> Callable[[], bool]:
    target = disk.tries + times
    return lambda: disk.tries >= target


def test_what_is_handed_over_is_done_in_order(disk: Disk, started: Worker[int]) -> None:
    for i in range(1000):
        started.put(i)
    assert started.finish(30) == []
    assert disk.taken == list(range(1000))


def test_the_end_waits_for_what_was_handed_over_before_it(disk: Disk, started: Worker[int]) -> None:
    disk.hold.clear()
    started.put(1)
    assert disk.busy.wait(30)
    started.put(2)
    started.put(3)
    threading.Timer(0.05, disk.hold.set).start()
    assert started.finish(30) == []
    assert disk.taken == [1, 2, 3]


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        sqlite3.OperationalError("database or disk is full"),
        # Nobody knows what polars may raise; a thread that dies loses rows.
        ValueError("something else"),
    ],
)
def test_what_the_disk_refuses_stays_and_is_done_once_it_takes_it(
    disk: Disk, started: Worker[int], error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    disk.error = error
    started.put(1)
    eventually(tried(disk, 3))
    started.put(2)
    eventually(tried(disk, 2))
    assert started.left == [1, 2]
    disk.error = None
    eventually(lambda: disk.taken == [1, 2])
    assert started.finish(30) == []
    assert disk.taken == [1, 2]
    # Said when it begins and when it ends, and not each time.
    assert caplog.messages == [
        f"{FAILING}: {error} (1 waiting)",
        "the disk takes data again: what was waiting is written",
    ]


def test_handing_over_never_waits_for_the_disk(disk: Disk, started: Worker[int]) -> None:
    disk.hold.clear()
    began = time.monotonic()
    for i in range(100):
        started.put(i)
    # It is held until this is seen.
    assert time.monotonic() - began < 10
    disk.hold.set()
    assert started.finish(30) == []
    assert len(disk.taken) == 100


def test_it_gives_up_in_time_and_says_what_is_left(disk: Disk, started: Worker[int]) -> None:
    disk.error = OSError("refused")
    started.put(1)
    started.put(2)
    began = time.monotonic()
    assert started.finish(0.1) == [1, 2]
    assert 0.1 <= time.monotonic() - began < 10
    assert disk.taken == []


def test_a_disk_that_comes_back_before_the_time_is_up_gets_all(
    disk: Disk, started: Worker[int]
) -> None:
    disk.error = OSError("refused")
    started.put(1)
    eventually(tried(disk, 1))

    def come_back() -> None:
        disk.error = None

    threading.Timer(0.1, come_back).start()
    assert started.finish(30) == []
    assert disk.taken == [1]


def test_what_came_while_the_disk_was_thinking_is_counted_too(
    disk: Disk, started: Worker[int]
) -> None:
    disk.error = OSError("refused")
    disk.hold.clear()
    started.put(1)
    assert disk.busy.wait(30)
    started.put(2)
    started.put(3)
    threading.Timer(0.1, disk.hold.set).start()
    # The time is up before the disk has answered.
    assert started.finish(0.02) == [1, 2, 3]


def test_what_is_partly_done_is_not_done_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RETRY_S", 0.005)
    done = []
    refusals = iter([True, True, False])

    def work(items: list[int]) -> None:
        for item in list(items):
            if item == 2 and next(refusals):
                continue
            items.remove(item)
            done.append(item)
        if items:
            raise OSError("refused")

    some: Worker[int] = Worker("test", work, FAILING)
    for i in (1, 2, 3):
        some.put(i)
    some.start()
    assert some.finish(30) == []
    assert done == [1, 3, 2]


def test_a_disk_that_does_not_answer_is_said_and_so_is_its_return(
    disk: Disk,
    started: Worker[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(worker, "monotonic", lambda: now[0])
    disk.hold.clear()
    started.put(1)
    assert disk.busy.wait(30)
    now[0] += worker.SLOW_S
    started.look()
    assert caplog.messages == []
    now[0] += 1
    for _ in range(3):
        started.look()
    assert caplog.messages == [f"{FAILING}: the disk has not done it in 11 s"]
    disk.hold.set()
    eventually(lambda: len(caplog.messages) == 2)
    assert caplog.messages[1] == "the disk takes data again: what was waiting is written"
    assert started.finish(30) == []


def test_the_end_waits_for_a_disk_that_hangs_and_says_so_once_a_minute(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [1000.0]

    def clock() -> float:
        # Five seconds each time that somebody looks, until it has hung for long enough.
        if now[0] < 1200:
            now[0] += 5
        else:
            disk.hold.set()
        return now[0]

    monkeypatch.setattr(worker, "monotonic", clock)
    monkeypatch.setattr(worker, "_LOOK_S", 0.01)
    hanging: Worker[int] = Worker("test", disk.take, FAILING)
    hanging.start()
    disk.hold.clear()
    hanging.put(1)
    # The time to give up is for a disk that refuses: this one may yet take the rows.
    assert hanging.finish(0.01) == []
    assert disk.taken == [1]
    said = [text for text in caplog.messages if "has not done it" in text]
    after = [int(text.split()[-2]) for text in said]
    assert len(after) >= 3
    assert all(60 <= later - sooner < 90 for sooner, later in pairwise(after))
