"""A folder that is no lake, and the lake that was probably meant: around it, in it or beside it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bitso_spread.errors import UsageError
from bitso_spread.lake import layout

# A folder may hold anything, and looking is to take no time.
_LOOKED_AT = 500
_LEVELS = 2


def meant(folder: Path, table: str) -> str:
    """Give what to say of an absolute `folder` that is no lake; nothing if nothing is near."""
    if _is_lake(folder, table):
        return ""
    if around := _around(folder):
        return f"it lies inside of the lake {_named(*around, table)}"
    if near := difflib.get_close_matches(table, tables := [*_tables(folder)], n=1):
        return f"did you mean --table {near[0]}?"
    if tables:
        return f"it has {', '.join(tables)}: name that with --table"
    if lakes := [*islice(_lakes_in(folder, table, _LEVELS), 3)]:
        found = " and ".join(str(lake) for lake in lakes)
        return f"there is a lake in it, {found}: name that one with --lake"
    if folder.exists():
        return ""
    beside = [each.name for each in _folders(folder.parent) if _is_lake(each, table)]
    if near := difflib.get_close_matches(folder.name, beside, n=1):
        return f"did you mean --lake {folder.with_name(near[0])}?"
    return ""


def check_not_inside(folder: Path) -> None:
    """Refuse a folder for a new lake that is a partition, or another folder of a table.

    Raises:
        UsageError: it is; the message names the lake that was probably meant.
    """
    if around := _around(folder):
        lake, table = around
        raise UsageError(
            f"--lake {folder} lies inside of the lake {_named(lake, table, layout.TABLE)}"
        )


def _named(lake: Path, its_table: str, table: str) -> str:
    which = "" if its_table in {table, layout.daily_table(table)} else f" --table {its_table}"
    return f"{lake}: name it with --lake {lake}{which}"


def _around(folder: Path) -> tuple[Path, str] | None:
    """Give the lake and the table that a folder lies in: below a table there are dates."""
    if _has_dates(folder):
        return folder.parent, folder.name
    for path in (folder, *folder.parents):
        if layout.key_of(path.name, "date") is not None and path.parent.name:
            return path.parent.parent, path.parent.name
    return None


def _tables(folder: Path) -> Iterator[str]:
    names = sorted(each.name for each in _folders(folder) if _has_dates(each))
    yield from (name for name in names if not name.endswith(layout.daily_table("")))


def _lakes_in(folder: Path, table: str, levels: int) -> Iterator[Path]:
    for each in _folders(folder):
        if _is_lake(each, table):
            yield each
        elif levels > 1:
            yield from _lakes_in(each, table, levels - 1)


def _is_lake(folder: Path, table: str) -> bool:
    return (folder / table).is_dir() or layout.state_file(folder, table).is_file()


def _has_dates(folder: Path) -> bool:
    return any(layout.key_of(each.name, "date") is not None for each in _folders(folder))


def _folders(folder: Path) -> list[Path]:
    """Give the folders in a folder, but for hidden ones; none where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            looked_at = islice(entries, _LOOKED_AT)
            found = [each.path for each in looked_at if each.name[0] != "." and each.is_dir()]
    except OSError:
        return []
    return [Path(path) for path in sorted(found)]
