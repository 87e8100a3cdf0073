"""Which files a source names: one file, or all data files below a folder, of any shape.

What is in them is `parsing`'s business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bitso_spread.errors import LakeError, LakeIdentityError
from bitso_spread.lake import layout
from bitso_spread.lake.cover import cover_in, sources_in
from bitso_spread.lake.files import UNREADABLE
from bitso_spread.lake.shown import shown


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A data file that is to be imported."""

    path: Path
    size: int
    """In bytes."""


def source_files(
    sources: Iterable[Path | str], *, also: Iterable[Path] = (), on_bad: Callable[[LakeError], None]
) -> list[SourceFile]:
    """Give the data files of all sources, in their order; below a folder by their paths.

    A source without one is an error, unless it holds one of the journals that are imported `also`.
    What cannot be listed is told to `on_bad`, and passed over.

    In folders, names that begin with ``_`` or ``.`` hold no data and are passed over, as are
    files that are neither ``.csv`` nor ``.parquet``. A file that two sources name comes once, and
    a compacted day whose own files are all there not at all.

    Raises:
        LakeError: a source is not there, cannot be listed, or has no data file.
    """
    found: dict[str, SourceFile] = {}
    bad: list[LakeError] = []

    def pass_over(error: OSError) -> None:
        bad.append(_unreadable(error))
        on_bad(bad[-1])

    for source in sources:
        path = Path(source).expanduser().absolute()
        before = len(bad)
        files: list[tuple[str, SourceFile]] = []
        try:
            files += _below(path, pass_over) if path.is_dir() else [_single(path)]
        except OSError as error:
            pass_over(error)
        complete = len(bad) == before
        if not files and complete and not any(journal.is_relative_to(path) for journal in also):
            raise LakeError(f"there is nothing to import in {path}: no .csv or .parquet file")
        for real, file in files:
            found.setdefault(real, file)
    if bad and not found and not any(also):
        raise bad[0]
    return list(found.values())


def only_environment(found: Iterable[tuple[str, Path]]) -> str:
    """Give the one environment that all files were recorded from, given that of each.

    Raises:
        LakeIdentityError: there is more than one.
    """
    first: dict[str, Path] = {}
    for environment, path in found:
        first.setdefault(environment, path)
    if len(first) > 1:
        what = ", ".join(f"{name} ({path})" for name, path in sorted(first.items()))
        raise LakeIdentityError(
            f"the sources hold rows of {what}: they never mix; import each into a lake of its own"
        )
    return next(iter(first))


def _single(path: Path) -> tuple[str, SourceFile]:
    if path.suffix not in layout.SUFFIXES.values():
        if not path.exists():
            raise LakeError(
                f"there is no {path}: name a .csv or .parquet file, or a folder of them"
            )
        raise LakeError(f"{path} is neither .csv nor .parquet: nothing else can be imported")
    return os.path.realpath(path), SourceFile(path, path.stat().st_size)


def _below(folder: Path, pass_over: Callable[[OSError], None]) -> Iterator[tuple[str, SourceFile]]:
    """Give the files below a folder, each with its path without links."""
    root, real_root = str(folder), os.path.realpath(folder)
    for parent, folders, names in os.walk(root, onerror=pass_over):
        # os.walk goes into those that are left, in this order; into links it does not go.
        folders[:] = sorted(name for name in folders if not name.startswith(("_", ".")))
        real_parent = real_root + parent[len(root) :]
        for name in sorted(filter(layout.is_data_file, names)):
            path = Path(parent, name)
            # A year has 105,120 of them, and to resolve each takes longer than to read it.
            real = os.path.realpath(path) if path.is_symlink() else f"{real_parent}/{name}"
            if not _stands_for_others(path, folder):
                yield real, SourceFile(path, _size(path))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 1  # whoever reads it says what is wrong with it: only an empty file has no rows


def _stands_for_others(path: Path, folder: Path) -> bool:
    """Tell whether a file is a compacted day whose own files all lie below the folder too."""
    if not layout.is_daily_name(path.name):
        return False
    try:
        metadata = pl.read_parquet_metadata(path)
        table, files = cover_in(metadata).table, sources_in(metadata)
    except (*UNREADABLE, OSError, ValueError, KeyError, TypeError):
        return False  # no compacted day of ours
    of_book, of_date, _, lake = path.parents[:4]
    day = lake / table / of_date.name / of_book.name
    return day.is_relative_to(folder) and all((day / file.name).is_file() for file in files)


def _unreadable(error: OSError) -> LakeError:
    return LakeError(f"{shown(error.filename)} cannot be read: {error.strerror or error}")
