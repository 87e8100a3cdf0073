"""Numbers and times as a report writes them: English, with as many digits as a person compares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import polars as pl

STATISTICS = ("mean", "median", "p95", "p99", "min", "max")
NOTHING = "\N{EN DASH}"
"""Stands where nothing is known."""

_LEAST_PLACES, _MOST_PLACES = 4, 8
_TIME = "%Y-%m-%d %H:%M:%S%:z"
_LENGTHS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def places(means: Iterable[float | None]) -> int:
    """Give how many places spreads need, so that the smallest of them has three digits."""
    least = min((mean for mean in means if mean and math.isfinite(mean)), default=1.0)
    return min(max(_LEAST_PLACES, 2 - math.floor(math.log10(abs(least)))), _MOST_PLACES)


def percent(value: float | None, digits: int = _LEAST_PLACES) -> str:
    """Write a spread in percent, without its unit."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def count(value: float | None) -> str:
    """Write a whole number."""
    return NOTHING if value is None else f"{value:,.0f}"


def share(part: float | None, whole: float = 100.0) -> str:
    """Write a share in percent, in which neither a little is none nor almost all is all."""
    if part is None or not whole:
        return NOTHING
    value = part * 100 / whole
    if 0 < value < 0.01:
        return "< 0.01"
    return "> 99.99" if 99.99 < value < 100 else f"{value:.2f}"


def length(seconds: int) -> str:
    """Write a length of time in the largest unit of which it is a multiple."""
    size, unit = next(each for each in _LENGTHS if seconds % each[0] == 0)
    return f"{seconds // size} {unit}"


def duration(seconds: float) -> str:
    """Write how long something took, in its two largest units."""
    left, parts = round(seconds), []
    for size, unit in _LENGTHS:
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def times(instants: Sequence[int], tz: str) -> list[str]:
    """Write instants, in seconds since the epoch, by the clocks of a zone, with their offset."""
    utc = pl.from_epoch(pl.Series(instants, dtype=pl.Int64)).dt.replace_time_zone("UTC")
    return local(utc, tz)


def local(instants: pl.Series, tz: str) -> list[str]:
    """Write a series of instants, of which none is null, likewise."""
    texts: list[str] = instants.dt.convert_time_zone(tz).dt.to_string(_TIME).to_list()
    return [text.replace("+00:00", " UTC") for text in texts]
