"""What the file of a compacted day says of itself: which files its rows stand for.

It is kept in the Parquet file's own metadata, so that it can neither be lost nor be of another
file. Values only: the files are the business of `bitso_spread.lake.daily`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

_COVER = "bitso-spread.cover"
_SOURCES = "bitso-spread.sources"


@dataclass(frozen=True, slots=True)
class Covered:
    """A data file of a table whose rows a compacted day has."""

    name: str
    """Its path in the folder of the book's day, such as ``minutes=10/btc_mxn-….csv``."""
    bytes: int
    sha256: str
    rows: int
    pruned: bool
    """Whether it may have been deleted since: the compacted day is all there is of it."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What must be known of a compacted day before any of its rows is read."""

    table: str
    """The table whose files it stands for."""
    minutes: tuple[int, ...]
    """The partitions whose rows it has, by their start in minutes from UTC midnight, in order."""
    rows: int
    crosses: bool
    """Whether it has a row of the day after, as files of other writers may."""
    own: bool
    """Whether this package named all files that it covers."""
    format: str
    """Of the latest of these: ``csv`` or ``parquet``."""
    columns: str
    """Of the latest of these: ``five`` or ``full``."""
    pruned: bool
    """Whether any of these may have been deleted."""
    digest: str
    """Tells whether two covers are of the same files; a day that is made anew has another."""


def to_metadata(cover: Cover, sources: Sequence[Covered]) -> dict[str, str]:
    """Give what is written into the file."""
    return {
        _COVER: json.dumps(_values(cover), separators=(",", ":")),
        _SOURCES: json.dumps([_values(each) for each in sources], separators=(",", ":")),
    }


def cover_in(metadata: Mapping[str, str]) -> Cover:
    """Read what a file says of itself.

    Raises:
        ValueError, KeyError, TypeError: this package did not write it, or a newer version did.
    """
    values = json.loads(metadata[_COVER])
    return Cover(**values | {"minutes": tuple(values["minutes"])})


def sources_in(metadata: Mapping[str, str]) -> tuple[Covered, ...]:
    """Read which files it covers, in the order of their partitions.

    Raises:
        ValueError, KeyError, TypeError: as `cover_in`.
    """
    return tuple(Covered(**values) for values in json.loads(metadata[_SOURCES]))


def _values(of: Cover | Covered) -> dict[str, object]:
    # None is a dataclass itself, and there are 144 to a day: `asdict` copies deeply.
    return {each.name: getattr(of, each.name) for each in fields(of)}
