"""A first start that came to nothing leaves nothing behind.

What it made itself is taken away, if nothing is in it: the journal, locks, folders. Of what was
there before, or what another process uses meanwhile, nothing is touched.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.locks import BookLocks, only_opener
from bitso_spread.lake.set_aside import BUSY_S, close_to_others

# Tables of the journal that a start fills before there is anything to keep.
_NAMES_ONLY = {"identity", "store"}


class FirstStart:
    """Knows what there was of a table before it was opened for the first time."""

    def __init__(self, lake: Path, table: str) -> None:
        self._state = layout.state_folder(lake)
        self._journal = layout.state_file(lake, table)
        self._locks = layout.locks_folder(lake, table)
        self._is_first = not _is_there(self._journal)
        self._before = set(_below(self._state)) if self._is_first else set()
        self._missing = [one for one in (self._state, lake, *lake.parents) if not _is_there(one)]

    def undo(self) -> None:
        """Take away what has been made since, if it is empty; a disk that refuses is let be."""
        if not self._is_first:
            return
        with suppress(OSError, LakeError, sqlite3.Error):
            if _is_there(self._locks):
                # Nobody opens the journal meanwhile, who would then have one that is no more.
                with only_opener(self._locks) as opening, _held(self._its_locks()) as locks:
                    if _is_there(self._journal):
                        _remove_empty(self._journal)
                    for path in (*locks, opening):
                        if path not in self._before:
                            path.unlink()
            for folder in (*reversed(self._made()), *self._missing):
                with suppress(OSError):
                    folder.rmdir()

    def _made(self) -> list[Path]:
        return [path for path in _below(self._state) if path not in self._before]

    def _its_locks(self) -> list[Path]:
        made = {path for path in self._made() if path.suffix == ".lock"}
        return sorted(made.union(self._locks.glob("*.lock")))


class _InUseError(LakeError):
    """Somebody else is at work there, or something is kept."""


def _remove_empty(journal: Path) -> None:
    """Remove a journal, if nothing is in it and nobody else has it open."""
    with closing(sqlite3.connect(journal, timeout=BUSY_S, isolation_level=None)) as opened:
        close_to_others(opened)
        names = opened.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (name,) in names:
            held = opened.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone()  # noqa: S608  (of our own)
            if held and name not in _NAMES_ONLY:
                raise _InUseError(f"{journal} is in use")
        journal.unlink()


@contextmanager
def _held(paths: list[Path]) -> Iterator[list[Path]]:
    """Hold these locks, so that nobody else does."""
    with ExitStack() as stack:
        for path in paths:
            locks = stack.enter_context(BookLocks(path.parent))
            locks.acquire([path.stem])
        yield paths


def _below(folder: Path) -> list[Path]:
    """Give all that lies in a folder, at any depth, each after the folder that it lies in."""
    found = []
    for at, folders, files in os.walk(folder):
        found += [Path(at, name) for name in (*folders, *files)]
    return found


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # What cannot be looked at was not made by us.
        return True
    return True
