"""What lies in a table's folders, level by level; what is no partition and no data is passed over.

Which of it a question names is `bitso_spread.lake.walk`'s business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bitso_spread.errors import LakeError
from bitso_spread.lake import layout
from bitso_spread.lake.datafile import DataFile, GoneError
from bitso_spread.lake.filters import DAY_MINUTES, midnight_of
from bitso_spread.lake.shown import shown

# Folders are texts here: a Path for each of the 144 of a day takes as long as listing them.


def days_in(folder: str | Path) -> list[tuple[int, str]]:
    """Give the UTC days of a table, such as 20240726, in order, each with its folder.

    Raises:
        LakeError: a folder is gone, or cannot be read; so do all functions here.
    """
    return sorted((int(text), path) for text, path in _children(folder, "date") if _is_day(text))


def books_in(day: str) -> list[tuple[str, str]]:
    """Give the books of a day, each with its folder."""
    return _children(day, "order_book")


def batches_in(book: str) -> Iterator[tuple[int, str]]:
    """Give the minutes at which batches of a book's day start, each with its folder."""
    for text, path in _children(book, "minutes"):
        if _is_minute(text):
            yield int(text), path


def names_in(folder: str | Path) -> set[str]:
    """Give the names of all that lies in a folder, which may be gone."""
    try:
        # Of 144 names, half the time that their entries take.
        return set(os.listdir(folder))  # noqa: PTH208
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise _unread(folder, error) from error


def is_place(name: str, key: str) -> bool:
    """Tell whether a folder of this name is that of a value of a key, such as a day's."""
    value = layout.key_of(name, key)
    if value is None:
        return False
    return {"date": _is_day, "minutes": _is_minute}.get(key, bool)(value)


def files_in(partition: layout.Partition, folder: str | Path) -> Iterator[DataFile]:
    """Give the data files of a partition, by their names."""
    entries = _entries(folder)
    if len(entries) > 1:
        entries.sort(key=lambda entry: entry.name)
    for entry in entries:
        if layout.is_data_file(entry.name) and entry.is_file():
            yield DataFile(partition, Path(entry.path), _size(entry))


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        raise GoneError(Path(folder)) from None
    except OSError as error:
        raise _unread(folder, error) from error


def _unread(folder: str | Path, error: OSError) -> LakeError:
    return LakeError(f"{shown(folder)} cannot be read: {error.strerror}")


def _children(folder: str | Path, key: str) -> list[tuple[str, str]]:
    """Give the values of a partition key in a folder; what is no partition is passed over."""
    values = ((layout.key_of(entry.name, key), entry) for entry in _entries(folder))
    return [(value, entry.path) for value, entry in values if value and entry.is_dir()]


def _is_day(text: str) -> bool:
    if not (len(text) == 8 and text.isascii() and text.isdigit()):
        return False
    try:
        midnight_of(int(text))
    except ValueError:
        return False
    return True


def _is_minute(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < DAY_MINUTES


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0
