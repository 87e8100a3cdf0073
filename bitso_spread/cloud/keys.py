"""The keys of what stands beside a table in object storage: they are those of a local lake's paths.

::

    .bitso-spread/identity/<table>.json         what the table holds
    .bitso-spread/leases/<table>/<book>.json    which recorder has a book
    .bitso-spread/recorders/<table>/<id>.json   how a recorder is, renewed while it lives
    .bitso-spread/stale/<table>/<date>/<book>.<random>   marks on compacted days
"""

from __future__ import annotations

from pathlib import Path

from bitso_spread.lake import layout

_BESIDE = layout.state_folder(Path())


def identity_key(table: str) -> str:
    """Give the key of what a table holds."""
    return (_BESIDE / "identity" / f"{table}.json").as_posix()


def lease_key(table: str, book: str) -> str:
    """Give the key of the lease on a book."""
    return (_BESIDE / "leases" / table / f"{book}.json").as_posix()


def recorders_prefix(table: str) -> str:
    """Give the prefix of all recorders of a table."""
    return (_BESIDE / "recorders" / table).as_posix()


def recorder_key(table: str, name: str) -> str:
    """Give the key of one recorder."""
    return f"{recorders_prefix(table)}/{name}.json"


def stale_key(table: str, date: int, mark: str) -> str:
    """Give the key of a mark on a compacted day, which begins with the book's name and a dot."""
    return (layout.stale_folder(Path(), table) / str(date) / mark).as_posix()


def day_prefix(table: str, date: int, book: str) -> str:
    """Give the prefix of a book's day."""
    return f"{table}/{layout.day_path(date, book).as_posix()}"
