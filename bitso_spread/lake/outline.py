"""What lies in object storage and is no data, as empty files: for audits of names and sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bitso_spread.cloud.objects import Found
from bitso_spread.lake import layout


@contextmanager
def outline(root: Path, found: Sequence[Found]) -> Iterator[None]:
    """Put empty files in the place of objects, below a folder, while they are looked at."""
    paths = [root / each.key for each in found]
    try:
        for path, each in zip(paths, found, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.truncate(each.size)  # takes no room
        yield
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
            for parent in path.parents:
                if parent == root:
                    break
                with suppress(OSError):
                    parent.rmdir()


@contextmanager
def looked_beside(root: Path, table: str, date: int, book: str) -> Iterator[None]:
    """Say that queries look for files beside a compacted day, as they always do in a store."""
    mark = layout.stale_folder(root, table) / str(date) / f"{book}.store"
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)
