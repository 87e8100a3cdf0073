"""``bitso-spread``, with a disk and a clock that do what a file says, while it runs.

Run by `ailing`, which says what it can be told. Nothing of the program is replaced but calls of
the system at its edge; where SQLite or the kernel can be made to refuse, they do it themselves.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

_LOOK_S = 0.02


class Orders:
    """What the file says now: a word and a value a line."""

    def __init__(self, path: str) -> None:
        self._path = path

    def get(self, word: str) -> str | None:
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            lines = os.read(descriptor, 10_000).decode().splitlines()
        finally:
            os.close(descriptor)
        return dict(line.split(maxsplit=1) for line in lines).get(word)

    def refuse(self, word: str) -> None:
        """Raise the error that the file names for a step, if it names one."""
        if (name := self.get(word)) is not None:
            number = getattr(errno, name)
            raise OSError(number, os.strerror(number))

    def linger(self) -> None:
        """Take as long as the file says that a sync takes."""
        time.sleep(float(self.get("sync") or 0))


def set_clock(orders: Orders) -> None:
    """Let the wall clock be off by as many seconds as the file says; the monotonic one is not."""
    wall, wall_ns = time.time, time.time_ns

    def off() -> float:
        return float(orders.get("clock") or 0)

    time.time = lambda: wall() + off()
    time.time_ns = lambda: wall_ns() + int(off() * 1e9)


def limit_files(orders: Orders) -> None:
    """Keep files from growing beyond the size that the file says: the kernel refuses."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def follow() -> None:
        while True:
            size = orders.get("file_size")
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else int(size), hard))
            time.sleep(_LOOK_S)

    threading.Thread(target=follow, daemon=True).start()


class Half:
    """A file on a disk that becomes full while it is written."""

    def __init__(self, file: Any, orders: Orders) -> None:
        self._file = file
        self._orders = orders

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        self._file.write(data[: len(data) // 2])
        self._orders.refuse("staging")


def ail_files(orders: Orders) -> None:
    """Let making a file fail, and putting it into the table; let a sync take long."""
    opened, linked, renamed, synced = Path.open, Path.hardlink_to, Path.rename, os.fsync

    def open_(path: Path, mode: str = "r", *rest: Any, **others: Any) -> Any:
        if mode != "xb" or orders.get("staging") is None:
            return opened(path, mode, *rest, **others)
        if orders.get("staging") == "EROFS":
            orders.refuse("staging")
        return Half(opened(path, mode, *rest, **others), orders)

    def hardlink_to(path: Path, target: Path) -> None:
        orders.refuse("move")
        linked(path, target)

    def rename(path: Path, target: Path) -> Path:
        orders.refuse("move")
        return renamed(path, target)

    def fsync(descriptor: int) -> None:
        orders.linger()
        synced(descriptor)

    patches: list[tuple[Any, str, Any]] = [
        (Path, "open", open_),
        (Path, "hardlink_to", hardlink_to),
        (Path, "rename", rename),
        (os, "fsync", fsync),
    ]
    for owner, name, step in patches:
        setattr(owner, name, step)


def ail_journal(orders: Orders) -> None:
    """Let commits be refused as on a read-only disk, by SQLite itself, or take long."""
    from bitso_spread.lake.database import Database

    transaction = Database.transaction

    @contextmanager
    def ailing(self: Database, *, synced: bool = True) -> Iterator[None]:
        read_only = orders.get("journal") == "read-only"
        self._db.execute(f"PRAGMA query_only = {int(read_only)}")
        with transaction(self, synced=synced):
            before = self._db.total_changes
            yield
            if synced and self._db.total_changes != before:
                orders.linger()

    Database.transaction = ailing  # type: ignore[method-assign]


def main() -> None:
    orders = Orders(sys.argv.pop(1))
    # Before anything is imported that keeps a clock of its own.
    set_clock(orders)
    ail_files(orders)
    ail_journal(orders)
    limit_files(orders)
    from bitso_spread.cli import main

    main()


if __name__ == "__main__":
    main()
